"""Norm statistics carried through a clip: exact at its start, calm where something enters."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from media import SIGNING, decode
from stylecam.benchmarks.stability import far_change
from stylecam.realtime.engines import EngineOptions, open_engine
from stylecam.realtime.engines.statistics import (
    ARRIVES_AFTER,
    FOLLOW,
    MEASURE_EVERY,
    SmoothedStatistics,
    Statistics,
)
from stylecam.realtime.frame import Image
from stylecam.realtime.memory import decode as decode_state
from stylecam.realtime.memory import encode
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.realtime.styles import find

ENGINES = ("openvino", "torch")


@contextmanager
def painter(name: str, statistics: str, like: Image) -> Iterator[Callable[[Image], Image]]:
    options = EngineOptions(name, precision="f32", statistics=statistics)  # type: ignore[arg-type]
    height, width = like.shape[:2]
    engine = open_engine(options, find("great-wave"), height=height, width=width, live=True)
    yield lambda image: engine.submit(image).result().copy()
    engine.close()


def flat(value: int) -> Image:
    return np.full((36, 64, 3), value, np.uint8)


def of_level(image: Image) -> Callable[[], Statistics]:
    return lambda: np.full((2, 3), float(image[0, 0, 0]), np.float32)


def test_they_are_measured_now_and_then_and_followed_slowly() -> None:
    begun: list[int] = []
    waited: list[int] = []

    def measure(image: Image) -> Callable[[], Statistics]:
        level = int(image[0, 0, 0])
        begun.append(level)

        def wait() -> Statistics:
            waited.append(level)
            return of_level(image)()

        return wait

    smoothed = SmoothedStatistics(measure)
    assert smoothed.step(flat(100)).tolist() == [[100.0] * 3] * 2
    values = [float(smoothed.step(flat(110))[0, 0]) for _ in range(MEASURE_EVERY)]
    assert (begun, waited) == ([100, 110], [100])  # nobody has waited for the second
    values += [float(smoothed.step(flat(110))[0, 0]) for _ in range(2 * MEASURE_EVERY)]
    assert (begun, waited) == ([100, 110], [100, 110])  # and nothing moved: no third
    first = MEASURE_EVERY + ARRIVES_AFTER - 1
    assert values[:first] == [100.0] * first
    assert values[first] == pytest.approx(100 + 10 * FOLLOW)
    assert all(0 <= b - a <= 10 * FOLLOW + 1e-3 for a, b in itertools.pairwise(values))


def test_slow_light_is_measured_again() -> None:
    levels = [100 + step / 60 for step in range(40 * MEASURE_EVERY)]
    begun: list[Image] = []

    def measure(image: Image) -> Callable[[], Statistics]:
        begun.append(image)
        return of_level(image)

    smoothed = SmoothedStatistics(measure)
    followed = [float(smoothed.step(flat(round(level)))[0, 0]) for level in levels]
    assert 8 < len(begun) < 12  # it gets 10 levels brighter
    assert followed[-1] > levels[-1] - 2


def test_nothing_carries_over_a_cut() -> None:
    smoothed = SmoothedStatistics(of_level)
    for _ in range(5):
        smoothed.step(flat(20))
    assert smoothed.step(flat(200))[0, 0] == 200


def test_a_cut_ends_what_is_being_measured() -> None:
    smoothed = SmoothedStatistics(of_level)
    for level in [20] + [25] * MEASURE_EVERY:
        smoothed.step(flat(level))
    values = {float(smoothed.step(flat(200))[0, 0]) for _ in range(2 * MEASURE_EVERY)}
    assert values == {200.0}


def test_they_go_on_from_what_was_kept_at_any_frame() -> None:
    levels = [40 + 3 * (step // 4) for step in range(3 * MEASURE_EVERY)]
    whole = SmoothedStatistics(of_level)
    kept, values = [], []
    for level in levels:
        values.append(whole.step(flat(level)).tolist())
        kept.append(encode(whole.state()))
    for cut in range(len(levels) - 1):
        resumed = SmoothedStatistics(of_level)
        resumed.load(decode_state(kept[cut]))
        assert [resumed.step(flat(level)).tolist() for level in levels[cut + 1 :]] == values[
            cut + 1 :
        ]


@pytest.mark.parametrize("name", ENGINES)
def test_a_cut_is_painted_as_a_first_frame_is(name: str) -> None:
    frame, other = decode(SIGNING)[0][:, ::-1], PatternSource(360, 640).image(9)
    with painter(name, "smoothed", frame) as paint:
        paint(frame)
        after_cut = paint(other)
    with painter(name, "smoothed", frame) as paint:
        first = paint(other)
    assert np.array_equal(after_cut, first)


@pytest.mark.parametrize("name", ENGINES)
def test_the_first_frame_is_as_if_it_were_alone(name: str) -> None:
    frame = decode(SIGNING)[0]
    with painter(name, "smoothed", frame) as smoothed, painter(name, "frame", frame) as alone:
        difference = np.abs(smoothed(frame).astype(int) - alone(frame))
    assert difference.mean() < 0.05
    assert difference.max() <= 2


@pytest.mark.parametrize("name", ENGINES)
def test_what_enters_a_corner_leaves_the_far_one_alone(name: str) -> None:
    frame = decode(SIGNING)[0]
    with painter(name, "smoothed", frame) as paint:
        assert far_change(paint, frame) <= 1
    with painter(name, "frame", frame) as paint:
        assert far_change(paint, frame) > 0.5  # the test can tell


def test_engines_agree_on_a_clip() -> None:
    frames = decode(SIGNING)[: MEASURE_EVERY + ARRIVES_AFTER + 3]
    with (
        painter("openvino", "smoothed", frames[0]) as a,
        painter("torch", "smoothed", frames[0]) as b,
    ):
        for frame in frames:
            difference = np.abs(a(frame).astype(int) - b(frame))
            assert difference.mean() < 0.1
