"""Ctrl-C and SIGTERM as a question that is asked between two steps."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_STDERR = 2


def unmoved(_: int = 0) -> None:
    """Ignore Ctrl-C in a process that reads photos: a fresh one does not inherit the handler, and
    would be gone before the step that is under way has its photos.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def stopping(words: Callable[[], str]) -> Iterator[Callable[[], bool]]:
    """Give a function that says whether a signal came. The first one is answered at once, with what
    `words` returns then; further ones are ignored, so that nobody's second Ctrl-C costs a file half
    written.

    For the main thread.
    """
    owner, asked = os.getpid(), False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if os.getpid() != owner:  # a process that reads photos: it inherits this, and is no one's
            if number == signal.SIGTERM:
                os._exit(0)
            return
        if not asked and (said := words()):
            # Not print: the signal may have come in the middle of one.
            os.write(_STDERR, f"\n{said}\n".encode())
        asked = True

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
