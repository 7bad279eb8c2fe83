"""Where frames come from.

| name | what |
| --- | --- |
| file | a video file, every frame, as fast as it is read |
| playback | the same, live: at its own rate |
| camera | a webcam through OpenCV |
| network | a network stream through OpenCV |
| image | one photo |
| still | the same again and again, as a camera would |
| pattern | a moving test pattern, from a clock or as fast as it is read |
| mirror | another source, left and right exchanged |
| denoise | another source, with less noise |
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ..background import BackgroundCall
from ..errors import SourceError
from ..ffmpeg import PIPE
from ..frame import Frame, VideoInfo
from ..section import WHOLE, Section
from ..stats import Stats
from .kinds import is_photo

if TYPE_CHECKING:
    from .file import FileSource
    from .image import ImageSource


@dataclasses.dataclass(frozen=True)
class CameraMode:
    """What to ask of a camera: (height, width) and rate, None for its own choice."""

    size: tuple[int, int] | None = None
    fps: float | None = None


@dataclasses.dataclass(frozen=True)
class Reading:
    """What the user may say about reading a file."""

    allow_truncated: bool = False
    section: Section = WHOLE
    keep_hdr: bool = False
    decoder: str = "software"
    """"software", or "auto": on an NVIDIA GPU if that works."""


class Source(Protocol):
    """Frames, in order. Opened by its constructor, iterated once, by one thread."""

    info: VideoInfo
    planar: bool
    """Whether a picture that is stored in planes may stay so; set before the iteration."""

    def __iter__(self) -> Iterator[Frame]:
        """Yield frames the caller owns. Raises SourceError when no more can be read."""
        ...

    def close(self) -> None:
        """Give back the file or device; call after the iteration has ended. Idempotent."""
        ...


def open_file(
    path: Path, *, stats: Stats, reading: Reading = Reading()
) -> ImageSource | FileSource:
    """Open a photo or a video, whichever `path` is (`is_photo`); "-" is standard input.

    Raises SourceError with the remedy when it is missing or neither.
    """
    from .file import FileSource

    if path != PIPE and not path.exists():
        raise SourceError(f"{path}: no such file", hint="check the name and the folder")
    if path.is_dir():
        raise SourceError(f"{path} is a folder", hint="name a video or a photo in it")
    if path != PIPE and not path.is_file():
        raise SourceError(
            f"{path} can be read only once",
            hint="give it on standard input: command | stylecam - -o out.mp4",
        )
    if path.is_file() and path.stat().st_size == 0:
        raise SourceError(f"{path} is empty (0 bytes)", hint="copy or record it again")
    if is_photo(path):
        from .image import ImageSource

        return ImageSource(path)
    opened = partial(FileSource, path, reading, stats=stats)
    # A pipe may stay silent for ever, and FFmpeg, which reads it, lets no signal through.
    return BackgroundCall(opened).result() if path == PIPE else opened()


def open_live(
    name: str,
    *,
    stats: Stats,
    sleep: Callable[[float], None],
    stopped: Callable[[], bool] = lambda: False,
    wanted: CameraMode = CameraMode(),
) -> Source:
    """Open a camera by index, device or name, a URL, a video file to play as if live, a photo to
    show until the run is stopped, "pattern", or "auto": the first camera there is.

    `sleep` is called to wait between the frames of a file or pattern, and while a camera is
    unplugged, until `stopped()`; `wanted` is for a camera or a pattern. Raises SourceError with the
    remedy.
    """
    if name == "pattern":
        from .pattern import PatternSource

        rate = Fraction(wanted.fps or 30).limit_denominator(1001)
        return PatternSource(*(wanted.size or (360, 640)), fps=rate, live=True, sleep=sleep)
    path = Path(name)
    if path.is_file():
        from .playback import PlaybackSource

        source: Source = open_file(path, stats=stats, reading=Reading(allow_truncated=True))
        if source.info.still:
            from .still import StillSource

            source = StillSource(source)
        return PlaybackSource(source, sleep=sleep)
    if "://" in name:
        from .network import NetworkSource
        from .playback import PlaybackSource

        stream = NetworkSource(name, stats=stats, sleep=sleep, stopped=stopped)
        return PlaybackSource(stream, sleep=sleep) if stream.finite else stream
    from .camera import CameraSource

    return CameraSource(name, wanted, stats=stats, sleep=sleep, stopped=stopped)
