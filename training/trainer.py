"""One step of training: generator and discriminator, and all that a run holds between steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import losses, ranks
from .border import BorderLesson
from .data import painting_patches
from .discriminator import (
    Discriminator,
    adversarial_loss,
    discriminator_loss,
    gradient_penalty,
)
from .errors import Diverged
from .motion import Pair
from .network import Generator
from .pictures import read_painting
from .recipe import Recipe
from .vgg import VGG19, has_bfloat16
from .views import Views

PATCHES: Final = 4
TEMPORAL_RAMP: Final = 0.6
"""The share of a run after which the temporal loss has its full weight."""
WARMUP_SHARE: Final = 0.05
ADVERSARIAL_SHARE: Final = 0.15
_PARTS: Final = (
    "generator",
    "average",
    "discriminator",
    "optimizer",
    "border_optimizer",
    "discriminator_optimizer",
)


class Targets(NamedTuple):
    """A painting's matrices, by layer; each (1, C, C)."""

    grams: dict[str, Tensor]
    covariances: dict[str, Tensor]


class Trainer:
    """Everything a run holds between two steps, so that it can stop and resume at any of them.

    `average` is the generator whose weights are the moving mean of the trained one's: what is
    shown and shipped. `start` is a generator to begin from. A run that is `timed` may have few
    steps: then warm-up and the discriminator's beginning count by progress as well.
    """

    def __init__(
        self,
        recipe: Recipe,
        *,
        paintings: Sequence[Path],
        vgg: VGG19,
        device: str = "cpu",
        start: Generator | None = None,
        timed: bool = False,
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.device, self.timed = recipe, device, timed
        self.vgg = vgg.to(device)
        self.generator = Generator(recipe.size).to(device)
        if start is not None:
            self.generator.load_state_dict(start.state_dict())
        self.average = Generator(recipe.size).to(device).requires_grad_(False)
        self.average.load_state_dict(self.generator.state_dict())
        self.discriminator = Discriminator(dropout=recipe.discriminator_dropout).to(device)
        borders = self.generator.borders()
        self._inside = [
            value for name, value in self.generator.named_parameters() if name not in borders
        ]
        self.optimizer = torch.optim.Adam(self._inside, lr=recipe.learning_rate)
        self.lesson = BorderLesson(self.generator)
        self.border_optimizer = self.lesson.optimizer
        self.discriminator_optimizer = torch.optim.Adam(
            self.discriminator.parameters(), lr=recipe.discriminator_rate, betas=(0.5, 0.99)
        )
        self.step = 0
        self.seconds = 0.0
        self.figures: dict[str, float] = {}
        """Means of the latest losses, as `Journal` has them."""
        self.autocast = torch.device(device).type if has_bfloat16(device) else None
        self.paintings = [read_painting(path, recipe.painting_long_side) for path in paintings]
        with torch.no_grad():
            self.targets = [self._targets(painting[None].to(device)) for painting in self.paintings]

    @property
    def _which(self) -> int:
        """The painting whose turn it is."""
        return self.step % len(self.paintings)

    def state(self) -> dict[str, Any]:
        """Return what `load` needs to resume from here."""
        parts = {part: getattr(self, part).state_dict() for part in _PARTS}
        told = {"step": self.step, "seconds": self.seconds, "figures": self.figures}
        return told | parts

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.step, self.seconds = state["step"], state["seconds"]
        self.figures = state.get("figures", {})
        for part in _PARTS:
            getattr(self, part).load_state_dict(state[part])
        for group in self.discriminator_optimizer.param_groups:
            group["lr"] = self.recipe.discriminator_rate  # which a resumed run may change

    def rate(self, progress: float) -> float:
        """Learning rate factor at `progress` of the run (0 to 1): linear warm-up, then a cosine to
        zero.
        """
        warmup = (self.step + 1) / self.recipe.warmup_steps
        if self.timed:
            warmup = max(warmup, progress / WARMUP_SHARE)
        return min(1.0, warmup) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))

    def adversarial(self, progress: float) -> bool:
        """Return whether the discriminator is listened to at `progress` of the run."""
        late = self.timed and progress >= ADVERSARIAL_SHARE
        return self.recipe.adversarial > 0 and (late or self.step >= self.recipe.adversarial_from)

    def ramp(self, progress: float) -> float:
        """Return the share of the temporal weight at `progress` of the run."""
        first = self.recipe.temporal_from
        return first + (1 - first) * min(1.0, progress / TEMPORAL_RAMP)

    def train_step(self, pair: Pair, *, progress: float) -> dict[str, float]:
        """Let both networks take one step, `progress` of the run done; returns the loss figures.

        Raises Diverged when one is not finite: before the weights step to which it belongs. Those
        of the generator step first, then the discriminator's, then the border's.
        """
        # Each step draws its own numbers, so that a resumed run ends where a whole one does.
        torch.manual_seed((self.recipe.seed * 1_000_003 + self.step) * ranks.world() + ranks.rank())
        pair = pair.to(self.device)
        terms = self._inside_step(pair, progress) if self.recipe.learning_rate > 0 else {}
        studied = self.lesson.study(pair.first, clip=self.recipe.gradient_clip)
        self._demand_finite(studied)
        self.lesson.step(self.rate(progress))
        terms["border"] = studied["border"]
        self._follow()
        self.step += 1
        return {name: float(term.detach()) for name, term in terms.items()}

    def _inside_step(self, pair: Pair, progress: float) -> dict[str, Tensor]:
        """Let all weights of both networks take a step but those of the border; returns the terms
        of the losses.
        """
        recipe = self.recipe
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.learning_rate * self.rate(progress)
        painted, terms = self._paint(pair, heard=self.adversarial(progress))
        weights = {name: float(getattr(recipe, name)) for name in terms}
        weights["temporal"] *= self.ramp(progress)
        loss = torch.stack([weights[name] * term for name, term in terms.items()]).sum()
        self.generator.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        ranks.average_gradients(self._inside)
        norm = nn.utils.clip_grad_norm_(self._inside, recipe.gradient_clip)
        self._demand_finite(terms | {"gradient": norm})
        self.optimizer.step()
        self.generator.head.settle()
        if recipe.adversarial > 0:
            terms["discriminator"] = self._discriminator_step(painted.detach())
        return terms

    def _paint(self, pair: Pair, *, heard: bool) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the painting of the first view, and the terms of the loss, each named as its
        weight in the recipe is; the adversarial one if the discriminator is `heard`.
        """
        recipe, which = self.recipe, self._which
        views = Views(pair, rolled=recipe.equivariance > 0)
        painted, steadiness = views.compare(self.generator(views.photos()))
        with torch.no_grad():
            photo_features = self._features(pair.first, upto=losses.CONTENT_LAYER)
        features = self._features(painted)
        painting = self.paintings[which][None].to(self.device)
        terms = {
            "content": losses.content_loss(features, photo_features),
            "total_variation": losses.total_variation(painted),
            "palette": losses.palette_loss(painted, painting),
            "tone": losses.tone_loss(painted, pair.first),
        }
        terms |= steadiness | self._style(painted, features, which)
        if recipe.colours > 0:
            terms["colours"] = losses.colours_loss(painted, painting)
        if heard:
            self.discriminator.requires_grad_(False)  # its own gradients come later
            terms["adversarial"] = adversarial_loss(self.discriminator, painted)
            self.discriminator.requires_grad_(True)
        return painted, terms

    def _demand_finite(self, figures: dict[str, Tensor]) -> None:
        bad = [name for name, value in figures.items() if not math.isfinite(float(value.detach()))]
        if bad:
            raise Diverged(f"step {self.step + 1}: {', '.join(bad)} is no longer finite")

    def _targets(self, painting: Tensor) -> list[Targets]:
        """Return what the painting has at full and at half size."""
        views = [self._features(view) for view in (painting, F.avg_pool2d(painting, 2))]
        return [
            Targets(
                {name: losses.gram(value) for name, value in view.items()},
                {name: losses.covariance(value) for name, value in view.items()},
            )
            for view in views
        ]

    def _style(self, painted: Tensor, features: dict[str, Tensor], which: int) -> dict[str, Tensor]:
        """Return the loss of style and, where it counts, that of texture: of both views together,
        the painting and that at half its size, where larger strokes show.
        """
        share, (fine, coarse) = self.recipe.coarse, self.targets[which]
        views = [(1 - share, features, fine)]
        if share:
            views.append((share, self._features(F.avg_pool2d(painted, 2)), coarse))
        style = [part * losses.style_loss(view, target.grams) for part, view, target in views]
        terms = {"style": torch.stack(style).sum()}
        if self.recipe.texture > 0:
            texture = [
                part * losses.texture_loss(view, target.covariances) for part, view, target in views
            ]
            terms["texture"] = torch.stack(texture).sum()
        return terms

    def _features(self, x_NCHW: Tensor, upto: str = "4_1") -> dict[str, Tensor]:
        """Return the frozen network's features, in bfloat16 inside where that is fast."""
        kind = self.autocast or "cpu"
        with torch.autocast(kind, torch.bfloat16, enabled=self.autocast is not None):
            features: dict[str, Tensor] = self.vgg(x_NCHW, upto=upto)
        return {name: value.float() for name, value in features.items()}

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the averaged weights towards the trained ones."""
        keep = min(self.recipe.ema, (self.step + 1) / (self.step + 10))
        for mean, value in zip(self.average.parameters(), self.generator.parameters(), strict=True):
            mean.lerp_(value, 1 - keep)

    def _discriminator_step(self, fake: Tensor) -> Tensor:
        random = torch.Generator().manual_seed(torch.initial_seed())
        crop = min(128, fake.shape[-1])
        real = painting_patches(self.paintings[self._which], PATCHES, crop, random).to(self.device)
        # Patches of the painted photo at the same scale, as many.
        places = torch.randint(0, fake.shape[-1] - crop + 1, (PATCHES, 2), generator=random)
        fakes = torch.stack([
            fake[i % len(fake), :, top : top + crop, left : left + crop]
            for i, (top, left) in enumerate(places.tolist())
        ])  # fmt: skip
        loss = discriminator_loss(self.discriminator, real, fakes)
        if self.recipe.gradient_penalty:
            penalty = gradient_penalty(self.discriminator, real)
            loss = loss + self.recipe.gradient_penalty * penalty
        self.discriminator_optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        ranks.average_gradients(self.discriminator.parameters())
        gradients = [p.grad for p in self.discriminator.parameters() if p.grad is not None]
        norm = nn.utils.get_total_norm(gradients)
        self._demand_finite({"discriminator": loss, "discriminator's gradient": norm})
        self.discriminator_optimizer.step()
        return loss
