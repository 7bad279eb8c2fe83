"""Which files are photos, and of what kind their paintings are."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

_SAME_KIND: Final = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".jp2"}
_PAINTED_AS: Final = {
    **dict.fromkeys((".jfif", ".jif", ".jpe", ".heic", ".heif", ".hif", ".jxl"), ".jpg"),
    **dict.fromkeys((".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".ico", ".qoi", ".psd"), ".png"),
    ".dib": ".bmp",
}
"""The suffixes of photos whose paintings have another one, unless they are given a name."""
IMAGE_SUFFIXES: Final = _SAME_KIND | _PAINTED_AS.keys()

_VIDEOS: Final = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".gif", ".apng", ".mjpg", ".mjpeg"}
)
"""Suffixes that say enough: such a file is a video, however it begins."""
_BEGINNINGS: Final = {
    b"\xff\xd8\xff": ".jpg",
    b"\x89PNG\r\n\x1a\n": ".png",
    b"II*\0": ".tif",
    b"MM\0*": ".tif",
    b"\0\0\0\x0cjP  \r\n\x87\n": ".jp2",
    b"\0\0\0\x0cJXL \r\n\x87\n": ".jpg",
    b"8BPS": ".png",
    b"qoif": ".png",
}
"""How photos begin, and the suffixes of their paintings."""
_HEIC: Final = {b"heic", b"heix", b"heim", b"heis", b"mif1"}
"""Brands of HEIF with one picture; "mif1" may be any, and then others say which."""
_HEAD: Final = 1 << 16
_MUCH: Final = 1 << 24


def is_photo(path: Path) -> bool:
    """Whether a file is a photo; an animated PNG is a video."""
    return bool(painting_suffix(path))


def painting_suffix(path: Path) -> str:
    """Return the suffix of a photo's painting, "" where the file is none. The name decides, and
    where it says nothing, how the file begins.
    """
    suffix = path.suffix.lower()
    if suffix == ".png" and _is_animated_png(_begin(path)):
        return ""
    if suffix in IMAGE_SUFFIXES:
        return _PAINTED_AS.get(suffix, path.suffix)
    return "" if suffix in _VIDEOS else _by_content(path)


def _begin(path: Path, size: int = _HEAD) -> bytes:
    """Return how a file begins; nothing of one that cannot be read or is not there."""
    if path.is_file():
        with contextlib.suppress(OSError), path.open("rb") as file:
            return file.read(size)
    return b""


def _by_content(path: Path) -> str:
    head = _begin(path)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return ".webp"
    if head[4:8] == b"ftyp":
        brands = head[8 : int.from_bytes(head[:4], "big")]
        if brands[:4] == b"avif" or (brands[:4] == b"mif1" and b"avif" in brands):
            return ".avif"
        return ".jpg" if brands[:4] in _HEIC else ""
    if head[:2] == b"BM" and head[6:10] == bytes(4):
        return ".bmp"
    kind = next((kind for begins, kind in _BEGINNINGS.items() if head.startswith(begins)), "")
    moves = (kind == ".jpg" and _is_motion_jpeg(path, head)) or (
        kind == ".png" and _is_animated_png(head)
    )
    return "" if moves else kind


def _is_animated_png(head: bytes) -> bool:
    before, animation, after = head.partition(b"acTL")
    found = bool(animation) and b"IDAT" not in before
    return found and int.from_bytes(after[:4], "big") != 1


def _is_motion_jpeg(path: Path, head: bytes) -> bool:
    """Whether one JPEG follows another, and it is not a photo's own second picture (MPF)."""
    return b"MPF\0" not in head and b"\xff\xd9\xff\xd8\xff" in _begin(path, _MUCH)
