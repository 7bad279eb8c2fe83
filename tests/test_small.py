"""The small pure parts: pacing, sizes, statistics, errors of option values."""

from __future__ import annotations

import sys
from fractions import Fraction
from types import SimpleNamespace
from typing import Any, NoReturn

import numpy as np
import pytest
from stylecam.realtime.cli import main
from stylecam.realtime.cli.flags import parser
from stylecam.realtime.cli.validate import check_mode
from stylecam.realtime.errors import UsageError
from stylecam.realtime.fit import fit
from stylecam.realtime.live import Outputs
from stylecam.realtime.pacing import wait_s
from stylecam.realtime.pictures import Converter, mix
from stylecam.realtime.sources.frame_times import FrameTimes
from stylecam.realtime.stats import Stats, percentiles


@pytest.mark.parametrize(
    ("pts_s", "now_s", "expected"),
    [(0.5, 10.2, 0.3), (0.5, 10.5, 0.0), (0.5, 11.0, 0.0), (90.0, 10.0, 0.0)],
)
def test_wait_until_due_but_never_for_a_jump(pts_s: float, now_s: float, expected: float) -> None:
    assert wait_s(pts_s, now_s, origin_s=10.0) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("height", "width", "size", "work", "padded"),
    [
        (360, 640, None, (360, 640), (360, 640)),
        (361, 641, None, (361, 641), (368, 648)),
        (1080, 1920, "360", (360, 640), (360, 640)),
        (1920, 1080, "360", (640, 360), (640, 360)),
        (480, 640, "320x200", (200, 320), (200, 320)),
        (1080, 1920, 360, (360, 640), (360, 640)),
        (20, 30, None, (20, 30), (64, 64)),
    ],
)
def test_fit_enters_and_leaves(
    height: int, width: int, size: str | int | None, work: tuple[int, int], padded: tuple[int, int]
) -> None:
    into = fit(height, width, size=size)
    assert (into.work, into.padded) == (work, padded)
    y, x = np.mgrid[0:height, 0:width]
    image = np.stack([x * 255 // width, y * 255 // height, x * 0 + 99], -1).astype(np.uint8)
    entered = into.to_network(image)
    assert entered.shape == (*padded, 3)
    left = into.from_network(entered)
    assert left.shape == image.shape
    assert np.abs(left.astype(int) - image).mean() < 1.5


def test_fit_that_has_nothing_to_do_copies_nothing() -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    into = fit(64, 64)
    assert into.to_network(image) is image
    assert into.from_network(image) is image


@pytest.mark.parametrize("size", ["0", "big", "1x2x3", "9000", "640x-1", ""])
def test_sizes_that_are_none(size: str) -> None:
    with pytest.raises(UsageError) as caught:
        fit(360, 640, size=size)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("words", "says", "hint"),
    [
        (f"--webcam {__file__} --camera-size 640x480", "--camera-size: for cameras", "remove it"),
        ("--webcam rtsp://host/x --camera-fps 9", "--camera-fps: for cameras, not for rtsp", ""),
        ("--webcam --virtual-camera-fps 9", "needs --virtual-camera", "--virtual-camera"),
        ("clip.mp4 --seconds 3", "for --webcam only", "remove it; --duration 10 takes"),
        ("clip.mp4 --format y4m -o out.mp4", "--format y4m: for standard", "leave it out"),
        ("--webcam --format y4m", "--format y4m: for standard output only", "add -o -"),
        ("--webcam -o rtmp://host/x", "does not stream", "-o - | ffmpeg -i - -c copy -f flv rtmp:"),
        ("https://host/clip.mp4 -o out.mp4", "is an address", "-f matroska - | stylecam -"),
        ("clip.mp4 -o srt://host/x", "does not stream", "ffmpeg -re -i - -c copy -f mpegts srt:"),
    ],
)
def test_options_that_would_do_nothing(words: str, says: str, hint: str) -> None:
    flags = parser()
    with pytest.raises(UsageError) as caught:
        check_mode(flags.parse_args(words.split()), flags)
    assert says in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize("words", ["a.mp4 --mirror", "a.mp4 --no-window", "--webcam --keep-hdr"])
def test_a_hint_says_no_more_than_fits(words: str) -> None:
    flags = parser()
    with pytest.raises(UsageError) as caught:
        check_mode(flags.parse_args(words.split()), flags)
    assert caught.value.hint == "remove it"


def test_a_codec_is_known_in_capitals() -> None:
    assert parser().parse_args(["--codec", "H264"]).codec == "h264"


def test_a_video_is_not_read_from_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    flags = parser()
    with pytest.raises(UsageError, match="from the terminal"):
        check_mode(flags.parse_args(["-", "-o", "out.mp4"]), flags)


def test_a_pattern_has_the_size_that_is_asked_for() -> None:
    flags = parser()
    words = "--webcam pattern --camera-size 640x480 --virtual-camera --virtual-camera-fps 9"
    check_mode(flags.parse_args(words.split()), flags)


def test_a_camera_s_rate_fits_what_drivers_take(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Fraction] = []

    def run(wanted: object, look: object, outputs: Outputs, **_: Any) -> NoReturn:
        assert outputs.virtual_camera is not None
        told.append(outputs.virtual_camera.fps)
        raise SystemExit

    monkeypatch.setattr("stylecam.realtime.live.stylize_live", run)
    for fps in ("29.97", "23.976", "30"):
        with pytest.raises(SystemExit):
            main(f"--webcam pattern --virtual-camera --virtual-camera-fps {fps}".split())
    assert told == [Fraction("29.97"), Fraction("23.976"), 30]


def test_a_video_is_not_written_to_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    flags = parser()
    with pytest.raises(UsageError, match="to the terminal"):
        check_mode(flags.parse_args(["clip.mp4", "-o", "-"]), flags)


def test_times_of_frames_only_grow() -> None:
    times, frame = FrameTimes(Fraction(1, 10), ticks=2), SimpleNamespace()
    stamps = [0, 2, 2, None, 5, -100, -98]
    assert [10 * times.place(frame, stamp) for stamp in stamps] == [0, 2, 3, 5, 6, 8, 10]
    assert (frame.pts, times.end_s) == (10, Fraction(12, 10))
    assert times.jumps == [Fraction(108, 10)]
    assert [note.split(":")[0] for note in times.notes] == [
        "time stamps jump back 1 time",
        "3 frames had no time stamp, or one not later than the previous frame's",
    ]


def test_mix_is_a_weighted_mean() -> None:
    photo, painting = (np.full((8, 8, 3), value, np.uint8) for value in (100, 200))
    kept = Converter()
    assert mix(photo, painting, 1.0, kept) is painting
    assert int(mix(photo, painting, 0.25, kept)[0, 0, 0]) == 125
    assert np.array_equal(mix(photo, painting, 0.0, kept), photo)


def test_percentiles_are_nearest_rank_milliseconds() -> None:
    assert percentiles([n / 1000 for n in range(1, 102)]) == pytest.approx((51, 96, 100))
    assert percentiles([n / 1000 for n in range(1, 13)]) == pytest.approx((6, 12, 12))
    assert percentiles([n / 1000 for n in range(1, 21)]) == pytest.approx((10, 19, 20))
    assert percentiles([0.001]) == pytest.approx((1, 1, 1))
    assert percentiles([]) == (0, 0, 0)


def test_stats_keep_a_bounded_history() -> None:
    stats = Stats()
    for _ in range(10_000):
        stats.record("decode", 0.001)
    assert len(stats.stages["decode"]) < 5_000
    assert stats.fps == stats.fps_now == 0
