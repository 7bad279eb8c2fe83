"""Pipelining: one picture goes up to the device, one is computed, one comes down.

    slot 0   upload │ kernel, network, kernel │ download
    slot 1          upload │ kernel, network, kernel │ download
    slot 2                 upload │ ...

A slot owns one stream, page-locked buffers on the host, buffers on the device, an event, and its
work captured once as a graph. All of a picture is enqueued on that stream and nothing ever crosses
to another one, so its order needs no event between streams, and a picture of one slot can overlap
any part of another's: copies up, copies down and kernels are done by three units of the device.
One stream for each of the three, shared by all slots, would need two events a picture to say the
same, and would let a late upload hold up those behind it. The host waits for a slot's own event,
never for the device, and nothing is allocated on the device after the slots were made.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from ..errors import EngineError
from ..pictures import empty_samples

Bytes = npt.NDArray[np.uint8]
Work = Callable[[Any, Any], None]
"""Enqueues what makes the second device buffer from the first, on the current stream."""

ALIGNMENT = 256
"""Parts of an upload begin at multiples of this many bytes, so that each may hold any type."""


class HostBuffer(NamedTuple):
    """Page-locked memory: as an array, and as the device's own handle to it."""

    array: Bytes
    handle: Any


class Device(Protocol):
    """What a slot needs of a GPU; handles are its own affair.

    What is enqueued on one stream is done in order, what is on several in any order. An error may
    come at once or from a later `wait`, as EngineError; afterwards every call may raise it.
    """

    def stream(self, *, urgent: bool) -> Any:
        """Make a stream; kernels on `urgent` ones go before those on others."""
        ...

    def event(self) -> Any:
        """Make an event."""
        ...

    def host_buffer(self, size: int) -> HostBuffer:
        """Allocate page-locked bytes."""
        ...

    def buffer(self, size: int) -> Any:
        """Allocate bytes on the device."""
        ...

    def capture(self, work: Work, source: Any, target: Any, stream: Any) -> Any:
        """Record what `work(source, target)` enqueues as a graph, after running it to warm up."""
        ...

    def upload(self, source: HostBuffer, target: Any, stream: Any) -> None:
        """Enqueue a copy of all of `source` to the device."""
        ...

    def launch(self, graph: Any, stream: Any) -> None:
        """Enqueue a graph."""
        ...

    def download(self, source: Any, target: HostBuffer, stream: Any) -> None:
        """Enqueue a copy of all of `source` to the host."""
        ...

    def record(self, event: Any, stream: Any) -> None:
        """Let `event` be done when all that is on the stream now is."""
        ...

    def wait(self, event: Any) -> None:
        """Return when it is done. From any thread."""
        ...

    def drain(self, stream: Any) -> None:
        """Return when nothing is on the stream any more, or nothing ever will be. Never raises."""
        ...

    def free(self, *handles: Any) -> None:
        """Give back what was made. Never raises."""
        ...


class Plan(NamedTuple):
    """What each slot does: `uploads` are the bytes of each part that goes up, `download` those
    that come down, `prepare` makes the work of one slot, with memory of its own; `urgent` work
    goes before other.
    """

    uploads: Sequence[int]
    download: int
    prepare: Callable[[], Work]
    urgent: bool = True


