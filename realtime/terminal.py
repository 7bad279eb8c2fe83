"""The terminal as a place for words about the work, which goes on when nobody reads them."""

from __future__ import annotations

import contextlib
import sys
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


class _Lenient:
    """A stream that may be closed at its other end: what is written then is lost, no more. Rich
    would end the process, and turn standard output, which may be the video, to nowhere.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except (OSError, ValueError):  # the reader is gone, the terminal closed, the disk full
            return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def status_console(*, quiet: bool = False) -> Console:
    """Return a console on standard error that never fails."""
    from rich.console import Console

    # Without a standard error there is none to wrap, and rich writes nowhere.
    file: Any = None if sys.stderr is None else _Lenient(sys.stderr)
    return Console(file=file, stderr=True, quiet=quiet or file is None, markup=False)
