"""Pictures as training reads them: float (3, H, W) tensors, RGB in 0..1, whatever lies in the file.

What is transparent lies on white.
"""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .errors import TrainingError

Bytes3 = npt.NDArray[np.uint8]
Pixels = npt.NDArray[np.integer[Any] | np.floating[Any]]
LOG: Final = logging.getLogger("stylecam.training")
NARROWEST_PX: Final = 32
SMALL_PX: Final = 200
WIDEST: Final = 4.0
"""Of a photo; what a panorama has beside it would be read for nothing."""
LEAST_DEVIATION: Final = 1.5
"""Of 255: less is one colour, and what a JPEG makes of it."""
_JPEG: Final = b"\xff\xd8\xff"
_HEIF: Final = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1", b"hevc", b"hevx")
"""Brands of files as phones write them. AVIF, which OpenCV reads, has others."""
_HDR: Final = (16, 18)
"""Transfer characteristics of PQ and HLG (ITU-T H.273, table 3)."""
_REDUCED: Final = {
    8: cv2.IMREAD_REDUCED_COLOR_8,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    2: cv2.IMREAD_REDUCED_COLOR_2,
}


def read_painting(path: Path, long_side: int) -> Tensor:
    """Read a picture whole, scaled so that its long side is `long_side` pixels.

    Raises TrainingError when the file is not a picture, or one with nothing to learn from.
    """
    bgr = _decode(path, _contents(path), cv2.IMREAD_COLOR)
    scale = long_side / max(bgr.shape[:2])
    if min(bgr.shape[:2]) * scale < NARROWEST_PX:
        raise TrainingError(
            f"{path} is too narrow for a painting: {bgr.shape[1]}x{bgr.shape[0]} pixels"
        )
    if bgr.std((0, 1)).max() < LEAST_DEVIATION:
        raise TrainingError(f"{path} is of one colour: there is nothing to learn from it")
    if max(bgr.shape[:2]) < SMALL_PX:
        LOG.warning(
            "%s has %dx%d pixels only: strokes will be blurred; 700 or more are better",
            path, bgr.shape[1], bgr.shape[0],
        )  # fmt: skip
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return to_tensor(_rgb(cv2.resize(bgr, None, fx=scale, fy=scale, interpolation=how)))


def read_pixels(path: Path) -> Bytes3:
    """Read a picture as it is, uint8 RGB (H, W, 3). Raises TrainingError when it is not one."""
    return _rgb(_decode(path, _contents(path), cv2.IMREAD_COLOR))


def read_photo(path: Path, short_side: int) -> Tensor:
    """Read a picture that will be shrunk to a short side of `short_side` pixels or less.

    A picture from a camera has thirty times as many: what is four times as large as needed is
    shrunk before it becomes floats, a JPEG while it is decoded. Others are read as they are.

    Raises TrainingError when the file is not a picture.
    """
    data = _contents(path)
    size = _jpeg_size(data)
    factor = _factor(min(size), short_side) if size else 1
    bgr = _decode(path, data, _REDUCED.get(factor, cv2.IMREAD_COLOR))
    bgr = bgr[middle(*bgr.shape[:2], at_most=WIDEST)]
    factor = _factor(min(bgr.shape[:2]), short_side)
    if factor > 1:
        less = (max(1, bgr.shape[1] // factor), max(1, bgr.shape[0] // factor))
        bgr = _bytes(cv2.resize(bgr, less, interpolation=cv2.INTER_AREA))
    return to_tensor(_rgb(bgr))


def middle(height: int, width: int, *, at_most: float) -> tuple[slice, slice]:
    """Return the rows and columns in the middle, one side `at_most` times the other."""
    tall, wide = min(height, round(width * at_most)), min(width, round(height * at_most))
    top, left = (height - tall) // 2, (width - wide) // 2
    return slice(top, top + tall), slice(left, left + wide)


def to_tensor(rgb: Bytes3) -> Tensor:
    """Return uint8 (H, W, 3) as float (3, H, W) in 0..1."""
    return torch.from_numpy(rgb.astype(np.float32) / 255).permute(2, 0, 1).contiguous()


def _factor(side: int, wanted: int) -> int:
    """Return how many times a side may be shrunk and still be twice what is wanted."""
    return next((factor for factor in _REDUCED if side // factor >= 2 * wanted), 1)


def _contents(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TrainingError(f"{path} cannot be read as a picture ({error.strerror})") from error


def _decode(path: Path, data: bytes, how: int) -> Bytes3:
    try:
        if data[4:8] == b"ftyp" and data[8:12] in _HEIF:
            return _heif(data)
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), how) if data else None
        if bgr is not None and not data.startswith(_JPEG):
            whole = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
            if whole is not None and whole.ndim == 3 and whole.shape[2] == 4:
                bgr = _on_white(_upright(data, whole))
    except cv2.error as error:
        raise TrainingError(f"{path} cannot be read as a picture ({error.err})") from error
    except ValueError as error:
        raise TrainingError(f"{path} cannot be read as a picture ({error})") from error
    if bgr is None:
        raise TrainingError(f"{path} cannot be read as a picture")
    return _bytes(bgr)


def _upright(data: bytes, bgra: Pixels) -> Pixels:
    """Return a picture with transparency as the file says it is to be shown, in 8 bits; as OpenCV
    has it where Pillow cannot read it. OpenCV keeps transparency only where it does not turn the
    picture, and does not tell how many of its 16 bits count.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(data)) as photo:
            upright = ImageOps.exif_transpose(photo).convert("RGBA")
    except (OSError, ValueError, SyntaxError):
        return bgra
    return cv2.cvtColor(np.array(upright), cv2.COLOR_RGBA2BGRA).astype(np.uint8, copy=False)


def _heif(data: bytes) -> Bytes3:
    """Decode a phone's photo, upright, as BGR. Raises ValueError when that cannot be done."""
    import pillow_heif  # takes a moment to load, and most photos are JPEG

    try:
        photo = pillow_heif.open_heif(io.BytesIO(data), bgr_mode=True)
        if photo.info.get("nclx_profile", {}).get("transfer_characteristics") in _HDR:
            raise ValueError("it is HDR; save it as JPEG")
        stored = np.array(photo)
    except (OSError, RuntimeError, EOFError, SyntaxError) as error:
        raise ValueError(str(error)) from error
    if stored.ndim == 2:
        return _bytes(cv2.cvtColor(stored, cv2.COLOR_GRAY2BGR))
    return _on_white(stored) if stored.shape[2] == 4 else _bytes(stored)


def _on_white(bgra: Pixels) -> Bytes3:
    most = 65535 if bgra.dtype == np.uint16 else 255
    values = bgra.astype(np.float32) / most
    alpha = values[..., 3:]
    return ((values[..., :3] * alpha + 1 - alpha) * 255).round().astype(np.uint8)


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Return the sides of a JPEG from its header (ITU-T T.81, B.2.2); None when there is none."""
    if not data.startswith(_JPEG):
        return None
    place = 2
    while place + 9 < len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # a frame header
            height, width = (
                int.from_bytes(data[place + at : place + at + 2], "big") for at in (5, 7)
            )
            return height, width
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return None


def _rgb(bgr: Pixels) -> Bytes3:
    return _bytes(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))


def _bytes(pixels: Pixels) -> Bytes3:
    return pixels.astype(np.uint8, copy=False)
