"""What a live picture needs beside the pipeline: pace, letterbox, camera modes, style switches."""

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

import numpy as np
import pytest
from media import decode, times
from rich.console import Console
from stylecam.realtime import v4l2
from stylecam.realtime.controls import Controls
from stylecam.realtime.dashboard import LiveSink
from stylecam.realtime.engines import Engine, EngineOptions, open_engine
from stylecam.realtime.engines.echo import EchoEngine
from stylecam.realtime.errors import (
    EngineError,
    SinkError,
    SourceError,
    StylecamError,
    WindowClosed,
)
from stylecam.realtime.fit import fit
from stylecam.realtime.frame import Frame, Image
from stylecam.realtime.pacing import next_due_s
from stylecam.realtime.pipeline import run
from stylecam.realtime.sinks import NullSink
from stylecam.realtime.sinks.file import FileSink
from stylecam.realtime.sinks.loopback import LOAD, install
from stylecam.realtime.sinks.recording import RecordingSink
from stylecam.realtime.sinks.virtual_camera import (
    INSTALL,
    VirtualCameraSink,
    letterbox,
    open_camera,
)
from stylecam.realtime.sinks.window import compose, meaning, write_on
from stylecam.realtime.sources import Wish
from stylecam.realtime.sources.camera import choose_format
from stylecam.realtime.sources.listing import Camera
from stylecam.realtime.sources.mirror import MirrorSource
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.realtime.stats import Stats
from stylecam.realtime.styles import Style, built_in, find
from stylecam.realtime.switch import SwitchingEngine
from stylecam.realtime.threads import Beat, Later, Threads

PERIOD = 1 / 30


@pytest.mark.parametrize("phase", [0.0, 0.3, 0.9])
def test_the_beat_locks_on_to_what_arrives(phase: float) -> None:
    """A picture that arrives anywhere in the period soon waits for 15 % of it, and the rate is
    the source's."""
    noise = np.random.default_rng(1).normal(0, 0.02 * PERIOD, 1000)
    arrivals = [(n + phase) * PERIOD + jitter for n, jitter in enumerate(noise)]
    due, taken, waits, dues = 0.0, -1, [], []
    for _ in range(900):
        newest = max((n for n, at in enumerate(arrivals) if at <= due), default=-1)
        waited = due - arrivals[newest] if newest > taken else None
        taken = max(taken, newest)
        waits.append(waited)
        dues.append(due)
        due = next_due_s(due, PERIOD, waited)
    late = [wait for wait in waits[300:] if wait is not None]
    assert len(late) >= 595  # a repeat is rare
    assert np.median(late) == pytest.approx(0.15 * PERIOD, abs=0.02 * PERIOD)
    assert max(late) < 0.4 * PERIOD
    assert (dues[-1] - dues[300]) / 599 == pytest.approx(PERIOD, rel=1e-3)


def test_the_beat_without_new_pictures_keeps_its_rate() -> None:
    assert next_due_s(5.0, PERIOD, None) == 5.0 + PERIOD


@pytest.mark.parametrize(
    ("height", "width", "inner"),
    [
        (480, 640, (0, 160, 720, 960)),
        (360, 640, (0, 0, 720, 1280)),
        (640, 360, (0, 438, 720, 404)),
        (100, 400, (200, 0, 320, 1280)),
    ],
)
def test_letterbox_never_stretches(
    height: int, width: int, inner: tuple[int, int, int, int]
) -> None:
    canvas = np.full((720, 1280, 3), 77, np.uint8)
    letterbox(np.full((height, width, 3), 200, np.uint8), canvas)
    top, left, high, wide = inner
    assert (canvas[top : top + high, left : left + wide] == 200).all()
    assert int((canvas == 0).sum()) == 3 * (720 * 1280 - high * wide)


def test_letterbox_of_the_same_size_is_a_copy() -> None:
    image = PatternSource(72, 128).image(3)
    canvas = np.zeros_like(image)
    letterbox(image, canvas)
    assert np.array_equal(canvas, image)


def mode(text: str) -> v4l2.Mode:
    fourcc, width, height, fps = text.split()
    return v4l2.Mode(fourcc, int(width), int(height), Fraction(fps))


