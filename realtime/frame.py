"""What travels through the pipeline."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from functools import cached_property
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from .colour import BT709, Colour

Image = npt.NDArray[np.uint8]
"""RGB, uint8, shape (height, width, 3)."""

Mask = npt.NDArray[np.uint8]
"""Opacity, uint8, shape (height, width)."""

Samples = npt.NDArray[np.uint8]
"""Some samples of a picture, uint8."""

MICROSECONDS: Final = Fraction(1, 1_000_000)
"""The time base of sources that have a clock but no container."""


def empty_samples(count: int) -> Samples:
    """Return memory for `count` samples, and some behind: swscale and encoders may read past the
    end of a row.
    """
    samples: Samples = np.empty(count + 64, np.uint8)[:count]
    return samples


class Expected(NamedTuple):
    """Size and colour that pictures in planes will have, as far as is known before the first."""

    height: int
    width: int
    colour: Colour


@dataclasses.dataclass(frozen=True, eq=False)
class Yuv420:
    """A picture as video is coded: luma for every pixel, chroma for every 2 x 2 of them.

    `data` is uint8, contiguous, of height * width luma samples, then ceil(height / 2) *
    ceil(width / 2) of Cb, then as many of Cr (FFmpeg's I420). Nobody writes into it.
    """

    data: Samples
    height: int
    width: int
    colour: Colour

    @property
    def planes(self) -> tuple[Samples, Samples, Samples]:
        """Y (height, width), Cb and Cr (ceil(height / 2), ceil(width / 2)), as views."""
        luma = self.height * self.width
        chroma = (-(-self.height // 2), -(-self.width // 2))
        blue, red = self.data[luma:].reshape(2, *chroma)
        return self.data[:luma].reshape(self.height, self.width), blue, red

    @cached_property
    def rgb(self) -> Image:
        """The picture as RGB, converted when it is first asked for."""
        from .planar import kept_converter

        return kept_converter().to_rgb(self)


Picture: TypeAlias = Image | Yuv420
"""A picture in either form."""


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
    still: bool = False
    """A photo: one frame, and nothing that follows it."""
    frames: int | None = None
    """How many frames will come, if known; a hint for progress only."""
    colour: Colour = BT709
    bits: int = 8
    """Bits a colour channel had in the input; pictures here always have 8."""
    chroma: str = "4:2:0"
    """How finely the input stored colour: 4:2:0, 4:2:2 or 4:4:4."""
    sample_aspect_ratio: Fraction = Fraction(1)
    description: str = ""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture and its time. Whoever holds it owns the picture: nobody writes into it later."""

    picture: Picture
    pts: int
    """Presentation time in units of `time_base`; exact, never seconds in a float."""
    time_base: Fraction
    captured_s: float
    """When it was captured, on `time.perf_counter`'s clock, as everywhere: on Windows that of
    `time.monotonic` ticks only 64 times a second.
    """
    duration: int = 0
    """How long it is shown, in units of `time_base`; 0 when the input does not say."""
    alpha: Mask | None = None
    """Its opacity, for a photo that has one: goes around the network untouched."""
    original: Picture | None = None
    """Of a painting: what it was painted from."""

    @property
    def image(self) -> Image:
        """The picture as RGB; planes are converted once, when this is first asked for."""
        return as_rgb(self.picture)

    @property
    def photo(self) -> Image | None:
        """Of a painting: what it was painted from as RGB, for a sink that compares."""
        return None if self.original is None else as_rgb(self.original)

    def with_image(self, image: Image) -> Frame:
        """Return the same moment with another picture."""
        return dataclasses.replace(self, picture=image)

    def painted(self, painting: Picture) -> Frame:
        """Return the same moment as a painting of this photo."""
        return dataclasses.replace(self, picture=painting, original=self.picture)


def as_rgb(picture: Picture) -> Image:
    """Return the picture as RGB: the same object if it is."""
    return picture.rgb if isinstance(picture, Yuv420) else picture
