"""Sensor noise quietened over time, where nothing moves.

A style paints noise as strokes that come and go: its gain on noise is 1 to 5. Each pixel follows
the camera by a share that grows with how much the 3x3 pixels around it changed.
`kernels/temporal_blend.py` is the same for a GPU; no engine uses it yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..frame import Frame
from ..pictures import Image
from . import Source

STILL, MOVING = 2.0, 5.0
"""Mean change, of 255, below which nothing moves and above which everything does."""
FOLLOW: Final = 0.15
"""Share of the new picture where nothing moves."""


class DenoisedSource:
    """The frames of another source, with less noise."""

    planar = False

    def __init__(self, source: Source) -> None:
        self._source, self.info = source, source.info

    def __iter__(self) -> Iterator[Frame]:
        denoise = TemporalDenoiser()
        for frame in self._source:
            yield frame.with_image(denoise(frame.image))

    def close(self) -> None:
        """Close the other source."""
        self._source.close()


class TemporalDenoiser:
    """What is shown, kept as float32 from one picture to the next."""

    def __init__(self) -> None:
        self._shown: npt.NDArray[Any] | None = None

    def __call__(self, image: Image) -> Image:
        """Return uint8 RGB (H, W, 3) with less noise. Another size begins anew."""
        import cv2

        new = image.astype(np.float32)
        if self._shown is None or self._shown.shape != new.shape:
            self._shown = new
            return image
        change = cv2.transform(cv2.absdiff(new, self._shown), _MEAN)
        around = cv2.blur(change, (3, 3), borderType=cv2.BORDER_REPLICATE)
        slope = (1 - FOLLOW) / (MOVING - STILL)
        share = np.clip(FOLLOW + slope * (around - STILL), FOLLOW, 1)
        self._shown = cv2.blendLinear(new, self._shown, share, 1 - share)
        return np.rint(self._shown).astype(np.uint8)


_MEAN: Final = np.full((1, 3), 1 / 3, np.float32)
