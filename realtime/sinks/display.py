"""Whether a window can be shown here, asked before OpenCV would end the process over it."""

from __future__ import annotations

import functools
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from ..errors import SinkError

_CONNECT: Final = """
import ctypes, sys
try:
    x11 = ctypes.CDLL("libX11.so.6")
except OSError:
    sys.exit(0)
x11.XOpenDisplay.restype = ctypes.c_void_p
sys.exit(0 if x11.XOpenDisplay(None) else 3)
"""
_ANSWER_S: Final = 10


def display_problem() -> str:
    """Return why no window can be shown here, or "" if one can."""
    if sys.platform != "linux":
        return ""
    display = os.environ.get("DISPLAY", "")
    if display:
        return _no_answer(display)
    if not os.environ.get("WAYLAND_DISPLAY"):
        return "there is no display (neither DISPLAY nor WAYLAND_DISPLAY is set)"
    return "" if _shows_on_wayland() else "OpenCV's windows need X, and DISPLAY is not set"


@functools.cache
def _no_answer(display: str) -> str:
    """Connect as a window would, in a process of its own: Qt ends the process where it cannot, and
    a second libxcb in this one may hang it.
    """
    words = [sys.executable, "-I", "-S", "-c", _CONNECT]
    try:
        done = subprocess.run(words, timeout=_ANSWER_S, capture_output=True, check=False)
    except subprocess.TimeoutExpired:
        return f"the display {display} does not answer"
    except OSError:  # a program that has Python inside
        return ""
    return f"the display {display} cannot be opened" if done.returncode == 3 else ""


def _shows_on_wayland() -> bool:
    """Whether this OpenCV may: the wheels' Qt has a plugin for X alone, other builds differ."""
    found = importlib.util.find_spec("cv2")
    plugins = Path(found.origin if found and found.origin else "").parent / "qt/plugins/platforms"
    return not plugins.is_dir() or any(plugins.glob("*wayland*"))


def require_display() -> None:
    """Raise SinkError with the remedy when no window can be shown."""
    problem = display_problem()
    if problem:
        raise SinkError(
            f"no window can be shown: {problem}",
            hint="run it on a desktop (on Wayland with Xwayland), record with -o out.mp4, "
            "or use --virtual-camera",
        )
