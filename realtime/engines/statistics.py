"""Instance norm's statistics, carried smoothly through a clip.

Instance norm takes each channel's mean and variance from the very frame, so whatever enters the
picture changes all of it at once. Here they are measured now and then, followed slowly, and started
anew at a cut; between measurements the network is local. They are a float32 array (2, C): the means
and the variances of all channels of all norm layers, in the graph's order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from ..frame import Picture, Yuv420

Statistics = npt.NDArray[np.float32]
Affine = npt.NDArray[np.float32]
"""What instance norm with given statistics does to each channel: gains, then offsets."""

MEASURE_EVERY: Final = 15
"""Frames between measurements: half a second."""
FOLLOW: Final = 0.04
"""Share of the way to the last measurement that is gone with each frame."""
CUT: Final = 28.0
"""Mean absolute difference of small pictures, of 255, that makes two frames two scenes."""
_SMALL: Final = (32, 18)


class SmoothedStatistics:
    """The statistics for each frame of a clip, in order. `measure` gives those of one frame, which
    it takes in the form that `step` is given.
    """

    def __init__(self, measure: Callable[[Any], Statistics]) -> None:
        self._measure = measure
        self._small: npt.NDArray[Any] | None = None
        self._target = self._current = np.empty((2, 0), np.float32)
        self._age = 0

    def step(self, picture: Picture) -> Statistics:
        """Return what the next frame, uint8 RGB (H, W, 3) or in planes, is to be painted with."""
        small = _small(picture)
        before, self._small = self._small, small
        if before is None or np.abs(small - before).mean() > CUT:
            self._target = self._current = self._measure(picture)
            self._age = 0
            return self._current
        self._age += 1
        if self._age % MEASURE_EVERY == 0:
            self._target = self._measure(picture)
        self._current = self._current + FOLLOW * (self._target - self._current)
        return self._current

    def state(self) -> dict[str, Any]:
        """Return what is remembered, as a number and arrays that are never written to."""
        return {
            "age": self._age,
            "small": self._small,
            "target": self._target,
            "current": self._current,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        self._age, self._small = state["age"], state["small"]
        self._target, self._current = state["target"], state["current"]


def _small(picture: Picture) -> npt.NDArray[np.float32]:
    """Return a picture of `_SMALL` size, by which a cut is seen: float32 RGB of 255."""
    if isinstance(picture, Yuv420):
        from ..planar import resize

        width, height = _SMALL
        picture = resize(picture, 2 * height, 2 * width).rgb  # its chroma has the size wanted
    return cv2.resize(picture, _SMALL, interpolation=cv2.INTER_AREA).astype(np.float32)
