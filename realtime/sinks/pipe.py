"""Standard output whose reader may be slow, or stop reading at all."""

from __future__ import annotations

import os
import select
import stat
import sys
from collections.abc import Callable
from typing import Final

from ..errors import SinkError

BUFFER_BYTES: Final = 1 << 18
"""What PyAV hands a file at once: y4m of 640x360 took 6 % longer with its usual 32 KiB."""
_TICK_S: Final = 0.1
_PATIENCE_S: Final = 1.0


class Pipe:
    """A file for PyAV that keeps what it is given until `drain`, in the main thread, writes it to
    `descriptor`, a pipe or a socket.

    FFmpeg's own writing would hold back every signal for as long as the reader does not read, and
    PyAV loses a signal that a handler raises while it calls back: so `write` is no Python function.
    """

    def __init__(self, descriptor: int, ending: Callable[[], bool]) -> None:
        self._descriptor, self._ending = descriptor, ending
        self._chunks: list[bytes] = []
        self.write = self._chunks.append
        self._broken_off = False

    def drain(self) -> None:
        """Write all there is. Once `ending()`, asked ten times a second while it waits, a reader
        that takes nothing for another second is given up. Raises SinkError then, and OSError when
        the reader is gone. After an error or an interrupt, what comes is thrown away.
        """
        chunks = self._chunks[:]
        self._chunks.clear()
        if self._broken_off:
            return
        self._broken_off = True
        blocking = os.get_blocking(self._descriptor)
        os.set_blocking(self._descriptor, False)
        try:
            for chunk in chunks:
                self._write(memoryview(chunk))
        finally:
            os.set_blocking(self._descriptor, blocking)  # others may write there, before and after
        self._broken_off = False

    def _write(self, rest: memoryview) -> None:
        silent_s = 0.0
        while rest:
            try:
                rest, silent_s = rest[os.write(self._descriptor, rest) :], 0.0
            except BlockingIOError:
                if select.select([], [self._descriptor], [], _TICK_S)[1]:
                    continue
                silent_s += _TICK_S if self._ending() else 0.0
                if silent_s >= _PATIENCE_S:
                    raise SinkError(
                        "the program that reads standard output does not read",
                        hint="end that program too",
                    ) from None


def standard_output(ending: Callable[[], bool]) -> Pipe | str:
    """Return standard output as what `av.open` takes; files, which no reader holds up, are left to
    FFmpeg, as all is on Windows, where select knows sockets only.
    """
    if sys.platform != "win32":
        mode = os.fstat(1).st_mode
        if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
            return Pipe(1, ending)
    return "pipe:1"
