"""The window under a hand: real keys through an X server, by xdotool, on xvfb-run or a desktop."""

from __future__ import annotations

import ctypes
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from media import decode, times

pytestmark = [
    pytest.mark.needs_display,
    pytest.mark.skipif(shutil.which("xdotool") is None, reason="xdotool is not installed"),
]


@pytest.fixture(autouse=True, scope="module")
def a_client_that_stays() -> Iterator[None]:
    """Xvfb starts anew when its last client leaves, and turns away who comes just then."""
    x11 = ctypes.CDLL("libX11.so.6")
    x11.XOpenDisplay.restype = ctypes.c_void_p
    display = ctypes.c_void_p(x11.XOpenDisplay(None))
    yield
    x11.XCloseDisplay(display)


def until(what: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def xdotool(*arguments: str) -> str:
    done = subprocess.run(["xdotool", *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def ask_to_close(window: int) -> None:
    """Send WM_DELETE_WINDOW, as a window manager does for the button in the corner."""

    class Message(ctypes.Structure):
        _fields_ = [
            *(("type", ctypes.c_int), ("serial", ctypes.c_ulong), ("sent", ctypes.c_int)),
            *(("display", ctypes.c_void_p), ("window", ctypes.c_ulong), ("kind", ctypes.c_ulong)),
            *(("format", ctypes.c_int), ("data", ctypes.c_long * 5), ("rest", ctypes.c_long * 12)),
        ]

    x11 = ctypes.CDLL("libX11.so.6")
    x11.XOpenDisplay.restype = ctypes.c_void_p
    x11.XInternAtom.restype = ctypes.c_ulong
    display = ctypes.c_void_p(x11.XOpenDisplay(None))
    protocols, delete = (
        x11.XInternAtom(display, name, 0) for name in (b"WM_PROTOCOLS", b"WM_DELETE_WINDOW")
    )
    message = Message(type=33, window=window, kind=protocols, format=32)
    message.data[0] = delete
    x11.XSendEvent(display, ctypes.c_ulong(window), 0, ctypes.c_long(0), ctypes.byref(message))
    x11.XCloseDisplay(display)


class Shown:
    """`stylecam --webcam pattern` in a window; `files` are what it leaves."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        arguments = ["--webcam", "pattern", "--camera-size", "320x192", "--style", "klimt-gold"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "stylecam.realtime.cli", *arguments],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        until(self._window, 60)
        self.window = self._window()
        xdotool("windowfocus", "--sync", self.window)
        assert self.process.stdout is not None
        assert "test pattern" in self.process.stdout.readline()  # the engine is there

    def _window(self) -> str:
        assert self.process.poll() is None
        return xdotool("search", "--onlyvisible", "--name", "^stylecam")

    def press(self, key: str, times: int = 1) -> None:
        for _ in range(times):
            xdotool("key", key)
            time.sleep(0.15)  # OpenCV keeps one key between two pictures

    def files(self, pattern: str) -> list[Path]:
        return sorted(self._folder.glob(pattern), key=lambda path: path.stat().st_mtime_ns)

    def snapshot(self) -> np.ndarray:
        before = len(self.files("stylecam-*.png"))  # hidden until they are whole
        self.press("s")
        until(lambda: len(self.files("stylecam-*.png")) > before)
        return decode(self.files("stylecam-*.png")[-1])[0]

    def differs(self, other: np.ndarray) -> bool:
        """Whether the picture has another mean colour than one before."""
        return bool(np.abs(self.snapshot().mean((0, 1)) - other.mean((0, 1))).max() > 10)


@contextmanager
def shown(folder: Path) -> Iterator[Shown]:
    window = Shown(folder)
    try:
        yield window
    finally:
        window.process.kill()
        window.process.communicate()


def test_keys(tmp_path: Path) -> None:
    with shown(tmp_path) as window:
        first = window.snapshot()
        window.press("n")
        until(lambda: window.differs(first), 60)  # it loads in the background
        window.press("Left")
        until(lambda: not window.differs(first), 60)
        window.press("r")
        time.sleep(1)
        window.press("r")
        until(lambda: window.files("*.mp4"))
        until(lambda: not window.files(".*.part*"))
        assert 10 <= len(times(window.files("*.mp4")[0])) <= 60
        window.press("minus", 12)
        assert window.differs(first)
        for key in ("h", "m", "space", "f", "f"):  # what they show is tested with `compose`
            window.press(key)
        begun = time.monotonic()
        window.press("q")
        output = window.process.communicate(timeout=20)[0]
        assert window.process.returncode == 0, output
        assert time.monotonic() - begun < 2.0
        assert "Traceback" not in output


@pytest.mark.parametrize("how", ["Escape", "closed", "SIGTERM"])
def test_every_way_to_close_the_window(how: str, tmp_path: Path) -> None:
    with shown(tmp_path) as window:
        time.sleep(1)
        begun = time.monotonic()
        if how == "closed":
            ask_to_close(int(window.window))
        elif how == "SIGTERM":
            window.process.send_signal(signal.SIGTERM)
        else:
            window.press(how)
        output = window.process.communicate(timeout=20)[0]
        assert time.monotonic() - begun < 2.0
        assert window.process.returncode == 0, output
