"""A network stream through OpenCV's FFmpeg, which may break off and come back."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from ..background import BackgroundCall
from ..errors import SourceError
from ..frame import MICROSECONDS, Frame, VideoInfo
from ..stats import Stats
from .capture import READ_TIMEOUT_S, clock_pts, misfit, prepare_opencv, rate_of, to_rgb

if TYPE_CHECKING:
    import cv2

_OPEN_TIMEOUT_S: Final = 10
_FIRST_RETRY_S: Final = 0.5
_LAST_RETRY_S: Final = 8.0
_TICK_S: Final = 0.1
_WHOLE: Final = 0.9
"""A finite stream of which so much came is whole: how long it is, is often a guess."""


class NetworkSource:
    """The pictures of a URL, at the size of the first; those of another shape are fitted into it,
    which `stats.trouble` says.

    A stream without an end is timed by the clock, and opened again, after longer and longer pauses,
    until it is back or `stopped()`; meanwhile `stats.trouble` says so. One with an end is `finite`:
    it is timed by its own stamps and read as fast as it comes.
    """

    planar = False

    def __init__(
        self,
        url: str,
        *,
        stats: Stats | None = None,
        sleep: Callable[[float], None] = time.sleep,
        stopped: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        prepare_opencv()  # before its first import: it reads its settings once
        import cv2

        self._url, self._stats = url, stats or Stats()
        self._title = re.sub("(?<=://)[^/]*@", "", url)
        """What is shown, over the picture too, which others may see: no password."""
        self._sleep, self._stopped, self._clock = sleep, stopped, clock
        capture = BackgroundCall(lambda: _open(url)).result()  # which a signal may end
        if capture is None:
            raise SourceError(
                f"{url} cannot be opened",
                hint="check the address and the network: does a player show it, as in "
                f"ffplay {url}?",
            )
        self._capture: cv2.VideoCapture = capture
        self._frames = round(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.finite = self._frames > 0
        width, height = (
            int(capture.get(side)) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
        )
        fps = rate_of(capture)
        self.info = VideoInfo(
            height=height,
            width=width,
            fps=Fraction(fps).limit_denominator(1001),
            time_base=MICROSECONDS,
            live=True,
            sample_aspect_ratio=_pixel_shape(capture),
            description=f"{self._title}: {width}x{height}, {fps:.4g} fps",
        )

    def __iter__(self) -> Iterator[Frame]:
        yield from self._once() if self.finite else self._again_and_again()

    def _once(self) -> Iterator[Frame]:
        import cv2

        count, last = 0, -1
        while not self._stopped():
            ok, bgr = self._capture.read()
            if not ok:
                break
            stamp = round(1000 * self._capture.get(cv2.CAP_PROP_POS_MSEC))
            last, count = max(last + 1, stamp), count + 1
            self._stats.trouble = misfit(bgr, self.info, self._title)
            yield Frame(to_rgb(bgr, self.info), last, MICROSECONDS, self._clock())
        else:
            return
        if not count:
            raise SourceError(
                f"{self._title} gives no pictures",
                hint="download it first: where its index is at the end, it cannot be played from a "
                "server that cannot seek",
            )
        if count < _WHOLE * self._frames:
            raise SourceError(
                f"{self._title} broke off after {count} of {self._frames} frames",
                hint="check the network and start again, or download it first",
            )

    def _again_and_again(self) -> Iterator[Frame]:
        origin, last, pause_s = self._clock(), -1, _FIRST_RETRY_S
        while not self._stopped():
            ok, bgr = self._capture.read()
            captured = self._clock()
            if ok:
                self._stats.trouble = misfit(bgr, self.info, self._title)
                pause_s = _FIRST_RETRY_S
                last = clock_pts(captured, origin, last)
                yield Frame(to_rgb(bgr, self.info), last, MICROSECONDS, captured)
                continue
            self._stats.trouble = f"{self._title} sends no frames; trying again"
            self._capture.release()
            self._sleep(pause_s)
            pause_s = min(2 * pause_s, _LAST_RETRY_S)
            if not self._stopped():
                self._reopen()

    def _reopen(self) -> None:
        """Try once to open it again. One that does not answer is left to itself on `stopped()`."""
        opening = BackgroundCall(lambda: _open(self._url))
        while not self._stopped():
            if opening.wait(_TICK_S):
                self._capture = opening.result() or self._capture
                return

    def close(self) -> None:
        """Close the stream."""
        self._capture.release()


def _pixel_shape(capture: cv2.VideoCapture) -> Fraction:
    """Return how wide a pixel is to its height; 1 where the stream does not say."""
    import cv2

    wide = int(capture.get(cv2.CAP_PROP_SAR_NUM))
    high = int(capture.get(cv2.CAP_PROP_SAR_DEN))
    return Fraction(wide, high) if wide > 0 and high > 0 else Fraction(1)


def _open(url: str) -> cv2.VideoCapture | None:
    import cv2

    timeouts = [
        cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
        1000 * _OPEN_TIMEOUT_S,
        cv2.CAP_PROP_READ_TIMEOUT_MSEC,
        1000 * READ_TIMEOUT_S,
    ]
    capture = cv2.VideoCapture(url, cv2.CAP_FFMPEG, timeouts)
    if not capture.isOpened():
        capture.release()
        return None
    return capture