class Listed:
    """A virtual camera, to pyvirtualcam's contract, that keeps what it is sent and when."""

    def __init__(self, *, width: int, height: int, **_: object) -> None:
        self.size, self.closed = (height, width, 3), False
        self.sent: list[tuple[float, np.ndarray]] = []
        self.fail_at: int | None = None
        Listed.last = self

    last: Listed

    def send(self, frame: np.ndarray) -> None:
        if len(self.sent) == self.fail_at:
            raise RuntimeError("the device is gone")
        self.sent.append((time.monotonic(), frame.reshape(self.size).copy()))

    def device(self) -> str:
        return "listed"

    def native_fourcc(self) -> None:
        return None

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def listed() -> Iterator[tuple[VirtualCameraSink, Listed, Stats]]:
    pyvirtualcam = pytest.importorskip("pyvirtualcam")
    pyvirtualcam.register_backend("listed", Listed)
    stats = Stats()
    sink = VirtualCameraSink(pyvirtualcam.Camera(64, 36, 50, backend="listed"), stats=stats)
    yield sink, Listed.last, stats
    sink.close()
    assert Listed.last.closed


def grey(value: int) -> Frame:
    return Frame(np.full((36, 64, 3), value, np.uint8), 0, Fraction(1), time.monotonic())


def test_the_virtual_camera_has_one_rate_whatever_comes(
    listed: tuple[VirtualCameraSink, Listed, Stats],
) -> None:
    """Black at first, then each newest picture, then the last one for as long as none comes."""
    sink, camera, stats = listed
    time.sleep(0.2)
    for value in range(1, 41):  # twice the rate: every other one is never sent
        sink.write(grey(value))
        time.sleep(0.01)
    time.sleep(0.4)
    sink.close()
    shown = [int(picture[18, 32, 0]) for _, picture in camera.sent]
    times_s = [at for at, _ in camera.sent]
    assert shown[0] == 0
    assert shown == sorted(shown)
    assert shown[-1] == 40
    assert shown.count(40) >= 10
    assert len(shown) / (times_s[-1] - times_s[0]) == pytest.approx(50, rel=0.12)
    assert stats.repeated >= 9


def test_a_virtual_camera_that_fails_is_told_with_the_next_picture(
    listed: tuple[VirtualCameraSink, Listed, Stats],
) -> None:
    sink, camera, _ = listed
    camera.fail_at = len(camera.sent) + 2

    def keep_writing() -> None:
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            sink.write(grey(5))
            time.sleep(0.01)

    with pytest.raises(SinkError, match="takes no more pictures: the device is gone") as caught:
        keep_writing()
    assert "stylecam doctor" in caught.value.hint


WEBCAM = [
    mode(text)
    for text in ("YUYV 640 480 30", "YUYV 1280 720 10", "MJPG 640 480 30", "MJPG 1280 720 30")
]


@pytest.mark.parametrize(
    ("modes", "wish", "fourcc"),
    [
        (WEBCAM, Wish(), "YUYV"),
        (WEBCAM, Wish((720, 1280), 30), "MJPG"),
        (WEBCAM, Wish((720, 1280)), "MJPG"),
        (WEBCAM, Wish((720, 1280), 10), "YUYV"),
        (WEBCAM, Wish((1080, 1920), 30), "MJPG"),
        ([mode("YUYV 1280 720 10")], Wish((720, 1280), 30), ""),
        ([mode("NV12 1280 720 2997/100")], Wish((720, 1280), 30), "NV12"),
        ([], Wish((720, 1280), 30), ""),
    ],
)
def test_mjpg_only_where_raw_is_too_slow(modes: list[v4l2.Mode], wish: Wish, fourcc: str) -> None:
    assert choose_format(modes, wish) == fourcc


def test_a_camera_is_summed_up() -> None:
    lines = Camera("/dev/video0", "Webcam", WEBCAM).summary()
    assert lines == ["YUYV: 1280x720 @ 10, 640x480 @ 30", "MJPG: 1280x720 @ 30, 640x480 @ 30"]
    assert Camera("0", "Webcam", []).as_json()["modes"] == []


@pytest.mark.skipif(v4l2.loopback_loaded(), reason="there is a virtual camera here")
@pytest.mark.skipif(sys.platform != "linux", reason="v4l2loopback")
def test_no_virtual_camera_names_the_command() -> None:
    with pytest.raises(SinkError, match="v4l2loopback: ") as caught:
        open_camera()
    assert caught.value.hint.endswith(LOAD)
    assert "exclusive_caps=1 card_label=stylecam" in LOAD


