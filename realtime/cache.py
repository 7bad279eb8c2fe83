"""The user's cache folder: what can be made anew."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_folder(part: str) -> Path:
    """Return (and make) the folder of one part of the cache; STYLECAM_CACHE moves all of it."""
    home = Path.home()
    if "STYLECAM_CACHE" in os.environ:
        root = Path(os.environ["STYLECAM_CACHE"])
    elif sys.platform == "win32":
        root = Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local")) / "stylecam"
    elif sys.platform == "darwin":
        root = home / "Library" / "Caches" / "stylecam"
    else:
        root = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "stylecam"
    folder = root / part
    folder.mkdir(parents=True, exist_ok=True)
    return folder
