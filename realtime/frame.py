"""What travels through the pipeline."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
"""RGB, uint8, shape (height, width, 3)."""

Mask = npt.NDArray[np.uint8]
"""Opacity, uint8, shape (height, width)."""

MICROSECONDS: Final = Fraction(1, 1_000_000)
"""The time base of sources that have a clock but no container."""


class Colour(NamedTuple):
    """How a video codes colour: FFmpeg's numbers for matrix, range, primaries and transfer.

    `matrix` and `range` are never unspecified: whoever makes a Colour has decided.
    """

    matrix: int
    range: int
    primaries: int
    transfer: int


BT709: Final = Colour(matrix=1, range=1, primaries=1, transfer=1)
BT601: Final = Colour(matrix=6, range=1, primaries=6, transfer=6)


@dataclasses.dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a source says of itself before the first frame."""

    height: int
    width: int
    fps: Fraction
    """Nominal rate; the time stamps are the truth."""
    time_base: Fraction
    live: bool = False
    """A live source goes on without us: its frames may be dropped, never delayed."""
    frames: int | None = None
    """How many frames will come, if known; a hint for progress only."""
    colour: Colour = BT709
    bits: int = 8
    """Bits a colour channel had in the input; pictures here always have 8."""
    sample_aspect_ratio: Fraction = Fraction(1)
    description: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Frame:
    """One picture and its time. Whoever holds it owns the image: nobody writes into it later."""

    image: Image
    pts: int
    """Presentation time in units of `time_base`; exact, never seconds in a float."""
    time_base: Fraction
    born_s: float
    """When it was captured, on `time.monotonic`'s clock."""
    duration: int = 0
    """How long it is shown, in units of `time_base`; 0 when the input does not say."""
    alpha: Mask | None = None
    """Its opacity, for a photo that has one: goes around the network untouched."""
    photo: Image | None = None
    """Of a painting: what it was painted from, for a sink that compares."""

    def with_image(self, image: Image) -> Frame:
        """Return the same moment with another picture."""
        return dataclasses.replace(self, image=image)

    def painted(self, painting: Image) -> Frame:
        """Return the same moment as a painting of this photo."""
        return dataclasses.replace(self, image=painting, photo=self.image)
