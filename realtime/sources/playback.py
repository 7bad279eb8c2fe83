"""A recording played as if it were live."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator

from .. import pacing
from ..frame import Frame
from . import Source


class PlaybackSource:
    """Yields the frames of another source when they are due, captured at that moment.

    `sleep` and `clock` are passed in, so that a stop can wake the sleeper and a test need not
    wait.
    """

    planar = False

    def __init__(
        self,
        source: Source,
        *,
        sleep: Callable[[float], None],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._source, self._sleep, self._clock = source, sleep, clock
        self.info = dataclasses.replace(source.info, live=True)

    def __iter__(self) -> Iterator[Frame]:
        origin: float | None = None
        max_lead_s = pacing.MAX_LEAD_S
        self._source.planar = self.planar
        for frame in self._source:
            pts_s = float(frame.pts * frame.time_base)
            now = self._clock()
            if origin is None or not -pacing.MAX_LEAD_S <= pts_s - (now - origin) <= max_lead_s:
                origin = now - pts_s
            wait = pacing.wait_s(pts_s, now, origin, max_lead_s=max_lead_s)
            if wait > 0:
                self._sleep(wait)
            # A picture that is shown for longer than a jump takes is followed by no jump.
            shown_s = float(frame.duration * frame.time_base or 1 / self.info.fps)
            max_lead_s = pacing.MAX_LEAD_S + shown_s
            yield dataclasses.replace(frame, captured_s=self._clock())

    def close(self) -> None:
        """Close the recording."""
        self._source.close()
