"""Pictures are shown in their own shape, whatever that of their pixels."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from media import decode
from media.clips import Film
from stylecam.realtime.controls import Controls
from stylecam.realtime.engines.echo import EchoEngine
from stylecam.realtime.engines.switching import SwitchingEngine
from stylecam.realtime.fit import fit
from stylecam.realtime.frame import Frame
from stylecam.realtime.letterbox import letterbox, squared
from stylecam.realtime.pictures import Image
from stylecam.realtime.pipeline import run
from stylecam.realtime.sinks import NullSink, window
from stylecam.realtime.sinks.recording import RecordingSink
from stylecam.realtime.sinks.virtual_camera import VirtualCameraSink
from stylecam.realtime.sinks.window import WindowSink
from stylecam.realtime.sources.network import NetworkSource
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.realtime.stats import Stats
from stylecam.realtime.styles import built_in, find
from stylecam.realtime.threads import Threads

WIDE = Fraction(64, 45)
"""The pixels of PAL in 16:9."""


class Screen:
    """OpenCV's windows without a screen."""

    def __init__(self) -> None:
        self.sizes: list[tuple[int, int]] = []
        self.shown: list[Image] = []
        self.keys: list[str] = []
        self.framework, self.size = "QT", (0, 0)

    def resizeWindow(self, _: str, width: int, height: int) -> None:  # noqa: N802 - OpenCV's
        self.sizes.append((width, height))

    def imshow(self, _: str, bgr: Image) -> None:
        self.shown.append(bgr.copy())

    def currentUIFramework(self) -> str:  # noqa: N802 - OpenCV's
        return self.framework

    def getWindowImageRect(self, _: str) -> tuple[int, int, int, int]:  # noqa: N802 - OpenCV's
        return 5, 30, *self.size

    def waitKeyEx(self, _: int) -> int:  # noqa: N802 - OpenCV's
        return ord(self.keys.pop(0)) if self.keys else -1


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    made = Screen()
    fakes = ("resizeWindow", "imshow", "currentUIFramework", "getWindowImageRect", "waitKeyEx")
    for name in fakes:
        monkeypatch.setattr(cv2, name, getattr(made, name))
    replies: dict[str, Callable[..., object]] = {
        "namedWindow": lambda *_: None,
        "getWindowProperty": lambda *_: 1.0,
        "destroyAllWindows": lambda: None,
    }
    for name, reply in replies.items():
        monkeypatch.setattr(cv2, name, reply)
    monkeypatch.setattr(window, "require_display", lambda: None)
    return made


def anamorphic(frames: int) -> PatternSource:
    source = PatternSource(72, 90, frames=frames, live=True)
    source.info = dataclasses.replace(source.info, sample_aspect_ratio=WIDE)
    return source


class Camera:
    """What `VirtualCameraSink` needs of pyvirtualcam's."""

    height, width, fps, device = 72, 256, 50, "fake"

    def __init__(self) -> None:
        self.sent: list[Image] = []

    def send(self, picture: Image) -> None:
        self.sent.append(picture.copy())

    def close(self) -> None:
        pass


def test_a_picture_on_pixels_of_any_shape_is_shown_on_square_ones(screen: Screen) -> None:
    camera, threads, source = Camera(), Threads(), anamorphic(frames=15)
    sinks = [WindowSink(), VirtualCameraSink(camera)]  # type: ignore[arg-type]
    with threads:
        run(source, EchoEngine(), sinks, fit=fit(72, 90), threads=threads, stats=Stats())
    assert screen.sizes == [(128, 72)]
    assert {picture.shape for picture in screen.shown} == {(72, 128, 3)}
    columns = np.flatnonzero(camera.sent[-1].max((0, 2)))
    assert columns[-1] - columns[0] + 1 == 128


def test_on_windows_a_picture_is_given_the_window_s_shape(screen: Screen) -> None:
    """Black beside it and, in a window too high, above and below; a minimised one has no size."""
    screen.framework = "WIN32"
    shown = WindowSink()
    shown.sample_aspect_ratio = WIDE
    white = Frame(np.full((72, 90, 3), 255, np.uint8), 0, Fraction(1), 0.0)
    for size, inner in (((320, 144), (144, 256)), ((128, 400), (72, 128)), ((0, 0), (72, 128))):
        screen.size = size
        shown.write(white)
        picture = screen.shown[-1]
        assert picture.shape[1::-1] == (size if any(size) else (128, 72))
        rows, columns = (np.flatnonzero(picture.max((1 - axis, 2))) for axis in (0, 1))
        assert (rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1) == inner


def test_a_snapshot_has_square_pixels(screen: Screen, tmp_path: Path) -> None:
    shown, threads = WindowSink(), Threads()
    screen.keys = ["s"]
    with closing(SwitchingEngine(find("great-wave"), lambda _: EchoEngine())) as engine, threads:
        recording = RecordingSink(lambda _: NullSink())  # type: ignore[arg-type, return-value]
        controls = Controls(engine, built_in(), recording, Stats(), folder=tmp_path)
        shown.attach(controls.lines, controls.command)
        source = anamorphic(frames=3)
        run(source, engine, [shown], fit=fit(72, 90), threads=threads, stats=Stats())
        controls.finish()
    (path,) = tmp_path.glob("*.png")
    assert decode(path)[0].shape == (72, 128, 3)


@pytest.mark.parametrize(
    ("ratio", "height", "width"), [(WIDE, 72, 128), (1 / WIDE, 102, 90), (Fraction(1), 72, 90)]
)
def test_squared_pictures_lose_nothing(ratio: Fraction, height: int, width: int) -> None:
    picture = PatternSource(72, 90).image(3)
    assert squared(picture, ratio).shape == (height, width, 3)
    assert (squared(picture, ratio) is picture) == (ratio == 1)


def test_a_letterbox_of_wide_pixels() -> None:
    canvas = np.full((720, 1280, 3), 77, np.uint8)
    letterbox(np.full((576, 720, 3), 200, np.uint8), canvas, WIDE)
    assert (canvas == 200).all()
    letterbox(np.full((576, 720, 3), 200, np.uint8), canvas, Fraction(16, 15))
    assert np.flatnonzero(canvas.max((0, 2)) == 200)[[0, -1]].tolist() == [160, 1119]


def test_a_stream_says_the_shape_of_its_pixels(tmp_path: Path) -> None:
    for aspect in (WIDE, None):
        film = Film(72, 90, aspect=aspect, audio=()).build(tmp_path / "film.mp4")
        with closing(NetworkSource(f"file://{film}")) as source:
            assert source.info.sample_aspect_ratio == (aspect or 1)
