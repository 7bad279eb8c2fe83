"""From a frame's size to a size the network takes, and back."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from .errors import UsageError
from .frame import Image

SMALLEST: Final = 64
LARGEST: Final = 8192


class Fit(NamedTuple):
    """How frames of `frame` size enter the network: scaled to `work`, padded to `padded`.

    All are (height, width).
    """

    frame: tuple[int, int]
    work: tuple[int, int]
    padded: tuple[int, int]

    def enter(self, image: Image) -> Image:
        """Scale, then pad by mirroring at the bottom and right. The same object if nothing is
        to do.
        """
        import cv2

        if self.work != self.frame:
            shrinks = self.work[0] * self.work[1] < self.frame[0] * self.frame[1]
            how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
            image = cv2.resize(image, self.work[::-1], interpolation=how).astype(
                np.uint8, copy=False
            )
        if self.padded != self.work:
            bottom, right = (p - w for p, w in zip(self.padded, self.work, strict=True))
            border = cv2.BORDER_REFLECT_101
            image = cv2.copyMakeBorder(image, 0, bottom, 0, right, border).astype(
                np.uint8, copy=False
            )
        return image

    def leave(self, image: Image) -> Image:
        """Undo `enter`: crop the padding, then scale back to the frame's size."""
        import cv2

        if image.shape[:2] != self.work:
            image = image[: self.work[0], : self.work[1]]
        if self.work != self.frame:
            image = cv2.resize(image, self.frame[::-1], interpolation=cv2.INTER_CUBIC).astype(
                np.uint8, copy=False
            )
        return image


def fit(height: int, width: int, *, size: str | None = None, multiple: int = 8) -> Fit:
    """Choose the working size for frames of (height, width).

    `size` is "WIDTHxHEIGHT", or the length of the short side, or None for the frame's own. The
    padded size is a multiple of `multiple`, and at least `SMALLEST` both ways.
    """
    work = (height, width) if size is None else _parse_size(size, height, width)
    padded = tuple(max(SMALLEST, -(-side // multiple) * multiple) for side in work)
    return Fit((height, width), work, (padded[0], padded[1]))


def _parse_size(size: str, height: int, width: int) -> tuple[int, int]:
    try:
        sides = [int(side) for side in size.lower().split("x")]
    except ValueError:
        sides = []
    match sides:
        case [short]:
            scale = short / min(height, width)
            work = (round(height * scale), round(width * scale))
        case [wide, high]:
            work = (high, wide)
        case _:
            raise UsageError(
                f"--size {size!r} is no size", hint="give a short side (360) or WxH (640x360)"
            )
    if not all(16 <= side <= LARGEST for side in work):
        raise UsageError(
            f"--size {size!r} makes {work[1]}x{work[0]} of {width}x{height}",
            hint=f"each side must be between 16 and {LARGEST} pixels",
        )
    return work