def test_without_pyvirtualcam_the_pip_line_is_named(tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['pyvirtualcam'] = None\n"
        "from stylecam.realtime.cli import main\n"
        "sys.exit(main(['--webcam', 'pattern', '--virtual-camera', '--no-window']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 1
    assert f"try: {INSTALL}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("release", "command"),
    [
        ("ID=ubuntu\nID_LIKE=debian", "sudo apt install v4l2loopback-dkms linux-headers-"),
        ("ID=fedora", "sudo dnf install akmod-v4l2loopback"),
        ('ID=endeavouros\nID_LIKE="arch"', "sudo pacman -S v4l2loopback-dkms"),
        ('ID="opensuse-leap"\nID_LIKE="suse opensuse"', "sudo zypper install v4l2loopback"),
    ],
)
def test_each_distribution_has_its_own_command(release: str, command: str, tmp_path: Path) -> None:
    (tmp_path / "os-release").write_text(release)
    assert install(tmp_path / "os-release").startswith(command)


def test_keys_have_meanings() -> None:
    named = {ord("q"): "quit", 27: "quit", ord("N"): "next style", 0xFF51: "previous style"}
    named |= {0x270000: "next style", ord("="): "stronger", 0x100000 | ord("s"): "snapshot"}
    for code, wish in named.items():
        assert meaning(code) == wish
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


def test_a_style_that_cannot_be_loaded_changes_nothing(tmp_path: Path) -> None:
    good = find("great-wave")
    (tmp_path / "bad.onnx").write_bytes(good.path.read_bytes()[:5000])
    bad = Style("bad", tmp_path / "bad.onnx", {"name": "bad"})
    image = PatternSource(64, 96).image(5)
    with closing(SwitchingEngine(good, engine_for)) as engine:
        before = painting_of(engine, image)
        controls = Controls(engine, [good, bad], RecordingSink(_no_file), Stats(), folder=tmp_path)
        controls.wish("next style", Frame(image, 0, Fraction(1), 0.0))
        deadline, lines = time.monotonic() + 30, [""]
        while "no ONNX model" not in lines[-1] and time.monotonic() < deadline:
            lines = controls.lines()
        assert "bad.onnx is no ONNX model" in lines[-1]
        assert engine.style is good
        assert np.array_equal(painting_of(engine, image), before)


def _no_file(path: Path) -> NullSink:
    raise SinkError(f"{path} cannot be made")


def test_controls(tmp_path: Path) -> None:
    source, stats = PatternSource(64, 96, live=True), Stats()
    recording = RecordingSink(lambda path: FileSink(path, source.info))
    style = find("great-wave")
    with closing(SwitchingEngine(style, lambda _: EchoEngine())) as engine:
        controls = Controls(engine, built_in(), recording, stats, strength=0.95, folder=tmp_path)
        frames = list(itertools.islice(PatternSource(64, 96), 40))
        controls.wish("stronger", frames[0])
        assert controls.strength() == 1.0
        for _ in range(12):
            controls.wish("weaker", frames[0])
        assert controls.strength() == 0.0
        controls.wish("snapshot", frames[7])
        assert "saved" in controls.lines()[-1]
        (snapshot,) = tmp_path.glob("*.png")
        assert np.array_equal(decode(snapshot)[0], frames[7].image)
        for turn in range(2):
            controls.wish("record", frames[0])
            assert any("recording" in line for line in controls.lines())
            for frame in frames[10 * turn + 10 : 10 * turn + 20]:
                recording.write(frame)
            controls.wish("record", frames[0])
        videos = sorted(tmp_path.glob("*.mp4"))
        assert [len(times(video)) for video in videos] == [10, 10]
        assert times(videos[1])[0] == 0


def test_a_recording_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    with closing(SwitchingEngine(find("great-wave"), lambda _: EchoEngine())) as engine:
        folder = tmp_path / "missing"
        recording = RecordingSink(lambda path: FileSink(path, PatternSource(64, 96).info))
        controls = Controls(engine, built_in(), recording, Stats(), folder=folder)
        for wish in ("record", "snapshot"):
            controls.wish(wish, next(iter(PatternSource(64, 96))))
            assert "cannot be written" in controls.lines()[-1]
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

    beat, later = Beat(work), Later(lambda: 1 // 0)
    deadline = time.monotonic() + 5
    while (len(turns) < 3 or not later.done) and time.monotonic() < deadline:
        time.sleep(0.01)
    beat.stop()
    beat.stop()
    with pytest.raises(ValueError, match="boom"):
        beat.check()
    with pytest.raises(ZeroDivisionError):
        later.result()
    assert Later(lambda: 7).result() == 7


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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
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
