"""Slots on a device that does everything as late and as mixed up as it may."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import closing

import numpy as np
import pytest
import torch
from fake_device import FakeDevice
from stylecam.realtime.engines.slots import ALIGNMENT, Plan, SlotResult, Slots, Work, places
from stylecam.realtime.errors import EngineError
from stylecam.realtime.fit import fit
from stylecam.realtime.frame import Frame
from stylecam.realtime.pictures import Image
from stylecam.realtime.pipeline import run
from stylecam.realtime.sinks import NullSink
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.realtime.stats import Stats
from stylecam.realtime.threads import Threads

SIZE = 1000


def painter() -> Work:
    """255 - picture + number: the number goes up as a part of its own."""

    def work(source: torch.Tensor, target: torch.Tensor) -> None:
        number = source[places([SIZE])[-1]]
        target.copy_(255 - source[:SIZE] + number)

    return work


PLAN = Plan((SIZE, 4), SIZE, painter)


def picture(number: int) -> Image:
    return np.random.default_rng(number).integers(0, 256, SIZE, np.uint8)


def painting(number: int) -> Image:
    result: Image = 255 - picture(number) + np.uint8(number % 256)
    return result


def submit(slots: Slots, number: int) -> SlotResult:
    mine, extra = picture(number), np.array([number], np.int32)
    pending = slots.submit(mine, extra)
    mine[:], extra[:] = 0, 0  # they are the caller's again
    return pending


@pytest.mark.parametrize("depth", [2, 3, 5])
@pytest.mark.parametrize("seed", range(20))
def test_any_order_of_work_gives_every_painting_to_its_picture(seed: int, depth: int) -> None:
    device, choose = FakeDevice(seed), random.Random(seed)
    under_way: list[tuple[int, SlotResult]] = []
    results: list[tuple[int, Image]] = []

    def land() -> None:
        number, pending = under_way.pop(0)
        if choose.random() < 0.5:
            pending.wait()
        results.append((number, pending.result()))
        pending.wait()

    with closing(Slots(device, PLAN, depth=depth)) as slots:
        for number in range(40):
            if len(under_way) == depth:
                land()
            while under_way and choose.random() < 0.3:
                land()
            under_way.append((number, submit(slots, number)))
        while under_way:
            land()
        assert slots.idle
    # Looked at only now: a result that were the slot's own buffer would be overwritten long since.
    assert [number for number, _ in results] == list(range(40))
    assert all(np.array_equal(result, painting(number)) for number, result in results)
    assert device.live == 0
    assert device.most_busy >= 2


def test_copies_overlap_the_network_both_ways() -> None:
    device = FakeDevice(1)
    with closing(Slots(device, PLAN)) as slots:
        submitted = [submit(slots, number) for number in range(3)]
        for number in range(3, 60):
            submitted.pop(0).result()
            submitted.append(submit(slots, number))
        for pending in submitted:
            pending.result()
    order = " ".join(device.done)
    assert "net 0 up 1" in order  # the next goes up before this one comes down
    assert "up 1 down 0" in order
    assert "net 1 down 0" in order  # this one comes down after the next was computed


def test_no_more_pictures_than_slots() -> None:
    device = FakeDevice(0)
    with closing(Slots(device, PLAN, depth=2)) as slots:
        submitted = [submit(slots, number) for number in range(2)]
        with pytest.raises(EngineError, match="more than 2 pictures"):
            submit(slots, 2)
        assert np.array_equal(submitted[0].result(), painting(0))
        submitted.append(submit(slots, 2))
        assert np.array_equal(submitted[1].result(), painting(1))
        assert np.array_equal(submitted[2].result(), painting(2))


@pytest.mark.parametrize("seed", range(10))
def test_a_network_that_fails_is_told_and_leaves_nothing(seed: int) -> None:
    device = FakeDevice(seed, fails_at=7)
    slots = Slots(device, PLAN)
    good, submitted = 0, list[SlotResult]()

    def paint() -> None:
        nonlocal good
        for number in range(20):
            if len(submitted) == 3:
                assert np.array_equal(submitted.pop(0).result(), painting(good))
                good += 1
            submitted.append(submit(slots, number))

    with pytest.raises(EngineError, match="the device failed"):
        paint()
    assert good <= 6
    for pending in submitted:
        pending.wait()  # errors are for `result`
        with pytest.raises(EngineError):
            pending.result()
    slots.close()
    assert device.live == 0


def test_a_slot_that_cannot_be_made_frees_those_before_it() -> None:
    device, made = FakeDevice(0), list[Work]()

    def second_fails() -> Work:
        if made:
            raise EngineError("no memory left")
        made.append(painter())
        return made[0]

    with pytest.raises(EngineError, match="no memory"):
        Slots(device, Plan((SIZE, 4), SIZE, second_fails))
    assert device.live == 0


@pytest.mark.parametrize("seed", range(10))
def test_closed_with_pictures_under_way(seed: int) -> None:
    device = FakeDevice(seed)
    slots = Slots(device, PLAN)
    submitted = [submit(slots, number) for number in range(3)]
    slots.close()
    slots.close()
    assert device.live == 0
    for pending in submitted:
        pending.wait()
        with pytest.raises(EngineError, match="closed"):
            pending.result()
    with pytest.raises(EngineError, match="closed"):
        submit(slots, 4)


def test_a_result_that_nobody_collects_holds_no_memory_of_the_device() -> None:
    device = FakeDevice(3)
    slots = Slots(device, PLAN)
    pending = submit(slots, 0)
    memory = device.memory()
    assert len(memory) == 2 * slots.depth
    slots.close()
    assert [buffer() for buffer in memory] == [None] * len(memory)
    with pytest.raises(EngineError, match="closed"):
        pending.result()


class SlotEngine:
    """Slots as an engine for the pipeline: paints negatives."""

    depth, planar, description, statistics = 3, False, "slots", None

    def __init__(self, device: FakeDevice, size: int) -> None:
        def work(source: torch.Tensor, target: torch.Tensor) -> None:
            target.copy_(255 - source[:size])

        self._slots = Slots(device, Plan((size,), size, lambda: work))

    def submit(self, image: Image) -> Shaped:
        return Shaped(self._slots.submit(np.ascontiguousarray(image)), image.shape)

    def close(self) -> None:
        self._slots.close()


class Shaped:
    def __init__(self, pending: SlotResult, shape: tuple[int, ...]) -> None:
        self.wait, self._pending, self._shape = pending.wait, pending, shape

    def result(self) -> Image:
        return self._pending.result().reshape(self._shape)


class Collected(NullSink):
    def __init__(self, then: Callable[[int], None]) -> None:
        super().__init__()
        self.frames: list[Frame] = []
        self._then = then

    def write(self, frame: Frame) -> None:
        self.frames.append(frame)
        self._then(len(self.frames))


@pytest.mark.parametrize("seed", range(30))
def test_the_pipeline_stops_anywhere(seed: int) -> None:
    """Live or not, to the end, stopped, or with a device that fails: in order, and no leak."""
    choose = random.Random(seed)
    device = FakeDevice(seed, fails_at=choose.randrange(8, 30) if seed % 3 == 0 else None)
    stop_after = choose.randrange(1, 30) if seed % 3 == 1 else 10**9
    threads = Threads()
    sink = Collected(lambda count: threads.stop() if count >= stop_after else None)
    source = PatternSource(64, 64, frames=30, live=seed % 2 == 1, sleep=lambda _: None)
    engine = SlotEngine(device, 64 * 64 * 3)
    try:
        with threads:
            run(source, engine, [sink], fit=fit(64, 64), threads=threads, stats=Stats())
        assert seed % 3 or source.info.live
    except EngineError:
        assert seed % 3 == 0
    finally:
        engine.close()
        source.close()
    assert device.live == 0
    assert all(np.array_equal(f.image, 255 - f.photo) for f in sink.frames if f.photo is not None)
    stamps = [frame.pts for frame in sink.frames]
    assert stamps == sorted(set(stamps))
    if seed % 3 == 2 and not source.info.live:
        assert len(stamps) == 30


def test_parts_of_an_upload_are_aligned() -> None:
    assert places([1, ALIGNMENT, ALIGNMENT + 1]) == [0, 256, 512, 1024]


def test_the_device_objects_to_misuse() -> None:
    """What the tests above rely on."""
    device = FakeDevice(0, lazy=True)
    first, second = device.stream(urgent=True), device.stream(urgent=True)
    host, buffer = device.host_buffer(8), device.buffer(8)
    device.upload(host, buffer, first)
    with pytest.raises(AssertionError, match="two streams"):
        device.download(buffer, device.host_buffer(8), second)
    with pytest.raises(AssertionError, match="in use"):
        device.free(buffer)
    host.array[:] = 1
    with pytest.raises(AssertionError, match="going up"):
        device.drain(first)
    with pytest.raises(AssertionError, match="never recorded"):
        device.wait(device.event())
    device.download(buffer2 := device.buffer(8), host, second)
    host.array[:] = 1
    with pytest.raises(AssertionError, match="coming down"):
        device.drain(second)
    device.free(buffer2)
    with pytest.raises(AssertionError, match="twice"):
        device.free(buffer2)
    with pytest.raises(AssertionError, match="after it was freed"):
        device.upload(host, buffer2, first)
