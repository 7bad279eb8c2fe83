"""Coded pictures as segments keep them, and as one stream again."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from .workfolder import CodedPicture

if TYPE_CHECKING:
    from av import Packet
    from av.stream import Stream


def stored(packet: Packet[Stream]) -> CodedPicture:
    """Return what an encoder gave, as it is kept."""
    pts = packet.pts or 0
    dts = pts if packet.dts is None else packet.dts
    return CodedPicture(pts, dts, packet.duration or 0, packet.is_keyframe, bytes(packet))


def packet_of(picture: CodedPicture, time_base: Fraction) -> Packet[Stream]:
    """Undo `stored`."""
    from av import Packet as AvPacket

    packet = AvPacket(picture.data)
    packet.pts, packet.dts, packet.duration = picture.pts, picture.dts, picture.duration
    packet.time_base, packet.is_keyframe = time_base, picture.key
    return packet


def run_on(pictures: Iterable[CodedPicture]) -> Iterator[CodedPicture]:
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
