"""Which files training reads as photos and videos."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from .errors import TrainingError

PHOTO_SUFFIXES: Final = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".heif"}
)
VIDEO_SUFFIXES: Final = frozenset({".mp4", ".mkv", ".mov", ".webm", ".avi", ".m4v"})
KNOWN: Final = PHOTO_SUFFIXES | VIDEO_SUFFIXES


def files_of(source: Path) -> Iterator[Path]:
    """Give the files of a folder, without what a system hides there, or the one file.

    Raises TrainingError when that is of a kind that is not read.
    """
    if not source.is_dir():
        if source.suffix.lower() not in KNOWN:
            raise TrainingError(
                f"{source} is not of a kind that is read",
                hint=f"photos ({', '.join(sorted(PHOTO_SUFFIXES))}) or videos "
                f"({', '.join(sorted(VIDEO_SUFFIXES))})",
            )
        yield source
        return
    for path in source.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(source).parts)
        if not hidden and path.is_file():
            yield path


def notes_on_others(files: list[Path]) -> Iterator[str]:
    """Say which files are neither photos nor videos."""
    others = [path for path in files if path.suffix.lower() not in KNOWN]
    kinds = ", ".join(sorted({path.suffix.lower() or path.name for path in others}))
    if len(others) == 1:
        yield f"1 file of another kind ({kinds}) is left out"
    elif others:
        yield f"{len(others)} files of other kinds ({kinds}) are left out"
