"""Find and read style files: ONNX, with a card in the metadata if the style is one of ours."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import hashlib
import json
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from ..errors import StyleError

BUILT_IN: Final = Path(__file__).parent
DEFAULT: Final = "great-wave"
_METADATA_FIELD: Final = 14  # ModelProto.metadata_props in onnx.proto
_GRAPH_FIELD: Final = 7


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
    """Return a built-in style by name, or any `.onnx` file by path.

    Raises StyleError naming the nearest styles.
    """
    if name.endswith(".onnx"):
        path = Path(name)
        if not path.is_file():
            raise StyleError(f"{name}: no such style file", hint="check the name and the folder")
        return read(path)
    path = BUILT_IN / f"{name.lower().replace('_', '-')}.onnx"
    if path.is_file():
        return read(path)
    names = [path.stem for path in sorted(BUILT_IN.glob("*.onnx"))]
    near = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    guess = f"did you mean {near[0]}? " if near else ""
    raise StyleError(
        f"there is no style {name!r}",
        hint=f"{guess}styles: {', '.join(names)}; or a path ending in .onnx",
    )


def read(path: Path) -> Style:
    """Read a style file's card. Raises StyleError when the file is no ONNX model."""
    try:
        properties = dict(_metadata(path))
        card = json.loads(properties.get("stylecam", "{}"))
    except (ValueError, IndexError, OSError) as error:
        raise StyleError(
            f"{path} is no ONNX model ({error})", hint="a style is a file exported as ONNX"
        ) from error
    return Style(name=card.get("name", path.stem), path=path, card=card)


def _metadata(path: Path) -> Iterator[tuple[str, str]]:
    """Walk the protobuf's top level for its key-value pairs: no need to load the network."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        seen_graph = False
        for field, start, end in _fields(data, 0, len(data)):
            seen_graph |= field == _GRAPH_FIELD
            if field == _METADATA_FIELD:
                texts = {n: data[a:b].decode() for n, a, b in _fields(data, start, end)}
                yield texts.get(1, ""), texts.get(2, "")
        if not seen_graph:
            raise ValueError("it holds no graph")


def _fields(data: mmap.mmap, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield (field number, start, end) of each length-delimited field of a protobuf message."""
    while start < end:
        key, start = _varint(data, start)
        kind = key & 7
        if kind == 2:
            length, start = _varint(data, start)
            if length > end - start:
                raise ValueError("it is cut short")
            yield key >> 3, start, start + length
            start += length
        elif kind == 0:
            _, start = _varint(data, start)
        elif kind in (1, 5):
            start += 8 if kind == 1 else 4
        else:
            raise ValueError("it is another kind of file")


def _varint(data: mmap.mmap, position: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 64:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    raise ValueError("it is another kind of file")
