"""The one place that knows which sink an output file needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .errors import SinkError
from .ffmpeg import PIPE
from .frame import VideoInfo
from .job import FileOptions
from .sinks.codecs import CONTAINERS
from .sinks.formats import Coding
from .sinks.sequence import is_sequence
from .sources import Reading
from .sources.kinds import IMAGE_SUFFIXES

if TYPE_CHECKING:
    from .sinks import Output
    from .sinks.file import FileSink
    from .sources.file import FileSource
    from .sources.image import ImageSource

_OF_PHOTOS: Final = ("EXIF", "colour profile", "transparency")
"""What no video holds."""


def open_output(
    path: Path,
    source: ImageSource | FileSource,
    *,
    options: FileOptions,
    job: Callable[[], dict[str, Any]],
    stopped: Callable[[], bool],
    whole_only: bool = False,
) -> Output:
    """Open the sink for `path` by its suffix, and let `source` start where it resumes. With
    `whole_only` a video that is stopped early gets no file (`sinks/resumable.py`).
    """
    from .sources.image import ImageSource

    if isinstance(source, ImageSource):
        return _open_for_photo(path, source, options)
    piped = source.path == PIPE
    _refuse_picture(
        path,
        "standard input is read as a video: give a photo by its name"
        if piped
        else "name a video (-o out.mp4) or number the pictures, as PNG: -o out_%05d.png",
    )
    from .sinks.original import Original

    original = Original(
        source.path,
        source.decoder.stream.index,
        source.cut,
        options.audio,
        source.decoder.container if piped else None,
        source.decoder.others if piped else None,
        source.times.jumps,
    )
    if piped or path == PIPE or path.suffix.lower() == ".gif":
        from .sinks.file import FileSink

        return FileSink(
            path,
            source.info,
            original=original,
            coding=options.coding,
            force=options.force,
            stopped=stopped,
            whole_only=whole_only,
        )
    from .sinks.resumable import ResumableSink

    sink = ResumableSink(
        path,
        source.info,
        original=original,
        coding=options.coding,
        job=job(),
        force=options.force,
        stopped=stopped,
        whole_only=whole_only,
    )
    source.skip = sink.done
    return sink


def _open_for_photo(path: Path, source: ImageSource, options: FileOptions) -> Output:
    """Open a photo, or where the suffix says so a video of one frame."""
    if is_sequence(path):
        raise SinkError(
            f"{path} stands for numbered pictures, the input is one photo",
            hint=f"name one picture: -o {path.with_name('out.png')}",
        )
    suffix = path.suffix.lower()
    photo = path != PIPE and (suffix in IMAGE_SUFFIXES or suffix not in CONTAINERS)
    if idle := _idle(options, photo=photo):
        source.notes.append(f"{', '.join(idle)} changed nothing: the input is a photo")
    if photo:
        from .sinks.image import ImageSink

        quality = options.coding.quality
        return ImageSink(path, force=options.force, quality=quality, tags=source.tags)
    held = (*source.tags, source.transparent)
    left = [name for name, tag in zip(_OF_PHOTOS, held, strict=True) if tag]
    source.notes += [f"{name} left out: a video holds none" for name in left]
    return open_recording(path, source.info, force=options.force, coding=options.coding)


def _idle(options: FileOptions, *, photo: bool) -> list[str]:
    """Return the flags given that have no effect on a photo, painted as a `photo` or a video."""
    reading, coding, usual = options.reading, options.coding, Coding()
    given = {
        "--start": reading.section.start_s is not None,
        "--duration": reading.section.duration_s is not None,
        "--no-audio": not options.audio,
        "--keep-hdr": reading.keep_hdr,
        "--decoder": reading.decoder != Reading().decoder,
        "--allow-truncated": reading.allow_truncated,
        "--codec": photo and coding.codec != usual.codec,
        "--encoder": photo and coding.encoder != usual.encoder,
        "--pix-fmt": photo and coding.pix_fmt != usual.pix_fmt,
    }
    return [flag for flag, idle in given.items() if idle]


def open_recording(
    path: Path, info: VideoInfo, *, force: bool, coding: Coding | None = None
) -> FileSink:
    """Open a video for frames that have no file behind them."""
    from .sinks.file import FileSink

    _refuse_picture(path, "name a video: -o out.mp4")
    return FileSink(path, info, coding=coding, force=force)


def _refuse_picture(path: Path, hint: str) -> None:
    """Raise SinkError when one picture is named for a video."""
    if path.suffix.lower() in IMAGE_SUFFIXES and not is_sequence(path):
        raise SinkError(f"{path} is a picture, the input a video", hint=hint)
