"""A window on the screen, and the keys pressed in it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from ..errors import SinkError, WindowClosed
from ..frame import Frame
from ..letterbox import SQUARE, letterbox, squared
from ..pictures import Image
from .display import require_display
from .keys import HELP, HOLD_S, Keys

TITLE = "stylecam (h helps, q quits)"
_LEFT, _TAB, _LINE, _SCALE = 12, 150, 22, 0.5


class WindowSink:
    """Shows each frame, and hears keys. Only in the main thread."""

    sample_aspect_ratio = SQUARE

    def __init__(self, *, clock: Callable[[], float] = time.perf_counter) -> None:
        require_display()  # OpenCV would abort the whole process
        # opencv-python ships Qt without fonts and Qt says so a dozen times; captions are OpenCV's.
        os.environ.setdefault("QT_LOGGING_RULES", "default.warning=false")
        import cv2

        self._cv2, self._clock = cv2, clock
        self._lines: Callable[[], list[str]] = list
        self._command: Callable[[str, Frame], None] = lambda _, __: None
        self._frame: Frame | None = None
        self._compared_s = -HOLD_S
        self._open, self._sized = True, False
        self._split = self._help = self._full = self._bare = False
        self._keys = Keys(clock)
        try:
            cv2.namedWindow(TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_GUI_NORMAL)
        except cv2.error as error:
            raise SinkError(
                f"OpenCV cannot show a window: {error.err}",
                hint="pip uninstall opencv-python-headless; "
                "pip install --force-reinstall opencv-python",
            ) from error

    def attach(self, lines: Callable[[], list[str]], command: Callable[[str, Frame], None]) -> None:
        """From now on write `lines()` over the picture, and call `command` with what a key asks for
        that is not the window's own matter, and with the frame on show.
        """
        self._lines, self._command = lines, command

    def write(self, frame: Frame) -> None:
        """Show the frame and look for keys. Raises WindowClosed when the viewer is done."""
        self._frame = frame
        if not self._sized:
            height, width = squared(frame.image, self.sample_aspect_ratio).shape[:2]
            self._cv2.resizeWindow(TITLE, width, height)
            self._sized = True
        self._show(frame)
        self._listen()

    def idle(self) -> None:
        """Show the last frame anew, with what is to be said now, and look for keys."""
        if self._frame is not None:
            self._show(self._frame)
        self._listen()

    def _show(self, frame: Frame) -> None:
        comparing = self._clock() - self._compared_s < HOLD_S
        picture = self._fitted(compose(frame, photo_only=comparing, split=self._split))
        bgr: Image = self._cv2.cvtColor(picture, self._cv2.COLOR_RGB2BGR)  # type: ignore[assignment]
        lines = self._lines()  # asked for in any case: what it tells of goes on by it
        write_on(bgr, [*([] if self._bare else lines), *(HELP if self._help else ())])
        self._cv2.imshow(TITLE, bgr)

    def _fitted(self, picture: Image) -> Image:
        """Return the picture on square pixels; on Windows in the window's own shape, over which
        OpenCV stretches it there whatever the window's flags say (window_w32.cpp).
        """
        import numpy as np

        if self._cv2.currentUIFramework() == "WIN32":
            *_, width, height = self._cv2.getWindowImageRect(TITLE)
            if width > 0 and height > 0:  # not minimised
                canvas = np.empty((height, width, 3), np.uint8)
                letterbox(picture, canvas, self.sample_aspect_ratio)
                return canvas
        return squared(picture, self.sample_aspect_ratio)

    def _listen(self) -> None:
        code = self._cv2.waitKeyEx(1)  # one a picture: a key that is held must not hold it up
        if not self._visible():
            raise WindowClosed
        for command in self._keys.commands(code):
            self._do(command)

    def _visible(self) -> bool:
        try:
            visible = self._cv2.getWindowProperty(TITLE, self._cv2.WND_PROP_VISIBLE)
        except self._cv2.error:  # Qt forgets a window that was closed by its button
            return False
        return is_open(visible, self._cv2.currentUIFramework())

    def _do(self, command: str) -> None:
        if command == "quit":
            raise WindowClosed
        if command == "compare":
            self._compared_s = self._clock()
        elif command == "split":
            self._split = not self._split
        elif command == "help":
            self._help = not self._help
        elif command == "overlay":
            self._bare = not self._bare
        elif command == "full screen":
            self._full = not self._full
            self._cv2.setWindowProperty(TITLE, self._cv2.WND_PROP_FULLSCREEN, float(self._full))
        elif self._frame is not None:
            self._command(command, self._on_square_pixels(self._frame))

    def _on_square_pixels(self, frame: Frame) -> Frame:
        ratio = self.sample_aspect_ratio
        return frame if ratio == SQUARE else frame.with_image(squared(frame.image, ratio))

    def close(self) -> None:
        """Close the window."""
        if self._open:
            self._open = False
            self._cv2.destroyAllWindows()

    def abort(self) -> None:
        """Close the window."""
        self.close()


def write_on(bgr: Image, lines: list[str]) -> None:
    """Write lines, a tab in which starts a second column, over a darkened corner of the picture:
    smaller where they would not fit.
    """
    import cv2

    font = cv2.FONT_HERSHEY_SIMPLEX
    parts = [
        (text, _LEFT + _TAB * column, _LINE * (row + 1))
        for row, line in enumerate(lines)
        for column, text in enumerate(line.split("\t"))
        if text
    ]
    if not parts:
        return
    right = max(x + cv2.getTextSize(text, font, _SCALE, 1)[0][0] for text, x, _ in parts)
    high, wide = _LINE * len(lines) + _LINE // 2, right + _LEFT
    part = min(1.0, bgr.shape[0] / high, bgr.shape[1] / wide)
    corner = bgr[: round(part * high), : round(part * wide)]
    corner //= 3
    for text, x, y in parts:
        at, scale = (round(part * x), round(part * y)), part * _SCALE
        cv2.putText(bgr, text, at, font, scale, (255, 255, 255), 1, cv2.LINE_AA)


def is_open(visible: float, framework: str) -> bool:
    """Whether a window is open by OpenCV's word about being visible.

    A minimised or hidden one is not visible to Cocoa, whose windows have no button to close them:
    on macOS q ends the run. Not tried on a Mac; OpenCV's source says so (window_cocoa.mm).
    """
    return visible >= (0 if framework == "COCOA" else 1)


def compose(frame: Frame, *, photo_only: bool = False, split: bool = False) -> Image:
    """Return the picture to show: the painting, the photo, or left photo and right painting."""
    if frame.photo is None or not (photo_only or split):
        return frame.image
    if photo_only:
        return frame.photo
    half = frame.image.shape[1] // 2
    both = frame.image.copy()
    both[:, :half] = frame.photo[:, :half]
    both[:, max(0, half - 1) : half + 1] = 255
    return both
