"""What a live run needs beside the pipeline: keys, style switches, a dashboard, ways out."""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from media import decode, times
from rich.console import Console
from stylecam.realtime import switch
from stylecam.realtime.background import BackgroundCall, Periodic
from stylecam.realtime.controls import Controls
from stylecam.realtime.dashboard import LiveSink
from stylecam.realtime.engines import Engine, EngineOptions, Pending, open_engine
from stylecam.realtime.engines.echo import EchoEngine
from stylecam.realtime.errors import (
    EngineError,
    SinkError,
    SourceError,
    StylecamError,
    WindowClosed,
)
from stylecam.realtime.fit import fit
from stylecam.realtime.frame import Frame, Image, Picture
from stylecam.realtime.live import size_advice
from stylecam.realtime.pipeline import run
from stylecam.realtime.sinks import NullSink
from stylecam.realtime.sinks.file import FileSink
from stylecam.realtime.sinks.recording import RecordingSink
from stylecam.realtime.sinks.window import compose, meaning, write_on
from stylecam.realtime.sources.mirror import MirrorSource
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.realtime.stats import Stats
from stylecam.realtime.styles import Style, built_in, find
from stylecam.realtime.switch import SwitchingEngine
from stylecam.realtime.threads import Threads


def test_keys_have_meanings() -> None:
    named = {ord("q"): "quit", 27: "quit", ord("N"): "next style", 0xFF51: "previous style"}
    named |= {0x270000: "next style", ord("="): "stronger", 0x100000 | ord("s"): "snapshot"}
    for code, command in named.items():
        assert meaning(code) == command
    assert meaning(ord("z")) == meaning(0xFFE1) == ""


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


def test_mirrored() -> None:
    plain = list(PatternSource(48, 64, frames=3))
    source = MirrorSource(PatternSource(48, 64, frames=3))
    for one, other in zip(plain, source, strict=True):
        assert np.array_equal(one.image[:, ::-1], other.image)
        assert one.pts == other.pts
    source.close()


def engine_for(style: Style) -> Engine:
    return open_engine(EngineOptions(), style, height=64, width=96, live=True)


def painting_of(engine: Engine, image: Image) -> Image:
    return engine.submit(image).result().copy()


def test_a_style_switch_loses_no_picture_and_changes_them() -> None:
    first, second = find("great-wave"), find("starry-night")
    image = PatternSource(64, 96).image(5)
    with closing(SwitchingEngine(first, engine_for)) as engine:
        before = painting_of(engine, image)
        engine.switch(second)
        assert engine.loading == "starry-night"
        deadline, painted = time.monotonic() + 30, 0
        while engine.style is not second and time.monotonic() < deadline:
            assert np.array_equal(painting_of(engine, image), before)  # the picture runs on
            painted += 1
            engine.poll()
        assert painted >= 2
        after = [painting_of(engine, image) for _ in range(engine.depth + 2)]
        alone = engine_for(second)
        assert np.array_equal(after[0], painting_of(alone, image))
        alone.close()
        assert np.abs(after[0].astype(int) - before).mean() > 10
        assert all(np.array_equal(after[0], picture) for picture in after)
        engine.switch(first)  # and left while it loads


def test_back_to_the_style_that_is_on_loads_nothing() -> None:
    """Though it is another object, as those of the list of styles are."""
    loads: list[str] = []

    def load(style: Style) -> Engine:
        loads.append(style.name)
        return EchoEngine()

    with closing(SwitchingEngine(find("great-wave"), load)) as engine:
        engine.switch(find("great-wave"))
        assert not engine.loading
    assert loads == ["great-wave"]


def test_closing_does_not_wait_for_a_style_that_loads_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(switch, "JOIN_TIMEOUT_S", 0.1)
    release = threading.Event()

    def load(style: Style) -> Engine:
        if style.name != "great-wave":
            release.wait(20)
        return EchoEngine()

    engine = SwitchingEngine(find("great-wave"), load)
    engine.switch(find("starry-night"))
    begun = time.monotonic()
    engine.close()
    assert time.monotonic() - begun < 5
    release.set()


