"""The user's cache folder: what can be made anew."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_folder(part: str) -> Path:
    """Return (and make) the folder of one part of the cache; STYLECAM_CACHE moves all of it.

    Raises OSError when it cannot be made.
    """
    folder = _root() / part
    folder.mkdir(parents=True, exist_ok=True)
    return folder


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
