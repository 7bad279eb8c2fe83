"""Files that appear under their names whole or not at all."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

_HELD: Final = (5, 32, 33)
"""What Windows says while a virus scanner or an indexer reads a fresh file: access denied, sharing
violation, lock violation."""
_PAUSES_S: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 1.0)


def put_in_place(made: Path, final: Path, sleep: Callable[[float], None] = time.sleep) -> None:
    """Rename `made` to `final`, which is replaced; on Windows again and again for 2.5 seconds, for
    as long as another program holds one of them. Raises OSError.
    """
    for pause_s in _PAUSES_S:
        try:
            made.replace(final)
        except OSError as error:
            if getattr(error, "winerror", None) not in _HELD:
                raise
            sleep(pause_s)
        else:
            return
    made.replace(final)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that appears under its name whole or not at all. Raises OSError."""
    temporary = path.with_suffix(f".{os.getpid()}.part")
    try:
        temporary.write_bytes(data)
        put_in_place(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
