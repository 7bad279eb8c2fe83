"""One photo."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from ..errors import SourceError
from ..frame import Frame, VideoInfo
from ..pictures import Image, Mask
from ..tags import Tags, orientation, read_tags, without_orientation
from . import Reading, pillow

_JPEG: Final = b"\xff\xd8\xff"
"""How files begin that cannot have opacity."""
_TIFF: Final = (b"II*\0", b"MM\0*")
_FURTHER: Final = "{} further picture(s) left out: the first is painted"


class Photo(NamedTuple):
    """A photo read: upright RGB (H, W, 3), its opacity (H, W) if it has any, bits a channel, what
    it says of itself, and what of it is lost, a line each.
    """

    image: Image
    alpha: Mask | None = None
    bits: int = 8
    tags: Tags = Tags()
    notes: tuple[str, ...] = ()


def read_image(path: Path) -> Photo:
    """Read a photo. Raises SourceError with the remedy."""
    try:
        # Not cv2.imread: it cannot open names outside ASCII on Windows.
        data = path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}", hint="check its permissions") from error
    if _is_cut_off(data):
        raise SourceError(f"{path} is cut off: its end is missing", hint="copy or fetch it again")
    if pillow.is_boxed(data):
        with contextlib.suppress(ValueError):
            return _read_with_pillow(data)
    raw = np.frombuffer(data, np.uint8)
    stored, found = _decode(raw)
    tags, notes = read_tags(data, found)
    if stored is None:
        with contextlib.suppress(ValueError):
            return _read_with_pillow(data)
        if b"Exif\0\0" in data:
            notes.append("EXIF left out: it is read only from formats that OpenCV reads")
        image, film = _read_with_ffmpeg(path)
        if film:
            notes.append("it is a video, whose first picture is painted; named .mp4, all are")
        return Photo(image, tags=tags, notes=tuple(notes))
    if stored.dtype not in (np.uint8, np.uint16):
        raise SourceError(
            f"{path} holds {stored.dtype} values, not a photo's",
            hint="convert it to an 8- or 16-bit PNG",
        )
    if further := _further(raw):
        notes.append(_FURTHER.format(further))
    rgb = np.ascontiguousarray(_eight_bits(stored)[..., ::-1])
    alpha = None if data.startswith(_JPEG) else _read_alpha(raw, orientation(tags.exif))
    if alpha is not None and data[:4] in _TIFF:
        # OpenCV has multiplied the colours by it.
        return _read_with_pillow(data)._replace(bits=8 * stored.dtype.itemsize)
    tags = tags._replace(exif=without_orientation(tags.exif))
    return Photo(rgb, alpha, 8 * stored.dtype.itemsize, tags, tuple(notes))


def _read_with_pillow(data: bytes) -> Photo:
    """Read what OpenCV reads wrongly or not at all. Raises ValueError."""
    opened = pillow.read(data)
    tags, notes = read_tags(data, opened.found)
    if opened.pictures > 1:
        notes.append(_FURTHER.format(opened.pictures - 1))
    stored = _eight_bits(opened.stored)
    if stored.ndim == 2:
        stored = np.repeat(stored[..., np.newaxis], 3, 2)
    alpha: Mask | None = np.ascontiguousarray(stored[..., 3]) if stored.shape[2] == 4 else None
    if alpha is not None and alpha.min() == 255:
        alpha = None
    tags = tags._replace(exif=without_orientation(tags.exif))
    return Photo(np.ascontiguousarray(stored[..., :3]), alpha, opened.bits, tags, tuple(notes))


def _is_cut_off(data: bytes) -> bool:
    """Whether a JPEG ends within its pixels, which OpenCV fills with grey."""
    if not data.startswith(_JPEG):
        return False
    at = 2
    while data[at : at + 1] == b"\xff" and data[at + 1 : at + 2] != b"\xda":  # segments before them
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return data.find(b"\xff\xd9", at) < 0


def _decode(raw: Any) -> tuple[Any, list[tuple[int, Any]]]:
    """Return the pixels turned upright (B, G, R), None when OpenCV reads none, and the pieces of
    metadata.
    """
    import cv2

    # What ails a picture is said in the error's words.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
    with contextlib.suppress(cv2.error):
        if not hasattr(cv2, "imdecodeWithMetadata"):  # before OpenCV 4.12
            return cv2.imdecode(raw, flags), []
        stored, kinds, pieces = cv2.imdecodeWithMetadata(raw, flags)
        return stored, list(zip(kinds, pieces, strict=False))
    return None, []


def _further(raw: Any) -> int:
    """Return how many pictures there are after the first."""
    import cv2

    start = bytes(raw[:64])
    if start[4:8] == b"ftyp" and b"avis" not in start:
        return 0  # AVIF of one picture, which would be decoded once more
    with contextlib.suppress(cv2.error):
        if cv2.imdecodemulti(raw, cv2.IMREAD_COLOR, range=(1, 2))[0]:
            return len(cv2.imdecodemulti(raw, cv2.IMREAD_REDUCED_GRAYSCALE_8)[1]) - 1
    return 0


def _eight_bits(values: Any) -> Any:
    if values.dtype == np.uint16:
        return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return values


def _read_alpha(raw: Any, number: int) -> Mask | None:
    """Read the opacity alone, turned as EXIF's `number` says: None when there is none, or all is
    opaque.
    """
    import cv2

    whole: Any = cv2.imdecode(raw, cv2.IMREAD_UNCHANGED)  # not turned upright
    if whole is None or whole.ndim != 3 or whole.shape[2] not in (2, 4):
        return None
    alpha: Mask = _turn(_eight_bits(whole[..., -1]), number)
    return None if alpha.min() == 255 else alpha


def _turn(stored: Any, number: int) -> Any:
    """Turn a picture upright; `number` is EXIF's, 1 to 8."""
    if number >= 5:
        stored = stored.swapaxes(0, 1)
    flip_y, flip_x = {2: (1, -1), 3: (-1, -1), 4: (-1, 1), 6: (1, -1), 7: (-1, -1), 8: (-1, 1)}.get(
        number, (1, 1)
    )
    return np.ascontiguousarray(stored[::flip_y, ::flip_x])