class Noted(EchoEngine):
    """Fails at its first picture if it is told to; tells when it is closed."""

    def __init__(self, fails: bool) -> None:
        super().__init__()
        self.fails, self.closed = fails, False

    def submit(self, picture: Picture, strength: float = 1.0) -> Pending:
        if self.fails:
            raise EngineError("out of memory")
        return super().submit(picture, strength)

    def close(self) -> None:
        self.closed = True


def test_an_engine_that_fails_to_warm_up_is_closed() -> None:
    engines: list[Noted] = []

    def load(style: Style) -> Engine:
        engines.append(Noted(fails=bool(engines)))
        return engines[-1]

    with closing(SwitchingEngine(find("great-wave"), load)) as engine:
        painting_of(engine, PatternSource(64, 96).image(5))
        engine.switch(find("starry-night"))
    assert [engine.closed for engine in engines] == [True, True]


def test_a_bug_in_loading_leaves_no_engine_open() -> None:
    current = Noted(fails=False)

    def load(style: Style) -> Engine:
        if style.name != "great-wave":
            raise RuntimeError("a bug")
        return current

    engine = SwitchingEngine(find("great-wave"), load)
    engine.switch(find("starry-night"))
    with pytest.raises(RuntimeError, match="a bug"):
        engine.close()
    assert current.closed


def test_a_style_that_cannot_be_loaded_changes_nothing(tmp_path: Path) -> None:
    good = find("great-wave")
    (tmp_path / "bad.onnx").write_bytes(good.path.read_bytes()[:5000])
    bad = Style("bad", tmp_path / "bad.onnx", {"name": "bad"})
    image = PatternSource(64, 96).image(5)
    with closing(SwitchingEngine(good, engine_for)) as engine:
        before = painting_of(engine, image)
        controls = Controls(engine, [good, bad], RecordingSink(_no_file), Stats(), folder=tmp_path)
        controls.command("next style", Frame(image, 0, Fraction(1), 0.0))
        shown = shown_by(controls, "as an ONNX model")
        assert "bad.onnx cannot be read as an ONNX" in shown
        assert engine.style is good
        assert np.array_equal(painting_of(engine, image), before)


def shown_by(controls: Controls, words: str) -> str:
    """Return what is over the picture as soon as `words` are in it."""
    deadline, shown = time.monotonic() + 30, ""
    while words not in shown and time.monotonic() < deadline:
        shown = " ".join(controls.lines())
    assert words in shown
    return shown


def _no_file(path: Path) -> NullSink:
    raise SinkError(f"{path} cannot be made")


def test_controls(tmp_path: Path) -> None:
    source, stats = PatternSource(64, 96, live=True), Stats()
    recording = RecordingSink(lambda path: FileSink(path, source.info))
    style = find("great-wave")
    with closing(SwitchingEngine(style, lambda _: EchoEngine())) as engine:
        controls = Controls(engine, built_in(), recording, stats, strength=0.95, folder=tmp_path)
        frames = list(itertools.islice(PatternSource(64, 96), 40))
        controls.command("stronger", frames[0])
        assert controls.strength() == 1.0
        for _ in range(12):
            controls.command("weaker", frames[0])
        assert controls.strength() == 0.0
        controls.command("snapshot", frames[7])
        assert "saved" in shown_by(controls, ".png")
        (snapshot,) = tmp_path.glob("*.png")
        assert np.array_equal(decode(snapshot)[0], frames[7].image)
        for turn in range(2):
            controls.command("record", frames[0])
            assert any("recording" in line for line in controls.lines())
            for frame in frames[10 * turn + 10 : 10 * turn + 20]:
                recording.write(frame)
            controls.command("record", frames[0])
        videos = sorted(tmp_path.glob("*.mp4"))
        assert [len(times(video)) for video in videos] == [10, 10]
        assert times(videos[1])[0] == 0


