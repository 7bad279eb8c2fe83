"""Work beside a run: again and again, once, for the first who asks, or for each thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from .threads import JOIN_TIMEOUT_S

_TICK_S: Final = 0.1

T = TypeVar("T")


def per_thread(make: Callable[[], T]) -> Callable[[], T]:
    """Return a function that gives each thread an object of its own: made when the thread first
    asks, the same ever after.
    """
    kept = threading.local()

    def own() -> T:
        if not hasattr(kept, "made"):
            kept.made = make()
        made: T = kept.made
        return made

    return own


class Periodic:
    """Calls `work` again and again in a thread of its own. `work` returns how many seconds later
    its next turn is due. Stopped by `stop`, or when `work` raises; `check` raises that then.
    """

    def __init__(self, work: Callable[[], float]) -> None:
        self._work, self._stopping = work, threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="stylecam-periodic", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._stopping.wait(max(0.0, self._work())):
                pass
        except BaseException as raised:
            self._error = raised

    def check(self) -> None:
        """Raise what `work` raised, if it did."""
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """End after the turn under way. Idempotent."""
        self._stopping.set()
        self._thread.join(JOIN_TIMEOUT_S)


class BackgroundCall(Generic[T]):
    """Runs `work` once in its own thread; poll `done`, or wait for `result`."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="stylecam-background", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._value = self._work()
        except BaseException as raised:
            self._error = raised

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return not self._thread.is_alive()

    def wait(self, timeout_s: float) -> bool:
        """Wait so long at most; whether it has ended. One that has not is left as a daemon."""
        self._thread.join(timeout_s)
        return self.done

    def result(self) -> T:
        """Wait for it; return its value or raise its error. A signal breaks the waiting off, which
        it would not do to foreign code in this thread.
        """
        while not self.wait(_TICK_S):
            pass
        if self._error is not None:
            raise self._error
        return self._value


class Lazy(Generic[T]):
    """A value that is computed by the first who asks for it; the others wait."""

    def __init__(self, compute: Callable[[], T]) -> None:
        self._compute, self._lock = compute, threading.Lock()
        self._found: list[T] = []

    def result(self) -> T:
        """Return it, the same object each time."""
        with self._lock:
            if not self._found:
                self._found.append(self._compute())
            return self._found[0]
