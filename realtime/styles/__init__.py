"""Find and read style files: ONNX, with a card in the metadata if the style is one of ours."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import hashlib
import json
from pathlib import Path
from typing import Any, Final

from ..errors import StyleError
from .onnx_file import metadata

BUILT_IN: Final = Path(__file__).parent
DEFAULT: Final = "great-wave"
BLEND_HINT: Final = "a blend is as in great-wave:0.6,starry-night:0.4"


@dataclasses.dataclass(frozen=True)
class Style:
    """A style file. `card` is empty for a network that stylecam did not train."""

    name: str
    path: Path
    card: dict[str, Any]

    @functools.cached_property
    def sha256(self) -> str:
        """Hash of the file: what tells one version of a style from the next."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    @property
    def native(self) -> bool:
        """Whether the network takes and gives uint8 RGB (1, H, W, 3)."""
        return bool(self.card)


def built_in() -> list[Style]:
    """Return the styles that come with stylecam, by name."""
    return [read(path) for path in sorted(BUILT_IN.glob("*.onnx"))]


def find(name: str) -> Style:
    """Return a built-in style by name, any `.onnx` file by path, or a blend: "a:0.6,b:0.4".

    Raises StyleError naming the nearest styles.
    """
    if "," in name and not (name.endswith(".onnx") and Path(name).is_file()):
        from .blend import blend

        return read(blend([_share(part) for part in name.split(",")]))
    if name.endswith(".onnx"):
        path = Path(name)
        if not path.is_file():
            raise StyleError(f"{name}: no such style file", hint="check the name and the folder")
        return read(path)
    path = BUILT_IN / f"{name.lower().replace('_', '-')}.onnx"
    if path.is_file():
        return read(path)
    style, _, weight = name.rpartition(":")
    if style and _is_number(weight):
        raise StyleError(
            f"{name}: a weight, and nothing to blend {style} with",
            hint=f"{BLEND_HINT}; --strength {weight} mixes {style} with the picture",
        )
    names = [path.stem for path in sorted(BUILT_IN.glob("*.onnx"))]
    near = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    guess = f"did you mean {near[0]}? " if near else ""
    raise StyleError(
        f"there is no style {name!r}",
        hint=f"{guess}styles: {', '.join(names)}; or a path ending in .onnx",
    )


def _share(text: str) -> tuple[Style, float]:
    """Read one part of a blend; without a weight it weighs 1."""
    if not text.strip():
        raise StyleError("a part of the blend in --style is empty", hint=BLEND_HINT)
    name, colon, weight = text.strip().rpartition(":")
    if not colon or weight.endswith(".onnx"):  # that was a drive's colon
        return find(text.strip()), 1.0
    if not _is_number(weight) or not 0 <= float(weight) < float("inf"):
        raise StyleError(f"{weight!r} in --style is not a weight", hint=BLEND_HINT)
    return find(name), float(weight)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def read(path: Path) -> Style:
    """Read a style file's card. Raises StyleError when the file is not an ONNX model."""
    try:
        card = json.loads(metadata(path).get("stylecam", "{}"))
    except (ValueError, IndexError, OSError) as error:
        raise StyleError(
            f"{path} cannot be read as an ONNX model ({error})",
            hint="a style is a file exported as ONNX",
        ) from error
    return Style(name=card.get("name", path.stem), path=path, card=card)