def _read_with_ffmpeg(path: Path) -> tuple[Image, bool]:
    """Read what OpenCV cannot, such as QOI; whether more pictures follow."""
    from ..stats import Stats
    from .file import FileSource

    unreadable = SourceError(
        f"{path} is not a picture that can be read", hint="convert it to JPEG or PNG"
    )
    try:
        source = FileSource(path, Reading(allow_truncated=True), stats=Stats())
    except SourceError as error:
        raise unreadable from error
    try:
        frames = iter(source)
        return next(frames).image, next(frames, None) is not None
    except (SourceError, StopIteration) as error:
        raise unreadable from error
    finally:
        source.close()


class ImageSource:
    """A video of one frame."""

    planar = False

    def __init__(self, path: Path) -> None:
        self._photo = photo = read_image(path)
        self.tags, self.notes = photo.tags, list(photo.notes)
        self.transparent = photo.alpha is not None
        if photo.bits > 8:
            self.notes.append(f"{photo.bits} bits a channel became 8")
        height, width = photo.image.shape[:2]
        self.info = VideoInfo(
            height=height,
            width=width,
            fps=Fraction(1),
            time_base=Fraction(1),
            still=True,
            frames=1,
            description=f"{path.name}: {width}x{height}, photo",
        )

    def __iter__(self) -> Iterator[Frame]:
        yield Frame(
            self._photo.image,
            0,
            self.info.time_base,
            captured_s=time.perf_counter(),
            duration=1,
            alpha=self._photo.alpha,
        )

    def close(self) -> None:
        """Nothing is held open."""
