"""A video file through PyAV: every frame, its exact time, upright."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Final

from ..errors import SourceError
from ..ffmpeg import PIPE
from ..frame import Frame, VideoInfo
from ..stats import Stats
from . import Reading
from .convert import TRANSPARENCY, Deinterlacer, FrameConverter
from .decode import Decoder, remedy
from .frame_times import FrameTimes

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

_SHORTFALL_S: Final = 0.3
"""A file may promise so much more than it has: the last picture's length is often a guess."""
_LEAD_FRAMES: Final = 4
"""Frames shown to the deinterlacer before the first one wanted: it looks two back."""

_RUNNING_CLOCKS: Final = frozenset({"mpegts", "mpeg"})
"""Formats whose time stamps are a broadcaster's clock: they begin anywhere."""

_MPEG_TICK: Final = Fraction(1, 90_000)

_NO_TIMES: Final = 0x80
"""FFmpeg's AVFMT_NOTIMESTAMPS."""
_MATRICES: Final = {8: "YCgCo", 14: "ICtCp"}
"""FFmpeg's numbers of those that are known and that swscale does not convert."""


class FileSource:
    """Decodes the first video stream of a file, or of standard input for the path "-".

    `notes` says what differs from what was stored. Frames before `skip` are decoded but not
    yielded: a resumed run counts, rather than seeks, so that it sees what the first run saw.
    """

    def __init__(self, path: Path, reading: Reading, *, stats: Stats) -> None:
        self.path, self.planar = path, False
        self._stats, self._allow_truncated = stats, reading.allow_truncated
        self.skip, self._interlaced = 0, False
        self.decoder = Decoder(path, stats=stats, hardware=reading.decoder == "auto")
        try:
            container = self.decoder.container
            origin_s = Fraction(container.start_time or 0, 1_000_000)
            self.cut = reading.section.cut(
                origin_s,
                tick_s=self.decoder.stream.time_base or _MPEG_TICK,
                from_zero=container.format.name in _RUNNING_CLOCKS,
            )
            if self.cut.begin_s is None or path == PIPE:
                self._frames = self.decoder.frames()
            else:
                self._frames = self.decoder.frames_from(self.cut.begin_s)
            first = next(self._frames, None)
            if first is None:
                raise _no_frame(path)
            self._first, self._convert = first, FrameConverter(first, keep_hdr=reading.keep_hdr)
            self._begin_at_zero(first)
            self._check_matrix(first)
            self.info = self._describe()
            ticks = round(1 / (self.info.fps * self.info.time_base))
            self.times = FrameTimes(self.info.time_base, max(1, ticks))
        except BaseException:
            self.decoder.close()
            raise

    @property
    def notes(self) -> list[str]:
        """What was changed on the way from the file to the pictures, a line each."""
        notes = [*self.decoder.notes, *self._convert.notes]
        if self.decoder.stream.metadata.get("alpha_mode") == "1":  # VP8's and VP9's, not decoded
            notes.append(TRANSPARENCY)
        if self._interlaced:
            notes.append("interlaced: deinterlaced with bwdif")
        notes += self.times.notes
        if self.decoder.lost:
            what = f"{_counted(self.decoder.lost, 'frame')} cannot be decoded"
            notes.append(f"{self.path.name} is damaged: {what}")
        elif self._stats.corrupt:
            what = f"{_counted(self._stats.corrupt, 'corrupt packet')} skipped"
            notes.append(f"{self.path.name} is damaged: {what}")
        return notes

    def _begin_at_zero(self, first: VideoFrame) -> None:
        """Move all streams where the first picture would be before 0: players show from 0 on."""
        first_s = (first.pts or 0) * (first.time_base or Fraction(1))
        if self.cut.begin_s is None and first_s < self.cut.shift_s and first_s < 0:
            self.cut = self.cut._replace(shift_s=first_s)
            note = f"began at {float(first_s):.3f} s: all moved to begin at 0, as players show it"
            self.decoder.notes.append(note)

    def _check_matrix(self, first: VideoFrame) -> None:
        """Raise SourceError where swscale does not convert the picture's matrix."""
        try:
            self._convert.rgb(first)
        except OSError as error:
            matrix = _MATRICES.get(int(first.colorspace), f"matrix {int(first.colorspace)}")
            raise SourceError(
                f"{self.path}: pixels of {first.format.name} in {matrix} cannot be turned into RGB",
                hint=f"ffmpeg -i {quote(str(self.path))} -vf zscale=matrix=709 -c:a copy "
                "converted.mkv",
            ) from error

    def _describe(self) -> VideoInfo:
        stream, converter = self.decoder.stream, self._convert
        rate = _rate(self.decoder.container, stream)
        aspect = self.decoder.stream.sample_aspect_ratio or Fraction(1)
        return VideoInfo(
            height=converter.height,
            width=converter.width,
            fps=rate,
            time_base=stream.time_base or _MPEG_TICK,
            frames=self._count(rate),
            colour=converter.colour,
            bits=converter.bits,
            chroma=converter.chroma,
            sample_aspect_ratio=1 / aspect if converter.turned else aspect,
            description=(
                f"{self.path.name}: {converter.width}x{converter.height}, {float(rate):.4g} fps, "
                f"{stream.codec_context.name}"
            ),
        )

    def _count(self, rate: Fraction) -> int | None:
        duration_s = Fraction(self.decoder.container.duration or 0, 1_000_000)
        if self.cut.begin_s is not None or self.cut.end_s is not None:
            start_s = Fraction(self.decoder.container.start_time or 0, 1_000_000)
            end_s = start_s + duration_s if duration_s else self.cut.end_s
            if self.cut.end_s is not None:
                end_s = min(end_s or self.cut.end_s, self.cut.end_s)
            return max(0, round(((end_s or 0) - (self.cut.begin_s or start_s)) * rate)) or None
        return int(self.decoder.stream.frames) or round(duration_s * rate) or None

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames of the part. Raises SourceError at its end where some are missing."""
        shift = round(self.cut.shift_s / self.info.time_base)
        index = -1
        for index, decoded in enumerate(self._deinterlaced()):
            if index < self.skip:
                continue
            with self._stats.stage("convert"):
                picture = (self._convert.planes if self.planar else self._convert.rgb)(decoded)
            ticks = (decoded.time_base or self.info.time_base) / self.info.time_base
            yield Frame(
                picture,
                round((decoded.pts or 0) * ticks) - shift,
                self.info.time_base,
                captured_s=time.perf_counter(),
                duration=round(decoded.duration * ticks),
            )
        if index < 0:
            if (self.cut.begin_s, self.cut.end_s) == (None, None):
                raise _no_frame(self.path)
            raise SourceError(
                f"{self.path}: there is no frame in the part asked for",
                hint="choose another --start or --duration",
            )
        missing = self._missing()
        if missing and not self._allow_truncated:
            raise SourceError(
                f"{self.path} is cut short: {missing}",
                hint="copy it again, or stylize what is there with --allow-truncated",
            )

    def _deinterlaced(self) -> Iterator[VideoFrame]:
        """Yield every frame, deinterlaced where need be."""
        deinterlacer: Deinterlacer | None = None
        for index, frame in enumerate(self._timed()):
            self._interlaced |= frame.interlaced_frame
            if self._interlaced and deinterlacer is None and index >= self.skip - _LEAD_FRAMES:
                deinterlacer = Deinterlacer()
            if deinterlacer is None:
                yield frame
                continue
            yield from deinterlacer.push(frame)
        if deinterlacer is not None:
            yield from deinterlacer.flush()

    def _timed(self) -> Iterator[VideoFrame]:
        """Yield the frames of the part asked for, each with a time stamp after the last one's."""
        for frame in chain([self._first], self._frames):
            stored = self.decoder.decoding_times
            now_s = self.times.place(frame, stored.popleft() if stored else frame.pts)
            if self.cut.begin_s is not None and now_s < self.cut.begin_s:
                continue
            if self.cut.end_s is not None and now_s >= self.cut.end_s:
                return
            yield frame

    def _missing(self) -> str:
        """Say what of the promised length is not there; "" when all is."""
        if self.cut.end_s is not None:
            return ""
        stream, seen = self.decoder.stream, self.decoder.seen
        # The index leaves out what an edit list hides; without one the header tells.
        promised = stream.frames and len(stream.index_entries)
        if promised and self.cut.begin_s is None:
            return f"{seen} of {promised} frames are there" if seen < promised else ""
        tag = stream.metadata.get("DURATION", "")  # Matroska's, as 00:00:04.423000000
        hours, _, rest = tag.partition(":")
        minutes, _, seconds = rest.partition(":")
        with contextlib.suppress(ValueError):
            promised_s = int(hours) * 3600 + int(minutes) * 60 + float(seconds)
            end_s = float(self.times.end_s)
            if end_s < promised_s - _SHORTFALL_S:
                return f"{end_s:.1f} of {promised_s:.1f} seconds are there"
        return ""

    def close(self) -> None:
        """Close the file."""
        self.decoder.close()


def _rate(container: InputContainer, stream: VideoStream) -> Fraction:
    """Return the average rate, or FFmpeg 8.1's guess where what it has for the average is made up:
    25 of coded pictures without a container, whatever they say themselves, and of DV the 60000
    ticks of its clock. No average is above `base_rate`, in which all time stamps are whole; twice,
    as some are rounded.
    """
    average, base = stream.average_rate, stream.base_rate
    if container.format.flags & _NO_TIMES or (average and base and average > 2 * base):
        average = stream.guessed_rate or average
    return average or stream.guessed_rate or Fraction(25)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


def _no_frame(path: Path) -> SourceError:
    return SourceError(
        f"{path}: no frame could be decoded",
        hint=remedy(path, "record it again, or copy it again if this is a copy"),
    )
