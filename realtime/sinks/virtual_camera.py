"""A virtual camera: what other programs find in their list of cameras. Through pyvirtualcam."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from .. import pacing
from ..background import Periodic
from ..errors import SinkError, raise_interrupt
from ..frame import Frame
from ..letterbox import SQUARE, letterbox
from ..pictures import Image
from ..stats import Stats

if TYPE_CHECKING:
    import pyvirtualcam

INSTALL: Final = 'pip install "pyvirtualcam>=0.15"'
"""In double quotes, as all such lines: cmd.exe knows no others."""
OBS: Final = {
    "win32": "install OBS Studio from https://obsproject.com, start it once and close it "
    "(or install Unity Capture)",
    "darwin": "install OBS Studio 30 or newer from https://obsproject.com, click Start Virtual "
    "Camera in it, allow its camera extension in System Settings, then Stop Virtual Camera and "
    "close OBS",
}
_LATE_PERIODS: Final = 3


class VirtualCameraSink:
    """Shows the newest picture at a camera's fixed size and rate, whatever comes in: letterboxed,
    never stretched; the last one again when no new one came; black before the first.

    A thread of its own sends, so a slow engine or a stalled source never changes the rate. The
    devices convert RGB to YUV by BT.601, which is what their readers take it for. `camera` comes
    from `open_camera` and is closed with the sink.
    """

    sample_aspect_ratio = SQUARE

    def __init__(
        self,
        camera: pyvirtualcam.Camera,
        *,
        stats: Stats | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        import numpy as np

        self._camera, self._stats, self._clock = camera, stats or Stats(), clock
        self._canvas: Image = np.zeros((camera.height, camera.width, 3), np.uint8)
        self._period_s = 1 / camera.fps
        self._newest: tuple[Image, float] | None = None
        self._shown: tuple[Image, float] | None = None
        self._due_s, self._open = clock(), True
        self._beat = Periodic(self._send)

    def write(self, frame: Frame) -> None:
        """Make this the picture to show. Returns at once; raises what sending raised."""
        self._beat.check()
        self._newest = frame.image, self._clock()

    def _send(self) -> float:
        newest, waited_s = self._newest, None
        if newest is not None and newest is not self._shown:
            letterbox(newest[0], self._canvas, self.sample_aspect_ratio)
            waited_s = self._clock() - newest[1]
            self._shown = newest
        elif self._shown is not None:
            self._stats.repeated += 1
        try:
            self._camera.send(self._canvas)
        except (RuntimeError, OSError) as error:
            raise SinkError(
                f"the virtual camera {self._camera.device} stopped accepting frames: {error}",
                hint="start again; if it fails again, run stylecam doctor",
            ) from error
        now_s = self._clock()
        self._due_s = pacing.next_due_s(self._due_s, self._period_s, waited_s)
        if now_s - self._due_s > _LATE_PERIODS * self._period_s:
            self._due_s = now_s  # the machine slept: begin anew instead of catching up
        return self._due_s - now_s

    def close(self) -> None:
        """Let the device go. Readers see no more pictures."""
        if not self._open:
            return
        self._open = False
        self._beat.stop()
        _release(self._camera)

    def abort(self) -> None:
        """Let the device go."""
        self.close()


def open_camera(
    device: str | None = None, *, height: int = 720, width: int = 1280, fps: Fraction = Fraction(30)
) -> tuple[pyvirtualcam.Camera, str]:
    """Open a virtual camera, the system's own if `device` is None; return it and what it is.

    Raises SinkError with the command that mends it on this system.
    """
    if height % 2 or width % 2:
        raise SinkError(
            f"a virtual camera cannot be {width}x{height}: its sides must be even",
            hint=f"--virtual-camera-size {width // 2 * 2}x{height // 2 * 2}",
        )
    try:
        import pyvirtualcam
    except ImportError as error:
        raise_interrupt(error)
        raise SinkError(
            f"a virtual camera needs pyvirtualcam, which cannot be loaded ({error})", hint=INSTALL
        ) from error
    if sys.platform == "linux":
        from .loopback import choose, confirm

        device = choose(device)
    try:
        camera = pyvirtualcam.Camera(width, height, float(fps), device=device)
    except (RuntimeError, ValueError) as error:
        raise SinkError(
            f"the virtual camera {device or ''} cannot be opened: {_one_line(error)}",
            hint=OBS.get(sys.platform, "stylecam doctor checks each part"),
        ) from error
    name = camera.device
    if sys.platform == "linux":
        try:
            name = confirm(camera, height, width, fps)
        except BaseException:
            _release(camera)
            raise
    return camera, f"virtual camera {name}: {width}x{height}, {float(fps):.4g} fps"


def _release(camera: pyvirtualcam.Camera) -> None:
    device = camera.device
    camera.close()
    if sys.platform == "linux":
        from .. import v4l2

        v4l2.writable_again(device)  # for the next program, whichever it is


def _one_line(error: Exception) -> str:
    return "; ".join(line.strip() for line in str(error).splitlines() if line.strip())
