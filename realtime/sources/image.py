"""One photo."""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from ..errors import SourceError
from ..frame import Frame, Image, VideoInfo


def read_image(path: Path) -> Image:
    """Read a photo as RGB uint8, turned upright by its EXIF orientation.

    Raises SourceError with the remedy.
    """
    import cv2

    try:
        # Not cv2.imread: it cannot open names outside ASCII on Windows.
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}", hint="check its permissions") from error
    bgr = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if bgr is None:
        raise SourceError(
            f"{path} is not a picture that can be read", hint="convert it to JPEG or PNG"
        )
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


class ImageSource:
    """A video of one frame."""

    def __init__(self, path: Path) -> None:
        self._image = read_image(path)
        height, width = self._image.shape[:2]
        self.info = VideoInfo(
            height=height,
            width=width,
            fps=Fraction(1),
            time_base=Fraction(1),
            frames=1,
            description=f"{path.name}: {width}x{height}, photo",
        )

    def __iter__(self) -> Iterator[Frame]:
        yield Frame(self._image, 0, self.info.time_base, born_s=time.monotonic())

    def close(self) -> None:
        """Nothing is held open."""
