"""Which cameras there are, how they are named, and what is said of one that does not open."""

from __future__ import annotations

import itertools
import subprocess
import sys
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pytest
from stylecam.realtime import v4l2
from stylecam.realtime.errors import SourceError
from stylecam.realtime.pictures import Image
from stylecam.realtime.sources import CameraMode, camera
from stylecam.realtime.sources.camera import choose_format, once_allowed, remedy
from stylecam.realtime.sources.devices import (
    Device,
    devices,
    find,
    find_again,
    no_such_camera,
    numbered,
    same_named,
)
from stylecam.realtime.sources.listing import Camera, cameras
from stylecam.realtime.stats import Stats


def mode(text: str) -> v4l2.Mode:
    fourcc, width, height, fps = text.split()
    return v4l2.Mode(fourcc, int(width), int(height), Fraction(fps))


WEBCAM = [
    mode(text)
    for text in ("YUYV 640 480 30", "YUYV 1280 720 10", "MJPG 640 480 30", "MJPG 1280 720 30")
]


@pytest.mark.parametrize(
    ("modes", "wanted", "fourcc"),
    [
        (WEBCAM, CameraMode(), "YUYV"),
        (WEBCAM, CameraMode((720, 1280), 30), "MJPG"),
        (WEBCAM, CameraMode((720, 1280)), "MJPG"),
        (WEBCAM, CameraMode((720, 1280), 10), "YUYV"),
        (WEBCAM, CameraMode((1080, 1920), 30), "MJPG"),
        ([mode("YUYV 1280 720 10")], CameraMode((720, 1280), 30), ""),
        ([mode("NV12 1280 720 2997/100")], CameraMode((720, 1280), 30), "NV12"),
        ([], CameraMode((720, 1280), 30), ""),
    ],
)
def test_mjpg_only_where_raw_is_too_slow(
    modes: list[v4l2.Mode], wanted: CameraMode, fourcc: str
) -> None:
    assert choose_format(modes, wanted) == fourcc


def test_a_camera_is_summed_up() -> None:
    lines = Camera("/dev/video0", "Webcam", WEBCAM).summary()
    assert lines == ["YUYV: 1280x720 @ 10, 640x480 @ 30", "MJPG: 1280x720 @ 30, 640x480 @ 30"]
    assert Camera("0", "Webcam", []).as_json()["modes"] == []


def device(number: int, name: str, *, captures: bool = True) -> Device:
    return Device(f"/dev/video{number}", name, f"/dev/video{number}", cv2.CAP_V4L2, captures)


CAMERAS = [
    device(0, "HD Pro Webcam C920"),
    device(2, "Integrated Camera"),
    device(4, "out", captures=False),
]


def test_a_camera_is_known_by_a_part_of_its_name() -> None:
    used = {
        name: found.use
        for name in ("Integrated Camera", "c920", "out", "7", "/dev/v4l/by-id/x")
        if (found := find(name, CAMERAS, "linux"))
    }
    assert used == {
        "Integrated Camera": "/dev/video2",
        "c920": "/dev/video0",
        "out": "/dev/video4",
        "7": "/dev/video7",
        "/dev/v4l/by-id/x": "/dev/v4l/by-id/x",
    }
    assert not any(find(name, CAMERAS, "linux") for name in ("cam", "out ", "Logi"))


class Found(NamedTuple):
    """As cv2-enumerate-cameras lists a camera."""

    index: int
    name: str
    backend: int


WINDOWS = [
    Found(0, "OBS Virtual Camera", cv2.CAP_MSMF),
    Found(1, "HD Webcam", cv2.CAP_MSMF),
    Found(0, "HD Webcam", cv2.CAP_DSHOW),
    Found(1, "Unity Video Capture", cv2.CAP_DSHOW),
]


@pytest.mark.parametrize(
    ("name", "opened_as", "interface"),
    [
        ("auto", 1, cv2.CAP_MSMF),
        ("webcam", 1, cv2.CAP_MSMF),
        ("0", 0, cv2.CAP_MSMF),
        ("2", 1, cv2.CAP_DSHOW),
        ("unity", 1, cv2.CAP_DSHOW),
        ("5", 5, cv2.CAP_ANY),
    ],
)
def test_off_linux_a_camera_is_what_the_list_says(
    name: str, opened_as: int, interface: int
) -> None:
    there = numbered(WINDOWS)
    assert [device.virtual for device in there] == [True, False, True]
    found = find(name, there, "win32")
    assert found is not None
    assert (found.opened_as, found.interface) == (opened_as, interface)


