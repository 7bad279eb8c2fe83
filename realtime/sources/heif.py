"""HEIF photos, as phones take them: tiles put together, turned upright, the primary one."""

from __future__ import annotations

import io
from typing import Any, Final, NamedTuple

import numpy as np

from ..colour import HLG, PQ
from ..tags import EXIF, ICC, XMP

_BRANDS: Final = {b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1", b"hevc", b"hevx"}


class Heif(NamedTuple):
    """Upright pixels, uint8 or uint16, (H, W) or (H, W, C) in the order R, G, B, alpha; metadata
    by OpenCV's numbers of its kinds; how many bits a channel had, and how many pictures there were.
    """

    stored: Any
    found: list[tuple[int, Any]]
    bits: int
    pictures: int


def is_heif(data: bytes) -> bool:
    """Whether a file begins as HEIF does; AVIF, which OpenCV reads, is none."""
    return data[4:8] == b"ftyp" and data[8:12] in _BRANDS


def read_heif(data: bytes) -> Heif:
    """Decode the primary picture. Raises ValueError where it cannot be, and where it is HDR, which
    FFmpeg's pictures are tone-mapped from.
    """
    # FFmpeg takes the tiles that phones store for pictures of their own.
    import pillow_heif

    try:
        photo = pillow_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=False)
        info, stored = photo.info, np.array(photo)  # a copy: its own cannot be written to
        if info.get("nclx_profile", {}).get("transfer_characteristics") in (PQ, HLG):
            raise ValueError("HDR")
    except (ValueError, OSError, RuntimeError, EOFError, SyntaxError) as error:
        raise ValueError(str(error)) from error
    kinds = ((EXIF, "exif"), (XMP, "xmp"), (ICC, "icc_profile"))
    found = [(kind, info[name]) for kind, name in kinds if info.get(name)]
    return Heif(stored, found, info.get("bit_depth", 8), len(photo))