def test_figures_are_renewed_twice_a_second_and_what_a_viewer_does_at_once() -> None:
    stats, moments_s = Stats(), [0.0]
    with closing(SwitchingEngine(find("great-wave"), lambda _: EchoEngine())) as engine:
        controls = Controls(
            engine, built_in(), RecordingSink(_no_file), stats, clock=lambda: moments_s[-1]
        )
        shown = []
        for now_s, latency_s in ((10.0, 0.010), (10.4, 0.020), (10.5, 0.020)):
            moments_s.append(now_s)
            stats.stages.clear()
            stats.record("latency", latency_s)
            controls.command("weaker", Frame(PatternSource(64, 96).image(0), 0, Fraction(1), 0.0))
            shown.append(controls.lines()[0])
    assert shown == [
        f"0 fps  {ms} ms  great-wave {percent}%" for ms, percent in ((10, 90), (10, 80), (20, 70))
    ]


def test_a_recording_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    """With its remedy, until the next key, and to who keeps it for longer."""
    told: list[str] = []
    with closing(SwitchingEngine(find("great-wave"), lambda _: EchoEngine())) as engine:
        folder = tmp_path / "missing"
        recording = RecordingSink(lambda path: FileSink(path, PatternSource(64, 96).info))
        controls = Controls(engine, built_in(), recording, Stats(), folder=folder, tell=told.append)
        frame = next(iter(PatternSource(64, 96)))
        for count, command in enumerate(("record", "snapshot"), 1):
            controls.command(command, frame)
            assert "try: make the folder first: mkdir -p" in shown_by(controls, "cannot be written")
            assert len(told) == count
            controls.command("weaker", frame)
            assert "cannot be written" not in " ".join(controls.lines())
        assert "cannot be written" in told[0]
        assert "mkdir" in told[1]
    assert not folder.exists()


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
        "the camera is back",
    ]


def test_a_table_of_every_stage_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stylecam.realtime.dashboard._TABLE_EVERY_S", 0.0)
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


def test_beat_and_later_hand_over_errors() -> None:
    turns: list[int] = []

    def work() -> float:
        turns.append(1)
        if len(turns) == 3:
            raise ValueError("boom")
        return 0.001

    beat, later = Periodic(work), BackgroundCall(lambda: 1 // 0)
    deadline = time.monotonic() + 5
    while (len(turns) < 3 or not later.done) and time.monotonic() < deadline:
        time.sleep(0.01)
    beat.stop()
    beat.stop()
    with pytest.raises(ValueError, match="boom"):
        beat.check()
    with pytest.raises(ZeroDivisionError):
        later.result()
    assert BackgroundCall(lambda: 7).result() == 7


def test_waiting_is_called_while_no_frame_comes() -> None:
    """As a window's keys must be heard while the camera is unplugged."""

    class Unplugged(PatternSource):
        def __iter__(self) -> Iterator[Frame]:
            yield from itertools.islice(super().__iter__(), 2)
            while not threads.stopping:
                threads.sleep(1)

    calls: list[float] = []

    def waiting() -> None:
        calls.append(time.monotonic())
        if len(calls) == 5:
            raise WindowClosed

    stats, threads = Stats(), Threads()
    source = Unplugged(64, 64, live=True, sleep=threads.sleep)
    with threads:
        run(source, EchoEngine(), [NullSink()], fit=fit(64, 64), threads=threads, stats=stats,
            waiting=waiting)  # fmt: skip
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
    ("reached", "frames", "advice"),
    [(29.0, 200, ""), (19.4, 200, "19 of 30 fps: --size 544 would keep up"), (19.4, 9, "")],
)
def test_a_size_that_would_keep_up_is_named(reached: float, frames: int, advice: str) -> None:
    stats = SimpleNamespace(fps_in=30.0, fps_now=reached, frames=frames)
    assert size_advice(stats, fit(720, 1280)) == advice  # type: ignore[arg-type]


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
        if any(path.stat().st_size > 1_000 for path in tmp_path.glob(".out*.part.mkv")):
            break
        time.sleep(0.02)
    begun = time.monotonic()
    process.send_signal(number)
    output = process.communicate(timeout=30)[0]
    assert process.returncode == 0, output
    assert time.monotonic() - begun < 2.0
    assert decode(tmp_path / "out.mkv")
