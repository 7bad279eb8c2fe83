"""The files of a live run: one of all of it, if asked for, and those that a key starts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from .errors import SinkError, StylecamError
from .ffmpeg import PIPE
from .frame import VideoInfo
from .outputs import open_recording
from .sinks.file import FileSink
from .sinks.formats import Coding
from .sinks.recording import RecordingSink

_SILENT: Final = "no sound: stylecam records the picture only"


class Recordings:
    """Opens `path` at once, unless it is None. Raises SinkError with the remedy."""

    def __init__(
        self, path: Path | None, info: VideoInfo, *, coding: Coding | None, force: bool
    ) -> None:
        def begin(path: Path, *, force: bool = False) -> FileSink:
            return open_recording(path, info, force=force, coding=coding)

        self._path, self._source = path, info.description
        self.whole = None if path is None else begin(path, force=force)
        """The sink for all of the run."""
        suffix = "" if path is None else path.suffix
        self.parts = RecordingSink(begin, suffix=suffix or _suffix(coding))
        """The sink for what a key starts and stops."""
        self.folder = None if path in (None, PIPE) else path.parent
        """Where that is to go; None where `path` does not say."""
        self.sinks = [sink for sink in (self.whole, self.parts) if sink is not None]

    def kept(self) -> list[Path]:
        """Return the files that there are."""
        whole = self.whole is not None and self.whole.frames and self._path != PIPE
        files = [self._path, *self.parts.saved] if whole else self.parts.saved
        return [path for path in files if path is not None and path.is_file()]

    def notes(self) -> list[str]:
        """Return what they could not keep, a line each. Raises SinkError when all of the run was
        to be recorded and there was nothing.
        """
        if self.whole is None:
            return [*self.parts.notes, *([_SILENT] if self.parts.saved else [])]
        if not self.whole.frames:
            raise SinkError(
                f"{self._path}: nothing was recorded",
                hint=f"no frame came from {self._source}",
            )
        return [*self.whole.notes, *self.parts.notes, _SILENT]

    @contextmanager
    def named(self, say: Callable[[str], None]) -> Iterator[None]:
        """Name what is kept, should the block fail: in the error's hint, or by `say`."""
        try:
            yield
        except BaseException as error:
            for name in map(str, self.kept()):
                if not isinstance(error, StylecamError):
                    say(f"{name}: what was recorded is kept")
                elif name not in error.hint:
                    error.hint += f"; what was recorded is kept in {name}"
            raise


def _suffix(coding: Coding | None) -> str:
    codec = coding.codec if coding is not None else None
    return {"prores": ".mov", "ffv1": ".mkv"}.get(codec or "", ".mp4")
