"""What cameras and network streams have in common: both are read through OpenCV's VideoCapture."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from ..frame import VideoInfo
from ..letterbox import letterbox
from ..pictures import Image

if TYPE_CHECKING:
    import cv2
    from cv2.typing import MatLike

READ_TIMEOUT_S: Final = 1
_ABSURD_FPS: Final = 240


def prepare_opencv() -> None:
    """Set OpenCV's environment variables, which it reads when it is first imported: a time limit
    for reads, and on Windows no hardware transforms, with which some cameras take half a minute to
    open.
    """
    os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", str(READ_TIMEOUT_S))
    os.environ.setdefault("OPENCV_VIDEOIO_MSMF_ENABLE_HW_TRANSFORMS", "0")
    os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "8")  # what it says of streams is no failure


def to_rgb(bgr: object, info: VideoInfo) -> Image:
    """Return a picture from OpenCV as RGB of `info`'s size; one of another size is letterboxed."""
    import cv2
    import numpy as np

    image: Image = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)  # type: ignore[call-overload]
    if image.shape[:2] != (info.height, info.width):
        rgb, image = image, np.empty((info.height, info.width, 3), np.uint8)
        letterbox(rgb, image)
    return image


def misfit(bgr: MatLike, info: VideoInfo, title: str) -> str:
    """Say that a picture has another size than `info`'s, as when another camera, or another mode,
    came back; "" when it has that size.
    """
    height, width = bgr.shape[:2]
    if (height, width) == (info.height, info.width):
        return ""
    return f"{title} now sends {width}x{height}: fitted into {info.width}x{info.height}"


def clock_pts(captured_s: float, origin_s: float, last: int) -> int:
    """Return a picture's time stamp in MICROSECONDS since `origin_s`, always later than `last`, the
    one before: a clock may tick too seldom to tell two apart.
    """
    return max(last + 1, round((captured_s - origin_s) * 1_000_000))


def rate_of(capture: cv2.VideoCapture) -> float:
    """Return the frame rate that it promises; 30 when that is absurd."""
    import cv2

    fps = capture.get(cv2.CAP_PROP_FPS)
    return fps if 1 <= fps <= _ABSURD_FPS else 30.0
