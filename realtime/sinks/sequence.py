"""Numbered pictures as one output: what its name stands for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_NUMBERED: Final = r"([^%]*)%(?:0?(\d+))?d([^%]*\.png)"


def is_sequence(path: Path) -> bool:
    """Whether a name stands for a numbered sequence of pictures, as in frame%05d.png."""
    return re.fullmatch(_NUMBERED, path.name, re.IGNORECASE) is not None


def numbered_files(path: Path) -> list[Path]:
    """Return the files that a sequence's name stands for and that are there."""
    found = re.fullmatch(_NUMBERED, path.name, re.IGNORECASE)
    if found is None:
        return []
    before, digits, after = found.groups()
    least = int(digits or 1)
    number = rf"(?:\d{{{least}}}|[1-9]\d{{{least},}})"  # longer ones have no leading zero
    names = re.compile(re.escape(before) + number + re.escape(after))
    return sorted(other for other in path.parent.glob("*") if names.fullmatch(other.name))


def existing(path: Path) -> list[Path]:
    """Return the files that an output of that name would replace."""
    if is_sequence(path):
        return numbered_files(path)
    # A link that leads nowhere would be replaced too.
    return [path] if path.exists() or path.is_symlink() else []
