"""ONNX files as protobuf messages, walked field by field: a card is read in a millisecond, weights
are mixed without loading a network, and neither needs the onnx package.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

METADATA_FIELD: Final = 14  # ModelProto.metadata_props in onnx.proto
_GRAPH_FIELD: Final = 7  # ModelProto.graph
_INITIALIZER_FIELD: Final = 5  # GraphProto.initializer
_NAME_FIELD, _RAW_DATA_FIELD, _TYPE_FIELD = 8, 9, 2  # of TensorProto
_FLOAT: Final = 1  # TensorProto.DataType


class Weights(NamedTuple):
    """Where the float32 data of a tensor lies in a file: bytes start to end."""

    start: int
    end: int


def metadata(path: Path) -> dict[str, str]:
    """Return a file's key-value pairs. Raises ValueError or IndexError unless it is a model."""
    pairs = {}
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        seen_graph = False
        for field in _fields(data, 0, len(data)):
            seen_graph |= field.number == _GRAPH_FIELD
            if field.number == METADATA_FIELD:
                texts = {f.number: data[f.start : f.end].decode() for f in _inside(data, field)}
                pairs[texts.get(1, "")] = texts.get(2, "")
        if not seen_graph:
            raise ValueError("it holds no graph")
    return pairs


def with_metadata(data: bytes, key: str, value: str) -> bytes:
    """Return a model whose only key-value pair is this one."""
    kept = [
        data[field.outset : field.end]
        for field in _fields(data, 0, len(data))
        if field.number != METADATA_FIELD
    ]
    pair = _encode(1, key.encode()) + _encode(2, value.encode())
    return b"".join(kept) + _encode(METADATA_FIELD, pair)


def weights(data: bytes) -> dict[str, Weights]:
    """Return the graph's float32 initialisers that are stored as raw data, by name."""
    found = {}
    for graph in _fields(data, 0, len(data)):
        if graph.number != _GRAPH_FIELD:
            continue
        for tensor in _inside(data, graph):
            if tensor.number != _INITIALIZER_FIELD:
                continue
            parts = {field.number: field for field in _inside(data, tensor)}
            name, raw, kind = (parts.get(n) for n in (_NAME_FIELD, _RAW_DATA_FIELD, _TYPE_FIELD))
            if name and raw and kind and kind.value == _FLOAT:
                found[data[name.start : name.end].decode()] = Weights(raw.start, raw.end)
    return found


class _Field(NamedTuple):
    """A field of a message: its key at `outset`, its payload from `start` to `end`, or `value`."""

    number: int
    outset: int
    start: int
    end: int
    value: int = 0


def _inside(data: bytes | mmap.mmap, field: _Field) -> Iterator[_Field]:
    return _fields(data, field.start, field.end)


def _fields(data: bytes | mmap.mmap, start: int, end: int) -> Iterator[_Field]:
    while start < end:
        outset = start
        key, start = _varint(data, start)
        kind, length, value = key & 7, 0, 0
        if kind == 2:
            length, start = _varint(data, start)
            if length > end - start:
                raise ValueError("it is cut short")
        elif kind == 0:
            value, start = _varint(data, start)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise ValueError("it is another kind of file")
        yield _Field(key >> 3, outset, start, start + length, value)
        start += length


def _varint(data: bytes | mmap.mmap, position: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 64:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    raise ValueError("it is another kind of file")


def _encode(field: int, payload: bytes) -> bytes:
    """Write a length-delimited field."""
    out = bytearray([*_bytes_of(field << 3 | 2), *_bytes_of(len(payload))])
    return bytes(out) + payload


def _bytes_of(value: int) -> Iterator[int]:
    while value > 0x7F:
        yield value & 0x7F | 0x80
        value >>= 7
    yield value
