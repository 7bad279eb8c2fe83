"""How a run hears that it is to stop."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from .errors import Stopped
from .threads import Threads


def break_off(number: int, _: object) -> NoReturn:
    """Handle a signal outside a run as Ctrl-C is: what is open is cleaned up."""
    raise Stopped(number)


@contextmanager
def stop_on_signals(threads: Threads) -> Iterator[list[int]]:
    """Let the first Ctrl-C, SIGTERM or closing of the terminal end the run cleanly; the second one
    breaks it off, but not while `threads.finishing`. Yields the list of those that came.
    """
    # Windows closes a console with the signal of Ctrl-Break.
    hangup = getattr(signal, "SIGHUP", None) or getattr(signal, "SIGBREAK", None)
    came: list[int] = []

    def stop(number: int, _: object) -> None:
        # A closed terminal often comes twice, from terminal and shell, and SIGTERM follows.
        again = number == signal.SIGINT or (number == signal.SIGTERM and hangup not in came)
        if came and again and not threads.finishing:
            raise KeyboardInterrupt if number == signal.SIGINT else Stopped(number)
        came.append(number)
        threads.stop_soon()

    numbers = [number for number in (signal.SIGINT, signal.SIGTERM, hangup) if number is not None]
    if hangup is not None and signal.getsignal(hangup) == signal.SIG_IGN:
        numbers.remove(hangup)  # as nohup wants it
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
