"""What the terminal shows while frames go by: sinks that count instead of keeping."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from .frame import Frame
from .stats import Stats, percentiles

if TYPE_CHECKING:
    from rich.console import Console

_REFRESH_S: Final = 0.1


class ProgressSink:
    """A bar with frames a second and the time left; nothing when output is no terminal."""

    def __init__(self, console: Console, stats: Stats, *, title: str, total: int | None) -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        self._stats, self._shown_s, self._count = stats, 0.0, 0
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[fps]:.1f} fps"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task(title, total=total, fps=0.0)
        self._progress.start()

    def write(self, frame: Frame) -> None:
        """Count the frame; redraw ten times a second."""
        self._count += 1
        now = time.monotonic()
        if now - self._shown_s >= _REFRESH_S:
            self._shown_s = now
            self._progress.update(self._task, completed=self._count, fps=self._stats.fps_now)

    def close(self) -> None:
        """Take the bar away."""
        self._progress.stop()

    def abort(self) -> None:
        """Take the bar away."""
        self._progress.stop()


class StatusSink:
    """One line that tells how a live run goes; a plain line every ten seconds when output is no
    terminal.
    """

    def __init__(self, console: Console, stats: Stats) -> None:
        self._console, self._stats = console, stats
        self._every_s = 0.5 if console.is_terminal else 10.0
        self._shown_s = time.monotonic()
        self._status = console.status("starting ...") if console.is_terminal else None
        if self._status is not None:
            self._status.start()

    def write(self, frame: Frame) -> None:
        """Count the frame; tell now and then."""
        now = time.monotonic()
        if now - self._shown_s < self._every_s:
            return
        self._shown_s = now
        line = describe(self._stats)
        if self._status is not None:
            self._status.update(f"{line}   (Ctrl-C stops)")
        else:
            self._console.print(line, highlight=False)

    def close(self) -> None:
        """Take the line away."""
        if self._status is not None:
            self._status.stop()

    def abort(self) -> None:
        """Take the line away."""
        self.close()


def describe(stats: Stats) -> str:
    """Return frames a second, latency and drops as one line."""
    latency = percentiles(list(stats.stages.get("latency", ())))
    return (
        f"{stats.fps_now:.1f} fps, latency {latency.p50:.0f} ms "
        f"(p99 {latency.p99:.0f}), {stats.dropped} dropped"
    )