def places(uploads: Sequence[int]) -> list[int]:
    """Return where each part of an upload begins in the one buffer, and the buffer's size."""
    found = [0]
    for size in uploads:
        found.append(found[-1] + -(-size // ALIGNMENT) * ALIGNMENT)
    return found


class _Slot:
    """Everything that one picture under way needs."""

    def __init__(self, device: Device, plan: Plan) -> None:
        self._device, self._made = device, list[Any]()
        self._places = places(plan.uploads)
        try:
            self._stream = self._keep(device.stream(urgent=plan.urgent))
            self._done = self._keep(device.event())
            self._host_in = self._keep(device.host_buffer(self._places[-1]))
            self._host_out = self._keep(device.host_buffer(plan.download))
            self._device_in = self._keep(device.buffer(self._places[-1]))
            self._device_out = self._keep(device.buffer(plan.download))
            # A graph keeps nothing of the memory that it names: the work has to live as long.
            self._work: Work | None = plan.prepare()
            graph = device.capture(self._work, self._device_in, self._device_out, self._stream)
            self._graph = self._keep(graph)
        except BaseException:
            self.close()
            raise

    def _keep(self, made: Any) -> Any:
        self._made.append(made)
        return made

    def start(self, parts: Sequence[npt.NDArray[Any]]) -> None:
        for part, place in zip(parts, self._places, strict=False):
            data = part.reshape(-1).view(np.uint8)
            self._host_in.array[place : place + len(data)] = data
        self._device.upload(self._host_in, self._device_in, self._stream)
        self._device.launch(self._graph, self._stream)
        self._device.download(self._device_out, self._host_out, self._stream)
        self._device.record(self._done, self._stream)

    def wait(self) -> None:
        self._device.wait(self._done)

    def painting(self) -> Bytes:
        # A copy costs 0.2 ms for 1920x1080; lending the buffer would need to be told when it is
        # given back, by every sink.
        painting = empty_samples(len(self._host_out.array))
        painting[:] = self._host_out.array
        return painting

    def close(self) -> None:
        if self._made:
            self._device.drain(self._made[0])
        self._device.free(*reversed(self._made))
        # A result that nobody collects holds its slot, and must not hold memory of the device.
        self._made, self._work = [], None
        self._host_in = self._host_out = self._device_in = self._device_out = None
        self._stream = self._done = self._graph = None


class SlotResult:
    """One picture under way."""

    def __init__(self, slots: Slots, slot: _Slot) -> None:
        self._slots, self._slot = slots, slot
        self._collected = False

    def wait(self) -> None:
        """Return when it is done. From any thread; errors are left to `result`."""
        if self._collected or self._slots.closed:
            return
        try:
            self._slot.wait()
        except EngineError:
            return

    def result(self) -> Bytes:
        """Wait, free the slot and return its download, which the caller owns. Call once."""
        if self._slots.closed:
            raise EngineError("the engine was closed before this picture was done")
        try:
            self._slot.wait()
            return self._slot.painting()
        finally:
            self._collected = True
            self._slots.take_back(self._slot)


class Slots:
    """`depth` slots of one plan. `submit` is called by one thread, `SlotResult.result` by another;
    `close` when neither is called any more.
    """

    def __init__(self, device: Device, plan: Plan, *, depth: int = 3) -> None:
        self.depth, self.closed = depth, False
        self._slots: list[_Slot] = []
        self._free = deque[_Slot]()
        try:
            for _ in range(depth):
                self._slots.append(_Slot(device, plan))
        except BaseException:
            self.close()
            raise
        self._free.extend(self._slots)

    @property
    def idle(self) -> bool:
        """Whether no picture is under way."""
        return len(self._free) == self.depth

    def submit(self, *parts: npt.NDArray[Any]) -> SlotResult:
        """Start on a picture: `parts` are contiguous arrays of the sizes in the plan, and free for
        their owner when this returns. Raises EngineError when more than `depth` are under way.
        """
        if self.closed or not self._free:
            why = "it was closed" if self.closed else f"more than {self.depth} pictures under way"
            raise EngineError(f"the engine takes no picture: {why}")
        slot = self._free.popleft()
        # A slot that fails to start stays out: what it has enqueued may still be under way.
        slot.start(parts)
        return SlotResult(self, slot)

    def take_back(self, slot: _Slot) -> None:
        """Take back a slot whose picture is done."""
        self._free.append(slot)

    def close(self) -> None:
        """Wait for what is under way, then free everything. Idempotent."""
        self.closed = True
        for slot in self._slots:
            slot.close()
        self._slots = []
        self._free.clear()
