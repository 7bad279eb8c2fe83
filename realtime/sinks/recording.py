"""A recording that can be started and stopped while pictures go by."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from ..errors import StylecamError
from ..frame import Frame
from . import Sink


class RecordingSink:
    """Passes frames on to a file while one is open; `open_file` opens the next one.

    A file that fails is given up without ending the picture; `problem` says why.
    """

    def __init__(self, open_file: Callable[[Path], Sink]) -> None:
        self._open_file = open_file
        self._sink: Sink | None = None
        self._origin: int | None = None
        self.path: Path | None = None
        self.problem = ""

    def start(self, path: Path) -> None:
        """Record into `path` from the next frame on. Raises SinkError when it cannot be made."""
        self._sink, self.path = self._open_file(path), path
        self._origin, self.problem = None, ""

    def stop(self) -> None:
        """Finish the file; nothing when none is open. Raises SinkError when that fails."""
        sink, self._sink, self.path = self._sink, None, None
        if sink is not None:
            sink.close()

    def write(self, frame: Frame) -> None:
        """Record the frame, if a file is open. Its first frame is at time 0."""
        if self._sink is None:
            return
        if self._origin is None:
            self._origin = frame.pts
        try:
            self._sink.write(dataclasses.replace(frame, pts=frame.pts - self._origin))
        except StylecamError as error:
            self._sink.abort()
            self._sink = self.path = None
            self.problem = error.message

    def close(self) -> None:
        """Finish the file."""
        self.stop()

    def abort(self) -> None:
        """Finish the file: what was recorded is good, whatever failed elsewhere."""
        self.stop()
