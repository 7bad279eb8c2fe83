"""A device that executes what is enqueued in a random legal order, and objects to every misuse.

Work on one stream is done in order; between streams the order is drawn anew at every call, so that
what is not ordered by an event will sooner or later come in the wrong order. It is an error to
write a page-locked buffer while a copy from or to it is under way, to use a buffer of the device on
two streams at once, to wait for an event that was never recorded, to free what is in use, or twice.
"""

from __future__ import annotations

import random
import threading
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from stylecam.realtime.engines.slots import HostBuffer, Work
from stylecam.realtime.errors import EngineError

POISON = 0xEE


class Operation(NamedTuple):
    kind: str
    run: Callable[[], None]
    touches: frozenset[int]


class Stream:
    def __init__(self, urgent: bool) -> None:
        self.queue: deque[Operation] = deque()
        self.urgent = urgent


class Event:
    recorded = done = False


class Graph(NamedTuple):
    work: Work
    source: torch.Tensor
    target: torch.Tensor


class FakeDevice:
    """`fails_at`: the number of the launch whose work fails, as a kernel would: later, and for
    good. `lazy`: nothing is done before it is waited for.
    """

    def __init__(self, seed: int, *, fails_at: int | None = None, lazy: bool = False) -> None:
        self._random, self._lazy = random.Random(seed), lazy
        self._lock = threading.RLock()
        self._streams: list[Stream] = []
        self._live: dict[int, Any] = {}
        self._fails_at, self._launches = fails_at, 0
        self._broken = False
        self.done: list[str] = []
        """What was executed, in order: the kind of work and the number of its stream."""
        self.most_busy = 0
        """The most streams that had work at once."""

    @property
    def live(self) -> int:
        """How many handles are not freed."""
        return len(self._live)

    @property
    def urgent(self) -> list[bool]:
        """Of each stream that is not freed, whether it was asked to be urgent."""
        return [stream.urgent for stream in self._streams]

    def memory(self) -> list[weakref.ref[torch.Tensor]]:
        """Return all buffers of the device that are not freed, without holding them."""
        return [weakref.ref(kept) for kept in self._live.values() if isinstance(kept, torch.Tensor)]

    def stream(self, *, urgent: bool) -> Stream:
        stream = self._made(Stream(urgent))
        self._streams.append(stream)
        return stream

    def event(self) -> Event:
        return self._made(Event())

    def host_buffer(self, size: int) -> HostBuffer:
        array = np.full(size, POISON, np.uint8)
        return self._made(HostBuffer(array, array))

    def buffer(self, size: int) -> torch.Tensor:
        return self._made(torch.full((size,), POISON, dtype=torch.uint8))

    def capture(self, work: Work, source: Any, target: Any, stream: Stream) -> Graph:
        assert not stream.queue, "captured while the stream is busy"
        return self._made(Graph(weakref.ref(work), source, target))

    def upload(self, source: HostBuffer, target: torch.Tensor, stream: Stream) -> None:
        before = source.array.copy()

        def run() -> None:
            assert np.array_equal(source.array, before), "written while it was going up"
            target.copy_(torch.from_numpy(before))

        self._enqueue(stream, "up", run, source, target)

    def launch(self, graph: Graph, stream: Stream) -> None:
        self._launches += 1
        fails = self._launches == self._fails_at

        def run() -> None:
            if fails:
                self._broken = True
                return
            work = graph.work()
            assert work is not None, "what the graph works with was freed"
            work(graph.source, graph.target)

        self._enqueue(stream, "net", run, graph.source, graph.target)

    def download(self, source: torch.Tensor, target: HostBuffer, stream: Stream) -> None:
        with self._lock:
            self._check()
            target.array[:] = POISON  # whoever still reads it, or reads it early, sees this

        def run() -> None:
            assert (target.array == POISON).all(), "written while it was coming down"
            target.array[:] = source.numpy()

        self._enqueue(stream, "down", run, source, target)

    def record(self, event: Event, stream: Stream) -> None:
        event.recorded, event.done = True, False
        self._enqueue(stream, "event", lambda: setattr(event, "done", True))

    def wait(self, event: Event) -> None:
        with self._lock:
            assert event.recorded, "waits for an event that was never recorded"
            while not event.done:
                self._check()
                assert self._step(), "waits for what nobody does"
            self._check()

    def drain(self, stream: Stream) -> None:
        with self._lock:
            while stream.queue and not self._broken:
                self._step()
            if self._broken:
                stream.queue.clear()

    def free(self, *handles: Any) -> None:
        with self._lock:
            for handle in handles:
                assert self._live.pop(id(handle), None) is not None, "freed twice"
                in_use = {i for s in self._streams for o in s.queue for i in o.touches}
                assert id(handle) not in in_use, "freed while in use"
                if isinstance(handle, Stream):
                    assert not handle.queue, "freed while in use"
                    self._streams.remove(handle)

    def _made(self, handle: Any) -> Any:
        with self._lock:
            self._check()
            self._live[id(handle)] = handle
            return handle

    def _check(self) -> None:
        if self._broken:
            raise EngineError("the device failed", hint="it was told to")

    def _enqueue(self, stream: Stream, kind: str, run: Callable[[], None], *uses: Any) -> None:
        with self._lock:
            self._check()
            touches = frozenset(id(used) for used in uses)
            assert touches <= self._live.keys(), "used after it was freed"
            for other in self._streams:
                for operation in other.queue if other is not stream else ():
                    assert not operation.touches & touches, "a buffer is on two streams at once"
            stream.queue.append(Operation(kind, run, touches))
            self.most_busy = max(self.most_busy, sum(bool(s.queue) for s in self._streams))
            for _ in range(0 if self._lazy else self._random.choice((0, 0, 0, 1, 4))):
                self._step()

    def _step(self) -> bool:
        """Execute the next operation of some stream; whether there was one."""
        busy = [index for index, stream in enumerate(self._streams) if stream.queue]
        if not busy or self._broken:
            return False
        index = self._random.choice(busy)
        operation = self._streams[index].queue.popleft()
        operation.run()
        self.done.append(f"{operation.kind} {index}")
        return True
