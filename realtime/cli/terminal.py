"""What is printed: results for programs, and news of the work, which goes on when nobody reads."""

from __future__ import annotations

import contextlib
import sys
from typing import IO, TYPE_CHECKING, Any, TextIO

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


def print_json(value: Any, to: TextIO | None = None) -> None:
    """Print plain values, for programs; in ASCII, as a pipe of Windows takes no more."""
    import json

    print(json.dumps(value, indent=2), file=to)
