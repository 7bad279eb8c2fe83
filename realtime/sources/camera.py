"""A webcam or network stream through OpenCV."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Final

from ..errors import SourceError
from ..frame import MICROSECONDS, Frame, VideoInfo

READ_TIMEOUT_S: Final = 2
_OPEN_TIMEOUT_S: Final = 10
_ABSURD_FPS: Final = 240


class CameraSource:
    """The newest pictures of a camera, each born when it was read, timed by the clock."""

    def __init__(self, name: str, *, size: tuple[int, int] | None = None) -> None:
        os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", str(READ_TIMEOUT_S))
        os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
        import cv2

        self._name = name
        device: int | str = int(name) if name.isdigit() else name
        if sys.platform == "linux":
            _check_device(name)
        network = "://" in name
        self._capture = (
            cv2.VideoCapture(
                name,
                cv2.CAP_FFMPEG,
                [
                    cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
                    1000 * _OPEN_TIMEOUT_S,
                    cv2.CAP_PROP_READ_TIMEOUT_MSEC,
                    1000 * READ_TIMEOUT_S,
                ],
            )
            if network
            else cv2.VideoCapture(device)
        )
        if not self._capture.isOpened():
            self._capture.release()
            raise SourceError(f"camera {name} cannot be opened", hint=_remedy(name))
        if not network:
            # MJPG first: asked for after the size, many drivers fall back to slow raw modes.
            self._capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
            if size is not None:
                self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, size[0])
                self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, size[1])
            self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        height = int(self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        width = int(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        fps = fps if 1 <= fps <= _ABSURD_FPS else 30.0
        self.info = VideoInfo(
            height=height,
            width=width,
            fps=Fraction(fps).limit_denominator(1001),
            time_base=MICROSECONDS,
            live=True,
            description=f"camera {name}: {width}x{height}, {fps:.4g} fps",
        )

    def __iter__(self) -> Iterator[Frame]:
        import cv2

        origin: float | None = None
        while True:
            ok, bgr = self._capture.read()
            born = time.monotonic()
            if not ok:
                raise SourceError(
                    f"camera {self._name} sends no more pictures",
                    hint="check its cable and whether another program took it, then start again",
                )
            if origin is None:
                origin = born
            rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
            yield Frame(rgb, round((born - origin) * 1_000_000), MICROSECONDS, born)  # type: ignore[arg-type]

    def close(self) -> None:
        """Release the device."""
        self._capture.release()


def devices() -> list[str]:
    """Return the camera devices this system names; empty where it does not tell (macOS,
    Windows).
    """
    return sorted(str(path) for path in Path("/dev").glob("video*"))


def _check_device(name: str) -> None:
    """Say what is wrong before OpenCV fails without a reason."""
    path = Path(f"/dev/video{name}" if name.isdigit() else name)
    if "://" in name:
        return
    if not path.exists():
        raise SourceError(f"there is no camera {path}", hint=_remedy(name))
    if not os.access(path, os.R_OK | os.W_OK):
        raise SourceError(
            f"no permission to use {path}", hint='sudo usermod -aG video "$USER", then log in again'
        )


def _remedy(name: str) -> str:
    found = devices()
    if found:
        return f"cameras here: {', '.join(found)}; is another program using {name}?"
    return (
        "no camera was found: plug one in, or try without one: "
        "stylecam --webcam clip.mp4 or stylecam --webcam pattern"
    )
