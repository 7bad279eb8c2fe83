"""Which cameras there are, how they are named, and what is said of one that does not open."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from typing import NamedTuple

import cv2
import pytest
from stylecam.realtime import v4l2
from stylecam.realtime.sources import CameraMode
from stylecam.realtime.sources.camera import choose_format, once_allowed, remedy
from stylecam.realtime.sources.devices import Device, again, devices, find, numbered, unknown
from stylecam.realtime.sources.listing import Camera


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
    assert again(webcam, there[1:]) == webcam
    assert again(webcam, numbered(WINDOWS[1:2])) == Device("0", "HD Webcam", 1, cv2.CAP_MSMF)
    assert again(webcam, []) is None
    assert again(Device("0", "", 0), []) == Device("0", "", 0)
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
        "from stylecam.realtime.sources import network, camera\n"
        "def prepare():\n"
        "    assert 'cv2' not in sys.modules\n"
        "    camera.prepare_opencv()\n"
        "    raise SystemExit(os.environ['OPENCV_VIDEOIO_MSMF_ENABLE_HW_TRANSFORMS'] != '0')\n"
        "network.prepare_opencv = prepare\n"
        "network.NetworkSource('http://127.0.0.1:9/')\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


@pytest.mark.parametrize(
    ("name", "says", "hint"),
    [
        ("clip.mp4", "clip.mp4: no such file", "check the name"),
        ("patern", "no camera patern", "did you mean 'pattern'?"),
        ("integrated cam", "no camera", "did you mean 'Integrated Camera'?"),
        ("/dev/video7", "no camera /dev/video7", "/dev/video0 (HD Pro Webcam C920)"),
    ],
)
def test_an_unknown_camera(name: str, says: str, hint: str) -> None:
    error = unknown(name, CAMERAS[:2])
    assert says in error.message
    assert hint in error.hint
