"""Segments: files of coded pictures, which put together make one stream again.

A segment is a row of records: a header (pts, dts, duration, size, flags), then so many bytes. Those
with the flag PACKET hold a coded picture. One has the flag SNAPSHOT: the engine's state after the
segment (`realtime/snapshots.py`). The last has the flag END, and for its duration the number of
frames; a file without it is not a segment.
"""

from __future__ import annotations

import heapq
import os
import struct
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from av import Packet
    from av.stream import Stream

_RECORD: Final = struct.Struct("<qqqIB")
_PACKET, _KEY, _END, _SNAPSHOT = 1, 2, 4, 8


class CodedPicture(NamedTuple):
    """A packet as it is stored: times in the picture's time base."""

    pts: int
    dts: int
    duration: int
    key: bool
    data: bytes


class SegmentWriter:
    """Writes a segment to `path`. Until it is finished, what is there is none. Raises OSError."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def append(self, picture: CodedPicture) -> None:
        """Add the next coded picture."""
        flags = _PACKET | (_KEY if picture.key else 0)
        head = _RECORD.pack(picture.pts, picture.dts, picture.duration, len(picture.data), flags)
        self._file.write(head + picture.data)

    def finish(self, frames: int, snapshot: bytes) -> None:
        """Say how many frames it holds and the engine's state after them; see it onto the disk,
        and close it.
        """
        with self._file as file:
            file.write(_RECORD.pack(0, 0, 0, len(snapshot), _SNAPSHOT) + snapshot)
            file.write(_RECORD.pack(0, 0, frames, 0, _END))
            file.flush()
            os.fsync(file.fileno())

    def close(self) -> None:
        """Leave it unfinished."""
        self._file.close()


def pictures_in(segment: Path) -> Iterator[CodedPicture]:
    """Yield the coded pictures of a finished segment, in decoding order. Raises OSError."""
    return (picture for flags, picture in _records(segment) if flags & _PACKET)


def snapshot_in(segment: Path) -> bytes:
    """Return the engine's state after a finished segment. Raises OSError."""
    return next((picture.data for flags, picture in _records(segment) if flags & _SNAPSHOT), b"")


def frames_in(segment: Path) -> int | None:
    """Return how many frames a finished segment holds; None when it is not one."""
    try:
        with segment.open("rb") as file:
            file.seek(-_RECORD.size, os.SEEK_END)
            _, _, frames, size, flags = _RECORD.unpack(file.read(_RECORD.size))
    except (OSError, struct.error):
        return None
    return int(frames) if flags == _END and size == 0 and frames > 0 else None


def _records(segment: Path) -> Iterator[tuple[int, CodedPicture]]:
    with segment.open("rb") as file:
        while head := file.read(_RECORD.size):
            pts, dts, duration, size, flags = _RECORD.unpack(head)
            yield flags, CodedPicture(pts, dts, duration, bool(flags & _KEY), file.read(size))


def coded_picture(packet: Packet[Stream]) -> CodedPicture:
    """Return what an encoder gave, as it is kept."""
    pts = packet.pts or 0
    dts = pts if packet.dts is None else packet.dts
    return CodedPicture(pts, dts, packet.duration or 0, packet.is_keyframe, bytes(packet))


def packet_of(picture: CodedPicture, time_base: Fraction) -> Packet[Stream]:
    """Undo `coded_picture`."""
    from av import Packet as AvPacket

    packet = AvPacket(picture.data)
    packet.pts, packet.dts, packet.duration = picture.pts, picture.dts, picture.duration
    packet.time_base, packet.is_keyframe = time_base, picture.key
    return packet


def with_continuous_dts(pictures: Iterable[CodedPicture]) -> Iterator[CodedPicture]:
    """Yield the pictures of all segments with decoding times that run on over their borders.

    Every encoder begins its decoding times anew, `delay` frames early. Running on, the n-th
    picture in decoding order has the time of the (n - delay)-th in order of showing, which is
    what one encoder would have given it.
    """
    shown: list[int] = []
    first_pts: int | None = None
    delayed = True
    for picture in pictures:
        first_pts = picture.pts if first_pts is None else first_pts
        heapq.heappush(shown, picture.pts)
        delayed = delayed and picture.dts < first_pts
        yield picture if delayed else picture._replace(dts=heapq.heappop(shown))
