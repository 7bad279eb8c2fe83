"""Instance norm's statistics, carried smoothly through a clip.

Instance norm takes each channel's mean and variance from the very frame, so whatever enters the
picture changes all of it at once. Here they are measured now and then and followed slowly; between
measurements the network is local. They are a float32 array (2, C): the means and the variances of
all channels of all norm layers, in the graph's order.

Measuring costs about as much as painting a picture, so nobody waits for it: it goes on beside the
pictures that follow, and counts from a fixed one of them on, so that a clip is always painted
alike. Counted from the first frame of a scene:

| frame | |
| --- | --- |
| 0 | measured, waited for, and used at once |
| 15 | begun to be measured, unless it looks like the one that was measured last |
| 16 to 22 | painted with what was known before |
| 23 | the measurement of 15 becomes the target; each frame moves 4 % of the remaining way to it |
| 30, 45, ... | as 15 |

A cut starts a scene. A fade-in or a dissolve does not, but makes the last measurement stale: then
the frame is measured at once, and each frame moves half of the remaining way. A fade-out leaves it
as it is, and gets dark. A frame that shows nothing is never measured: it is painted as a dark place
of the scene before, or of an ordinary one where it is the first.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from ..background import Lazy
from ..errors import EngineError
from ..pictures import Picture
from .scene import Thumbnail, has_drifted, is_cut, is_empty, is_still, ordinary, thumbnail

Statistics = npt.NDArray[np.float32]
Affine = npt.NDArray[np.float32]
"""What instance norm with given statistics does to each channel: gains, then offsets."""

MEASURE_EVERY: Final = 15
"""Frames between measurements: half a second."""
ARRIVES_AFTER: Final = 8
"""Frames after which a measurement counts; it is waited for if it is not done by then."""
FOLLOW: Final = 0.04
"""Share of the way to the last measurement that is gone with each frame."""
DRIFT_EVERY: Final = 2
"""Frames between measurements in a fade."""
FOLLOW_DRIFT: Final = 0.5
"""Share of the way that is gone with each frame then."""

Measurement: TypeAlias = Lazy[Statistics]
"""Statistics of one picture, perhaps still to be computed. Asked for by any thread."""


class SmoothedStatistics:
    """The statistics for each frame of a clip, in order. `measure` begins to measure a frame, in
    the form that `step` is given, and returns how to wait for the result; it is called again only
    after that. The frame must stay as it is until then.
    """

    def __init__(self, measure: Callable[[Any], Callable[[], Statistics]]) -> None:
        self._measure = measure
        self._before: Thumbnail | None = None
        self._measured: Thumbnail = np.empty(0, np.float32)
        self._target = self._current = np.empty((2, 0), np.float32)
        self._coming: Measurement | None = None
        self._follow = FOLLOW
        self._age = 0

    def step(self, picture: Picture) -> Statistics:
        """Return what the next frame, uint8 RGB (H, W, 3) or in planes, is to be painted with."""
        before, now = self._before, thumbnail(picture)
        self._before = now
        if before is None or (is_cut(before, now) and not is_empty(now)):
            self._age, self._follow = 0, FOLLOW
            # Its own statistics would paint a black frame white, or red.
            self._measure_now(ordinary(picture) if is_empty(now) else picture)
            self._current = self._target
            return self._current
        self._age += 1
        if self._age % DRIFT_EVERY == 0 and not is_empty(now) and has_drifted(self._measured, now):
            self._measure_now(picture)
            self._follow = FOLLOW_DRIFT
        elif self._age % MEASURE_EVERY == 0 and self._is_worth_measuring(now):
            self._coming, self._measured = Measurement(self._measure(picture)), now
        elif self._age % MEASURE_EVERY == ARRIVES_AFTER and self._coming is not None:
            self._target, self._coming = self._coming.result(), None
            self._follow = FOLLOW
        self._current = self._current + self._follow * (self._target - self._current)
        return self._current

    def _measure_now(self, picture: Picture) -> None:
        self.settle()
        self._coming, self._measured = None, thumbnail(picture)
        self._target = self._measure(picture)()

    def _is_worth_measuring(self, now: Thumbnail) -> bool:
        return not is_empty(now) and not is_still(self._measured, now)

    def settle(self) -> None:
        """Return when nothing is being measured; an error of it is left to its `result`."""
        if self._coming is not None:
            with suppress(EngineError):
                self._coming.result()

    def forget(self) -> None:
        """Start over with the next frame, as at a cut."""
        self._before = None

    def state(self) -> dict[str, Any]:
        """Return what is remembered: a number, arrays that are never written to, and a
        `Measurement` or None.
        """
        return {
            "age": self._age,
            "before": self._before,
            "measured": self._measured,
            "target": self._target,
            "current": self._current,
            "follow": self._follow,
            "coming": self._coming,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned; the statistics of a `Measurement` will do for it."""
        self._age, self._follow = state["age"], state["follow"]
        self._before, self._measured = state["before"], state["measured"]
        self._target, self._current = state["target"], state["current"]
        known = state["coming"]
        self._coming = Measurement(lambda: known) if isinstance(known, np.ndarray) else known
