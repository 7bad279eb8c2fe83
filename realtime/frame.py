"""What travels through the pipeline."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import Final, NamedTuple

from .colour import BT709, Colour
from .pictures import Image, Mask, Picture, as_rgb

MICROSECONDS: Final = Fraction(1, 1_000_000)
"""The time base of sources that have a clock but no container."""


class Expected(NamedTuple):
    """Size and colour that pictures in planes will have, as far as is known before the first."""

    height: int
    width: int
    colour: Colour


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
