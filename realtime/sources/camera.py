"""A webcam through OpenCV, which may be unplugged and come back."""

from __future__ import annotations

import difflib
import os
import sys
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .. import v4l2
from ..errors import SourceError
from ..frame import MICROSECONDS, Frame, Image, VideoInfo
from ..stats import Stats
from . import Wish

if TYPE_CHECKING:
    import cv2

READ_TIMEOUT_S: Final = 1
_ABSURD_FPS: Final = 240
_PATIENCE_S: Final = 3.0
"""A device that is there but silent for so long is reopened."""
_RETRY_S: Final = 0.5
_RAW: Final = ("YUYV", "UYVY", "NV12", "YU12")


def prepare_opencv() -> None:
    """Set what OpenCV reads once, when it is first imported: how long a read may take."""
    os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", str(READ_TIMEOUT_S))
    os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")


class CameraSource:
    """The newest pictures of a camera, each born when it was read, timed by the clock.

    A device that goes away is looked for, by its name too, until it is back or `stopped()`;
    meanwhile `stats.trouble` says so and no frame comes. Pictures keep the size of the first.
    """

    planar = False

    def __init__(
        self,
        name: str,
        wish: Wish = Wish(),  # noqa: B008 - frozen
        *,
        stats: Stats | None = None,
        sleep: Callable[[float], None] = time.sleep,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        prepare_opencv()
        self._wish, self._stats = wish, stats or Stats()
        self._sleep, self._stopped = sleep, stopped
        name = device_path(name)
        if sys.platform == "linux":
            _check_device(name)
        self._name, self._label = name, v4l2.name_of(name)
        capture = _open(name, wish)
        if capture is None:
            raise SourceError(f"camera {name} cannot be opened", hint=_remedy(name))
        self._capture: cv2.VideoCapture = capture
        self.info = self._describe(capture)

    def _describe(self, capture: cv2.VideoCapture) -> VideoInfo:
        import cv2

        height = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        width = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        fps = rate_of(capture)
        label = f" ({self._label})" if self._label else ""
        size, rate = self._wish.size, self._wish.fps
        other = f" (asked for {size[1]}x{size[0]})" if size not in (None, (height, width)) else ""
        slower = f" (asked for {rate:.4g})" if rate is not None and abs(fps - rate) > 0.5 else ""
        return VideoInfo(
            height=height,
            width=width,
            fps=Fraction(fps).limit_denominator(1001),
            time_base=MICROSECONDS,
            live=True,
            description=f"camera {self._name}{label}: {width}x{height}{other}, "
            f"{fps:.4g} fps{slower}",
        )

    def __iter__(self) -> Iterator[Frame]:
        origin = heard = time.monotonic()
        while not self._stopped():
            ok, bgr = self._capture.read()
            born = time.monotonic()
            if ok:
                self._stats.trouble, heard = "", born
                stamp = round((born - origin) * 1_000_000)
                yield Frame(upright(bgr, self.info), stamp, MICROSECONDS, born)
            elif not self._there():
                self._stats.trouble = f"{self._title()} was unplugged; waiting for it"
                self._reopen()
                heard = time.monotonic()
            elif born - heard > _PATIENCE_S:
                self._stats.trouble = f"{self._title()} sends no frames; trying again"
                self._reopen()
                heard = time.monotonic()
            else:
                self._sleep(0.02)  # a read that fails at once must not spin

    def _title(self) -> str:
        return f"camera {self._label or self._name}"

    def _there(self) -> bool:
        """Whether the device is still plugged in, as far as this system tells."""
        if sys.platform == "linux":
            return Path(self._name).exists() and v4l2.name_of(self._name) == self._label
        return True

    def _reopen(self) -> None:
        """Let the device go, and open it again when it can be; one try, after a pause."""
        self._capture.release()
        self._sleep(_RETRY_S)
        if sys.platform == "linux" and not self._there():
            again = [d for d in v4l2.devices() if d.capabilities & v4l2.CAPTURE]
            capturing = [d.path for d in again if d.name == self._label]
            if not capturing:
                return
            self._name = capturing[0]
        capture = _open(self._name, self._wish)
        if capture is not None:
            self._capture = capture

    def close(self) -> None:
        """Release the device."""
        self._capture.release()


def _open(name: str, wish: Wish) -> cv2.VideoCapture | None:
    """Open a device as wished, as far as it can; None when it cannot be opened."""
    import cv2

    linux = sys.platform == "linux"
    device: int | str = int(name) if name.isdigit() else name
    capture = cv2.VideoCapture(device, cv2.CAP_V4L2) if linux else cv2.VideoCapture(device)
    if not capture.isOpened():
        capture.release()
        return None
    fourcc = choose_format(v4l2.modes(name), wish) if linux else ""
    _ask(capture, wish, fourcc)
    if not linux and wish.fps and rate_of(capture) < wish.fps - 0.5:
        _ask(capture, wish, "MJPG")  # these systems list no modes: see what comes of it
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    return capture


def _ask(capture: cv2.VideoCapture, wish: Wish, fourcc: str) -> None:
    """Set the pixel format before the size: many drivers fall back to it otherwise."""
    import cv2

    if fourcc:
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*fourcc))
    if wish.size is not None:
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, wish.size[0])
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, wish.size[1])
    if wish.fps is not None:
        capture.set(cv2.CAP_PROP_FPS, wish.fps)


