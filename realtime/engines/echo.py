"""The engine that changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..pictures import Picture

if TYPE_CHECKING:
    from .statistics import SmoothedStatistics


class _Echoed:
    def __init__(self, picture: Picture) -> None:
        self._picture = picture

    def wait(self) -> None:
        """It is done."""

    def result(self) -> Picture:
        """Return the picture."""
        return self._picture


class EchoEngine:
    """Gives every picture back: what remains is the cost, and the faults, of the pipeline."""

    depth = 3
    description = "echo (no network)"
    planar = False
    statistics: SmoothedStatistics | None = None

    def __init__(self, *, planar: bool = False) -> None:
        self.planar = planar

    def submit(self, picture: Picture, strength: float = 1.0) -> _Echoed:
        """Take the picture; mixed with itself it is the same."""
        return _Echoed(picture)

    def close(self) -> None:
        """Nothing is held."""
