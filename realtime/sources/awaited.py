"""Which packets are still to become pictures, and so, at the end, how many are lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.stream import Stream


class Awaited:
    """The packets a decoder was given that no picture has come of yet; `len` counts them.

    A packet and its picture have the same `opaque`; a decoder that does not copy it is taken to
    give the pictures of the oldest packets. With `fields` a picture may come of two packets, as in
    H.264: the second field's follows the first's, and is not shown before it.
    """

    def __init__(self, *, fields: bool) -> None:
        self._stamps: dict[int, int | None] = {}
        self._next, self._fields = 0, fields

    def __len__(self) -> int:
        return len(self._stamps)

    def add(self, packet: Packet[Stream]) -> None:
        """Await the picture of a packet, before the decoder gets it."""
        packet.opaque = self._next
        self._stamps[self._next] = packet.pts
        self._next += 1

    def came(self, frame: VideoFrame) -> None:
        """Count a picture."""
        if frame.opaque not in self._stamps:
            if self._stamps:
                del self._stamps[next(iter(self._stamps))]
            return
        first = self._stamps.pop(frame.opaque)
        if self._fields and frame.interlaced_frame:
            second = self._stamps.get(frame.opaque + 1)
            if first is None or second is None or second >= first:
                self._stamps.pop(frame.opaque + 1, None)

    def forget_before(self, pts: int | None) -> None:
        """Await no pictures that are shown before `pts`: they lean on ones before a seek."""
        if pts is not None:
            self._stamps = {
                number: stamp
                for number, stamp in self._stamps.items()
                if stamp is None or stamp >= pts
            }
