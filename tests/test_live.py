"""What a live run needs beside the pipeline: a window, a dashboard, ways out."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from media import decode, grown
from rich.console import Console
from stylecam.realtime.engines.echo import EchoEngine
from stylecam.realtime.errors import (
    EngineError,
    SinkError,
    SourceError,
    StylecamError,
    WindowClosed,
)
from stylecam.realtime.fit import fit
from stylecam.realtime.frame import Frame
from stylecam.realtime.live import size_advice
from stylecam.realtime.pictures import Image
from stylecam.realtime.pipeline import run
from stylecam.realtime.sinks import NullSink
from stylecam.realtime.sinks.dashboard import LiveSink, ProgressSink
from stylecam.realtime.sinks.keys import HELP
from stylecam.realtime.sinks.window import compose, write_on
from stylecam.realtime.sources.mirror import MirrorSource
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.realtime.sources.playback import PlaybackSource
from stylecam.realtime.stats import Stats
from stylecam.realtime.threads import Threads


def test_the_window_composes_photo_and_painting() -> None:
    photo, painting = (np.full((20, 40, 3), value, np.uint8) for value in (10, 200))
    frame = Frame(photo, 0, Fraction(1), 0.0).painted(painting)
    assert compose(frame) is painting
    assert compose(frame, photo_only=True) is photo
    split = compose(frame, split=True)
    assert (split[:, :19] == 10).all()
    assert (split[:, 21:] == 200).all()
    assert (painting == 200).all()
    assert compose(Frame(photo, 0, Fraction(1), 0.0), photo_only=True, split=True) is photo


def test_lines_are_readable_on_any_picture() -> None:
    for value in (0, 255):
        picture = np.full((100, 300, 3), value, np.uint8)
        write_on(picture, ["30 fps", "h\thelp"])
        corner = picture[:40, :40].astype(int)
        assert corner.max() - np.median(corner) > 100
        assert (picture[80:] == value).all()
        write_on(picture, [])


@pytest.mark.parametrize("size", [(240, 320), (640, 360), (1, 1)])
def test_the_help_fits_into_a_small_or_narrow_picture(size: tuple[int, int]) -> None:
    """A camera of 320x240 has room for ten lines, a phone's video for 45 letters."""
    picture = np.zeros((*size, 3), np.uint8)
    write_on(picture, ["30 fps", *HELP])
    assert (picture.max() > 150) == (size != (1, 1))
    assert not picture[-3:].any()
    assert not picture[:, -3:].any()


def test_mirrored() -> None:
    plain = list(PatternSource(48, 64, frames=3))
    source = MirrorSource(PatternSource(48, 64, frames=3))
    for one, other in zip(plain, source, strict=True):
        assert np.array_equal(one.image[:, ::-1], other.image)
        assert one.pts == other.pts
    source.close()


