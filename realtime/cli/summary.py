"""What became of one or many inputs, in words and as plain values."""

from __future__ import annotations

import dataclasses
import signal
from pathlib import Path
from typing import Any

from ..errors import StylecamError
from ..job import Outcome
from ..stats import Stats


@dataclasses.dataclass
class Summary:
    """What became of each job, in order; those not begun before Ctrl-C are left out.

    `ended` are those that ran to their ends or were interrupted; `already_done` are the outputs of
    many that existed before, and were left as they are.
    """

    ended: list[Outcome]
    failed: list[tuple[Path, StylecamError]]
    planned: int
    already_done: list[Path] = dataclasses.field(default_factory=list)
    stopped_by: int = signal.SIGINT
    """The number of the signal that ended it, if one did."""

    @property
    def done(self) -> list[Outcome]:
        """Those that ran to their ends."""
        return [outcome for outcome in self.ended if not outcome.interrupted]

    @property
    def cut(self) -> list[Outcome]:
        """The one that was interrupted, if one was."""
        return [outcome for outcome in self.ended if outcome.interrupted]

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended it, in a job or between two."""
        begun = len(self.ended) + len(self.failed) + len(self.already_done)
        return begun < self.planned or bool(self.cut)

    def raise_single(self) -> None:
        """Raise the error of an only job, which then speaks for itself."""
        if self.planned == 1 and self.failed:
            raise self.failed[0][1]

    def as_json(self) -> Any:
        """Return it as plain values: the outcome or the failure of an only job, else all."""
        done, cut = ([outcome.as_json() for outcome in some] for some in (self.done, self.cut))
        failed = [
            {"input": str(path), "error": error.message, "hint": error.hint}
            for path, error in self.failed
        ]
        if self.planned == 1:
            return next(iter([*done, *cut, *failed]), {})
        before = [str(path) for path in self.already_done]
        return {"done": done, "already_done": before, "interrupted": cut, "failed": failed}

    def lines(self) -> list[str]:
        """Return it as text."""
        lines = [line for outcome in self.ended for line in _told(outcome)]
        if self.planned == 1:
            return lines
        lines += [f"{path}: already there; --force paints it again" for path in self.already_done]
        before = f" ({len(self.already_done)} before)" if self.already_done else ""
        counts = [f"{len(self.done) + len(self.already_done)} of {self.planned} done{before}"]
        counts += [f"{len(self.cut)} interrupted"] if self.cut else []
        lines.append(", ".join([*counts, f"{len(self.failed)} failed"]))
        for path, error in self.failed:
            lines.append(f"failed: {path}: {error.message}")
            lines += [f"  hint: {error.hint}"] if error.hint else []
        if self.interrupted:
            lines.append("interrupted: run the same command again to do the rest")
        return lines


def _told(outcome: Outcome) -> list[str]:
    """Return the lines of one input."""
    lines = [f"note: {note}" for note in outcome.notes]
    name, frames = outcome.output, outcome.earlier_frames + outcome.stats.frames
    if not frames:
        return [*lines, f"{name}: interrupted before the first frame: nothing was written"]
    count = f"{frames} frame{'s' * (frames != 1)}"
    if outcome.kept is not None:
        goes_on = f"resumes after {outcome.kept}" if outcome.kept else "begins it anew"
        untouched = " is as it was" if outcome.output and outcome.output.exists() else ""
        return [*lines, f"{name}{untouched}: interrupted after {count}; the same command {goes_on}"]
    lines.append(f"{name}: {count}{_speed(outcome.stats)}")
    if outcome.interrupted:
        lines.append("interrupted: the file ends with the last frame that was done")
    return lines


def _speed(stats: Stats) -> str:
    if stats.frames < 2:  # a photo, or all were painted by earlier runs
        return ""
    latency = stats.latency
    return f", {stats.fps:.1f} fps, latency {latency.p50:.0f} ms (p99 {latency.p99:.0f})"
