"""The only code that starts threads and joins them.

    with Threads() as threads:
        decoded = threads.ahead(decode(), capacity=2)
        for frame in threads.ahead(work(decoded), capacity=1):
            ...

Each `ahead` runs an iterator in a thread of its own and hands its items over through a bounded
queue. Leaving the block, for whatever reason, stops every thread and joins it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")

JOIN_TIMEOUT_S = 5.0
"""A worker that has not ended by then hangs in foreign code; it is left behind as a daemon."""
GRACE_S = 1.0
"""After `stop`, a reader gives a silent worker this long to end before it goes on without it."""
_TICK_S = 0.1


class _Handover(Generic[T]):
    """A bounded queue with an end. Full, `put` waits, or drops the oldest if `newest` wins."""

    def __init__(
        self,
        capacity: int,
        *,
        newest: bool,
        on_drop: Callable[[T], None],
        stopping: threading.Event,
    ) -> None:
        self._items: deque[T] = deque()
        self._capacity, self._newest, self._on_drop = capacity, newest, on_drop
        self._changed, self._stopping = threading.Condition(), stopping
        self._ended = False
        self._error: BaseException | None = None

    def put(self, item: T) -> bool:
        """Hand over; False when nobody wants any more."""
        with self._changed:
            if self._newest:
                while len(self._items) >= self._capacity:
                    self._on_drop(self._items.popleft())
            while len(self._items) >= self._capacity and not self._ended:
                self._changed.wait()
            if self._ended:
                return False
            self._items.append(item)
            self._changed.notify_all()
            return True

    def end(self, error: BaseException | None = None, *, discard: bool = False) -> None:
        """No more items: what is queued is still handed out, unless `discard`, then `error`."""
        with self._changed:
            if not self._ended:
                self._ended, self._error = True, error
            if discard:
                self._items.clear()
            self._changed.notify_all()

    def __iter__(self) -> Generator[T]:
        while True:
            with self._changed:
                silent_s = 0.0
                while not self._items and not self._ended and silent_s < GRACE_S:
                    self._changed.wait(_TICK_S)
                    silent_s += _TICK_S if self._stopping.is_set() else 0.0
                if not self._items:
                    if self._error is not None:
                        raise self._error
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item


class Threads:
    """Owner of the pipeline's threads. Made, entered and left by one thread."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._workers: list[threading.Thread] = []
        self._handovers: list[_Handover[object]] = []

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """Ask every stage to end after the frames it has. From any thread or a signal handler."""
        self._stopping.set()

    def sleep(self, seconds: float) -> None:
        """Wait, but not past `stop`."""
        self._stopping.wait(max(0.0, seconds))

    def ahead(
        self,
        items: Iterable[T],
        *,
        capacity: int = 1,
        newest: bool = False,
        on_drop: Callable[[T], None] = lambda _: None,
    ) -> Iterator[T]:
        """Run `items` in a thread, at most `capacity` ahead of the reader.

        With `newest`, a full queue drops its oldest item (`on_drop` hears of it) instead of
        waiting. An error raised by `items` reaches the reader after the items before it.
        """
        handover: _Handover[T] = _Handover(
            max(1, capacity), newest=newest, on_drop=on_drop, stopping=self._stopping
        )

        def work() -> None:
            error: BaseException | None = None
            try:
                for item in items:
                    if not handover.put(item) or self.stopping:
                        break
            except BaseException as raised:
                error = raised
            finally:
                if isinstance(items, Generator):
                    items.close()
                handover.end(error)

        worker = threading.Thread(target=work, name=f"stylecam-{len(self._workers)}", daemon=True)
        self._handovers.append(handover)  # type: ignore[arg-type]
        self._workers.append(worker)
        worker.start()
        return iter(handover)

    def __enter__(self) -> Threads:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        for handover in self._handovers:
            handover.end(discard=True)
        deadline = time.monotonic() + JOIN_TIMEOUT_S
        for worker in self._workers:
            worker.join(max(0.0, deadline - time.monotonic()))
