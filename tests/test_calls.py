"""The virtual camera and the cameras: what a call gets, and what is said when it gets nothing."""

from __future__ import annotations

import itertools
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest
from media import ClipMaker
from stylecam.realtime import v4l2
from stylecam.realtime.errors import SinkError, SourceError
from stylecam.realtime.frame import Frame
from stylecam.realtime.letterbox import letterbox
from stylecam.realtime.pacing import LOCKING, next_due_s
from stylecam.realtime.pictures import Image
from stylecam.realtime.sinks.loopback import LOAD, install
from stylecam.realtime.sinks.virtual_camera import (
    INSTALL,
    VirtualCameraSink,
    open_camera,
)
from stylecam.realtime.sources import network, open_live
from stylecam.realtime.sources.network import NetworkSource
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.realtime.stats import Stats

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
    assert next_due_s(0, PERIOD, PERIOD) == pytest.approx((1 - LOCKING) * PERIOD)
    assert next_due_s(0, PERIOD, 0.0) == pytest.approx((1 + LOCKING) * PERIOD)
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
        self.sent.append((time.perf_counter(), frame.reshape(self.size).copy()))

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
    return Frame(np.full((36, 64, 3), value, np.uint8), 0, Fraction(1), time.perf_counter())


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
        deadline = time.perf_counter() + 5
        while time.perf_counter() < deadline:
            sink.write(grey(5))
            time.sleep(0.01)

    with pytest.raises(SinkError, match="stopped accepting frames: the device is gone") as caught:
        keep_writing()
    assert "stylecam doctor" in caught.value.hint


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
    assert f"hint: {INSTALL}" in done.stderr
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


class Unsteady(BaseHTTPRequestHandler):
    """Sends eight pictures, and hangs up, whoever calls."""

    width = 96

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        for index in range(8):
            jpeg = cv2.imencode(".jpg", PatternSource(64, self.width).image(index))[1].tobytes()
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            self.wfile.write(head.encode() + jpeg + b"\r\n")

    def log_message(self, *_: object) -> None:
        pass


def test_a_stream_that_breaks_off_is_opened_again() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Unsteady)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    stats, troubles, pauses = Stats(), list[str](), list[float]()

    def pause(seconds: float) -> None:
        troubles.append(stats.trouble)
        pauses.append(seconds)

    try:
        place = f"127.0.0.1:{server.server_port}/"
        with closing(open_live(f"http://me:pass@{place}", stats=stats, sleep=pause)) as source:
            stamps = [frame.pts for frame in itertools.islice(source, 20)]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert len(stamps) == 20
    assert stamps == sorted(stamps)
    # Who sees the picture is not told the password.
    assert source.info.description == f"http://{place}: 96x64, 25 fps"
    assert set(troubles) == {f"http://{place} sends no frames; trying again"}
    assert set(pauses) == {0.5}
    assert not stats.trouble


def test_a_stream_that_is_back_with_another_shape_is_fitted_and_said() -> None:
    class Reshaped(Unsteady):
        def do_GET(self) -> None:
            super().do_GET()
            type(self).width = 64

    server = ThreadingHTTPServer(("127.0.0.1", 0), Reshaped)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    stats, troubles, images = Stats(), list[str](), list[Image]()
    try:
        url = f"http://127.0.0.1:{server.server_port}/"
        with closing(NetworkSource(url, stats=stats, sleep=lambda _: None)) as source:
            for frame in itertools.islice(source, 12):
                troubles.append(stats.trouble)
                images.append(frame.image)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert (troubles[0], troubles[-1]) == ("", f"{url} now sends 64x64: fitted into 96x64")
    assert {image.shape for image in images} == {(64, 96, 3)}
    assert images[0][:, :16].any()
    assert images[-1][:, 16:80].any()
    assert not images[-1][:, :16].any()
    assert not images[-1][:, 80:].any()


def test_pictures_within_one_tick_of_the_clock_have_stamps_of_their_own() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Unsteady)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/"
        with closing(NetworkSource(url, sleep=lambda _: None, clock=lambda: 5.0)) as source:
            stamps = [frame.pts for frame in itertools.islice(source, 10)]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert stamps == list(range(10))


def test_a_stream_with_an_end_is_played_at_its_rate_and_ends(make_clip: ClipMaker) -> None:
    waits: list[float] = []
    with closing(
        open_live(f"file://{make_clip(frames=9)}", stats=Stats(), sleep=waits.append)
    ) as s:
        frames = list(s)
    assert len(frames) == 9
    assert [float(f.pts * f.time_base) for f in frames] == pytest.approx(
        [index / 30 for index in range(9)], abs=0.002
    )
    assert len(waits) >= 7


def test_a_server_that_never_answers_holds_no_signal_back() -> None:
    command = [sys.executable, "-m", "stylecam.realtime.cli", "--engine", "echo", "--webcam"]
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/x.mjpg"
        process = subprocess.Popen(
            [*command, url, "-o", "-"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        asked, _ = server.accept()
        with asked:
            asked.recv(10)
            process.send_signal(signal.SIGINT)
            error = process.communicate(timeout=30)[1]
    assert process.returncode == 130
    assert error.splitlines()[-1] == "interrupted"
    assert "http @" not in error  # which FFmpeg says when it gives up, after ten seconds


def test_a_stream_that_does_not_answer_any_more_holds_no_stop_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Broken:
        def get(self, _: int) -> float:
            return 0.0

        def read(self) -> tuple[bool, None]:
            return False, None

        def release(self) -> None:
            pass

    asked, let_go = threading.Event(), threading.Event()
    opened = iter([Broken()])

    def open_url(_: str) -> Broken | None:
        if first := next(opened, None):
            return first
        asked.set()
        let_go.wait(20)
        return None

    monkeypatch.setattr(network, "_open", open_url)
    begun = time.monotonic()
    source = NetworkSource("udp://x", sleep=lambda _: None, stopped=asked.is_set)
    try:
        with closing(source):
            assert not list(source)
        assert time.monotonic() - begun < 2
    finally:
        let_go.set()


def test_a_stream_that_is_not_there_says_so() -> None:
    with pytest.raises(SourceError, match="cannot be opened") as caught:
        open_live("http://127.0.0.1:9/x.mjpg", stats=Stats(), sleep=lambda _: None)
    assert "the address and the network" in caught.value.hint
