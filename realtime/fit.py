"""From a frame's size to a size the network takes, and back."""

from __future__ import annotations

from contextlib import suppress
from typing import Final, NamedTuple

import numpy as np

from .errors import UsageError
from .pictures import Image, Picture, Yuv420

SMALLEST: Final = 64
LARGEST: Final = 8192
MULTIPLE: Final = 8
"""Of the sides that the network takes: it halves them three times."""


class Fit(NamedTuple):
    """How frames of `frame` size enter the network: scaled to `work`, padded to `padded`.

    All are (height, width).
    """

    frame: tuple[int, int]
    work: tuple[int, int]
    padded: tuple[int, int]

    def to_network(self, picture: Picture) -> Picture:
        """Scale; then pad RGB by mirroring at the bottom and right (a planar engine does that
        itself). The same object if nothing is to do.
        """
        if isinstance(picture, Yuv420):
            return _scaled_planes(picture, self.work)
        if self.work != self.frame:
            picture = _scaled(picture, self.work)
        if self.padded != self.work:
            import cv2

            bottom, right = (p - w for p, w in zip(self.padded, self.work, strict=True))
            border = cv2.BORDER_REFLECT_101
            picture = cv2.copyMakeBorder(picture, 0, bottom, 0, right, border).astype(
                np.uint8, copy=False
            )
        return picture

    def from_network(self, picture: Picture) -> Picture:
        """Undo `to_network`: crop the padding, then scale back to the frame's size."""
        if isinstance(picture, Yuv420):
            return _scaled_planes(picture, self.frame)
        if picture.shape[:2] != self.work:
            picture = picture[: self.work[0], : self.work[1]]
        return picture if self.work == self.frame else _scaled(picture, self.frame, back=True)


def _scaled(image: Image, size: tuple[int, int], *, back: bool = False) -> Image:
    import cv2

    shrinks = not back and size[0] * size[1] < image.shape[0] * image.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return cv2.resize(image, size[::-1], interpolation=how).astype(np.uint8, copy=False)


def _scaled_planes(picture: Yuv420, size: tuple[int, int]) -> Yuv420:
    import cv2

    if (picture.height, picture.width) == size:
        return picture
    shrinks = size[0] * size[1] < picture.height * picture.width
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    made = Yuv420.empty(*size, picture.colour)
    for target, plane in zip(made.planes, picture.planes, strict=True):
        cv2.resize(plane, target.shape[::-1], target, interpolation=how)
    return made


def fit(height: int, width: int, *, size: str | int | None = None) -> Fit:
    """Choose the working size for frames of (height, width).

    `size` is "WIDTHxHEIGHT", or the length of the short side, or None for the frame's own. The
    padded size is a multiple of `MULTIPLE`, and at least `SMALLEST` both ways. Raises UsageError.
    """
    work = (height, width) if size is None else _parse_size(size, height, width)
    padded = tuple(max(SMALLEST, -(-side // MULTIPLE) * MULTIPLE) for side in work)
    return Fit((height, width), work, (padded[0], padded[1]))


def sides(size: str | int) -> list[int]:
    """Return the short side, or width and height, that a size to paint at names. Raises
    UsageError.
    """
    with suppress(ValueError):
        if len(named := [int(side) for side in str(size).lower().split("x")]) <= 2:
            return named
    raise UsageError(
        f"{size!r} is not a size to paint at", hint="a short side (360) or WxH (640x360)"
    )


def _parse_size(size: str | int, height: int, width: int) -> tuple[int, int]:
    first, *second = sides(size)
    scale = first / min(height, width)
    work = (second[0], first) if second else (round(height * scale), round(width * scale))
    if not all(16 <= side <= LARGEST for side in work):
        raise UsageError(
            f"painted at the size {size}, {width}x{height} would be {work[1]}x{work[0]}",
            hint=f"each side must be between 16 and {LARGEST} pixels",
        )
    return work