@pytest.mark.parametrize(
    ("stamps", "durations", "shown"),
    [
        ([0, 20, 40, 60], [20] * 4, [0, 20, 40, 60]),  # 0.5 frames a second
        ([0, 20, 40, 60], [0] * 4, [0, 20, 40, 60]),  # the rate tells, where nothing else does
        ([0, 5, 95, 100], [5, 90, 5, 5], [0, 5, 95, 100]),  # one slide for long
        ([0, 20, 900, 920], [20] * 4, [0, 20, 20, 40]),  # a cut in the recording
    ],
)
def test_a_recording_is_played_at_its_own_rate_however_slow(
    stamps: list[int], durations: list[int], shown: list[int]
) -> None:
    """Times are in tenths of a second."""
    source = PatternSource(48, 64, frames=4, fps=Fraction(1, 2))

    class Recording(PatternSource):
        def __iter__(self) -> Iterator[Frame]:
            for frame, pts, duration in zip(source, stamps, durations, strict=True):
                yield dataclasses.replace(
                    frame, pts=pts, duration=duration, time_base=Fraction(1, 10)
                )

    now = [100.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    recording = Recording(48, 64, frames=4, fps=source.info.fps)
    played = PlaybackSource(recording, sleep=sleep, clock=lambda: now[0])
    found = [10 * (frame.captured_s - 100) for frame in played]
    assert found == pytest.approx(shown)


def test_plain_lines_where_there_is_no_terminal() -> None:
    text, stats = io.StringIO(), Stats()
    sink = LiveSink(Console(file=text), stats, title=lambda: "camera", engine=lambda: "echo")
    stats.trouble = "camera was unplugged; waiting for it"
    sink.idle()
    sink.idle()
    stats.trouble = ""
    sink.idle()
    sink.close()
    assert text.getvalue().splitlines() == [
        "camera | echo",
        "camera was unplugged; waiting for it",
        "frames arrive again",
    ]


def test_a_table_of_every_stage_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stylecam.realtime.sinks.dashboard._TABLE_EVERY_S", 0.0)
    text, stats, threads = io.StringIO(), Stats(), Threads()
    console = Console(file=text, force_terminal=True, width=100, color_system=None)
    sink = LiveSink(console, stats, engine=lambda: "echo")
    source = PatternSource(64, 64, frames=30)
    with threads:
        run(source, EchoEngine(), [sink], fit=fit(64, 64), threads=threads, stats=stats)
    shown = text.getvalue()
    for part in ("fps in", " out", "dropped", "fit", "engine wait", "sink", "latency", "p99 ms"):
        assert part in shown
    assert not [t for t in threading.enumerate() if "rich" in type(t).__module__]


@pytest.mark.parametrize(("width", "bar"), [(100, True), (60, False), (30, False)])
def test_a_narrow_terminal_shows_what_counts(
    width: int, bar: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=width, color_system=None)
    title = "holiday in the hills.mp4"
    sink = ProgressSink(console, Stats(), title=title, total=1200, done=345)
    sink.close()
    shown = text.getvalue()
    assert " 345/1200 0.0 fps -:--:--" in shown
    assert ("\u2501\u2501" in shown or "---" in shown.replace("-:--:--", "")) == bar
    assert (title in shown) == (width > 30)


def test_a_dumb_terminal_is_shown_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    text = io.StringIO()
    console = Console(file=text, force_terminal=True)
    ProgressSink(console, Stats(), title="a", total=2).close()
    assert text.getvalue() == ""


def test_a_window_hears_its_keys_while_no_frame_comes() -> None:
    """As while the camera is unplugged."""

    class Unplugged(PatternSource):
        def __iter__(self) -> Iterator[Frame]:
            yield from itertools.islice(super().__iter__(), 2)
            while not threads.stopping:
                threads.sleep(1)

    calls: list[float] = []

    class Window(NullSink):
        def idle(self) -> None:
            calls.append(time.monotonic())
            if len(calls) == 5:
                raise WindowClosed

    stats, threads = Stats(), Threads()
    source = Unplugged(64, 64, live=True, sleep=threads.sleep)
    with threads:
        run(source, EchoEngine(), [Window()], fit=fit(64, 64), threads=threads, stats=stats)
    assert (len(calls), stats.frames) == (5, 2)


class Hanging(PatternSource):
    """A camera whose driver gives nothing for a second at a time, whatever is asked."""

    def __iter__(self) -> Iterator[Frame]:
        for frame in super().__iter__():
            yield frame
            time.sleep(1.0)


class Breaking(PatternSource):
    def __iter__(self) -> Iterator[Frame]:
        yield from itertools.islice(super().__iter__(), 5)
        raise SourceError("broken")


class BrokenEngine(EchoEngine):
    def submit(self, image: Image) -> object:  # type: ignore[override]
        raise EngineError("broken")


class BrokenSink(NullSink):
    def write(self, frame: Frame) -> None:
        raise SinkError("broken")


@pytest.mark.parametrize("what", ["source", "engine", "sink", "stop", "stop while hanging"])
def test_every_way_out_takes_less_than_two_seconds(what: str) -> None:
    stats, threads = Stats(), Threads()
    kind = {"source": Breaking, "stop while hanging": Hanging}.get(what, PatternSource)
    source = kind(64, 64, live=True, sleep=threads.sleep)
    engine = BrokenEngine() if what == "engine" else EchoEngine()
    sink = BrokenSink() if what == "sink" else NullSink()
    timer = threading.Timer(0.3, threads.stop)
    if what.startswith("stop"):
        timer.start()
    begun = time.monotonic()
    raises = (
        contextlib.nullcontext()
        if what.startswith("stop")
        else pytest.raises(StylecamError, match="broken")
    )
    with raises, threads:
        run(source, engine, [sink], fit=fit(64, 64), threads=threads, stats=stats)
    assert time.monotonic() - begun < 0.3 + 2.0


@pytest.mark.parametrize(
    ("reached", "frames", "sink", "advice"),
    [
        (29.0, 200, 0.1, ""),
        (19.4, 200, 0.3, "19 of 30 fps: --size 544 would keep up"),
        (19.4, 9, 0.3, ""),
        (8.0, 200, 0.9, "8 of 30 fps: the outputs are too slow"),
    ],
)
def test_a_size_that_would_keep_up_is_named(
    reached: float, frames: int, sink: float, advice: str
) -> None:
    stats = SimpleNamespace(fps_in=30.0, fps_now=reached, frames=frames, share=lambda _: sink)
    said = size_advice(stats, fit(720, 1280))  # type: ignore[arg-type]
    assert said.startswith(advice)
    assert bool(said) == bool(advice)


def test_what_a_stage_took_of_the_time() -> None:
    stats = Stats()
    for _ in range(5):
        with stats.stage("sink"):
            time.sleep(0.02)
        time.sleep(0.005)
        stats.shown(time.perf_counter())
    assert 0.5 < stats.share("sink") < 1
    assert stats.share("engine") == 0


SIGNALS = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_a_live_run_well(number: signal.Signals, tmp_path: Path) -> None:
    arguments = ["--webcam", "pattern", "--mirror", "-o", "out.mkv", "--no-window"]
    process = subprocess.Popen(
        [sys.executable, "-m", "stylecam.realtime.cli", *arguments],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "DISPLAY": ""},
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if grown(tmp_path, ".out*.part.mkv"):
            break
        time.sleep(0.02)
    begun = time.monotonic()
    process.send_signal(number)
    output = process.communicate(timeout=30)[0]
    assert process.returncode == 0, output
    assert time.monotonic() - begun < 2.0
    assert decode(tmp_path / "out.mkv")
