"""What a photo says of itself beside its pixels: EXIF and the ICC profile of its colours."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Literal, NamedTuple

EXIF, XMP, ICC = 0, 1, 2
"""OpenCV's numbers for kinds of metadata."""

_ORIENTATION: Final = 0x0112
_ORDERS: Final[dict[bytes, Literal["little", "big"]]] = {b"II": "little", b"MM": "big"}
_MOST_ENTRIES: Final = 256


class Tags(NamedTuple):
    """EXIF as a TIFF of its own, and an ICC profile; empty when there is none."""

    exif: bytes = b""
    icc: bytes = b""


def read_tags(raw: bytes, found: Iterable[tuple[int, Any]]) -> tuple[Tags, list[str]]:
    """Return the tags of an encoded photo in which OpenCV `found` pieces of metadata, and what
    of it a painting of it cannot have, a line each.
    """
    pieces = {int(kind): bytes(memoryview(content).cast("B")) for kind, content in found}
    exif, icc = pieces.get(EXIF, b"").removeprefix(b"Exif\0\0"), pieces.get(ICC, b"")
    notes = ["XMP left out"] if XMP in pieces else []
    at = raw.find(b"colrprof") if raw[4:8] == b"ftyp" else -1  # AVIF, HEIC: OpenCV does not tell
    if at >= 4 and not icc:
        icc = raw[at + 8 : at - 4 + int.from_bytes(raw[at - 4 : at], "big")]
    if icc and icc[16:20] != b"RGB ":
        notes.append(f"colour profile left out: it is for {icc[16:20].decode('latin-1').strip()}")
        icc = b""
    return Tags(exif, icc), notes


def orientation(exif: bytes) -> int:
    """Return the orientation (1 to 8) that EXIF tells, 1 when it tells none."""
    at, _ = _find(exif)
    value = _number(exif, at + 8, 2) if at else 1
    return value if 1 <= value <= 8 else 1


def without_orientation(exif: bytes) -> bytes:
    """Return the same EXIF for the picture turned upright, without the thumbnail of what it was."""
    at, end = _find(exif)
    changed = bytearray(exif)
    if at:
        changed[at + 8 : at + 10] = (1).to_bytes(2, _ORDERS[exif[:2]])
    if end:
        changed[end : end + 4] = bytes(4)  # where the thumbnail's directory would be
    return bytes(changed)


def _find(exif: bytes) -> tuple[int, int]:
    """Return where the first directory's entry of the orientation is, and where the directory
    ends; 0 when there is no such place.
    """
    if exif[:2] not in _ORDERS or len(exif) < 10:
        return 0, 0
    begin = _number(exif, 4, 4)
    count = _number(exif, begin, 2)
    end = begin + 2 + 12 * count
    if count > _MOST_ENTRIES or end + 4 > len(exif):
        end = 0
    for at in range(begin + 2, begin + 2 + 12 * min(count, _MOST_ENTRIES), 12):
        if _number(exif, at, 2) == _ORIENTATION:
            return at, end
    return 0, end


def _number(exif: bytes, at: int, size: int) -> int:
    return int.from_bytes(exif[at : at + size], _ORDERS[exif[:2]])
