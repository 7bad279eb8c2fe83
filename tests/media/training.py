"""A training in miniature: a folder to train in, and a recipe of four steps."""

from __future__ import annotations

from pathlib import Path

import cv2
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.training.data import Pairs
from stylecam.training.loop import Run
from stylecam.training.recipe import Recipe
from stylecam.training.scenes import Scenes
from stylecam.training.trainer import Trainer
from stylecam.training.vgg import VGG19

TINY = Recipe("tiny", "painting.png", "Tiny", "Nobody", "CC0", batch=1, crop=96, steps=4,
              painting_long_side=128, warmup_steps=1, adversarial_from=1, equivariance=100,
              gradient_penalty=0.1, discriminator_dropout=0.1)  # fmt: skip

QUICK = Recipe("tiny", "painting.png", crop=64, steps=3, painting_long_side=96)
VALUES = ["--device", "cpu", "--set", "crop=64", "painting_long_side=96"]
"""Those of `QUICK`, for the command."""


def make_folder(folder: Path) -> Path:
    """Fill a folder with three photos and a painting."""
    (folder / "photos").mkdir()
    for index in range(3):
        photo = PatternSource(120, 160).image(40 * index)
        cv2.imwrite(str(folder / "photos" / f"{index}.png"), photo)
    cv2.imwrite(str(folder / "painting.png"), PatternSource(150, 130).image(5)[:, :, ::-1])
    return folder


def pairs(folder: Path, recipe: Recipe = TINY) -> Pairs:
    """Return the pairs of views that a run on the folder's photos sees."""
    return Pairs(
        Scenes([folder / "photos"], crop=recipe.crop),
        recipe,
        steps=recipe.steps,
    )


def trainer(folder: Path, vgg: VGG19, recipe: Recipe = TINY, *, timed: bool = False) -> Trainer:
    """Return what learns the folder's painting."""
    return Trainer(recipe, paintings=[folder / "painting.png"], vgg=vgg, timed=timed)


def run_of(folder: Path, learner: Trainer, stream: Pairs | None = None) -> Run:
    """Return a training of `QUICK`, with its run folder beside the painting."""
    return Run(learner, stream or pairs(folder, QUICK), folder / "run", card={"name": "tiny"})
