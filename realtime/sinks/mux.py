"""The output's container: the painted picture, and beside it what is carried over."""

from __future__ import annotations

import contextlib
import io
import math
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Final, cast

from ..ffmpeg import TAG_ERRORS
from ..frame import VideoInfo
from . import timecode
from .carry import Carried
from .codecs import PICTURES_ONLY, QUICKTIME
from .formats import Settings, configure
from .original import Original, gif_loops, stream_metadata, wanted_metadata
from .pipe import BUFFER_BYTES, Pipe
from .scheduling import normal_scheduling

if TYPE_CHECKING:
    from av import Packet
    from av.container import InputContainer
    from av.stream import Stream
    from av.video.stream import VideoStream

_LARGEST_TIMESCALE: Final = 2**31 - 1
_APPLE: Final = "com.apple.quicktime."
"""Tags of phones, which QuickTime's older way of writing tags cannot hold."""


def check_header(settings: Settings, info: VideoInfo, original: Original) -> None:
    """Write a header into memory: what the container refuses is known before a frame is painted.
    Raises what PyAV does.
    """
    if settings.container.muxer in PICTURES_ONLY:
        return
    muxer = Muxer(io.BytesIO(), settings, info, original)
    try:
        muxer.start()
    finally:
        muxer.abort()


class Muxer:
    """Writes `target` (a path, "pipe:1", a pipe or a file): coded pictures, and the rest of
    `original`.

    A file is opened a second time, so that picture and sound never wait for each other.
    """

    def __init__(
        self,
        target: str | io.BytesIO | Pipe,
        settings: Settings,
        info: VideoInfo,
        original: Original | None = None,
    ) -> None:
        import av

        self._target, self._info, self._original = target, info, original
        self._notes = list(settings.notes)
        self._input: InputContainer | None = None
        self._carried: Carried | None = None
        self._rounded = False
        muxer = settings.container.muxer
        options = dict(settings.container.options)
        if muxer == "gif" and original is not None:
            options["loop"] = str(gif_loops(original.path))
        self._container = av.open(
            target,
            "w",
            format=muxer,
            options=options,
            metadata_errors=TAG_ERRORS,
            buffer_size=BUFFER_BYTES,
        )
        try:
            self.stream = cast(
                "VideoStream", self._container.add_stream(settings.encoder, rate=info.fps)
            )
            configure(self.stream.codec_context, settings, info)
            self.stream.time_base = info.time_base
            if settings.codec == "hevc" and muxer in QUICKTIME:
                self.stream.codec_context.codec_tag = "hvc1"  # what Apple's players look for
            if original is not None:
                self._input = original.container or original.open()
                self._carried = Carried(self._container, original, self._input)
                picture = self._input.streams[original.picture]
                self.stream.metadata.update(stream_metadata(picture))
                self.stream.disposition = picture.disposition
                self._move_timecodes(original, picture)
            if muxer in QUICKTIME:
                self._container.container_options.update(self._timescales())
            if muxer == "mov" and any(k.startswith(_APPLE) for k in self._container.metadata):
                flags = options["movflags"] + "+use_metadata_tags"
                self._container.container_options["movflags"] = flags
        except BaseException:
            self.abort()
            raise

    def _move_timecodes(self, original: Original, picture: Stream) -> None:
        """Let timecodes tell of the first picture of the part asked for."""
        begin_s, base = original.cut.begin_s, picture.time_base
        if begin_s is None or base is None:
            return
        # Stamps are rounded to the clock's ticks.
        by_s = begin_s - ((picture.start_time or 0) + Fraction(1, 2)) * base
        for metadata in (self._container.metadata, self.stream.metadata):
            self._notes += timecode.move(metadata, by_s, self._info.fps)

    def _timescales(self) -> dict[str, str]:
        """Return the clocks of a QuickTime file in which every stream's ticks are whole: the
        picture's own, and the film's, in which edit lists tell when each stream begins.
        """
        picture = self._info.time_base.denominator
        if picture > _LARGEST_TIMESCALE:
            return {}
        bases = [s.time_base for s in self._container.streams if s.time_base is not None]
        film = math.lcm(picture, *(base.denominator for base in bases))
        scales = {"video_track_timescale": str(picture)}
        if film <= _LARGEST_TIMESCALE:
            scales["movie_timescale"] = str(film)
        return scales

    @property
    def notes(self) -> list[str]:
        """What could not be carried over as it was, a line each."""
        return self._notes + (self._carried.notes if self._carried is not None else [])

    def start(self) -> None:
        """Open the encoder and write the header; without this the first packet does."""
        with normal_scheduling():
            self._container.start_encoding()

    def add(self, packets: Sequence[Packet[Stream]]) -> None:
        """Write coded pictures, and what sounds before them."""
        for packet in packets:
            stamp_s = None if packet.dts is None else packet.dts * packet.time_base
            shown_s = None if packet.pts is None else packet.pts * packet.time_base
            packet.stream = self.stream
            with normal_scheduling():  # the first opens the encoder once more, for its header
                self._container.mux(packet)
            if not self._rounded and shown_s is not None and self.stream.time_base is not None:
                self._rounded = (shown_s / self.stream.time_base).denominator != 1
            if self._carried is not None and stamp_s is not None:
                self._carried.feed(stamp_s)
            self._drain()

    def finish(self, until_s: Fraction | None = None) -> None:
        """Write what remains of the other streams (up to `until_s`) and the index; close."""
        base = self.stream.time_base or self._info.time_base
        # A camera's times are the clock's, which means nothing by its microseconds.
        if self._rounded and not self._info.live:
            name = self._container.format.name
            self._notes.append(f"time stamps rounded to 1/{1 / base} s: {name} has no finer clock")
        if self._carried is not None:
            self._carried.finish(until_s)
        self._close_input()
        wanted = dict(self._container.metadata)
        chapters = len(self._container.chapters())
        kinds = Counter(_kind(stream) for stream in self._container.streams)
        self._container.close()
        self._drain()
        path = self._target
        if self._original is not None and isinstance(path, str) and path != "pipe:1":
            self._compare(path, wanted, chapters, kinds)

    def _compare(
        self, path: str, metadata: dict[str, str], chapters: int, kinds: Counter[str]
    ) -> None:
        """Say what the container did not take, though it did not refuse it."""
        import av
        from av.stream import Discard

        name = self._container.format.name
        if name in PICTURES_ONLY:
            if metadata:
                self._notes.append(f"metadata left out: {name} holds none")
            return
        with av.open(path, metadata_errors=TAG_ERRORS) as written:
            kept = {key.lower() for key in wanted_metadata(written)}
            if name in QUICKTIME:  # which make a track of it
                kept |= {"timecode" for s in written.streams if "timecode" in s.metadata}
            lost = sorted(key for key in metadata if key.lower() not in kept)
            left = len(written.chapters())
            kinds.subtract(_kind(s) for s in written.streams if s.discard != Discard.all)
        if lost:
            self._notes.append(f"metadata left out: {name} cannot hold {', '.join(lost)}")
        if left < chapters:
            self._notes.append(f"chapters left out: {name} holds {left} of {chapters}")
        self._notes += [
            f"{kind} left out: {name} cannot hold it" for kind, count in kinds.items() if count > 0
        ]

    def _drain(self) -> None:
        if isinstance(self._target, Pipe):
            self._target.drain()

    def abort(self) -> None:
        """Close without finishing. What ails the file has been reported."""
        import av

        self._close_input()
        with contextlib.suppress(av.FFmpegError, OSError, ValueError):
            self._container.close()

    def _close_input(self) -> None:
        """Close what was opened here: standard input is the source's."""
        if self._input is not None and self._original is not None:
            if self._original.container is None:
                self._input.close()
            self._input = None


def _kind(stream: Stream) -> str:
    from av.stream import Disposition

    covers = stream.disposition & Disposition.attached_pic
    # Matroska keeps a cover as an attachment, which is read back as a picture.
    return "cover or attachment" if covers or stream.type == "attachment" else stream.type
