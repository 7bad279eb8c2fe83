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


class Run:
    """The training of one stage, and its folder.

    `card` is that of the style file; `about` is kept in the checkpoint, and `facts` of this start
    in run.json. `before` is the stage before, for a recipe that asks for a mean with it.
    """

    def __init__(
        self,
        trainer: Trainer,
        pairs: Pairs,
        folder: Path,
        *,
        card: dict[str, Any],
        about: dict[str, Any] | None = None,
        facts: dict[str, Any] | None = None,
        before: Generator | None = None,
    ) -> None:
        self._trainer, self._pairs, self._folder = trainer, pairs, folder
        self._card, self._about, self._before = card, about or {}, before
        self._style = folder / f"{trainer.recipe.name}.onnx"
        self._journal = Journal(folder, trainer, pairs, facts=facts or {})
        self._saved = trainer.step
        """The step of the checkpoint; 0 when there is none."""

    def train(
        self,
        *,
        minutes: float | None = None,
        report: Callable[[Row], None] = lambda row: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> Trained | None:
        """Train to the recipe's last step, or for `minutes`, or until `stop` says so between two
        steps.

        Whatever ends it, an error too, checkpoint and style are written; None when it was stopped
        before the first step, and nothing was. Raises Diverged when a loss is no longer finite; the
        last checkpoint is kept then.
        """
        steps = self._trainer.recipe.steps if minutes is None else len(self._pairs)
        try:
            whole = self._steps(Clock(self._trainer, steps, minutes), report, stop)
        except Diverged as error:
            raise self._diverged(error) from error
        except BaseException:
            if self._trainer.step:
                self._finish()
                LOG.warning("the style as of step %d is %s", self._trainer.step, self._style)
            raise
        return Trained(self._style, self._finish(), whole) if self._trainer.step else None

    def _steps(self, clock: Clock, report: Callable[[Row], None], stop: Callable[[], bool]) -> bool:
        """Take step after step; returns whether the end was reached."""
        trainer, journal, first = self._trainer, self._journal, self._trainer.step
        saved_s = told_s = time.monotonic()
        for pair in _loader(self._pairs, trainer):
            # One answer in all processes: each clock tells something else.
            done = ranks.agree(-1.0 if stop() else clock.progress())
            if done < 0 or done >= 1:
                return done >= 1
            figures = trainer.train_step(pair, progress=done)
            if trainer.step == first + 1:
                self._folder.mkdir(parents=True, exist_ok=True)
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
                self._save()
                journal.picture(trainer.average)
        return True

    def _save(self) -> None:
        self._journal.means()  # into the checkpoint
        try:
            checkpoint.save(self._trainer, self._folder / "checkpoint.pt", self._about)
        except TrainingError as error:  # there may be room for the style, which is a tenth of it
            LOG.warning("%s; the run goes on without", error)
        else:
            self._saved = self._trainer.step

    def _finish(self) -> Generator:
        """Write all that is left to write; returns the style's generator."""
        trainer, journal = self._trainer, self._journal
        journal.row()
        result = trainer.average.to("cpu")
        if self._before is not None and trainer.recipe.mean < 1:
            # In every process: the next stage begins here.
            result = result.mean_with(self._before, trainer.recipe.mean)
        if ranks.rank() == 0:
            self._save()
            figures = {key: round(value, 4) for key, value in journal.means().items()}
            spent = {"steps": trainer.step, "minutes": round(trainer.seconds / 60, 1)}
            export_style(result, self._card | spent | {"losses": figures}, self._style)
            journal.picture(result)
        journal.close()
        return result

    def _diverged(self, error: Diverged) -> Diverged:
        """Close the run; returns the error with what is kept, and what may help."""
        self._journal.row()
        self._journal.close()
        kept = "the stage before" if self._before is not None else "nothing"
        if self._saved:
            kept = f"{self._folder / 'checkpoint.pt'} of step {self._saved}"
        resume = "" if kept == "nothing" else "--resume "
        rate = self._trainer.recipe.learning_rate / 3
        remedy = f"--set learning_rate={rate:.1g}, or less weight for that term"
        if not rate:  # the border alone, whose rate is not the recipe's
            remedy = "--set gradient_clip=0.1"
        return Diverged(f"{error}; {kept} is kept", hint=resume + remedy)


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
