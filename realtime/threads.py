"""The threads of a run: started, stopped and joined here.

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
        stopping: Callable[[], bool],
        on_wait: Callable[[], None],
    ) -> None:
        self._items: deque[T] = deque()
        self._capacity, self._newest, self._on_drop = capacity, newest, on_drop
        self._changed, self._stopping = threading.Condition(), stopping
        self._on_wait = on_wait
        self._ended = False
        self.left = False
        """Whether `stop` ended it before its items did."""
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
            silent_s = 0.0
            while not self._wait() and silent_s < GRACE_S:
                silent_s += _TICK_S if self._stopping() else 0.0
                self._on_wait()  # outside the lock: it may take its time
            with self._changed:
                if not self._items:
                    if self._error is not None:
                        raise self._error
                    self.left = self.left or not self._ended
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item

    def _wait(self) -> bool:
        """Wait a tick at most; whether there is an item or the end."""
        with self._changed:
            if not self._items and not self._ended:
                self._changed.wait(_TICK_S)
            return bool(self._items) or self._ended


class Threads:
    """Owner of the pipeline's threads. Made, entered and left by one thread."""

    def __init__(self) -> None:
        self._stopping, self._asked = threading.Event(), False
        self._left = threading.Event()
        self.finishing = False
        """Whether files are being closed that must not be lost: a signal waits for them."""
        self._workers: list[threading.Thread] = []
        self._handovers: list[_Handover[object]] = []

    @property
    def stopping(self) -> bool:
        """Whether `stop` or `stop_soon` was called."""
        return self._asked or self._stopping.is_set()

    @property
    def cut_short(self) -> bool:
        """Whether `stop` came before the end of all items: they are then incomplete."""
        return any(handover.left for handover in self._handovers)

    def stop(self) -> None:
        """Ask every stage to end after the frames it has. From any thread, not from a signal
        handler: it takes a lock, which the thread that the signal came to may be holding.
        """
        self._stopping.set()

    def stop_soon(self) -> None:
        """The same from a signal handler: who sleeps is woken at the reader's next tick."""
        self._asked = True

    def _tick(self) -> bool:
        if self._asked:
            self._stopping.set()
        return self.stopping

    def sleep(self, seconds: float) -> None:
        """Wait, but not past `stop`."""
        self._stopping.wait(max(0.0, seconds))

    def left(self, timeout_s: float) -> bool:
        """Wait so long at most, in a thread that is none of these, until the block is left: what
        was written in it is then closed. Whether it is.
        """
        return self._left.wait(timeout_s)

    def ahead(
        self,
        items: Iterable[T],
        *,
        capacity: int = 1,
        newest: bool = False,
        on_drop: Callable[[T], None] = lambda _: None,
        on_wait: Callable[[], None] = lambda: None,
    ) -> Iterator[T]:
        """Run `items` in a thread, at most `capacity` ahead of the reader.

        With `newest`, a full queue drops its oldest item (`on_drop` hears of it) instead of
        waiting. An error raised by `items` reaches the reader after the items before it. While the
        reader waits it calls `on_wait` ten times a second; what that raises reaches it at once.
        """
        handover: _Handover[T] = _Handover(
            capacity,
            newest=newest,
            on_drop=on_drop,
            stopping=self._tick,
            on_wait=on_wait,
        )

        def work() -> None:
            error: BaseException | None = None
            try:
                for item in items:
                    if not handover.put(item) or self.stopping:
                        handover.left = True
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
        self._left.set()
        self.stop()
        for handover in self._handovers:
            handover.end(discard=True)
        deadline = time.perf_counter() + JOIN_TIMEOUT_S
        for worker in self._workers:
            worker.join(max(0.0, deadline - time.perf_counter()))
