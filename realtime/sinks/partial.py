"""An output file that appears under its name only when it is whole."""

from __future__ import annotations

import errno
import os
import re
import sys
from pathlib import Path
from shlex import quote
from typing import Final

from ..atomic import put_in_place
from ..errors import OutputExists, SinkError
from ..ffmpeg import PIPE
from .sequence import existing, is_sequence

ELSEWHERE: Final = "choose another place with -o"
"""The hint where a file cannot be written; replaced for files that -o does not name."""


class PartialFile:
    """`path` is a hidden temporary beside the final file; `keep` renames it, `drop` deletes it."""

    def __init__(self, final: Path, *, force: bool) -> None:
        check_writable(final, force=force)
        self.final, self._force = final, force
        self.path = final.with_name(f".{final.stem}.{os.getpid()}.part{final.suffix}")
        try:
            self.path.open("wb").close()
        except OSError as error:
            raise write_error(final, error) from error

    def keep(self) -> None:
        """Give the file its name. Where that fails, it stays, and the error tells where."""
        try:
            put_in_place(self.path, self.final, replace=self._force)
        except FileExistsError as error:
            hint = f"the finished file is {self.path}; give it another name"
            raise came_meanwhile(self.final, hint) from error
        except OSError as error:
            made = self.error(error)
            if self.lost:
                raise made from error
            made.hint = f"the finished file is {self.path}; {made.hint}"
            raise made from error

    def drop(self) -> None:
        """Delete what was written."""
        self.path.unlink(missing_ok=True)

    @property
    def lost(self) -> bool:
        """Whether someone has deleted the temporary, or its folder."""
        try:
            self.path.stat()
        except OSError as error:
            return error.errno in (errno.ENOENT, errno.ENOTDIR)
        return False

    def error(self, error: Exception) -> SinkError:
        """Turn the system's or FFmpeg's error during the writing into a message with the remedy."""
        if not self.lost:
            return write_error(self.final, error)
        return SinkError(
            f"{self.final} cannot be written: the file was removed while it was being recorded",
            hint=f"leave {self.path.name} alone until it has its name, or choose another folder",
        )


def check_writable(path: Path, *, force: bool) -> None:
    """Raise SinkError when `path` may not be written, OutputExists where `force` would do."""
    if path.is_dir():
        raise SinkError(f"{path} is a folder", hint=f"name a file: {path / 'out.mp4'}")
    if is_sequence(path) and "%" in str(path.parent):
        raise SinkError(
            f"{path}: FFmpeg would number the folder too", hint="use a folder without %"
        )
    there = existing(path)
    if there and not force:
        raise OutputExists(f"{there[0]} exists", hint="--force to overwrite it, or another -o")


def came_meanwhile(path: Path, hint: str) -> SinkError:
    """Say that another program made `path` during the run. That is no OutputExists: of several
    inputs, those whose outputs were there before count as done.
    """
    return SinkError(f"{path} was made by another program meanwhile, and is kept", hint=hint)


def left_behind(folder: Path) -> dict[Path, Path]:
    """Return the files in `folder` that never got their names, and those names. Not those that a
    process is writing, where that can be told.
    """
    found = {}
    for path in sorted(folder.glob(".*.part.*")):
        name = re.fullmatch(r"\.(.+)\.(\d+)\.part(\.\w+)", path.name)
        if name is not None and not _lives(int(name[2])):
            found[path] = path.with_name(name[1] + name[3])
    return found


def _lives(process: int) -> bool:
    if sys.platform == "win32":  # where signal 0 is Ctrl-C
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # another user's
        return True
    return True


def write_error(final: Path, error: Exception) -> SinkError:
    """Turn the system's or FFmpeg's error in writing `final` into a message with the remedy."""
    remedies = {
        errno.ENOSPC: f"free some space on this disk, or {ELSEWHERE}",
        errno.EDQUOT: "your quota on this disk is used up; free some space",
        errno.EFBIG: "the system's limit on file size was met; raise it (ulimit -f)",
        errno.ENOENT: f"make the folder first: mkdir -p {quote(str(final.parent))}",
        errno.ENOTDIR: f"{final.parent} is not a folder; {ELSEWHERE}",
        errno.EACCES: f"you may not write there; {ELSEWHERE}",
        errno.EROFS: f"this disk is read-only; {ELSEWHERE}",
        errno.EPIPE: "the program that was to read it has ended",
    }
    code = getattr(error, "errno", None) or 0
    name, elsewhere = str(final), ELSEWHERE
    if final == PIPE:
        name, elsewhere = "standard output", "write a file instead: -o out.mkv"
    if code == errno.ENOENT and final.parent.is_dir():  # /proc and its like
        code = errno.EACCES
    return SinkError(
        f"{name} cannot be written: {getattr(error, 'strerror', None) or error}",
        hint=remedies.get(code, elsewhere),
    )
