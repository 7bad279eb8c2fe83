"""Instance norm's statistics, carried smoothly through a clip.

Instance norm takes each channel's mean and variance from the very frame, so whatever enters the
picture changes all of it at once. Here they are measured now and then, followed slowly, and started
anew at a cut; between measurements the network is local. Measuring costs as much as painting two
pictures, so nobody waits for it: it goes on beside the pictures that follow, and counts from a
fixed one of them on, so that a clip is always painted alike. They are a float32 array (2, C): the
means and the variances of all channels of all norm layers, in the graph's order.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from ..errors import EngineError
from ..frame import Picture, Yuv420
from ..threads import Once

Statistics = npt.NDArray[np.float32]
Affine = npt.NDArray[np.float32]
"""What instance norm with given statistics does to each channel: gains, then offsets."""

MEASURE_EVERY: Final = 15
"""Frames between measurements: half a second."""
ARRIVES_AFTER: Final = 8
"""Frames after which a measurement counts; it is waited for if it is not done by then."""
FOLLOW: Final = 0.04
"""Share of the way to the last measurement that is gone with each frame."""
CUT: Final = 28.0
"""Mean absolute difference of small pictures, of 255, that makes two frames two scenes."""
STILL: Final = 0.5
"""The same, of a picture and the last that was measured, below which another is not worth it."""
_SMALL: Final = (32, 18)


Measurement: TypeAlias = Once[Statistics]
"""Statistics of one picture, perhaps still to be computed. Asked for by any thread."""


class SmoothedStatistics:
    """The statistics for each frame of a clip, in order. `measure` begins to measure a frame, in
    the form that `step` is given, and returns how to wait for the result; it is called again only
    after that. The frame must stay as it is until then.
    """

    def __init__(self, measure: Callable[[Any], Callable[[], Statistics]]) -> None:
        self._measure = measure
        self._small: npt.NDArray[Any] | None = None
        self._measured: npt.NDArray[Any] | None = None
        self._target = self._current = np.empty((2, 0), np.float32)
        self._coming: Measurement | None = None
        self._age = 0

    def step(self, picture: Picture) -> Statistics:
        """Return what the next frame, uint8 RGB (H, W, 3) or in planes, is to be painted with."""
        small = _small(picture)
        before, self._small = self._small, small
        if before is None or _difference(small, before) > CUT:
            self.settle()
            self._coming, self._measured = None, small
            self._target = self._current = self._measure(picture)()
            self._age = 0
            return self._current
        self._age += 1
        if self._age % MEASURE_EVERY == 0 and _difference(small, self._measured) >= STILL:
            self._coming, self._measured = Measurement(self._measure(picture)), small
        if self._coming is not None and self._age % MEASURE_EVERY == ARRIVES_AFTER:
            self._target, self._coming = self._coming.result(), None
        self._current = self._current + FOLLOW * (self._target - self._current)
        return self._current

    def settle(self) -> None:
        """Return when nothing is being measured; an error of it is left to its `result`."""
        if self._coming is not None:
            with suppress(EngineError):
                self._coming.result()

    def forget(self) -> None:
        """Begin anew with the next frame, as at a cut."""
        self._small = None

    def state(self) -> dict[str, Any]:
        """Return what is remembered: a number, arrays that are never written to, and a
        `Measurement` or None.
        """
        return {
            "age": self._age,
            "small": self._small,
            "measured": self._measured,
            "target": self._target,
            "current": self._current,
            "coming": self._coming,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned; the statistics of a `Measurement` will do for it."""
        self._age, self._small, self._measured = state["age"], state["small"], state["measured"]
        self._target, self._current = state["target"], state["current"]
        known = state["coming"]
        self._coming = Measurement(lambda: known) if isinstance(known, np.ndarray) else known


def _difference(a: npt.NDArray[Any], b: npt.NDArray[Any] | None) -> float:
    """Return the mean absolute difference of two small pictures."""
    return float(np.abs(a - b).mean()) if b is not None else np.inf


def _small(picture: Picture) -> npt.NDArray[np.float32]:
    """Return a picture of `_SMALL` size, by which a cut is seen: float32 RGB of 255."""
    rgb: Any = picture
    if isinstance(picture, Yuv420):
        from ..planar import resize

        width, height = _SMALL
        twice = resize(picture, 2 * height, 2 * width)  # its chroma has the size wanted
        planes = twice.data.reshape(3 * height, 2 * width)
        rgb = cv2.cvtColor(planes, cv2.COLOR_YUV2RGB_I420)  # of whatever matrix: it is compared
    small: npt.NDArray[np.uint8] = cv2.resize(rgb, _SMALL, interpolation=cv2.INTER_AREA)
    return small.astype(np.float32)
