"""The engine that changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..frame import Image

if TYPE_CHECKING:
    from .statistics import SmoothedStatistics


class _Echoed:
    def __init__(self, image: Image) -> None:
        self._image = image

    def wait(self) -> None:
        """It is done."""

    def result(self) -> Image:
        """Return the picture."""
        return self._image


class EchoEngine:
    """Gives every picture back: what remains is the cost, and the faults, of the pipeline."""

    depth = 3
    description = "echo (no network)"
    statistics: SmoothedStatistics | None = None

    def submit(self, image: Image) -> _Echoed:
        """Take the picture."""
        return _Echoed(image)

    def close(self) -> None:
        """Nothing is held."""
