"""Windows closes a console by ending its process, as soon as whoever was told of it returns."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

_CLOSING: Final = (2, 5, 6)
"""CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT and CTRL_SHUTDOWN_EVENT."""
_PATIENCE_S: Final = 4.5
"""Windows waits for five seconds, then ends the process all the same."""


@contextmanager
def held_open(
    stop: Callable[[], None], ended: Callable[[float], object], kernel: Any = None
) -> Iterator[None]:
    """When the console is closed, at a logoff and at a shutdown, call `stop`, then `ended` with the
    seconds that it may wait for the run's end. Windows calls both, in a thread of its own. `kernel`
    stands in for its kernel32 elsewhere.

    Python's own handler only sets a flag and returns: the process is gone before the main thread
    looks at it.
    """

    def handle(event: int) -> bool:
        if event not in _CLOSING:
            return False  # Ctrl-C and Ctrl-Break go on to Python
        stop()
        ended(_PATIENCE_S)
        return True

    routine: Any = handle
    if sys.platform == "win32":
        kernel = ctypes.WinDLL("kernel32")
        routine = ctypes.WINFUNCTYPE(ctypes.c_int, ctypes.c_uint)(handle)
    if kernel is not None:
        kernel.SetConsoleCtrlHandler(routine, 1)
    try:
        yield
    finally:
        if kernel is not None:
            kernel.SetConsoleCtrlHandler(routine, 0)
