"""A photo as a camera sees it that nobody moves."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from fractions import Fraction
from typing import Final

from ..frame import Frame
from . import Source

_FPS: Final = Fraction(30)


class StillSource:
    """The picture of a photo, without its opacity, again and again; `PlaybackSource` sees to it
    that it comes at its rate.
    """

    planar = False

    def __init__(self, photo: Source) -> None:
        self._photo = photo
        self.info = dataclasses.replace(
            photo.info, fps=_FPS, time_base=1 / _FPS, still=False, frames=None
        )

    def __iter__(self) -> Iterator[Frame]:
        (frame,) = self._photo
        for index in itertools.count():
            yield dataclasses.replace(
                frame, pts=index, time_base=self.info.time_base, duration=1, alpha=None
            )

    def close(self) -> None:
        """Close the photo."""
        self._photo.close()
