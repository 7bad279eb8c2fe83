"""Train one style: a run folder in, checkpoints, previews and an `.onnx` file out."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from . import losses
from .data import Photos, painting_patches, read_image
from .discriminator import (
    Discriminator,
    adversarial_loss,
    discriminator_loss,
    gradient_penalty,
)
from .export import export_style
from .motion import camera_noise, random_motion
from .network import MULTIPLE, Generator
from .recipe import Recipe
from .vgg import VGG19

CHECKPOINT_EVERY_S = 120.0
PATCHES = 4


class Trainer:
    """Everything a run holds between two steps, so that it can stop and resume at any of them."""

    def __init__(
        self, recipe: Recipe, *, painting: Path, photos: Photos, vgg: VGG19, device: str = "cpu"
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.photos, self.device = recipe, photos, device
        self.vgg = vgg.to(device)
        self.generator = Generator(recipe.size).to(device)
        self.average = Generator(recipe.size).to(device).requires_grad_(False)
        self.average.load_state_dict(self.generator.state_dict())
        self.discriminator = Discriminator(dropout=recipe.discriminator_dropout).to(device)
        self.optimizer = torch.optim.Adam(self.generator.parameters(), lr=recipe.learning_rate)
        self.discriminator_optimizer = torch.optim.Adam(
            self.discriminator.parameters(), lr=recipe.discriminator_rate, betas=(0.5, 0.99)
        )
        self.step = 0
        self.painting = read_image(painting, recipe.painting_long_side)
        with torch.no_grad():
            features = self.vgg(self.painting[None].to(device))
            self.targets = {name: losses.gram(value) for name, value in features.items()}

    def state(self) -> dict[str, Any]:
        """Return what `load` needs to go on from here."""
        parts = ("generator", "average", "discriminator", "optimizer", "discriminator_optimizer")
        return {"step": self.step} | {part: getattr(self, part).state_dict() for part in parts}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.step = state["step"]
        for part, value in state.items():
            if part != "step":
                getattr(self, part).load_state_dict(value)

    def rate(self) -> float:
        """Learning rate factor: linear warm-up, then a cosine to zero."""
        warmup = min(1.0, (self.step + 1) / self.recipe.warmup_steps)
        return warmup * 0.5 * (1 + math.cos(math.pi * self.step / self.recipe.steps))

    def train_step(self, photo: Tensor) -> dict[str, float]:
        """One step of both networks on photos (N, 3, crop, crop); returns the loss figures."""
        recipe = self.recipe
        random = torch.Generator().manual_seed(recipe.seed * 1_000_003 + self.step)
        motion = random_motion(photo.shape, generator=random)
        moved_photo = camera_noise(motion.apply(photo), generator=random)
        motion = type(motion)(*(part.to(self.device) for part in motion))
        photo = photo.to(self.device)
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.learning_rate * self.rate()

        both = self.generator(torch.cat([photo, moved_photo.to(self.device)]))
        painted, moved = both.chunk(2)
        with torch.no_grad():
            photo_features = self.vgg(photo, upto=losses.CONTENT_LAYER)
        features = self.vgg(painted)
        terms = {
            "content": losses.content_loss(features, photo_features),
            "style": losses.style_loss(features, self.targets),
            "temporal": losses.temporal_loss(moved, motion.apply(painted), motion.visible_N1HW),
            "total_variation": losses.total_variation(painted),
            "palette": losses.palette_loss(painted, self.painting[None].to(self.device)),
            "tone": losses.tone_loss(painted, photo),
        }
        if recipe.adversarial and self.step >= recipe.adversarial_from:
            terms["adversarial"] = adversarial_loss(self.discriminator, painted)
        loss = torch.stack([getattr(recipe, name) * term for name, term in terms.items()]).sum()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.generator.parameters(), recipe.gradient_clip)
        self.optimizer.step()
        self.generator.head.settle()
        with torch.no_grad():
            for mean, value in zip(
                self.average.parameters(), self.generator.parameters(), strict=True
            ):
                mean.lerp_(value, 1 - min(recipe.ema, (self.step + 1) / (self.step + 10)))
        if recipe.adversarial:
            terms["discriminator"] = self._discriminator_step(painted, random)
        self.step += 1
        return {name: float(term.detach()) for name, term in terms.items()}

    def _discriminator_step(self, painted: Tensor, random: torch.Generator) -> Tensor:
        crop = min(128, painted.shape[-1])
        real = painting_patches(self.painting, PATCHES, crop, random).to(self.device)
        fake = painted.detach()[..., :crop, :crop]
        loss = discriminator_loss(self.discriminator, real, fake)
        if self.recipe.gradient_penalty:
            penalty = gradient_penalty(self.discriminator, real)
            loss = loss + self.recipe.gradient_penalty * penalty
        self.discriminator_optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.discriminator_optimizer.step()
        return loss


def train(
    trainer: Trainer, run: Path, *, card: dict[str, Any], report: Callable[[str], None] = print
) -> Path:
    """Train to the recipe's last step and return the style file.

    `run` gets config.json, stats.jsonl, preview.jpg, checkpoint.pt (every two minutes; a run that
    finds one resumes) and, at the end or on Ctrl-C, `<name>.onnx`.
    """
    recipe = trainer.recipe
    run.mkdir(parents=True, exist_ok=True)
    checkpoint, result = run / "checkpoint.pt", run / f"{recipe.name}.onnx"
    if checkpoint.exists():
        trainer.load(torch.load(checkpoint, map_location=trainer.device, weights_only=True))
        report(f"resumed at step {trainer.step}")
    (run / "config.json").write_text(json.dumps(dataclasses.asdict(recipe), indent=1))
    batches = trainer.photos.batches(recipe.batch, recipe.crop, seed=recipe.seed + trainer.step)
    begun, saved, first = time.monotonic(), time.monotonic(), trainer.step
    recent: list[dict[str, float]] = []
    row: dict[str, float] = {}
    try:
        with (run / "stats.jsonl").open("a") as stats:
            while trainer.step < recipe.steps:
                recent.append(trainer.train_step(next(batches)))
                if trainer.step % 25 == 0 or trainer.step == recipe.steps:
                    row |= {key: float(np.mean([r[key] for r in recent])) for key in recent[-1]}
                    stats.write(json.dumps({"step": trainer.step} | row) + "\n")
                    stats.flush()
                    pace = (time.monotonic() - begun) / (trainer.step - first)
                    told = "  ".join(f"{key} {value:.4f}" for key, value in row.items())
                    left_min = pace * (recipe.steps - trainer.step) / 60
                    report(
                        f"step {trainer.step}/{recipe.steps}  {told}  "
                        f"{pace:.2f} s a step, {left_min:.0f} min left"
                    )
                    recent = []
                if time.monotonic() - saved > CHECKPOINT_EVERY_S:
                    saved = time.monotonic()
                    _save(trainer, checkpoint)
                    preview(trainer.average, trainer.photos.paths, run / "preview.jpg")
    except KeyboardInterrupt:
        report(f"stopped at step {trainer.step}; run again to go on")
    _save(trainer, checkpoint)
    preview(trainer.average, trainer.photos.paths, run / "preview.jpg")
    figures = {key: round(value, 4) for key, value in row.items()}
    export_style(
        trainer.average.to("cpu"), card | {"steps": trainer.step, "losses": figures}, result
    )
    return result


def _save(trainer: Trainer, path: Path) -> None:
    temporary = path.with_suffix(".part")
    torch.save(trainer.state(), temporary)
    temporary.replace(path)


@torch.no_grad()
def preview(generator: Generator, paths: list[Path], out: Path, *, count: int = 4) -> None:
    """Write a contact sheet: `count` photos over their paintings, 256 pixels high."""
    columns = []
    for path in paths[:: max(1, len(paths) // count)][:count]:
        photo = read_image(path, 384)
        height, width = (side // MULTIPLE * MULTIPLE for side in photo.shape[1:])
        photo = photo[:, :height, :width]
        painted = generator(photo[None].to(next(generator.parameters()).device))[0].cpu()
        pair = torch.cat([photo, painted], dim=1).permute(1, 2, 0).numpy()
        bgr = (pair[..., ::-1] * 255).round().astype(np.uint8)
        columns.append(cv2.resize(bgr, (bgr.shape[1] * 512 // bgr.shape[0], 512)))
    cv2.imwrite(str(out), cv2.hconcat(columns))
