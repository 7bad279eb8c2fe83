"""A recording that can be started and stopped while pictures go by."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from ..errors import StylecamError
from ..frame import Frame
from . import Sink


class Recording(Sink, Protocol):
    """A sink that counts, and says what it could not keep."""

    frames: int

    @property
    def notes(self) -> list[str]:
        """A line each."""
        ...


class RecordingSink:
    """Passes frames on to a file while one is open; `open_file` opens the next one, whose names
    end in `suffix`.

    A file that fails is given up without ending the picture; `problem` says why. `saved` are the
    files that were finished, `notes` what they could not keep.
    """

    def __init__(self, open_file: Callable[[Path], Recording], *, suffix: str = ".mp4") -> None:
        self._open_file = open_file
        self._sink: Recording | None = None
        self.suffix = suffix
        self.path: Path | None = None
        self.problem: StylecamError | None = None
        self.saved: list[Path] = []
        self.notes: list[str] = []

    def start(self, path: Path) -> None:
        """Record into `path` from the next frame on. Raises SinkError when it cannot be made."""
        self._sink, self.path, self.problem = self._open_file(path), path, None

    def stop(self) -> str:
        """Finish the file, and say what came of it; "" when none is open. Raises SinkError when
        that fails.
        """
        sink, path = self._sink, self.path
        if sink is None or path is None:
            return ""
        try:
            sink.close()
        except StylecamError:
            self._sink = self.path = None
            raise
        self._sink = self.path = None  # now, as an interrupt may have broken `close` off
        self.notes += [note for note in sink.notes if note not in self.notes]
        if not sink.frames:
            return f"nothing was recorded: there is no {path}"
        self.saved.append(path)
        return f"saved {path}"

    def write(self, frame: Frame) -> None:
        """Record the frame, if a file is open."""
        if self._sink is None:
            return
        try:
            self._sink.write(frame)
        except StylecamError as error:
            sink, self._sink, self.path = self._sink, None, None
            self.problem = error
            sink.abort()

    def close(self) -> None:
        """Finish the file."""
        self.stop()

    def abort(self) -> None:
        """Finish the file: what was recorded is good, whatever failed elsewhere."""
        self.stop()
