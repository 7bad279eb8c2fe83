"""The user's cache folder: what can be made anew."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def cache_folder(part: str) -> Path:
    """Return (and make) the folder of one part of the cache; STYLECAM_CACHE moves all of it.

    Raises OSError when it cannot be made.
    """
    folder = _root() / part
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def drop_unused(files: Iterable[Path], most_bytes: int) -> None:
    """Delete those of `files` that were not used for longest, so that the others have `most_bytes`
    at most. What another process deletes first, or holds open on Windows, does not matter.
    """
    used: list[tuple[float, int, Path]] = []
    for path in files:
        with suppress(OSError):
            status = path.stat()
            # Many systems note the reading of a file once a day, or never.
            used.append((max(status.st_atime, status.st_mtime), status.st_size, path))
    together = 0
    for _, size, path in sorted(used, reverse=True):
        together += size
        if together > most_bytes:
            with suppress(OSError):
                path.chmod(0o600)  # Windows deletes nothing that is read-only, as OpenVINO's are
                path.unlink()


def _root() -> Path:
    if named := os.environ.get("STYLECAM_CACHE"):
        return Path(named)
    usual = {"win32": "LOCALAPPDATA", "darwin": ""}.get(sys.platform, "XDG_CACHE_HOME")
    if named := os.environ.get(usual):
        return Path(named) / "stylecam"
    try:
        home = Path.home()
    except RuntimeError as error:
        raise OSError("there is no home folder; STYLECAM_CACHE names another") from error
    below = {"win32": "AppData/Local", "darwin": "Library/Caches"}.get(sys.platform, ".cache")
    return home / below / "stylecam"
