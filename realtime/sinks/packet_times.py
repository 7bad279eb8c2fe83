"""The time stamps of carried packets, moved as the picture's are."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from ..section import JUMP_S
from .original import Original

if TYPE_CHECKING:
    from av import Packet
    from av.stream import Stream


_LATE_S: Final = 10
"""By how much a subtitle may be later in the file than sound of the same time: FFmpeg's muxers let
no packet wait for longer (`max_interleave_delta`).
"""
_PATIENCE_S: Final = 60
"""How long, in a recording's time, packets after a jump back wait for the picture to meet it too.
Then the jump is taken for one of the sound's clock alone.
"""


class PacketTimes:
    """Moves packets of `streams` in time, each stream's in order."""

    def __init__(self, original: Original, streams: Iterable[Stream]) -> None:
        self._original = original
        timed = ("audio", "subtitle", "data")  # a cover or an attachment meets no end
        self._under_way = {s.index: s.type for s in streams if s.type in timed}
        """The kinds of those that have not met the end of the part asked for."""
        self._late = False
        self._last: dict[int, tuple[int, int]] = {}
        """Of each stream the last time stamp, and how often it went back."""
        self._reached: dict[int, int] = {}

    @property
    def over(self) -> bool:
        """Whether no packet of the part asked for is to come: every stream has met its end, or all
        sound has and the rest, which may have nothing more to say, would be too late.
        """
        kinds = self._under_way.values()
        return not kinds or (self._late and "audio" not in kinds)

    def waits(self, packet: Packet[Stream], until_s: Fraction | None) -> bool:
        """Whether a packet comes after a jump back that the picture has not met yet, written up to
        `until_s` or to its end (None): so nobody knows where it belongs.
        """
        index, stamp = packet.stream.index, _stamp(packet)
        if until_s is None or stamp is None or index not in self._last:
            return False
        last, count = self._last[index]
        if (last - stamp) * packet.time_base <= JUMP_S or count < len(self._original.jumps):
            return False
        reached_s = self._reached[index] * packet.time_base - self._original.cut.shift_s
        return until_s < reached_s + _PATIENCE_S

    def move(self, packet: Packet[Stream]) -> bool:
        """Move a packet, or return False: it is not in the part asked for."""
        stamp = _stamp(packet)
        if stamp is None:
            return True
        offset = self._go_on(packet, stamp)
        if offset is None:
            return False
        now_s, cut = (stamp + offset) * packet.time_base, self._original.cut
        if cut.begin_s is not None and now_s < cut.begin_s:
            return False
        if cut.end_s is not None and now_s >= cut.end_s:
            self._under_way.pop(packet.stream.index, None)
            self._late = self._late or now_s >= cut.end_s + _LATE_S
            return False
        _trim(packet, stamp)
        offset -= round(cut.shift_s / packet.time_base)
        packet.pts = None if packet.pts is None else packet.pts + offset
        packet.dts = None if packet.dts is None else packet.dts + offset
        return True

    def _go_on(self, packet: Packet[Stream], stamp: int) -> int | None:
        """Return by how much a packet is moved where the input's clock went back, as the picture
        was; None when it would then overlap the one before.
        """
        index, base, jumps = packet.stream.index, packet.time_base, self._original.jumps
        last, count = self._last.get(index, (stamp, 0))
        if (last - stamp) * base > JUMP_S and count < len(jumps):
            count += 1
        self._last[index] = stamp, count
        offset = round(jumps[count - 1] / base) if count else 0
        reached = self._reached.get(index)
        if count and reached is not None and stamp + offset <= reached:
            return None
        self._reached[index] = stamp + offset
        return offset


def _stamp(packet: Packet[Stream]) -> int | None:
    if packet.stream.type == "video":  # a cover has no time
        return None
    return packet.pts if packet.pts is not None else packet.dts


def _trim(packet: Packet[Stream], stamp: int) -> None:
    """End the last packet where the edit list ends the stream: packets are whole, and the last of
    them may sound longer than the track does.
    """
    stream = packet.stream
    if stream.type == "audio" and stream.duration and "mov" in stream.container.format.name:
        left = (stream.start_time or 0) + stream.duration - stamp
        if 0 < left < (packet.duration or 0):
            packet.duration = left
