"""Norm statistics carried through a clip: exact at its start, calm where something enters."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import cv2
import numpy as np
import pytest
from media import ANIMATION, SIGNING, decode
from stylecam.benchmarks.stability import far_change
from stylecam.realtime.engines import EngineOptions, open_engine, scene
from stylecam.realtime.engines.statistics import (
    ARRIVES_AFTER,
    FOLLOW,
    MEASURE_EVERY,
    SmoothedStatistics,
    Statistics,
)
from stylecam.realtime.pictures import Image
from stylecam.realtime.snapshots import decode as decode_state
from stylecam.realtime.snapshots import encode
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


def lit(value: int) -> Image:
    """A ramp that begins at `value`."""
    row = value + np.linspace(0, 50, 64).astype(np.uint8)
    return np.broadcast_to(row[None, :, None], (36, 64, 3))


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
    assert smoothed.step(lit(100)).tolist() == [[100.0] * 3] * 2
    values = [float(smoothed.step(lit(103))[0, 0]) for _ in range(MEASURE_EVERY)]
    assert (begun, waited) == ([100, 103], [100])  # nobody has waited for the second
    values += [float(smoothed.step(lit(103))[0, 0]) for _ in range(2 * MEASURE_EVERY)]
    assert (begun, waited) == ([100, 103], [100, 103])  # and nothing moved: no third
    first = MEASURE_EVERY + ARRIVES_AFTER - 1
    assert values[:first] == [100.0] * first
    assert values[first] == pytest.approx(100 + 3 * FOLLOW)
    assert all(0 <= b - a <= 3 * FOLLOW + 1e-3 for a, b in itertools.pairwise(values))


def test_slow_light_is_measured_again() -> None:
    levels = [100 + step / 60 for step in range(40 * MEASURE_EVERY)]
    begun: list[Image] = []

    def measure(image: Image) -> Callable[[], Statistics]:
        begun.append(image)
        return of_level(image)

    smoothed = SmoothedStatistics(measure)
    followed = [float(smoothed.step(lit(round(level)))[0, 0]) for level in levels]
    assert 8 < len(begun) < 12  # it gets 10 levels brighter
    assert followed[-1] > levels[-1] - 2


def test_nothing_carries_over_a_cut() -> None:
    smoothed = SmoothedStatistics(of_level)
    for _ in range(5):
        smoothed.step(lit(20))
    assert smoothed.step(lit(200))[0, 0] == 200


def test_a_cut_ends_what_is_being_measured() -> None:
    smoothed = SmoothedStatistics(of_level)
    for level in [20] + [22] * MEASURE_EVERY:
        smoothed.step(lit(level))
    values = {float(smoothed.step(lit(200))[0, 0]) for _ in range(2 * MEASURE_EVERY)}
    assert values == {200.0}


def fade(image: Image, shares: Iterable[float]) -> list[Image]:
    return [(image * share).astype(np.uint8) for share in shares]


def test_a_fade_in_is_followed_and_a_fade_out_gets_dark() -> None:
    begun: list[int] = []

    def measure(image: Image) -> Callable[[], Statistics]:
        begun.append(int(image.max()))
        return lambda: np.full((2, 3), float(image.max()), np.float32)

    up = np.linspace(0, 1, 31)
    dark = [0.0] * 3 * MEASURE_EVERY
    clip = fade(lit(150), [*up, *[1] * 5, *up[::-1], *dark, *up])
    smoothed = SmoothedStatistics(measure)
    used = [float(smoothed.step(image)[0, 0]) for image in clip]
    assert begun[0] > 200  # an ordinary picture instead of a black one
    assert all(level > 10 for level in begun[1:])
    out = 31 + 5 + 31
    assert min(used[31:out]) > 150  # of 200, while it gets dark
    for first in (0, len(clip) - 31):
        for share, value in zip(up[22:], used[first + 22 : first + 31], strict=True):
            assert abs(value - 200 * share) < 40


def test_what_a_glance_tells() -> None:
    photo, other = decode(SIGNING)[0], decode(ANIMATION)[0]
    before = scene.thumbnail(photo)
    half = scene.thumbnail((photo * 0.5).astype(np.uint8))
    assert scene.has_drifted(half, before)
    assert not scene.has_drifted(before, half)  # it gets dark
    assert scene.has_drifted(before, scene.thumbnail(photo // 2 + other // 2))
    assert not scene.has_drifted(before, scene.thumbnail(np.roll(photo, 90, 1)))  # a pan
    entered = photo.copy()
    cv2.circle(entered, (0, 0), 250, (255, 250, 240), -1)
    assert not scene.has_drifted(before, scene.thumbnail(entered))
    assert scene.is_cut(before, scene.thumbnail(other))
    assert not scene.is_cut(before, scene.thumbnail(entered))
    noise = np.random.default_rng(0).integers(-3, 4, photo.shape)
    assert scene.is_still(before, scene.thumbnail((photo + noise).clip(0, 255).astype(np.uint8)))
    assert scene.is_empty(scene.thumbnail(photo // 50))
    assert not scene.is_empty(before)


@pytest.mark.parametrize("name", ENGINES)
def test_a_faded_in_picture_is_painted_as_if_it_were_alone(name: str) -> None:
    photo = cv2.resize(decode(SIGNING)[0], (320, 192)).astype(np.uint8)
    clip = fade(photo, np.linspace(0, 1, 31))
    with painter(name, "smoothed", photo) as smoothed, painter(name, "frame", photo) as alone:
        paintings = [smoothed(image) for image in clip]
        assert np.abs(paintings[-1].astype(int) - alone(photo)).mean() < 10  # was 69
    assert paintings[0].mean() < 0.5 * paintings[-1].mean()  # black was painted white once


@pytest.mark.parametrize("name", ENGINES)
def test_a_cut_to_black_is_dark(name: str) -> None:
    photo = cv2.resize(decode(SIGNING)[0], (320, 192)).astype(np.uint8)
    with painter(name, "smoothed", photo) as paint:
        before = paint(photo)
        black = paint(np.zeros_like(photo))
        again = paint(photo)
    assert black.max() < before.mean()
    assert np.abs(again.astype(int) - before).max() <= 1


def test_they_go_on_from_what_was_kept_at_any_frame() -> None:
    levels = [40 + 3 * (step // 4) for step in range(3 * MEASURE_EVERY)]
    whole = SmoothedStatistics(of_level)
    kept, values = [], []
    for level in levels:
        values.append(whole.step(lit(level)).tolist())
        kept.append(encode(whole.state()))
    for cut in range(len(levels) - 1):
        resumed = SmoothedStatistics(of_level)
        resumed.load(decode_state(kept[cut]))
        assert [resumed.step(lit(level)).tolist() for level in levels[cut + 1 :]] == values[
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