def test_off_linux_a_camera_is_found_again_by_its_name_and_a_wrong_one_is_no_file() -> None:
    there = numbered(WINDOWS)
    webcam = there[1]
    assert find_again(webcam, there[1:]) == webcam
    assert find_again(webcam, numbered(WINDOWS[1:2])) == Device("0", "HD Webcam", 1, cv2.CAP_MSMF)
    assert find_again(webcam, []) is None
    assert find_again(Device("0", "", 0), []) == Device("0", "", 0)
    assert find("FaceTime", there, "darwin") is None
    assert find("auto", [], "darwin") == Device("0", "", 0)  # without the package
    assert devices("darwin") == []


def test_a_camera_that_does_not_open_has_the_remedy_of_its_system() -> None:
    there = numbered(WINDOWS)
    assert "desktop apps" in remedy(there[1], there, "win32")
    assert "1 (HD Webcam)" in remedy(there[1], there, "win32")
    assert "allow your terminal" in remedy(there[1], there, "darwin")


def test_a_camera_opens_once_macos_has_its_answer(capsys: pytest.CaptureFixture[str]) -> None:
    pauses: list[float] = []

    def open_device() -> cv2.VideoCapture | None:
        return cv2.VideoCapture() if len(pauses) == 4 else None

    assert once_allowed(open_device, sleep=pauses.append, stopped=lambda: False) is not None
    assert pauses == [0.5] * 4
    assert once_allowed(lambda: None, sleep=pauses.append, stopped=lambda: True) is None
    assert len(pauses) == 5
    assert once_allowed(lambda: None, sleep=pauses.append, stopped=lambda: False) is None
    assert sum(pauses[5:]) == 30
    assert capsys.readouterr().err.count("macOS asks") == 3


