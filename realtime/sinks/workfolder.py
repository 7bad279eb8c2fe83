"""Finished segments of a coded video in a folder beside the output, so that a run that was
killed can be resumed.

    .out.mp4.stylecam/
        job.json          what is made of what, and how: a run of another job starts over
        lock              held during a run
        whole.mp4         the output, while it is put together
        placing           made when the finished output begins to get its name
        unfinished        the segment under way
        00000.segment ... SEGMENT_FRAMES frames each (`segments.py`); the last may have fewer
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

from ..atomic import put_in_place, write_whole
from ..errors import SinkError
from .partial import write_error
from .segments import CodedPicture, SegmentWriter, frames_in, pictures_in, snapshot_in

SEGMENT_FRAMES: Final = 128
SUFFIX: Final = ".stylecam"
_JOB: Final = "job.json"
_PLACING: Final = "placing"
_UNFINISHED: Final = "unfinished"


def work_folder(final: Path) -> Path:
    """Return the folder in which the unfinished `final` is kept."""
    # FFmpeg would number a "%05d" in a folder's name.
    return final.with_name(f".{final.name.replace('%', '')}{SUFFIX}")


def unfinished(folder: Path) -> list[Path]:
    """Return the outputs in `folder` that were begun and not finished."""
    found = (path for path in folder.glob(f".*{SUFFIX}") if (path / _JOB).is_file())
    return sorted(path.with_name(path.name[1 : -len(SUFFIX)]) for path in found)


def made_by_same_job(final: Path, job: dict[str, Any]) -> bool:
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
        self._writer: SegmentWriter | None = None
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
                write_whole(note, wanted.encode(), durable=True)
        except OSError as error:
            raise write_error(self.final, error) from error
        self._counts: list[int] = []
        while (count := frames_in(self._segment(len(self._counts)))) is not None:
            self._counts.append(count)

    def _segment(self, index: int) -> Path:
        return self.path / f"{index:05d}.segment"

    @property
    def frames(self) -> int:
        """How many frames the finished segments hold."""
        return sum(self._counts)

    def append(self, picture: CodedPicture) -> None:
        """Add a coded picture to the segment under way. Raises OSError."""
        if self._writer is None:
            self._writer = SegmentWriter(self.path / _UNFINISHED)
        self._writer.append(picture)

    def finish_segment(self, frames: int, snapshot: bytes = b"") -> None:
        """Make the segment under way, of so many frames, last: on the disk, under its name.

        `snapshot` is the engine's state after it. Raises OSError.
        """
        if self._writer is None:
            return
        writer, self._writer = self._writer, None
        writer.finish(frames, snapshot)
        put_in_place(self.path / _UNFINISHED, self._segment(len(self._counts)))
        self._counts.append(frames)

    def begin_to_place(self) -> None:
        """Note that files get their names from now on: see `made_by_same_job`. Raises OSError."""
        (self.path / _PLACING).touch()

    def give_up_placing(self) -> None:
        """Note that none has got its name: what is there is another's. Raises OSError."""
        (self.path / _PLACING).unlink(missing_ok=True)

    def pictures(self) -> Iterator[CodedPicture]:
        """Yield the coded pictures of all finished segments."""
        for index in range(len(self._counts)):
            yield from pictures_in(self._segment(index))

    def snapshot(self) -> bytes:
        """Return the engine's state after the last finished segment."""
        return snapshot_in(self._segment(len(self._counts) - 1)) if self._counts else b""

    def leave(self) -> None:
        """Let go of the folder; keep it if there is anything in it to resume from."""
        if self._writer is not None:
            with contextlib.suppress(OSError):
                self._writer.close()
            self._writer = None
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