def upright(bgr: object, info: VideoInfo) -> Image:
    """Return a picture of OpenCV's as RGB, at the size that was promised."""
    import cv2

    rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)  # type: ignore[call-overload]
    size = (info.width, info.height)
    if rgb.shape[1::-1] != size:  # it came back as another model, or in another mode
        rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    image: Image = rgb
    return image


def rate_of(capture: cv2.VideoCapture) -> float:
    """Return the rate that it promises, 30 when that cannot be."""
    import cv2

    fps = capture.get(cv2.CAP_PROP_FPS)
    return fps if 1 <= fps <= _ABSURD_FPS else 30.0


def choose_format(modes: list[v4l2.Mode], wish: Wish) -> str:
    """Return the pixel format to ask for: raw where it reaches the wished size and rate (30 unless
    said), else MJPG if the camera has it; "" to leave the choice to the driver.

    Raw needs no decoding and has no artefacts, but USB 2 carries it at full rate up to 640x480.
    """
    size = wish.size or (480, 640)
    fits = [mode for mode in modes if (mode.height, mode.width) == size]
    fast = [mode.fourcc for mode in fits if mode.fps >= (wish.fps or 30) - 0.5]
    raw = [fourcc for fourcc in _RAW if fourcc in fast]
    if raw:
        return raw[0]
    return "MJPG" if any(mode.fourcc == "MJPG" for mode in (fits or modes)) else ""


def device_path(name: str) -> str:
    """Return what to open for an index, a path, a name or a part of one; "auto" is the first camera
    that is not a virtual one. Only on Linux are there paths and names.
    """
    if sys.platform != "linux":
        return "0" if name == "auto" else name
    if name.isdigit():
        return f"/dev/video{name}"
    found = v4l2.devices()
    if name == "auto":
        real = [d.path for d in found if d.capabilities & v4l2.CAPTURE and not d.loopback]
        return real[0] if real else "/dev/video0"
    return _named(name, found) or name


def _named(name: str, devices: list[v4l2.Device]) -> str:
    """Return the path of the device of that name, or of the only one whose name has it for a part;
    "" when there is none.
    """
    exact = [device.path for device in devices if device.name == name]
    part = [
        device.path
        for device in devices
        if device.capabilities & v4l2.CAPTURE and name.casefold() in device.name.casefold()
    ]
    return exact[0] if exact else part[0] if len(part) == 1 else ""


def _check_device(path: str) -> None:
    """Say what is wrong before OpenCV fails without a reason."""
    if not Path(path).exists():
        raise _unknown(path, [d for d in v4l2.devices() if d.capabilities & v4l2.CAPTURE])
    if not os.access(path, os.R_OK | os.W_OK):
        raise SourceError(
            f"no permission to use {path}",
            hint='sudo usermod -aG video "$USER", then log out and in again',
        )
    device = v4l2.describe(path)
    if device.loopback and not device.capabilities & v4l2.CAPTURE:
        raise SourceError(
            f"{path} ({device.name}) is a virtual camera that nobody writes to",
            hint="stylecam cameras lists the real ones",
        )


def _unknown(name: str, cameras: list[v4l2.Device]) -> SourceError:
    """What to say when no camera has that name."""
    if not name.startswith("/dev/") and (Path(name).suffix or "/" in name):
        return SourceError(f"{name}: no such file", hint="check the name and the folder")
    known = {known.casefold(): known for known in ("pattern", *(c.name for c in cameras))}
    near = difflib.get_close_matches(name.casefold(), known, n=1, cutoff=0.5)
    guess = f"did you mean {known[near[0]]!r}? " if near else ""
    return SourceError(f"there is no camera {name}", hint=guess + _there_are(cameras))


def _there_are(cameras: list[v4l2.Device]) -> str:
    if not cameras:
        return (
            "no camera was found: plug one in, or try without one: "
            "stylecam --webcam clip.mp4 or stylecam --webcam pattern"
        )
    names = ", ".join(f"{camera.path} ({camera.name})" for camera in cameras)
    return f"cameras here: {names}; stylecam cameras tells more"


def _remedy(name: str) -> str:
    return f"is another program using {name}? " + _there_are(
        [device for device in v4l2.devices() if device.capabilities & v4l2.CAPTURE]
    )
