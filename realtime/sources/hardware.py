"""Decoding on an NVIDIA GPU (NVDEC), tried before it is relied on."""

from __future__ import annotations

import errno
import functools
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from ..ffmpeg import NO_DRIVER

if TYPE_CHECKING:
    from av.codec.hwaccel import HWAccel

_TIMEOUT_S: Final = 20.0
_OF_NVDEC: Final = ("nv12", "nv16", "p010", "p016", "p210", "p216")
"""Pixel formats in which it gives pictures; no CPU decoder has them."""
_TRIAL: Final = """
import av, sys
from av.codec.hwaccel import HWAccel
try:
    av.CodecContext.create("h264", "r", hwaccel=HWAccel("cuda"))
except (av.FFmpegError, OSError, ValueError, NotImplementedError) as error:
    sys.exit(getattr(error, "strerror", None) or str(error))
"""


@functools.cache
def nvdec_problem() -> str:
    """Return why NVDEC cannot be used, or "" when it can.

    Asked once, in a process of its own: with a driver that is broken it may crash or hang.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-c", _TRIAL],
            timeout=_TIMEOUT_S,
            capture_output=True,
            text=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no answer from the driver for {_TIMEOUT_S:.0f} s"
    except OSError as error:
        return f"it cannot be tried: {error.strerror}"
    if done.returncode == 0:
        return ""
    said = (done.stderr.strip().splitlines() or [f"its trial ended with {done.returncode}"])[-1]
    return NO_DRIVER if said == os.strerror(errno.EPERM) else said


def decoder_note(codec: str, pixels: str, problem: str) -> str:
    """Say what decoded the first picture, by its pixel format: NVDEC may leave a codec that it
    supports to the CPU, as most cards do with H.264 of 10 bits or of 4:2:2.
    """
    if problem or not pixels.startswith(_OF_NVDEC):
        why = problem or f"it cannot decode {codec} of this kind"
        return f"decoded by the CPU, not NVDEC: {why}"
    return "decoded by NVDEC"


def nvdec() -> HWAccel:
    """Return what PyAV decodes with, into NV12 in main memory; what NVDEC cannot decode, the CPU
    does.
    """
    from av.codec.hwaccel import HWAccel

    return HWAccel("cuda", allow_software_fallback=True)
