"""One photo."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import SourceError
from ..frame import Frame, Image, Mask, VideoInfo


def read_image(path: Path) -> tuple[Image, Mask | None, int]:
    """Read a photo: RGB uint8 (H, W, 3) turned upright by its EXIF orientation, its opacity
    (H, W) if it has any, and its bits a channel.

    Raises SourceError with the remedy.
    """
    import cv2

    try:
        # Not cv2.imread: it cannot open names outside ASCII on Windows.
        data = path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}", hint="check its permissions") from error
    raw = np.frombuffer(data, np.uint8)
    stored: Any = None
    with contextlib.suppress(cv2.error):
        stored = cv2.imdecode(raw, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)  # turned upright
    if stored is None:
        return _read_with_ffmpeg(path), None, 8
    if stored.dtype not in (np.uint8, np.uint16):
        raise SourceError(
            f"{path} holds {stored.dtype} values, not a photo's",
            hint="convert it to an 8- or 16-bit PNG",
        )
    rgb = np.ascontiguousarray(_eight_bits(stored)[..., ::-1])
    return rgb, _read_alpha(raw), 8 * stored.dtype.itemsize


def _eight_bits(values: Any) -> Any:
    if values.dtype == np.uint16:
        return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return values


def _read_alpha(raw: Any) -> Mask | None:
    """Read the opacity alone: None when there is none, or all is opaque."""
    import cv2

    whole: Any = cv2.imdecode(raw, cv2.IMREAD_UNCHANGED)  # not turned upright
    if whole is None or whole.ndim != 3 or whole.shape[2] not in (2, 4):
        return None
    alpha: Mask = _turn(_eight_bits(whole[..., -1]), orientation(raw))
    return None if alpha.min() == 255 else alpha


def _turn(stored: Any, number: int) -> Any:
    """Turn a picture upright; `number` is EXIF's, 1 to 8."""
    if number >= 5:
        stored = stored.swapaxes(0, 1)
    flip_y, flip_x = {2: (1, -1), 3: (-1, -1), 4: (-1, 1), 6: (1, -1), 7: (-1, -1), 8: (-1, 1)}.get(
        number, (1, 1)
    )
    return np.ascontiguousarray(stored[::flip_y, ::flip_x])


def orientation(raw: Any) -> int:
    """Return the EXIF orientation (1 to 8) of an encoded picture, 1 when it has none."""
    import cv2

    try:
        _, kinds, metadata = cv2.imdecodeWithMetadata(raw, cv2.IMREAD_COLOR)
    except (cv2.error, AttributeError):  # OpenCV before 4.12 cannot tell
        return 1
    exif = b""
    for kind, content in zip(kinds, metadata, strict=False):
        if kind == 0:
            exif = np.asarray(content).tobytes()
    exif = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "little", b"MM": "big"}.get(exif[:2])
    if order is None or len(exif) < 10:
        return 1

    def number(at: int, size: int) -> int:
        return int.from_bytes(exif[at : at + size], order)  # type: ignore[arg-type]

    entries = number(4, 4)
    for index in range(min(number(entries, 2), 256)):
        at = entries + 2 + 12 * index
        if number(at, 2) == 0x0112:
            value = number(at + 8, 2)
            return value if 1 <= value <= 8 else 1
    return 1


def _read_with_ffmpeg(path: Path) -> Image:
    """Read what OpenCV cannot, such as HEIC."""
    from ..stats import Stats
    from .file import FileSource

    unreadable = SourceError(
        f"{path} is not a picture that can be read", hint="convert it to JPEG or PNG"
    )
    try:
        source = FileSource(path, stats=Stats(), allow_truncated=True)
    except SourceError as error:
        raise unreadable from error
    try:
        return next(iter(source)).image
    except (SourceError, StopIteration) as error:
        raise unreadable from error
    finally:
        source.close()


class ImageSource:
    """A video of one frame."""

    planar = False

    def __init__(self, path: Path) -> None:
        self._image, self._alpha, bits = read_image(path)
        self.notes: list[str] = []
        if bits > 8:
            self.notes.append(f"{bits} bits a channel became 8")
        height, width = self._image.shape[:2]
        self.info = VideoInfo(
            height=height,
            width=width,
            fps=Fraction(1),
            time_base=Fraction(1),
            frames=1,
            description=f"{path.name}: {width}x{height}, photo",
        )

    def __iter__(self) -> Iterator[Frame]:
        yield Frame(
            self._image,
            0,
            self.info.time_base,
            born_s=time.monotonic(),
            duration=1,
            alpha=self._alpha,
        )

    def close(self) -> None:
        """Nothing is held open."""