def test_what_opencv_reads_at_its_import_is_set_before_it() -> None:
    program = (
        "import os, sys\n"
        "from stylecam.realtime.sources import capture, network\n"
        "def prepare():\n"
        "    assert 'cv2' not in sys.modules\n"
        "    capture.prepare_opencv()\n"
        "    raise SystemExit(os.environ['OPENCV_VIDEOIO_MSMF_ENABLE_HW_TRANSFORMS'] != '0')\n"
        "network.prepare_opencv = prepare\n"
        "network.NetworkSource('http://127.0.0.1:9/')\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


@pytest.mark.parametrize(
    ("name", "says", "hint"),
    [
        ("clip.mp4", "clip.mp4: no such file", "check the name"),
        ("192.168.1.5:8080/video", "no such file", "an address begins with http://"),
        ("patern", "no camera patern", "did you mean 'pattern'?"),
        ("integrated cam", "no camera", "did you mean 'Integrated Camera'?"),
        ("/dev/video7", "no camera /dev/video7", "/dev/video0 (HD Pro Webcam C920)"),
        (str(Path(__file__).parent), "is a folder", "name a video or a photo in it"),
    ],
)
def test_an_unknown_camera(name: str, says: str, hint: str) -> None:
    error = no_such_camera(name, CAMERAS[:2])
    assert says in error.message
    assert hint in error.hint


@pytest.mark.skipif(sys.platform != "linux", reason="cameras have paths on Linux only")
def test_a_folder_is_no_camera() -> None:
    """Its slash makes it look like a device's path."""
    with pytest.raises(SourceError, match="is a folder"):
        camera.CameraSource("../")


class Plugged:
    """A camera that gives so many white pictures, to OpenCV's contract."""

    def __init__(self, pictures: int, *, height: int = 48, width: int = 64) -> None:
        self.left, self.size = pictures, (height, width)

    def read(self) -> tuple[bool, np.ndarray | None]:
        self.left -= 1
        if self.left < 0:
            return False, None
        return True, np.full((*self.size, 3), 255, np.uint8)

    def get(self, what: int) -> float:
        height, width = self.size
        return {cv2.CAP_PROP_FRAME_WIDTH: width, cv2.CAP_PROP_FRAME_HEIGHT: height}.get(what, 30)

    def release(self) -> None:
        self.left = 0


def test_a_camera_that_is_back_is_tried_until_it_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its node is there a moment before it may be opened."""
    webcam, pauses, troubles = device(0, "HD Pro Webcam C920"), list[float](), list[str]()
    captures = iter([Plugged(2), None, None, Plugged(3)])
    monkeypatch.setattr(camera, "devices", lambda: [webcam])
    monkeypatch.setattr(camera, "find", lambda *_: webcam)
    monkeypatch.setattr(camera, "_check_device", lambda *_: None)
    monkeypatch.setattr(camera, "plugged_in", lambda _: bool(pauses))
    monkeypatch.setattr(camera, "_open", lambda *_: next(captures))
    stats = Stats()

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        troubles.append(stats.trouble)

    source = camera.CameraSource("/dev/video0", stats=stats, sleep=pause)
    assert len(list(itertools.islice(source, 5))) == 5
    assert pauses == [0.5] * 3
    silent = "camera HD Pro Webcam C920 sends no frames; trying again"
    assert troubles == ["camera HD Pro Webcam C920 was unplugged; waiting for it", silent, silent]
    assert not stats.trouble
    source.close()


def test_a_camera_that_is_back_with_another_shape_is_fitted_and_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    webcam = device(0, "Webcam")
    captures = iter([Plugged(2), Plugged(2, height=24, width=24), Plugged(2)])
    monkeypatch.setattr(camera, "devices", lambda: [webcam])
    monkeypatch.setattr(camera, "find", lambda *_: webcam)
    monkeypatch.setattr(camera, "_check_device", lambda *_: None)
    monkeypatch.setattr(camera, "plugged_in", lambda _: False)
    monkeypatch.setattr(camera, "find_again", lambda *_: webcam)
    monkeypatch.setattr(camera, "_open", lambda *_: next(captures))
    stats, troubles, images = Stats(), list[str](), list[Image]()
    with closing(camera.CameraSource("0", stats=stats, sleep=lambda _: None)) as source:
        for frame in itertools.islice(source, 6):
            troubles.append(stats.trouble)
            images.append(frame.image)
    said = "camera Webcam now sends 24x24: fitted into 64x48"
    assert troubles == ["", "", said, said, "", ""]
    assert {image.shape for image in images} == {(48, 64, 3)}
    assert (images[2][:, 8:56] == 255).all()
    assert not images[2][:, :8].any()
    assert not images[2][:, 56:].any()
    assert (images[5] == 255).all()


def test_another_camera_of_the_same_name_is_not_taken_for_it() -> None:
    ours, other = device(0, "Webcam"), device(2, "Webcam")
    others = {found.use for found in same_named(ours, [ours, other])} - {ours.use}
    assert others == {other.use}
    assert find_again(ours, [other], others, "linux") is None
    assert find_again(ours, [other, device(4, "Webcam")], others, "linux") == device(4, "Webcam")
    assert find_again(ours, [other, ours], others, "linux") == ours
    assert find_again(ours, [other], set(), "linux") == other  # which came when it was gone
    first, second = (Device(str(n), "Webcam", n, cv2.CAP_MSMF) for n in range(2))
    assert find_again(first, [first], {second.use}, "win32") is None  # the other has moved up
    assert find_again(first, [first, second], {second.use}, "win32") == first


def test_a_camera_gone_beside_another_of_its_name_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And when that one is gone too, its number is free."""
    ours, other, pauses = device(0, "Webcam"), device(2, "Webcam"), list[float]()
    seen = iter([[ours, other], [other], [other], [], [other]])
    opened: list[str] = []

    def open_device(device: Device, _: CameraMode) -> Plugged:
        opened.append(device.use)
        return Plugged(2)

    monkeypatch.setattr(camera, "devices", lambda: next(seen))
    monkeypatch.setattr(camera, "_check_device", lambda *_: None)
    monkeypatch.setattr(camera, "plugged_in", lambda _: False)
    monkeypatch.setattr(camera, "find", lambda *_: ours)
    monkeypatch.setattr(camera, "_open", open_device)
    source = camera.CameraSource("0", stats=Stats(), sleep=pauses.append)
    assert len(list(itertools.islice(source, 4))) == 4
    assert opened == ["/dev/video0", "/dev/video2"]
    assert pauses == [0.5] * 4


@pytest.mark.skipif(sys.platform != "linux", reason="groups as Linux has them")
def test_who_may_not_open_a_camera_is_told_all_that_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    locked = v4l2.Device("/dev/video0", "Webcam", "", 0)
    monkeypatch.setattr(v4l2, "devices", lambda: [locked])
    monkeypatch.setattr("os.access", lambda *_: False)
    assert [found.note for found in cameras()] == [
        'no permission: sudo usermod -aG video "$USER", then log out and in again'
    ]
