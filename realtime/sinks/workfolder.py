"""Finished segments of a coded video in a folder beside the output, so that a run that was
killed can be resumed.

    .out.mp4.stylecam/
        job.json          what is made of what, and how: a run of another job starts over
        lock              held during a run
        whole.mp4         the output, while it is put together
        placing           made when the finished output begins to get its name
        00000.segment ... coded pictures of SEGMENT_FRAMES frames each; the last may have fewer

A segment is a row of records: a header (pts, dts, duration, size, flags), then the packet's
bytes. One has the flag MEMORY: what the engine remembers after the segment. The last has the flag
END and tells how many frames there are; a file without it is not a segment.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

from ..atomic import put_in_place
from ..errors import SinkError
from .partial import write_error

SEGMENT_FRAMES: Final = 128
SUFFIX: Final = ".stylecam"
_JOB: Final = "job.json"
_PLACING: Final = "placing"
_RECORD: Final = struct.Struct("<qqqIB")
_PACKET, _KEY, _END, _MEMORY = 1, 2, 4, 8


class CodedPicture(NamedTuple):
    """A packet as it is stored: times in the picture's time base."""

    pts: int
    dts: int
    duration: int
    key: bool
    data: bytes


def work_folder(final: Path) -> Path:
    """Return the folder in which the unfinished `final` is kept."""
    # FFmpeg would number a "%05d" in a folder's name.
    return final.with_name(f".{final.name.replace('%', '')}{SUFFIX}")


def unfinished(folder: Path) -> list[Path]:
    """Return the outputs in `folder` that were begun and not finished."""
    found = (path for path in folder.glob(f".*{SUFFIX}") if (path / _JOB).is_file())
    return sorted(path.with_name(path.name[1 : -len(SUFFIX)]) for path in found)


def is_its_own(final: Path, job: dict[str, Any]) -> bool:
    """Whether what has the name of `final` was made by an earlier run of the same `job`, which was
    killed while it gave the name, or right after.
    """
    folder = work_folder(final)
    try:
        return (folder / _PLACING).is_file() and _text(folder / _JOB) == _described(job)
    except OSError:
        return False


class WorkFolder:
    """The work folder of `final`, taken over from an earlier run of the same `job` if there is
    one. Raises SinkError when another run holds it.
    """

    def __init__(self, final: Path, job: dict[str, Any]) -> None:
        self.final, self.path = final, work_folder(final)
        self.restarted = False
        self._file: IO[bytes] | None = None
        try:
            self.path.mkdir(exist_ok=True)
            self._lock = (self.path / "lock").open("wb")
        except OSError as error:
            raise write_error(final, error) from error
        try:
            if not _lock(self._lock):
                raise SinkError(
                    f"another stylecam is making {final} right now",
                    hint="wait for it, or name another file with -o",
                )
        except SinkError:
            self._lock.close()
            raise
        try:
            self._take_over(job)
        except BaseException:
            self.leave()
            raise

    def _take_over(self, job: dict[str, Any]) -> None:
        note, wanted = self.path / _JOB, _described(job)
        try:
            found = _text(note)
            if found != wanted:
                self.restarted = found is not None and any(self.path.glob("*.segment"))
                for path in self.path.iterdir():
                    if path.name != "lock":
                        path.unlink()
                _write_safely(note, wanted.encode())
        except OSError as error:
            raise write_error(self.final, error) from error
        self._counts: list[int] = []
        while (count := _frames_in(self._segment(len(self._counts)))) is not None:
            self._counts.append(count)

    def _segment(self, index: int) -> Path:
        return self.path / f"{index:05d}.segment"

    @property
    def frames(self) -> int:
        """How many frames the finished segments hold."""
        return sum(self._counts)

    def append(self, picture: CodedPicture) -> None:
        """Add a coded picture to the segment under way. Raises OSError."""
        if self._file is None:
            self._file = (self.path / "unfinished").open("wb")
        flags = _PACKET | (_KEY if picture.key else 0)
        head = _RECORD.pack(picture.pts, picture.dts, picture.duration, len(picture.data), flags)
        self._file.write(head + picture.data)

    def finish_segment(self, frames: int, memory: bytes = b"") -> None:
        """Make the segment under way, of so many frames, last: on the disk, under its name.

        `memory` is what the engine remembers after it. Raises OSError.
        """
        if self._file is None:
            return
        file, self._file = self._file, None
        with file:
            file.write(_RECORD.pack(0, 0, 0, len(memory), _MEMORY) + memory)
            file.write(_RECORD.pack(0, 0, frames, 0, _END))
            file.flush()
            os.fsync(file.fileno())
        put_in_place(self.path / "unfinished", self._segment(len(self._counts)))
        self._counts.append(frames)

    def begin_to_place(self) -> None:
        """Note that files get their names from now on: see `is_its_own`. Raises OSError."""
        (self.path / _PLACING).touch()

    def give_up_placing(self) -> None:
        """Note that none has got its name: what is there is another's. Raises OSError."""
        (self.path / _PLACING).unlink(missing_ok=True)

    def pictures(self) -> Iterator[CodedPicture]:
        """Yield the coded pictures of all finished segments."""
        for index in range(len(self._counts)):
            for flags, picture in _records(self._segment(index)):
                if flags & _PACKET:
                    yield picture

    def memory(self) -> bytes:
        """Return what the engine remembered after the last finished segment."""
        if not self._counts:
            return b""
        records = _records(self._segment(len(self._counts) - 1))
        return next((picture.data for flags, picture in records if flags & _MEMORY), b"")

    def leave(self) -> None:
        """Let go of the folder; keep it if there is anything in it to resume from."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None
        if self._lock.closed:
            return
        if not any(self.path.glob("*.segment")):
            self.remove()
        self._lock.close()

    def remove(self) -> None:
        """Delete it: the output is complete."""
        self._lock.close()
        shutil.rmtree(self.path, ignore_errors=True)


def _described(job: dict[str, Any]) -> str:
    return json.dumps(job, indent=1, sort_keys=True)


def _text(note: Path) -> str | None:
    return note.read_text(encoding="utf-8", errors="replace") if note.exists() else None


def _records(segment: Path) -> Iterator[tuple[int, CodedPicture]]:
    with segment.open("rb") as file:
        while head := file.read(_RECORD.size):
            pts, dts, duration, size, flags = _RECORD.unpack(head)
            yield flags, CodedPicture(pts, dts, duration, bool(flags & _KEY), file.read(size))


def _frames_in(segment: Path) -> int | None:
    """Return how many frames a finished segment holds; None when it is not one."""
    try:
        with segment.open("rb") as file:
            file.seek(-_RECORD.size, os.SEEK_END)
            _, _, frames, size, flags = _RECORD.unpack(file.read(_RECORD.size))
    except (OSError, struct.error):
        return None
    return int(frames) if flags == _END and size == 0 and frames > 0 else None


def put_on_disk(path: Path) -> None:
    """Wait until a file's content would survive a power failure. Raises OSError."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _write_safely(path: Path, data: bytes) -> None:
    fresh = path.with_suffix(".new")
    with fresh.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    put_in_place(fresh, path)


def _lock(file: IO[bytes]) -> bool:
    """Lock it until it is closed, or the process ends however it ends."""
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # some network disks have no locks
        return True
    return True
