"""A console of Windows that is closed: it ends the process as soon as who was told returns."""

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
    """Let the closing of the console, a logoff and a shutdown call `stop` in a thread of Windows',
    and then wait, for so many seconds at most, by `ended`. `kernel` is that system's kernel32.

    Python's own handler sets a flag and returns: the process is gone before it is looked at.
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
