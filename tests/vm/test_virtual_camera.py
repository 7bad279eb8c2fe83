"""Webcam -> stylecam -> virtual camera -> OpenCV, on real devices. README.md says how to run it.

One module, in order: what one start leaves behind is what the next one meets.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time

import numpy as np
import pytest

if "STYLECAM_VM" not in os.environ:
    pytest.skip("needs real cameras: tests/vm/README.md", allow_module_level=True)

import cv2
from stylecam.realtime.cli import main
from stylecam.realtime.errors import SinkError
from stylecam.realtime.sinks.loopback import LOAD, choose, examine
from vm.devices import (
    OUTPUT,
    WEBCAM,
    Tool,
    difference,
    hold_still,
    plug_in,
    read,
    running,
    unplug,
    until,
)

MATCH = 3.0  # of 255
ENDS_WITHIN_S = 2.0 * 3  # 2 s, on a processor that is emulated
pytestmark = pytest.mark.timeout(200)


@pytest.fixture
def photo() -> np.ndarray:
    """What the webcam shows, as OpenCV reads it: still, and nowhere near its mirror image."""
    hold_still()
    picture = read(WEBCAM, 2)[-1]
    assert picture.shape == (180, 320, 3)
    assert difference(picture, picture[:, ::-1]) > 30
    return picture


def test_what_is_sent_is_what_two_readers_see(photo: np.ndarray) -> None:
    with running("--engine", "echo", "--mirror"):
        one, other = (cv2.VideoCapture(OUTPUT, cv2.CAP_V4L2) for _ in range(2))
        for _ in range(3):
            for reader in (one, other):
                good, bgr = reader.read()
                assert good
                assert difference(bgr[..., ::-1], photo[:, ::-1]) < MATCH
        second = Tool("--engine", "echo")
        assert second.process.wait(60) == 1
        assert "in use: another program writes to it" in second.said()
        good, bgr = one.read()  # and the first one goes on
        assert good
        one.release()
        other.release()


def test_started_again_after_it_was_killed(photo: np.ndarray) -> None:
    """The run before this one was killed; v4l2loopback 0.12 then takes no writer by itself."""
    with running("--engine", "echo", size="320x240") as tool:
        seen = read(OUTPUT)[0]
        assert seen.shape == (240, 320, 3)
        assert seen[:28].max() < 10  # letterboxed: 320x180 in the middle
        assert seen[-28:].max() < 10
        assert difference(seen[30:210], photo) < MATCH
        code, seconds = tool.end(signal.SIGINT)
        assert code == 0, tool.said()
        assert seconds < ENDS_WITHIN_S


def test_unplugged_and_plugged_in_again(photo: np.ndarray) -> None:
    """After a clean end; so this is also a start, a stop, and a start."""
    with running("--engine", "echo") as tool:
        reader = cv2.VideoCapture(OUTPUT, cv2.CAP_V4L2)
        unplug()
        until(lambda: "was unplugged" in tool.said(), 15)
        before, begun = tool.cpu_s(), time.monotonic()
        while time.monotonic() - begun < 4:
            good, bgr = reader.read()
            assert good
            assert difference(bgr[..., ::-1], photo) < MATCH  # the last picture stays
        assert (tool.cpu_s() - before) / (time.monotonic() - begun) < 0.7
        plug_in()
        until(lambda: "arrive again" in tool.said(), 30)
        hold_still(4)

        def anew() -> bool:
            return difference(reader.read()[1][..., ::-1], photo) > 30

        until(anew, 20)
        unplug()
        until(lambda: tool.said().count("was unplugged") == 2, 15)
        code, seconds = tool.end(signal.SIGTERM)
        reader.release()
        plug_in()
        assert code == 0, tool.said()
        assert seconds < ENDS_WITHIN_S


def test_a_reader_that_stays_is_told_of(photo: np.ndarray) -> None:
    """A call left open holds the device's size: the next start has to say so, or fit."""
    with running("--engine", "echo") as tool:
        reader = cv2.VideoCapture(OUTPUT, cv2.CAP_V4L2)
        assert reader.read()[0]
        tool.end(signal.SIGINT)
    try:
        other = Tool("--engine", "echo", size="320x240")
        assert other.process.wait(60) == 1
        assert "stays at 320x180 while a program watches it" in other.said()
        with running("--engine", "echo", look=lambda: reader.read()[1]):
            assert difference(reader.read()[1][..., ::-1], photo) < MATCH
    finally:
        reader.release()


def test_what_cannot_be_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, says in (
        (["cameras"], ["vivid", "YUYV", "640x480", "stylecam  [virtual, nobody writes to it]"]),
        (["--webcam", OUTPUT, "-o", "/tmp/x.mp4"], ["nobody writes to"]),
        (["--webcam", "no such camera", "-o", "/tmp/x.mp4"], ["no camera"]),
        (
            ["--webcam", WEBCAM, "--virtual-camera", "/dev/video77", "--no-window"],
            ["there is no /dev/video77", "/dev/video20 (stylecam)"],
        ),
        (
            ["--webcam", OUTPUT, "--virtual-camera", "--no-window"],
            ["/dev/video20 cannot be both the camera and the virtual camera"],
        ),
        (
            ["--webcam", WEBCAM, "--virtual-camera", WEBCAM, "--no-window"],
            ["is a real camera, not a virtual one"],
        ),
    ):
        code = main(arguments)
        told = capsys.readouterr()
        assert code == (arguments != ["cameras"]), told.err
        for text in says:
            assert text in told.out + told.err


def test_without_the_module_the_command_is_named() -> None:
    subprocess.run(["modprobe", "-r", "v4l2loopback"], check=True)
    with pytest.raises(SinkError) as caught:
        choose(None)
    assert caught.value.hint == LOAD
    subprocess.run(["modprobe", "v4l2loopback", "video_nr=20", "card_label=other"], check=True)
    links = {link.name: link for link in examine()}
    assert links["loopback device"].found == "/dev/video20 (other)"
    assert not links["exclusive_caps"].ok
    assert links["exclusive_caps"].remedy.endswith(f"sudo modprobe -r v4l2loopback && {LOAD}")
    subprocess.run(["modprobe", "-r", "v4l2loopback"], check=True)
    subprocess.run([*LOAD.split()[1:], "video_nr=20"], check=True)  # as a user would
    assert all(link.ok for link in examine())
    assert choose("stylecam") == choose("20") == choose(None) == OUTPUT
