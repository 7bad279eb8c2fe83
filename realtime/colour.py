"""What the colours of a video mean, and which of FFmpeg's numbers say so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from av import VideoFrame


class Colour(NamedTuple):
    """How a video codes colour: FFmpeg's numbers for matrix, range, primaries and transfer.

    `matrix` and `range` are never unspecified: whoever makes a Colour has decided.
    """

    matrix: int
    range: int
    primaries: int
    transfer: int


BT709: Final = Colour(matrix=1, range=1, primaries=1, transfer=1)
BT601: Final = Colour(matrix=6, range=1, primaries=6, transfer=6)

UNSPECIFIED: Final = 2
LIMITED, FULL = 1, 2
PQ, HLG = 16, 18
"""Transfer functions of HDR: SMPTE ST 2084 and ARIB STD-B67."""

_RGB: Final = 0
_HD_LINES: Final = 720

PLANAR_MATRICES: Final = frozenset({1, 5, 6, 9})
"""FFmpeg's numbers of the matrices that planar engines know: BT.709, BT.601 twice, BT.2020."""


def engine_colour(colour: Colour) -> Colour:
    """Return the colour in which pictures of `colour` are given to a planar engine."""
    return colour if colour.matrix in PLANAR_MATRICES else colour._replace(matrix=BT709.matrix)


def colour_of(frame: VideoFrame) -> Colour:
    """Return how a decoded frame codes colour, as far as it says so.

    What it leaves open is BT.709 from 720 lines as coded, else BT.601, and limited range unless
    the pixel format is full-range ("yuvj...") or RGB.
    """
    usual = BT709 if frame.height >= _HD_LINES else BT601
    name = frame.format.name
    full = name.startswith("yuvj") or frame.format.is_rgb
    said = (frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc)
    matrix, range_, primaries, transfer = (int(value) for value in said)
    if frame.format.is_rgb:
        # What it will be coded with: nobody who hands over RGB means a matrix by it.
        return Colour(usual.matrix, LIMITED, primaries, transfer)
    return Colour(
        matrix=usual.matrix if matrix in (_RGB, UNSPECIFIED) else matrix,
        range=range_ or (FULL if full else LIMITED),
        primaries=primaries,
        transfer=transfer,
    )


def swscale_matrix(matrix: int) -> int:
    """Return the SWS_CS_* number for an AVCOL_SPC_* number: they differ for BT.2020 constant
    luminance and BT.601 only.
    """
    return {6: 5, 10: 9}.get(matrix, matrix)


def swscale_flags() -> int:
    """Return how to convert between RGB and YUV.

    swscale's fast path from 4:2:0 to RGB is 1 of 255 too dark on average and up to 3 off; with
    these flags no value is off by more than rounding takes.
    """
    from av.video.reformatter import Interpolation

    return Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
