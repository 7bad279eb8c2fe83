"""A video file through PyAV: exact times, tagged colours, the input's sound."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from ..errors import SinkError
from ..frame import Frame, VideoInfo
from ..sources.file import swscale_matrix
from .partial import PartialFile
from .sound import Sound

if TYPE_CHECKING:
    from av import VideoFrame
    from av.video.stream import VideoStream


class Format(NamedTuple):
    """How a container is written: FFmpeg's muxer and encoder, with their options."""

    muxer: str
    encoder: str
    encoder_options: dict[str, str]
    muxer_options: dict[str, str]


_X264: Final = {"preset": "veryfast", "crf": "18"}
_VP9: Final = {"crf": "31", "b": "0", "deadline": "realtime", "cpu-used": "7", "row-mt": "1"}
FORMATS: Final = {
    ".mp4": Format("mp4", "libx264", _X264, {"movflags": "+faststart"}),
    ".m4v": Format("mp4", "libx264", _X264, {"movflags": "+faststart"}),
    ".mov": Format("mov", "libx264", _X264, {"movflags": "+faststart"}),
    ".mkv": Format("matroska", "libx264", _X264, {"avoid_negative_ts": "disabled"}),
    ".webm": Format("webm", "libvpx-vp9", _VP9, {}),
}


class FileSink:
    """Encodes frames of `info`'s size; `sound_from` is the input whose sound to carry over.

    The file appears under its name at `close`. Raises SinkError with the remedy.
    """

    def __init__(
        self, path: Path, info: VideoInfo, *, sound_from: Path | None = None, force: bool = False
    ) -> None:
        import av
        from av.video.reformatter import VideoReformatter

        if path.suffix.lower() not in FORMATS:
            raise SinkError(
                f"{path}: videos cannot be written as {path.suffix or 'a file without suffix'}",
                hint=f"use one of {', '.join(FORMATS)}",
            )
        form = FORMATS[path.suffix.lower()]
        self._info, self._reformatter = info, VideoReformatter()
        self._partial = PartialFile(path, force=force)
        self._written, self._ended = 0, False
        self._sound: Sound | None = None
        try:
            self._container = av.open(
                str(self._partial.path), "w", format=form.muxer, options=form.muxer_options
            )
            try:
                self._open_streams(form, sound_from)
            except BaseException:
                self._container.close()
                raise
        except (av.FFmpegError, OSError) as error:
            self._partial.drop()
            raise self._partial.error(_as_os_error(error)) from error
        except BaseException:
            self._partial.drop()
            raise

    def _open_streams(self, form: Format, sound_from: Path | None) -> None:
        info, colour = self._info, self._info.colour
        stream = cast(
            "VideoStream",
            self._container.add_stream(form.encoder, rate=info.fps, options=form.encoder_options),
        )
        codec = stream.codec_context
        codec.width, codec.height = info.width, info.height
        # 4:2:0 halves the colour planes, which H.264 allows for even sizes only.
        odd = (info.width | info.height) & 1 and form.encoder == "libx264"
        codec.pix_fmt = "yuv444p" if odd else "yuv420p"
        codec.time_base = stream.time_base = info.time_base
        codec.sample_aspect_ratio = info.sample_aspect_ratio
        codec.colorspace, codec.color_range = colour.matrix, colour.range
        codec.color_primaries, codec.color_trc = colour.primaries, colour.transfer
        codec.thread_type = "AUTO"
        self._stream = stream
        if sound_from is not None:
            self._sound = Sound(self._container, sound_from)

    @property
    def notes(self) -> list[str]:
        """What could not be carried over as it was, a line each."""
        return self._sound.notes if self._sound is not None else []

    def write(self, frame: Frame) -> None:
        """Encode one frame, and the sound up to it."""
        import av

        try:
            packets = self._stream.encode(self._coded(frame))
            self._container.mux(packets)
            if self._sound is not None:
                self._sound.feed(frame.pts * frame.time_base)
        except (av.FFmpegError, OSError) as error:
            raise self._partial.error(_as_os_error(error)) from error
        self._written += 1

    def _coded(self, frame: Frame) -> VideoFrame:
        """Convert RGB to the codec's YUV, by the matrix and into the range it will be tagged
        with.
        """
        from av import VideoFrame as AvFrame
        from av.video.reformatter import ColorRange

        colour = self._info.colour
        rgb = AvFrame.from_numpy_buffer(frame.image, format="rgb24")
        coded = self._reformatter.reformat(
            rgb,
            format=self._stream.codec_context.pix_fmt,
            dst_colorspace=swscale_matrix(colour.matrix),
            src_color_range=ColorRange.JPEG,
            dst_color_range=colour.range,
        )
        coded.pts, coded.time_base = frame.pts, frame.time_base
        return coded

    def close(self) -> None:
        """Flush the encoder and the sound, write the index, give the file its name."""
        import av

        if self._ended:
            return
        if not self._written:
            self.abort()
            return
        try:
            self._container.mux(self._stream.encode(None))
            if self._sound is not None:
                self._sound.feed(None)
                self._sound.close()
            self._container.close()
        except (av.FFmpegError, OSError) as error:
            self.abort()
            raise self._partial.error(_as_os_error(error)) from error
        self._ended = True
        self._partial.keep()

    def abort(self) -> None:
        """Leave nothing behind."""
        import av

        if self._ended:
            return
        self._ended = True
        if self._sound is not None:
            self._sound.close()
        # The file is about to be deleted; whatever ails it has been reported.
        with contextlib.suppress(av.FFmpegError, OSError):
            self._container.close()
        self._partial.drop()


def _as_os_error(error: Exception) -> OSError:
    code = getattr(error, "errno", None) or 0
    return OSError(code, getattr(error, "strerror", None) or str(error))
