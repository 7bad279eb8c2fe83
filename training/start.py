"""What a training starts from: the shipped base, another style, or nothing."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from .errors import TrainingError
from .recipe import SIZES

if TYPE_CHECKING:
    from .network import Generator

HERE: Final = Path(__file__).parent
STYLES: Final = HERE.parent / "realtime" / "styles"
BASES: Final = {size: HERE / "bases" / f"{size}.onnx" for size in SIZES}


class Start(NamedTuple):
    """A style to start from: its name, what tells it from another, and its file, which a resumed
    run does without.
    """

    name: str
    sha256: str
    path: Path | None = None

    @property
    def whence(self) -> str:
        """Return in words what this is."""
        if not self.sha256:
            return "from scratch"
        return "from the base" if self.path in BASES.values() else f"from {self.name}"

    @property
    def card(self) -> dict[str, str]:
        """Return what a style made from it tells of it."""
        return {"base": self.name} | ({"base_sha256": self.sha256} if self.sha256 else {})


NOTHING: Final = Start("none", "")


def digest(path: Path) -> str:
    """Return what tells one file from another: 16 digits of its SHA-256. Raises OSError."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def find_start(named: str | None, size: str) -> Start:
    """Return what `--base` names: a built-in style or a file, or "none" for nothing; without it the
    shipped base of this size. Raises TrainingError when there is no such file.
    """
    if named == "none":
        return NOTHING
    if named is None:
        path = BASES[size]
        return Start(path.stem, digest(path), path)
    path = Path(named)
    if not path.is_file():
        path = STYLES / f"{named}.onnx"
    if not path.is_file():
        raise TrainingError(
            f"--base {named}: there is no such style or file",
            hint="--base with the name of a built-in style, a .onnx file, or none",
        )
    return Start(path.stem, digest(path), path)


def read_start(start: Start, size: str) -> Generator | None:
    """Return the network to start from, None for nothing. Raises TrainingError when its file holds
    none, or one of another size.
    """
    from .export import read_generator

    if start.path is None:
        return None
    generator = read_generator(start.path)
    if generator.size != size:
        raise TrainingError(
            f"--base {start.name} is a {generator.size} network, and a {size} one is to be trained",
            hint=f"--size {generator.size}",
        )
    return generator
