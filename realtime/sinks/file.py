"""A video file written in one go: recordings, standard output, and what cannot be read again."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Final

from ..errors import SinkError
from ..ffmpeg import PIPE
from ..frame import Frame, VideoInfo
from ..letterbox import SQUARE
from ..pictures import Converter
from .codecs import LIVE
from .encode import Encoder
from .formats import Coding, as_coded, settings_for
from .mux import Muxer
from .original import Original
from .partial import PartialFile, write_error
from .pipe import Pipe, standard_output
from .sequence import is_sequence

_GIF_TICKS: Final = 2
"""Its clock has 1/100 s; what is shorter than two of them, viewers show for ten."""


class FileSink:
    """Encodes frames of `info`'s size, beside what is carried over from `original`.

    The file appears under its name at `close`; the path "-" is standard output. `stopped` says
    at `close` whether the input was left before its end: then it is shorter, and with `whole_only`
    there is none. Raises SinkError with the remedy.

    What is live cannot be recorded again. So its file is written in a way that it plays wherever it
    breaks off, and gets its name even after an error or `abort`; its first frame is at time 0.
    """

    snapshots = None
    resumes_after = 0
    """As in `Output`: no later run goes on here."""

    def __init__(
        self,
        path: Path,
        info: VideoInfo,
        *,
        original: Original | None = None,
        coding: Coding | None = None,
        force: bool = False,
        stopped: Callable[[], bool] = lambda: False,
        whole_only: bool = False,
    ) -> None:
        import av

        settings = settings_for(path, coding or Coding(), info)
        info = as_coded(info, settings)
        if is_sequence(path):
            raise SinkError(
                "numbered pictures are made of files only", hint="name a video: -o out.mkv"
            )
        self._gif, self._shown, self._left_out = settings.container.muxer == "gif", -_GIF_TICKS, 0
        self._numbered = settings.container.muxer == "yuv4mpegpipe"
        if self._numbered:  # it has a rate and no time stamps
            info = dataclasses.replace(info, time_base=1 / info.fps)
            notes = [f"frames numbered at {float(info.fps):.4g} fps: y4m holds no time stamps"]
            if info.sample_aspect_ratio != SQUARE:  # PyAV does not hand it to the muxer
                notes.append(f"pixel aspect ratio {info.sample_aspect_ratio} left out of y4m")
            settings = dataclasses.replace(settings, notes=(*settings.notes, *notes))
        elif info.live and path != PIPE:
            container = settings.container
            options = LIVE.get(container.muxer, container.options)
            settings = dataclasses.replace(settings, container=container._replace(options=options))
        self._path, self._stopped, self._live = path, stopped, info.live
        self._whole_only = whole_only
        self._origin: int | None = None
        """The time stamp of the first frame of what is live."""
        self.frames = 0
        """How many were written."""
        self._ended, self._end_s = False, Fraction(0)
        self._partial = None if path == PIPE else PartialFile(path, force=force)
        self.ending: Callable[[], bool] = lambda: False
        """Whether the run is to end: a reader of standard output that stopped reading is then given
        up.
        """
        try:
            target: str | Pipe
            if self._partial is None:
                target = standard_output(lambda: self.ending())  # noqa: PLW0108 - set later
            else:
                target = str(self._partial.path.absolute())
            self._muxer = Muxer(target, settings, info, original)
        except (av.FFmpegError, OSError, ValueError) as error:
            self._drop()
            raise write_error(path, error) from error
        except BaseException:
            self._drop()
            raise
        self._encoder = Encoder(self._muxer.stream.codec_context, settings, info, Converter())

    @property
    def notes(self) -> list[str]:
        """What could not be carried over as it was, a line each."""
        left = f"{self._left_out} frames left out: GIFs are shown with at most 50 a second"
        return [*self._muxer.notes, *([left] if self._left_out else [])]

    def write(self, frame: Frame) -> None:
        """Encode one frame, and carry what sounds up to it."""
        import av

        self._end_s = (frame.pts + frame.duration) * frame.time_base
        if self._gif:
            tick = round(frame.pts * frame.time_base * 100)
            if tick - self._shown < _GIF_TICKS:
                self._left_out += 1
                return
            self._shown = tick
        if self._numbered:
            base = self._muxer.stream.codec_context.time_base
            frame = dataclasses.replace(frame, pts=self.frames, time_base=base, duration=1)
        elif self._live:
            self._origin = frame.pts if self._origin is None else self._origin
            frame = dataclasses.replace(frame, pts=frame.pts - self._origin)
        try:
            self._muxer.add(self._encoder.encode(frame))
        except (av.FFmpegError, OSError, ValueError) as error:
            failure = self._error(error)
            if self._live:
                self._save(failure)
            raise failure from error
        self.frames += 1

    def close(self) -> None:
        """Flush the encoder and the sound, write the index, give the file its name."""
        import av

        if self._ended:
            return
        if not self.frames or (self._whole_only and self._stopped()):
            self._give_up()
            return
        try:
            self._muxer.add(self._encoder.encode(None))
            self._muxer.finish(self._end_s if self._stopped() else None)
        except (av.FFmpegError, OSError, ValueError, SinkError) as error:
            failure = error if isinstance(error, SinkError) else self._error(error)
            if self._live:
                self._save(failure)
            else:
                self._give_up()
            raise failure from error
        self._ended = True
        if self._partial is not None:
            self._partial.keep()

    def _save(self, failure: SinkError) -> None:
        """Give what was written its name, as far as it goes, and say so in `failure`."""
        if self._ended:
            return
        self._ended = True
        self._muxer.abort()
        if self._partial is None or self._partial.lost:
            return
        if not self.frames or not self._partial.path.stat().st_size:
            self._drop()
            return
        try:
            self._partial.keep()
            kept = self._path
        except SinkError:
            kept = self._partial.path
        failure.hint += f"; what was recorded is kept in {kept}"

    def abort(self) -> None:
        """Leave nothing behind, but of what is live all that was recorded."""
        if self._live:
            self.close()
        else:
            self._give_up()

    def _give_up(self) -> None:
        if self._ended:
            return
        self._ended = True
        self._muxer.abort()
        self._drop()

    def _error(self, error: Exception) -> SinkError:
        if self._partial is None:
            return write_error(self._path, error)
        return self._partial.error(error)

    def _drop(self) -> None:
        if self._partial is not None:
            self._partial.drop()
