"""Train one style: a run folder in, checkpoints, previews and an `.onnx` file out.

A run folder holds

| file | what |
| --- | --- |
| config.json | the recipe |
| stats.jsonl | a row of loss figures every 25 steps |
| checkpoint.pt | everything needed to go on, written every two minutes |
| preview.jpg | four photos over their paintings, as often |
| events.out.tfevents… | the same for TensorBoard, if that is installed |
| NAME.onnx | the style |
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Subset

from . import ranks
from .data import Pairs
from .export import export_style
from .motion import Pair
from .network import MULTIPLE, Generator
from .pictures import read_photo
from .trainer import Trainer

CHECKPOINT_EVERY_S: Final = 120.0
ROW_EVERY_STEPS: Final = 25


class Row(NamedTuple):
    """Where a run stands. Loss figures are means since the last row."""

    step: int
    steps: int
    losses: dict[str, float]
    seconds_a_step: float
    seconds_left: float


class Trained(NamedTuple):
    """The style file, its generator, and whether the run went to its end."""

    path: Path
    generator: Generator
    whole: bool


def train(
    trainer: Trainer,
    pairs: Pairs,
    run: Path,
    *,
    card: dict[str, Any],
    minutes: float | None = None,
    report: Callable[[Row], None] = lambda row: None,
) -> Trained:
    """Train to the recipe's last step, or for `minutes`.

    A run folder with a checkpoint is gone on with. Ctrl-C ends the run early: its style is written
    all the same.
    """
    recipe = trainer.recipe
    run.mkdir(parents=True, exist_ok=True)
    checkpoint, result = run / "checkpoint.pt", run / f"{recipe.name}.onnx"
    journal = _Journal(run, trainer, pairs)
    steps = recipe.steps if minutes is None else len(pairs)
    begun_s, first, saved_s = time.monotonic() - trainer.seconds, trainer.step, time.monotonic()
    started_s, whole = time.monotonic(), False

    def progress() -> float:
        return trainer.step / steps if minutes is None else trainer.seconds / (60 * minutes)

    try:
        for pair in _loader(pairs, trainer):
            done = ranks.agree(progress())
            if done >= 1:
                whole = True  # in every process: each clock tells something else
                break
            journal.add(trainer.train_step(pair, progress=done))
            trainer.seconds = time.monotonic() - begun_s
            if trainer.step % ROW_EVERY_STEPS == 0 or progress() >= 1:
                pace = (time.monotonic() - started_s) / (trainer.step - first)
                left = pace * (steps - trainer.step)
                if minutes is not None:
                    left = 60 * minutes - trainer.seconds
                report(journal.row(round(trainer.step + left / pace), pace, max(0.0, left)))
            if time.monotonic() - saved_s > CHECKPOINT_EVERY_S:
                saved_s = time.monotonic()
                _save(trainer, checkpoint)
                journal.picture()
        else:
            whole = True
    except KeyboardInterrupt:
        pass
    if ranks.rank() == 0:
        _save(trainer, checkpoint)
        journal.picture()
        figures = {key: round(value, 4) for key, value in journal.last.items()}
        card = card | {"steps": trainer.step, "losses": figures}
        export_style(trainer.average.to("cpu"), card, result)
    return Trained(result, trainer.average, whole)


def _loader(pairs: Pairs, trainer: Trainer) -> DataLoader[Pair]:
    """Give each rank its steps of the endless walk through the photos, from where it stands."""
    first = trainer.step * ranks.world() + ranks.rank()
    own = Subset(pairs, range(first, len(pairs) * ranks.world(), ranks.world()))
    workers = 0 if trainer.device == "cpu" else 8
    return DataLoader(
        own,
        batch_size=None,
        num_workers=workers,
        pin_memory=trainer.device.startswith("cuda"),
        persistent_workers=workers > 0,
    )


def _save(trainer: Trainer, path: Path) -> None:
    if ranks.rank() == 0:
        temporary = path.with_suffix(".part")
        torch.save(trainer.state(), temporary)
        temporary.replace(path)


class _Journal:
    """What a run writes for people to look at."""

    def __init__(self, run: Path, trainer: Trainer, pairs: Pairs) -> None:
        self._run, self._trainer, self._photos = run, trainer, pairs.photos
        self._recent: list[dict[str, float]] = []
        self.last: dict[str, float] = {}
        self._board = _tensorboard(run) if ranks.rank() == 0 else None
        if ranks.rank() == 0:
            config = dataclasses.asdict(trainer.recipe)
            (run / "config.json").write_text(json.dumps(config, indent=1, ensure_ascii=False))

    def add(self, figures: dict[str, float]) -> None:
        self._recent.append(figures)

    def row(self, steps: int, pace: float, left: float) -> Row:
        """Write and return the means since the last row."""
        latest = self._recent[-1]
        self.last |= {
            key: float(np.mean([row[key] for row in self._recent if key in row])) for key in latest
        }
        self._recent = []
        step = self._trainer.step
        if ranks.rank() == 0:
            with (self._run / "stats.jsonl").open("a") as file:
                file.write(json.dumps({"step": step} | self.last) + "\n")
        if self._board is not None:
            for key, value in self.last.items():
                self._board.add_scalar(key, value, step)
        return Row(step, steps, dict(self.last), pace, left)

    def picture(self) -> None:
        """Write the preview."""
        if ranks.rank() != 0 or not self._photos:
            return
        sheet = preview(self._trainer.average, self._photos)
        cv2.imwrite(str(self._run / "preview.jpg"), sheet)
        if self._board is not None:
            self._board.add_image(
                "preview", sheet[..., ::-1].copy(), self._trainer.step, dataformats="HWC"
            )


def _tensorboard(run: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(run))


@torch.no_grad()
def preview(generator: Generator, paths: list[Path], *, count: int = 4) -> np.ndarray[Any, Any]:
    """Return a contact sheet, uint8 BGR: `count` photos over their paintings, 256 pixels high."""
    device = next(generator.parameters()).device
    columns = []
    for path in paths[:: max(1, len(paths) // count)][:count]:
        photo = read_photo(path, 384)
        height, width = (side // MULTIPLE * MULTIPLE for side in photo.shape[1:])
        photo = photo[:, :height, :width]
        painted = generator(photo[None].to(device))[0].cpu()
        pair = torch.cat([photo, painted], dim=1).permute(1, 2, 0).numpy()
        bgr = (pair[..., ::-1] * 255).round().astype(np.uint8)
        columns.append(cv2.resize(bgr, (bgr.shape[1] * 512 // bgr.shape[0], 512)))
    return cv2.hconcat(columns)
