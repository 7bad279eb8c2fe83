"""A window on the screen."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from ..errors import SinkError, WindowClosed
from ..frame import Frame

TITLE = "stylecam (q quits)"
_QUIT_KEYS = (ord("q"), 27)
_OUTLINE, _INK = (0, 0, 0), (255, 255, 255)


def display_problem() -> str:
    """Return why no window can be shown here, or "" if one can."""
    if sys.platform != "linux":
        return ""
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return ""
    return "there is no display (neither DISPLAY nor WAYLAND_DISPLAY is set)"


class WindowSink:
    """Shows each frame with the line `caption()` over it. Only in the main thread."""

    def __init__(self, *, caption: Callable[[], str] = lambda: "") -> None:
        problem = display_problem()
        if problem:
            # OpenCV would abort the whole process.
            raise SinkError(
                f"no window can be shown: {problem}",
                hint="record instead with -o out.mp4, or run it on the desktop",
            )
        # opencv-python ships Qt without fonts and Qt says so a dozen times; captions are OpenCV's.
        os.environ.setdefault("QT_LOGGING_RULES", "default.warning=false")
        import cv2

        self._cv2, self._caption, self._open = cv2, caption, True
        try:
            cv2.namedWindow(TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_GUI_NORMAL)
        except cv2.error as error:
            raise SinkError(
                f"OpenCV cannot show a window: {error.err}",
                hint="pip uninstall opencv-python-headless; "
                "pip install --force-reinstall opencv-python",
            ) from error
        self._sized = False

    def write(self, frame: Frame) -> None:
        """Show the frame and look for keys: q and Esc close."""
        cv2 = self._cv2
        bgr = cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)
        caption = self._caption()
        if caption:
            for colour, thickness in ((_OUTLINE, 3), (_INK, 1)):
                cv2.putText(
                    bgr, caption, (12, 26), cv2.FONT_HERSHEY_SIMPLEX, 0.6, colour, thickness
                )
        if not self._sized:
            cv2.resizeWindow(TITLE, bgr.shape[1], bgr.shape[0])
            self._sized = True
        cv2.imshow(TITLE, bgr)
        key = cv2.waitKey(1) & 0xFF
        if key in _QUIT_KEYS or cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) < 1:
            raise WindowClosed

    def close(self) -> None:
        """Close the window."""
        if self._open:
            self._open = False
            self._cv2.destroyAllWindows()

    def abort(self) -> None:
        """Close the window."""
        self.close()
