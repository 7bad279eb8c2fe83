"""How a run hears that it is to stop."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from .errors import Stopped
from .threads import Threads
from .windows_console import held_open


def break_off_on_signals() -> None:
    """Outside a run, let SIGTERM and a closed terminal end the process as Ctrl-C does: cleanly."""
    hangup = _hangup()

    def break_off(number: int, _: object) -> NoReturn:
        if number in hangup:  # it often comes twice, and the second must not end the cleaning up
            signal.signal(number, signal.SIG_IGN)
        raise Stopped(number)

    for number in (signal.SIGTERM, *hangup):
        signal.signal(number, break_off)


def _hangup() -> list[int]:
    """The signal of a terminal that is closed; none where it is ignored, as nohup wants it."""
    # Windows closes a console with the signal of Ctrl-Break.
    number = getattr(signal, "SIGHUP", None) or getattr(signal, "SIGBREAK", None)
    return [] if number is None or signal.getsignal(number) == signal.SIG_IGN else [number]


@contextmanager
def stop_on_signals(threads: Threads, kernel: Any = None) -> Iterator[list[int]]:
    """Let the first Ctrl-C, SIGTERM or closing of the terminal end the run cleanly; the second one
    breaks it off, but not while `threads.finishing`. Yields the list of those that came; `kernel`
    is as in `held_open`.
    """
    hangup = _hangup()
    came: list[int] = []

    def stop(number: int, _: object) -> None:
        # A closed terminal often comes twice, from terminal and shell, and SIGTERM follows.
        again = number == signal.SIGINT or (number == signal.SIGTERM and not {*hangup} & {*came})
        if came and again and not threads.finishing:
            raise KeyboardInterrupt if number == signal.SIGINT else Stopped(number)
        came.append(number)
        threads.stop_soon()

    def close() -> None:
        for number in hangup:
            stop(number, None)

    numbers = [signal.SIGINT, signal.SIGTERM, *hangup]
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        with held_open(close, threads.left, kernel):
            yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
