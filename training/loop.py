"""Train one style: a run folder in, checkpoints, previews and an `.onnx` file out.

A run folder holds

| file | what |
| --- | --- |
| config.json | the recipe |
| run.json | each start: when, by which command, from what, on which photos and device |
| stats.jsonl | loss figures, learning rate and time every 25 steps |
| checkpoint.pt | everything needed to resume, every two minutes |
| preview.jpg | the painting, and photos over theirs, as often |
| events.out.tfevents… | the same for TensorBoard, if that is installed |
| NAME.onnx | the style |
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

from torch.utils.data import DataLoader, Subset

from . import checkpoint, ranks, signals
from .data import Pairs
from .errors import Diverged, TrainingError
from .export import export_style
from .journal import Journal
from .motion import Pair
from .network import Generator
from .pictures import LOG
from .trainer import Trainer

CHECKPOINT_EVERY_S: Final = 120.0
REPORT_EVERY_S: Final = 2.0
ROW_EVERY_STEPS: Final = 25
FORECAST_AFTER_STEPS: Final = 10
MOST_WORKERS: Final = 8
"""Processes that read photos for a GPU: more than these it does not wait for."""


class Row(NamedTuple):
    """Where a run stands. Loss figures are means since the last row in stats.jsonl."""

    step: int
    steps: int
    losses: dict[str, float]
    seconds_a_step: float
    seconds_left: float
    taken: int
    """Steps since the run was started or resumed."""
    written: bool
    """Whether this one is in stats.jsonl."""


class Trained(NamedTuple):
    """The style file, its generator, and whether the run went to its end."""

    path: Path
    generator: Generator
    whole: bool


class Clock:
    """How far a run is: by its steps, or by `minutes`."""

    def __init__(self, trainer: Trainer, steps: int, minutes: float | None) -> None:
        self._trainer, self._steps, self.minutes = trainer, steps, minutes
        self._first, self._started_s = trainer.step, time.monotonic()
        self._before_s = trainer.seconds

    def tick(self) -> None:
        """Note that a step was taken."""
        self._trainer.seconds = self._before_s + time.monotonic() - self._started_s

    def progress(self) -> float:
        """Return how much is done, 0 to 1 and above."""
        if self.minutes is None:
            return self._trainer.step / self._steps
        return self._trainer.seconds / (60 * self.minutes)

    def row(self, losses: dict[str, float], *, written: bool) -> Row:
        """Return where the run stands; there must have been a step."""
        step, taken = self._trainer.step, self._trainer.step - self._first
        pace = (time.monotonic() - self._started_s) / taken
        if self.minutes is None:
            left, steps = pace * (self._steps - step), self._steps
        else:
            left = max(0.0, 60 * self.minutes - self._trainer.seconds)
            steps = step + round(left / pace)
        return Row(step, steps, losses, pace, left, taken, written)


def train(
    trainer: Trainer,
    pairs: Pairs,
    run: Path,
    *,
    card: dict[str, Any],
    about: dict[str, Any] | None = None,
    facts: dict[str, Any] | None = None,
    minutes: float | None = None,
    before: Generator | None = None,
    report: Callable[[Row], None] = lambda row: None,
    stop: Callable[[], bool] = lambda: False,
) -> Trained | None:
    """Train to the recipe's last step, or for `minutes`, or until `stop` says so between two steps.

    Whatever ends a run, an error too, its checkpoint and its style are written; None when it was
    stopped before the first step, and nothing was. `about` is kept in the checkpoint, and
    `facts` of this start in run.json; `before` is the stage before, for a recipe that asks for a
    mean with it.

    Raises Diverged when a loss is no longer finite; the last checkpoint is kept then.
    """
    recipe, result = trainer.recipe, run / f"{trainer.recipe.name}.onnx"
    journal = Journal(run, trainer, pairs, facts=facts or {})
    clock = Clock(trainer, recipe.steps if minutes is None else len(pairs), minutes)
    saved, style = trainer.step, trainer.average

    def save() -> None:
        nonlocal saved
        journal.means()  # into the checkpoint
        try:
            checkpoint.save(trainer, run / "checkpoint.pt", about or {})
        except TrainingError as error:  # there may be room for the style, which is a tenth of it
            LOG.warning("%s; the run goes on without", error)
        else:
            saved = trainer.step

    def finish() -> None:
        nonlocal style
        journal.row()
        style = trainer.average.to("cpu")
        if before is not None and recipe.mean < 1:  # in every process: the next stage begins here
            style = style.mean_with(before, recipe.mean)
        if ranks.rank() == 0:
            save()
            figures = {key: round(value, 4) for key, value in journal.means().items()}
            spent = {"steps": trainer.step, "minutes": round(trainer.seconds / 60, 1)}
            export_style(style, card | spent | {"losses": figures}, result)
            journal.picture(style)
        journal.close()

    try:
        whole = _steps(trainer, pairs, run, clock, journal, save=save, report=report, stop=stop)
    except Diverged as error:
        journal.row()
        journal.close()
        kept = f"{run / 'checkpoint.pt'} of step {saved} is kept" if saved else "nothing is kept"
        if before is not None and not saved:
            kept = "the stage before is kept"
        raise Diverged(
            f"{error}; {kept}",
            hint=f"{'--resume ' if saved or before is not None else ''}--set "
            f"learning_rate={recipe.learning_rate / 3:.1g}, or less weight for that term",
        ) from error
    except BaseException:
        if trainer.step:
            finish()
            LOG.warning("the style as of step %d is %s", trainer.step, result)
        raise
    if not trainer.step:
        return None
    finish()
    return Trained(result, style, whole)


def _steps(
    trainer: Trainer,
    pairs: Pairs,
    run: Path,
    clock: Clock,
    journal: Journal,
    *,
    save: Callable[[], None],
    report: Callable[[Row], None],
    stop: Callable[[], bool],
) -> bool:
    """Take step after step; returns whether the end was reached."""
    first = trainer.step
    saved_s = told_s = time.monotonic()
    for pair in _loader(pairs, trainer):
        # One answer in all processes: each clock tells something else.
        done = ranks.agree(-1.0 if stop() else clock.progress())
        if done < 0 or done >= 1:
            return done >= 1
        figures = trainer.train_step(pair, progress=done)
        if trainer.step == first + 1:
            run.mkdir(parents=True, exist_ok=True)
            journal.begin()
        journal.add(figures)
        clock.tick()
        now_s, written = time.monotonic(), trainer.step % ROW_EVERY_STEPS == 0
        forecast = clock.minutes is not None and trainer.step == first + FORECAST_AFTER_STEPS
        if written or forecast or now_s - told_s > REPORT_EVERY_S or clock.progress() >= 1:
            told_s = now_s
            report(clock.row(journal.means(), written=written or clock.progress() >= 1))
        if written:
            journal.row()
        if now_s - saved_s > CHECKPOINT_EVERY_S:
            saved_s = now_s
            save()
            journal.picture(trainer.average)
    return True


def _loader(pairs: Pairs, trainer: Trainer) -> DataLoader[Pair]:
    """Give each rank its steps of the endless walk through the photos, from where it stands."""
    first = trainer.step * ranks.world() + ranks.rank()
    own = Subset(pairs, range(first, len(pairs) * ranks.world(), ranks.world()))
    workers = 0 if trainer.device == "cpu" else min(MOST_WORKERS, ranks.cores())
    return DataLoader(
        own,
        batch_size=None,
        num_workers=workers,
        pin_memory=trainer.device.startswith("cuda"),
        persistent_workers=workers > 0,
        worker_init_fn=signals.unmoved,
    )
