"""What the terminal shows while frames go by: sinks that count instead of keeping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ..frame import Frame
from ..stats import Stats, percentiles

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_REFRESH_S: Final = 0.1
_TABLE_EVERY_S: Final = 0.5
_LINE_EVERY_S: Final = 10.0
_BAR: Final = 40
_SHORTEST_BAR: Final = 10


class ProgressSink:
    """A bar with frames a second and the time left; nothing when output is not a terminal.

    `total` is how many frames there are, if known, `done` how many of them earlier runs painted. On
    a narrow terminal the bar goes first, then the end of the title.
    """

    def __init__(
        self, console: Console, stats: Stats, *, title: str, total: int | None, done: int = 0
    ) -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        self._stats, self._shown_s, self._count = stats, 0.0, done
        room = console.width - len(f"{total or 0}/{total or 0} 000.0 fps 0:00:00 ")
        bar = min(_BAR, room - len(title) - 1)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            *([BarColumn(bar)] if bar >= _SHORTEST_BAR else []),
            MofNCompleteColumn(),
            TextColumn("{task.fields[fps]:.1f} fps"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_interactive,
        )
        title = title[: max(0, room)]
        self._task = self._progress.add_task(title, total=total, completed=done, fps=0.0)
        self._progress.start()

    def write(self, frame: Frame) -> None:
        """Count the frame; redraw ten times a second."""
        self._count += 1
        now = time.perf_counter()
        if now - self._shown_s >= _REFRESH_S:
            self._shown_s = now
            self._progress.update(self._task, completed=self._count, fps=self._stats.fps_now)

    def close(self) -> None:
        """Take the bar away."""
        self._progress.stop()

    def abort(self) -> None:
        """Take the bar away."""
        self._progress.stop()


class LiveSink:
    """How a live run goes: a table renewed twice a second on a terminal, else a plain line every
    ten seconds. What is wrong is said at once, and when it is mended.

    `title`, `engine` and `advice` are asked anew each time.
    """

    def __init__(
        self,
        console: Console,
        stats: Stats,
        *,
        title: Callable[[], str] = lambda: "",
        engine: Callable[[], str] = lambda: "",
        advice: Callable[[], str] = lambda: "",
    ) -> None:
        from rich.live import Live

        self._console, self._stats, self._title, self._engine = console, stats, title, engine
        self._advice = advice
        self._every_s = _TABLE_EVERY_S if console.is_interactive else _LINE_EVERY_S
        self._shown_s, self._trouble = time.perf_counter(), ""
        # Not refreshed by a thread of its own: frames, or their absence, come often enough.
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._say(f"{title()} | {engine()}")
        if console.is_interactive:
            self._live.start()

    def write(self, frame: Frame) -> None:
        """Count the frame; tell now and then."""
        self.idle()

    def idle(self) -> None:
        """Tell when it is time to, frame or no frame."""
        trouble = self._stats.trouble
        if trouble != self._trouble:
            self._say(trouble or "frames arrive again")
            self._trouble = trouble
        now = time.perf_counter()
        if now - self._shown_s < self._every_s:
            return
        self._shown_s = now
        if self._live.is_started:
            self._live.update(self._table(), refresh=True)
        else:
            self._say(describe(self._stats))

    def _say(self, line: str) -> None:
        self._console.print(line, highlight=False, soft_wrap=True)  # a log has lines of any length

    def _table(self) -> RenderableType:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        stats = self._stats
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in ("stage", "p50 ms", "p99 ms"):
            table.add_column(column, justify="left" if column == "stage" else "right")
        for name, kept in list(stats.stages.items()):
            part = percentiles(list(kept))
            table.add_row(name, f"{part.p50:.1f}", f"{part.p99:.1f}")
        below = stats.trouble or self._advice() or "Ctrl-C stops"
        above = (Text(line) for line in (self._title(), self._engine(), _counts(stats)))
        return Group(*above, table, Text(below))

    def close(self) -> None:
        """Take the table away."""
        if self._live.is_started:
            self._live.stop()

    def abort(self) -> None:
        """Take the table away."""
        self.close()


def _counts(stats: Stats) -> str:
    parts = [
        f"{stats.fps_in:.1f} fps in",
        f"{stats.fps_now:.1f} out",
        f"{stats.dropped} dropped (the engine was busy)",
    ]
    if stats.repeated:
        parts.append(f"{stats.repeated} sent again to the virtual camera (no new one)")
    return ", ".join(parts)


def describe(stats: Stats) -> str:
    """Return frames a second, latency and drops as one line."""
    latency = stats.latency
    return (
        f"{stats.fps_now:.1f} fps, latency {latency.p50:.0f} ms "
        f"(p99 {latency.p99:.0f}), {stats.dropped} dropped"
    )
