"""A webcam through OpenCV, which may be unplugged and come back."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .. import v4l2
from ..errors import SourceError
from ..frame import MICROSECONDS, Frame, VideoInfo
from ..stats import Stats
from . import CameraMode
from .capture import clock_pts, misfit, prepare_opencv, rate_of, to_rgb
from .devices import (
    Device,
    cameras_hint,
    devices,
    find,
    find_again,
    no_such_camera,
    plugged_in,
    same_named,
)

if TYPE_CHECKING:
    import cv2

_PATIENCE_S: Final = 3.0
"""A device that is there but silent for so long is reopened."""
_RETRY_S: Final = 0.5
_ANSWER_S: Final = 30.0
"""How long macOS may wait for an answer to its question."""
_ALLOW: Final = {
    "darwin": "System Settings > Privacy & Security > Camera: allow your terminal, then restart "
    "it; ",
    "win32": "Settings > Privacy & security > Camera: let desktop apps access your camera; ",
}
_RAW: Final = ("YUYV", "UYVY", "NV12", "YU12")


class CameraSource:
    """The newest pictures of a camera, each captured when it was read, timed by the clock.

    A device that goes away is looked for, by its name too, until it is back or `stopped()`;
    meanwhile `stats.trouble` says so and no frame comes. Pictures keep the size of the first: one
    that comes back with another shape is fitted into it, which `stats.trouble` says too.
    """

    planar = False

    def __init__(
        self,
        name: str,
        wanted: CameraMode = CameraMode(),  # noqa: B008 - frozen
        *,
        stats: Stats | None = None,
        sleep: Callable[[float], None] = time.sleep,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        prepare_opencv()
        self._wanted, self._stats = wanted, stats or Stats()
        self._sleep, self._stopped = sleep, stopped
        present = devices()
        device = find(name, present)
        if device is None:
            raise no_such_camera(name, present)
        if sys.platform == "linux":
            _check_device(device.use, present)
        self._device = device
        self._others = {found.use for found in same_named(device, present)} - {device.use}
        capture = _open(device, wanted)
        if capture is None and sys.platform == "darwin" and device.name:
            capture = once_allowed(lambda: _open(device, wanted), sleep=sleep, stopped=stopped)
        if capture is None:
            raise SourceError(f"camera {device.use} cannot be opened", hint=remedy(device, present))
        self._capture: cv2.VideoCapture = capture
        self.info = self._describe(capture)

    def _describe(self, capture: cv2.VideoCapture) -> VideoInfo:
        import cv2

        height = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        width = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        fps = rate_of(capture)
        label = f" ({self._device.name})" if self._device.name else ""
        size, rate = self._wanted.size, self._wanted.fps
        other = f" (asked for {size[1]}x{size[0]})" if size not in (None, (height, width)) else ""
        slower = f" (asked for {rate:.4g})" if rate is not None and abs(fps - rate) > 0.5 else ""
        return VideoInfo(
            height=height,
            width=width,
            fps=Fraction(fps).limit_denominator(1001),
            time_base=MICROSECONDS,
            live=True,
            description=f"camera {self._device.use}{label}: {width}x{height}{other}, "
            f"{fps:.4g} fps{slower}",
        )

    def __iter__(self) -> Iterator[Frame]:
        origin = heard = time.perf_counter()
        last, reopened = -1, True
        while not self._stopped():
            ok, bgr = self._capture.read()
            captured = time.perf_counter()
            if ok:
                self._stats.trouble, heard = misfit(bgr, self.info, self._title()), captured
                last = clock_pts(captured, origin, last)
                yield Frame(to_rgb(bgr, self.info), last, MICROSECONDS, captured)
            elif not plugged_in(self._device):
                self._stats.trouble = f"{self._title()} was unplugged; waiting for it"
                reopened, heard = self._reopen(), time.perf_counter()
            elif not reopened or captured - heard > _PATIENCE_S:
                self._stats.trouble = f"{self._title()} sends no frames; trying again"
                reopened, heard = self._reopen(), time.perf_counter()
            else:
                self._sleep(0.02)  # a read that fails at once must not spin

    def _title(self) -> str:
        return f"camera {self._device.name or self._device.use}"

    def _reopen(self) -> bool:
        """Let the device go, and open it again if it can be; one try, after a pause."""
        self._capture.release()
        self._sleep(_RETRY_S)
        if sys.platform != "linux" or not plugged_in(self._device):
            present = devices()
            device = find_again(self._device, present, self._others)
            if device is None:
                self._others = {found.use for found in same_named(self._device, present)}
                return False
            self._device = device
        capture = _open(self._device, self._wanted)
        if capture is None:
            return False
        self._capture = capture
        return True

    def close(self) -> None:
        """Release the device."""
        self._capture.release()


def _open(device: Device, wanted: CameraMode) -> cv2.VideoCapture | None:
    """Open a device as wished, as far as it can; None when it cannot be opened."""
    import cv2

    linux = sys.platform == "linux"
    capture = cv2.VideoCapture(device.opened_as, device.interface)
    if not capture.isOpened():
        capture.release()
        return None
    fourcc = choose_format(v4l2.modes(device.use), wanted) if linux else ""
    _ask(capture, wanted, fourcc)
    if not linux and wanted.fps and rate_of(capture) < wanted.fps - 0.5:
        _ask(capture, wanted, "MJPG")  # these systems list no modes: see what comes of it
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    return capture


def _ask(capture: cv2.VideoCapture, wanted: CameraMode, fourcc: str) -> None:
    """Set the pixel format before the size: many drivers fall back to it otherwise."""
    import cv2

    if fourcc:
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*fourcc))
    if wanted.size is not None:
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, wanted.size[0])
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, wanted.size[1])
    if wanted.fps is not None:
        capture.set(cv2.CAP_PROP_FPS, wanted.fps)


def choose_format(modes: list[v4l2.Mode], wanted: CameraMode) -> str:
    """Return the pixel format to ask for: raw where it reaches the wished size and rate (30 unless
    said), else MJPG if the camera has it; "" to leave the choice to the driver.

    Raw needs no decoding and has no artefacts, but USB 2 carries it at full rate up to 640x480.
    """
    size = wanted.size or (480, 640)
    fits = [mode for mode in modes if (mode.height, mode.width) == size]
    fast = [mode.fourcc for mode in fits if mode.fps >= (wanted.fps or 30) - 0.5]
    raw = [fourcc for fourcc in _RAW if fourcc in fast]
    if raw:
        return raw[0]
    return "MJPG" if any(mode.fourcc == "MJPG" for mode in (fits or modes)) else ""


def _check_device(path: str, present: list[Device]) -> None:
    """Say what is wrong before OpenCV fails without a reason; on Linux."""
    if not Path(path).exists() or Path(path).is_dir():
        raise no_such_camera(path, present)
    if not os.access(path, os.R_OK | os.W_OK):
        raise SourceError(f"no permission to use {path}", hint=v4l2.JOIN_GROUP)
    device = v4l2.describe(path)
    if device.loopback and not device.capabilities & v4l2.CAPTURE:
        raise SourceError(
            f"{path} ({device.name}) is a virtual camera that nobody writes to",
            hint="stylecam cameras lists the real ones",
        )


def once_allowed(
    open_device: Callable[[], cv2.VideoCapture | None],
    *,
    sleep: Callable[[float], None],
    stopped: Callable[[], bool],
) -> cv2.VideoCapture | None:
    """Open a camera while macOS asks whether it may be used: until it is answered, none opens
    (github.com/opencv/opencv/issues/15307). None when that takes too long.
    """
    print("macOS asks whether this terminal may use the camera", file=sys.stderr)
    for _ in range(round(_ANSWER_S / _RETRY_S)):
        sleep(_RETRY_S)
        if stopped():
            return None
        if (capture := open_device()) is not None:
            return capture
    return None


def remedy(device: Device, present: list[Device], platform: str = sys.platform) -> str:
    """What to do about a camera that is there and does not open."""
    allow = _ALLOW.get(platform, "")
    return f"is another program using {device.use}? {allow}{cameras_hint(present)}"
