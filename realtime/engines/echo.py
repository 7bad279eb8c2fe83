"""The engine that changes nothing."""

from __future__ import annotations

from ..frame import Image


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

    def submit(self, image: Image) -> _Echoed:
        """Take the picture."""
        return _Echoed(image)

    def close(self) -> None:
        """Nothing is held."""
