"""Photos that Pillow reads and OpenCV does not, or not rightly: HEIF, whose tiles are put together,
AVIF, which may have to be turned, and TIFF with opacity.
"""

from __future__ import annotations

import io
import warnings
from typing import Any, NamedTuple

import numpy as np

from ..colour import HLG, PQ
from ..tags import EXIF, ICC, XMP


class Opened(NamedTuple):
    """Upright pixels, (H, W) uint16 or (H, W, C) uint8 in the order R, G, B, alpha; metadata by
    OpenCV's numbers of its kinds; how many bits a channel had, and how many pictures there are.
    """

    stored: Any
    found: list[tuple[int, bytes]]
    bits: int
    pictures: int


def is_boxed(data: bytes) -> bool:
    """Whether a file begins as HEIF and AVIF do."""
    return data[4:8] == b"ftyp"


def read(data: bytes) -> Opened:
    """Decode the first picture, or the one that the file calls primary.

    Raises ValueError where it cannot be decoded, and where it is HDR: FFmpeg's pictures are
    tone-mapped.
    """
    import pillow_heif
    from PIL import Image, ImageOps

    pillow_heif.register_heif_opener()
    try:
        with warnings.catch_warnings(action="ignore"):  # of sizes that are no trouble
            stored = Image.open(io.BytesIO(data))
            info = dict(stored.info)
            if info.get("nclx_profile", {}).get("transfer_characteristics") in (PQ, HLG):
                raise ValueError("HDR")
            pictures = getattr(stored, "n_frames", 1)
            image = ImageOps.exif_transpose(stored)
    except (OSError, SyntaxError, RuntimeError, EOFError, Image.DecompressionBombError) as error:
        raise ValueError(str(error)) from error
    kinds = ((EXIF, "exif"), (XMP, "xmp"), (ICC, "icc_profile"))
    found = [(kind, image.info[name]) for kind, name in kinds if image.info.get(name)]
    if image.mode.startswith("I;16"):
        return Opened(np.array(image), found, 16, pictures)
    if image.mode in ("I", "F"):
        raise ValueError(f"values of mode {image.mode}")
    opaque = "A" not in image.getbands() and "transparency" not in image.info
    return Opened(
        np.array(image.convert("RGB" if opaque else "RGBA")),
        found,
        info.get("bit_depth") or _av1_bits(data),
        pictures,
    )


def _av1_bits(data: bytes) -> int:
    """Return the bits a channel of an AVIF file, and 8 for others."""
    at = data.find(b"av1C")
    flags = data[at + 6] if 0 <= at < len(data) - 6 else 0
    return 8 if not flags & 0x40 else 12 if flags & 0x20 else 10
