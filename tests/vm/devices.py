"""What the tests in this folder do with real devices and with the running tool."""

from __future__ import annotations

import fcntl
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

WEBCAM, OUTPUT = "/dev/video10", "/dev/video20"
_DRIVER = Path("/sys/bus/platform/drivers/vivid")
_QUERYCTRL, _S_CTRL, _NEXT = 0xC0445624, 0xC008561C, 0x80000000
START_S = 60.0


def set_control(name: str, value: int, device: str = WEBCAM) -> None:
    """Set a control of a camera by its name, as `v4l2-ctl -l` shows it."""
    number = 0
    with open(device, "rb+", buffering=0) as camera:  # noqa: PTH123 - a device
        while True:
            asked = struct.pack("I64x", number | _NEXT)
            answer = fcntl.ioctl(camera, _QUERYCTRL, asked)  # ends with an OSError
            number = struct.unpack_from("I", answer)[0]
            found = answer[8:40].split(b"\0")[0].decode()
            if found == name:
                fcntl.ioctl(camera, _S_CTRL, struct.pack("Ii", number, value))
                return


def hold_still(pattern: int = 1) -> None:
    """Show one picture without the running clock: 1 is colour bars of full strength."""
    set_control("Test Pattern", pattern)
    set_control("OSD Text Mode", 2)
    set_control("Horizontal Movement", 3)


def unplug() -> None:
    (_DRIVER / "unbind").write_text("vivid.0")


def plug_in() -> None:
    (_DRIVER / "bind").write_text("vivid.0")


def read(device: str, count: int = 1) -> list[np.ndarray]:
    """Return pictures as OpenCV reads them, RGB."""
    camera = cv2.VideoCapture(device, cv2.CAP_V4L2)
    assert camera.isOpened(), device
    if device == WEBCAM:
        camera.set(cv2.CAP_PROP_FRAME_WIDTH, 320)
        camera.set(cv2.CAP_PROP_FRAME_HEIGHT, 180)
    try:
        pictures = [camera.read() for _ in range(count)]
    finally:
        camera.release()
    assert all(good for good, _ in pictures), f"{device} gave no picture"
    return [bgr[..., ::-1] for _, bgr in pictures]


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """Mean difference of two pictures, of 255."""
    assert one.shape == other.shape
    return float(np.abs(one.astype(int) - other).mean())


def until(what: Callable[[], bool], seconds: float) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.1)


class Tool:
    """`stylecam` with a webcam and a virtual camera, running."""

    def __init__(self, *arguments: str, size: str = "320x180") -> None:
        self.log = Path("/tmp/stylecam.log")
        self.arguments = [
            *(sys.executable, "-m", "stylecam.realtime.cli", "--webcam", WEBCAM, "--no-window"),
            *("--camera-size", "320x180", "--virtual-camera", "--virtual-camera-size", size),
            *("--virtual-camera-fps", "8", *arguments),
        ]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(self.arguments, stdout=log, stderr=log)

    def said(self) -> str:
        return self.log.read_text()

    def shows(self, look: Callable[[], np.ndarray]) -> bool:
        """Whether a picture, not the black before the first, is on the virtual camera."""
        assert self.process.poll() is None, self.said()
        return " | " in self.said() and float(look().mean()) > 5

    def cpu_s(self) -> float:
        """Seconds of processor time used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self, number: signal.Signals) -> tuple[int, float]:
        """Send a signal; return the exit code and the seconds it took."""
        begun = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(30), time.monotonic() - begun


@contextmanager
def running(
    *arguments: str,
    size: str = "320x180",
    look: Callable[[], np.ndarray] = lambda: read(OUTPUT)[0],
) -> Iterator[Tool]:
    """Run the tool until the block ends; by then a picture is there.

    `look` is for a test that holds a reader: a second reader that leaves takes the first one's
    buffers away (v4l2loopback 0.12 clears the flags of all on REQBUFS 0).
    """
    tool = Tool(*arguments, size=size)
    try:
        until(lambda: tool.shows(look), START_S)
        yield tool
    finally:
        if tool.process.poll() is None:
            tool.process.kill()
            tool.process.wait()
