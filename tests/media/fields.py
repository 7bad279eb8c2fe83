"""H.264 whose pictures are two fields each, as camcorders and broadcasters code it; no encoder of
FFmpeg's does. Every macroblock is plain grey (I_PCM), 32x64.
"""

from __future__ import annotations

_SPS, _PPS, _IDR, _SLICE = 0x67, 0x68, 0x65, 0x41
_GOP = 16


class _Bits:
    """The payload of a NAL unit (H.264, 7.2 and 9.1)."""

    def __init__(self) -> None:
        self._bits: list[int] = []

    def u(self, value: int, width: int = 1) -> None:
        self._bits += [value >> place & 1 for place in reversed(range(width))]

    def ue(self, *values: int) -> None:
        for value in values:
            width = (value + 1).bit_length()
            self.u(value + 1, 2 * width - 1)

    def align(self, bit: int = 0) -> None:
        while len(self._bits) % 8:
            self.u(bit)

    def unit(self, header: int) -> bytes:
        """Return it whole, with a start code and what keeps others out of it."""
        self.u(1)
        self.align()
        text = "".join(map(str, self._bits))
        out, zeros = bytearray([0, 0, 0, 1, header]), 0
        for at in range(0, len(text), 8):
            byte = int(text[at : at + 8], 2)
            if zeros >= 2 and byte <= 3:
                out.append(3)
                zeros = 0
            out.append(byte)
            zeros = zeros + 1 if byte == 0 else 0
        return bytes(out)


def _parameters() -> bytes:
    sps = _Bits()
    sps.u(77 << 16 | 30, 24)  # main profile, level 3
    sps.ue(0, 0, 2, 2)  # ids, 4 bits of frame_num, order of showing = of decoding, references
    sps.u(0)
    sps.ue(1, 1)  # 2 macroblocks wide, 2 of a field high
    sps.u(0b00100, 5)  # not only frames, no MBAFF, direct_8x8, no cropping, no VUI
    pps = _Bits()
    pps.ue(0, 0)
    pps.u(0, 2)
    pps.ue(0, 0, 0)
    pps.u(0, 3)
    pps.ue(0, 0, 0)  # se(0) is the same bit
    pps.u(0, 3)
    return sps.unit(_SPS) + pps.unit(_PPS)


def _field(number: int, *, bottom: bool) -> bytes:
    idr = number % _GOP == 0 and not bottom
    bits = _Bits()
    bits.ue(0, 7, 0)  # first macroblock, I, PPS
    bits.u(number % _GOP, 4)
    bits.u(0b11 if bottom else 0b10, 2)
    if idr:
        bits.ue(number // _GOP % 2)
        bits.u(0, 2)
    else:
        bits.u(0)
    bits.ue(0)
    for _ in range(4):
        bits.ue(25)
        bits.align()
        for level, count in ((20 + number * 5 % 200, 256), (128, 128)):
            for _ in range(count):
                bits.u(level, 8)
    return bits.unit(_IDR if idr else _SLICE)


def fields(pictures: int) -> list[bytes]:
    """Return the fields of so many pictures, each a packet."""
    return [
        (_parameters() if number % _GOP == 0 and not bottom else b"")
        + _field(number, bottom=bottom)
        for number in range(pictures)
        for bottom in (False, True)
    ]
