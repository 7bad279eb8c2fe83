"""How long each stage takes, how many frames went through and how many were dropped."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

KEPT: Final = 4096
"""Durations remembered per stage: enough for a 99th percentile, and memory stays flat."""


class Percentiles(NamedTuple):
    """Of the durations of one stage, in milliseconds."""

    p50: float
    p95: float
    p99: float


def percentiles(durations_s: Iterable[float]) -> Percentiles:
    """Nearest-rank percentiles in milliseconds; zeros when there is nothing to rank."""
    ranked = sorted(durations_s)
    if not ranked:
        return Percentiles(0.0, 0.0, 0.0)
    # The least that so many percent are not above; -(-a // b) rounds up.
    return Percentiles(*(1000 * ranked[-(-len(ranked) * p // 100) - 1] for p in (50, 95, 99)))


class Stats:
    """Counters of one run. Every stage writes its own; anyone reads."""

    def __init__(self) -> None:
        self.stages: dict[str, deque[float]] = {}
        self.frames = 0
        self.dropped = 0
        self.corrupt = 0
        self.repeated = 0
        """Pictures the virtual camera sent once more, for want of a new one."""
        self.trouble = ""
        """What is wrong just now and will be mended, for the viewer; "" when nothing is."""
        self._taken: deque[float] = deque(maxlen=61)
        self._shown: deque[float] = deque(maxlen=61)
        self._first_s = self._last_s = 0.0

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the block as one pass of the stage `name`."""
        begun = time.perf_counter()
        yield
        self.record(name, time.perf_counter() - begun)

    def record(self, name: str, seconds: float) -> None:
        """Add one duration to the stage `name`."""
        kept = self.stages.get(name)
        if kept is None:
            kept = self.stages[name] = deque(maxlen=KEPT)
        kept.append(seconds)

    def taken(self) -> None:
        """Count a frame that came from the source."""
        self._taken.append(time.perf_counter())

    def shown(self, captured_s: float) -> None:
        """Count a frame that reached every sink; `captured_s` as in `Frame`."""
        now = time.perf_counter()
        if not self.frames:
            self._first_s = now
        self.frames += 1
        self._last_s = now
        self._shown.append(now)
        self.record("latency", now - captured_s)

    @property
    def latency(self) -> Percentiles:
        """How old frames were when they had reached every sink."""
        return percentiles(list(self.stages.get("latency", ())))

    @property
    def first_s(self) -> float | None:
        """When the first frame was shown, of time.perf_counter()."""
        return self._first_s if self.frames else None

    @property
    def fps(self) -> float:
        """Frames a second over the whole run."""
        seconds = self._last_s - self._first_s
        return (self.frames - 1) / seconds if seconds > 0 else 0.0

    @property
    def fps_now(self) -> float:
        """Frames a second over the last 60 frames."""
        return _rate(self._shown)

    @property
    def fps_in(self) -> float:
        """Frames a second that the source gave over its last 60."""
        return _rate(self._taken)

    def share(self, name: str) -> float:
        """Return what share of the time of the last 60 frames the stage `name` took."""
        shown = list(self._shown)
        if len(shown) < 2 or shown[-1] <= shown[0]:
            return 0.0
        spent = list(self.stages.get(name, ()))[1 - len(shown) :]
        return sum(spent) / (shown[-1] - shown[0])

    def summary(self) -> dict[str, object]:
        """Return everything as plain numbers, durations in milliseconds."""
        return {
            "frames": self.frames,
            "fps": round(self.fps, 2),
            "dropped": self.dropped,
            "corrupt_packets": self.corrupt,
            "repeated": self.repeated,
            "stages_ms": {
                name: {key: round(value, 3) for key, value in percentiles(kept)._asdict().items()}
                for name, kept in list(self.stages.items())
            },
        }


def _rate(times_s: deque[float]) -> float:
    kept = list(times_s)
    return (len(kept) - 1) / (kept[-1] - kept[0]) if len(kept) > 1 and kept[-1] > kept[0] else 0.0
