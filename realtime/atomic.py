"""Files that appear under their names whole or not at all."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

_HELD: Final = (5, 32, 33)
"""What Windows says while a virus scanner or an indexer reads a fresh file: access denied, sharing
violation, lock violation."""
_PAUSES_S: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 1.0)


def put_in_place(
    made: Path, final: Path, sleep: Callable[[float], None] = time.sleep, *, replace: bool = True
) -> None:
    """Rename `made` to `final`, which is replaced, or is FileExistsError without `replace`; on
    Windows again and again for 2.5 seconds, for as long as another program holds one of them.
    Raises OSError.
    """
    move = made.replace if replace else partial(_move_to_free, made)
    for pause_s in _PAUSES_S:
        try:
            move(final)
        except OSError as error:
            if getattr(error, "winerror", None) not in _HELD:
                raise
            sleep(pause_s)
        else:
            return
    move(final)


def _move_to_free(made: Path, final: Path) -> None:
    """Rename `made` unless `final` is there: in one step, as another program may make it now."""
    if sys.platform == "win32":
        made.rename(final)
        return
    try:
        final.hardlink_to(made)
    except FileExistsError:
        raise
    except OSError:  # FAT and some network disks have no links: there it takes two steps
        if os.path.lexists(final):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(final)) from None
        made.replace(final)
    else:
        made.unlink()


def write_whole(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Write a file that appears under its name whole or not at all; `durable`, also when the power
    fails. Raises OSError.
    """
    temporary = path.with_suffix(f".{os.getpid()}.part")
    try:
        temporary.write_bytes(data)
        if durable:
            sync(temporary)
        put_in_place(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Wait until a file's content is on the disk, and would survive a power failure. Raises
    OSError.
    """
    with path.open("rb+") as file:
        os.fsync(file.fileno())
