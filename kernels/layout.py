"""How a 4:2:0 picture lies in memory, and what its numbers mean as colours."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from torch import Tensor

Kind = Literal["i420", "nv12", "p010"]

_LUMA: Final = {
    1: (0.2126, 0.0722),  # BT.709
    4: (0.30, 0.11),  # FCC
    7: (0.212, 0.087),  # SMPTE 240M
    9: (0.2627, 0.0593),  # BT.2020
    10: (0.2627, 0.0593),  # its constant-luminance kind, treated as the other, as swscale does
}
_BT601: Final = (0.299, 0.114)


class Planes(NamedTuple):
    """Views of a picture's samples: luma (height, width), chroma half that, rounded up."""

    y_HW: Tensor
    u_HW: Tensor
    v_HW: Tensor


class Decoding(NamedTuple):
    """The numbers that take samples y, u, v to RGB in 0..1.

    luma = (y - black) * gain; red = luma + red_v (v - zero);
    green = luma + green_u (u - zero) + green_v (v - zero); blue = luma + blue_u (u - zero).
    """

    black: float
    gain: float
    zero: float
    red_v: float
    green_u: float
    green_v: float
    blue_u: float


class Encoding(NamedTuple):
    """The numbers that take RGB in 0..1 to samples.

    luma = kr red + kg green + kb blue; y = black + range * luma;
    u = zero + u_gain (blue - luma); v = zero + v_gain (red - luma).
    """

    kr: float
    kg: float
    kb: float
    black: float
    range: float
    zero: float
    u_gain: float
    v_gain: float


class Layout(NamedTuple):
    """A 4:2:0 picture of (height, width), odd or even, as one row of samples.

    "i420": planes Y, U, V. "nv12": Y, then U and V in turn. "p010": as nv12 with 16 bits a sample,
    little-endian, of which the upper ten count. `matrix` is FFmpeg's number; one that is not known
    means BT.601, as in swscale.
    """

    height: int
    width: int
    kind: Kind = "i420"
    matrix: int = 1
    full_range: bool = False

    @property
    def chroma(self) -> tuple[int, int]:
        """Height and width of the chroma planes."""
        return (self.height + 1) // 2, (self.width + 1) // 2

    @property
    def samples(self) -> int:
        """Length of the row."""
        high, wide = self.chroma
        return self.height * self.width + 2 * high * wide

    @property
    def bits(self) -> int:
        """Bits of a sample that count."""
        return 10 if self.kind == "p010" else 8

    def planes(self, samples: Tensor) -> Planes:
        """Return the picture's planes as views of its samples.

        Raises ValueError when there are not as many, or not of this kind's width.
        """
        self.check(samples)
        high, wide = self.chroma
        luma = self.height * self.width
        y, rest = samples[:luma].view(self.height, self.width), samples[luma:]
        if self.kind == "i420":
            u, v = rest.view(2, high, wide).unbind(0)
        else:
            u, v = rest.view(high, wide, 2).unbind(2)
        return Planes(y, u, v)

    @property
    def step(self) -> int:
        """How far a chroma sample lies behind the one to its left."""
        return 1 if self.kind == "i420" else 2

    @property
    def v_behind_u(self) -> int:
        """How far V's first sample lies behind U's."""
        high, wide = self.chroma
        return high * wide if self.kind == "i420" else 1

    def check(self, samples: Tensor) -> None:
        """Raise ValueError unless `samples` is a contiguous row as this layout has it."""
        width = 2 if self.kind == "p010" else 1
        if samples.shape != (self.samples,) or samples.element_size() != width:
            raise ValueError(
                f"{self.kind} of {self.width}x{self.height} is {self.samples} samples of "
                f"{8 * width} bits, not {samples.dtype} {tuple(samples.shape)}"
            )
        if not samples.is_contiguous():
            raise ValueError("the samples of a picture must be contiguous")

    def decoding(self) -> Decoding:
        """Return the numbers that turn samples into RGB."""
        kr, kb = self._luma()
        kg = 1 - kr - kb
        black, luma, zero, chroma = self._range()
        return Decoding(
            black,
            1 / luma,
            zero,
            red_v=2 * (1 - kr) / chroma,
            green_u=-2 * (1 - kb) * kb / kg / chroma,
            green_v=-2 * (1 - kr) * kr / kg / chroma,
            blue_u=2 * (1 - kb) / chroma,
        )

    def encoding(self) -> Encoding:
        """Return the numbers that turn RGB into samples."""
        kr, kb = self._luma()
        black, luma, zero, chroma = self._range()
        u_gain, v_gain = chroma / (2 * (1 - kb)), chroma / (2 * (1 - kr))
        return Encoding(kr, 1 - kr - kb, kb, black, luma, zero, u_gain, v_gain)

    def _luma(self) -> tuple[float, float]:
        return _LUMA.get(self.matrix, _BT601)

    def _range(self) -> tuple[float, float, float, float]:
        """Black, luma's range, chroma's zero and chroma's range (ITU-T H.273, 8.3)."""
        unit = 1 << (self.bits - 8)
        peak = (1 << self.bits) - 1
        if self.full_range:
            return 0.0, float(peak), 128.0 * unit, float(peak)
        return 16.0 * unit, 219.0 * unit, 128.0 * unit, 224.0 * unit
