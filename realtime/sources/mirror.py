"""Left and right exchanged, as in a mirror."""

from __future__ import annotations

from collections.abc import Iterator

from ..frame import Frame
from . import Source


class MirrorSource:
    """The frames of another source, flipped."""

    planar = False

    def __init__(self, source: Source) -> None:
        self._source, self.info = source, source.info

    def __iter__(self) -> Iterator[Frame]:
        import cv2

        for frame in self._source:
            yield frame.with_image(cv2.flip(frame.image, 1))  # type: ignore[arg-type]

    def close(self) -> None:
        """Close the other source."""
        self._source.close()
