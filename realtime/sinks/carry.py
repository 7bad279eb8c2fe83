"""Everything of the input but its picture, carried into the output packet by packet: sound,
subtitles, data, attachments, cover, chapters and metadata.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Final, cast

from .codecs import PICTURES_ONLY, QUICKTIME
from .original import Original, add_copy, stream_metadata, wanted_metadata
from .packet_times import PacketTimes
from .transcode import StreamCopy, Transcode, sound_codec

if TYPE_CHECKING:
    from av import Packet
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.stream import Stream

_MAX_ERRORS_IN_A_ROW: Final = 500


class Carried:
    """Adds the other streams of `source`, the original opened, to `container`, before its header is
    written, and feeds their packets as the picture goes on. `notes` says what could not be carried,
    a line each. Whoever opened the two closes them.
    """

    def __init__(
        self, container: OutputContainer, original: Original, source: InputContainer
    ) -> None:
        self._container, self._original, self.notes = container, original, list[str]()
        self._input = source
        self._converters: dict[int, StreamCopy | Transcode] = {}
        for stream in self._input.streams:
            if stream.index != original.picture:
                self._add(stream)
        self._chapters()
        container.metadata.update(wanted_metadata(self._input))
        self._errors = self._refused = 0
        self._times = PacketTimes(
            original, [self._input.streams[index] for index in self._converters]
        )
        self._hidden: dict[int, Packet[Stream]] = {}
        self._packets = self._read()
        self._next: Packet[Stream] | None = None
        self._until_s: Fraction | None = None

    def _add(self, stream: Stream) -> None:
        from av.stream import Discard, Disposition

        kind, muxer = stream.type, self._container.format.name
        name = stream.codec_context.name if stream.codec_context is not None else "such data"
        cover = bool(stream.disposition & Disposition.attached_pic)
        if (kind == "audio" and not self._original.audio) or (
            stream.discard == Discard.all  # QuickTime's track of chapter titles
        ):
            return
        if kind == "data" and "timecode" in stream.metadata and muxer in QUICKTIME:
            # These make the track themselves, from the picture's tag, and refuse another.
            picture = self._container.streams.video[0]
            picture.metadata.setdefault("timecode", stream.metadata["timecode"])
            return
        if kind == "video" and not cover:
            self.notes.append(f"second video (stream {stream.index}) left out: only one is painted")
        elif cover and muxer == "matroska":
            self._attach(stream)
        elif (out := add_copy(self._container, self._original, stream)) is not None:
            out.metadata.update(stream_metadata(stream))
            out.disposition = stream.disposition
            self._converters[stream.index] = StreamCopy(out)
        elif (
            kind == "audio"
            and stream.codec_context is not None
            and muxer not in PICTURES_ONLY
            and (codec := sound_codec(self._container)) is not None
        ):
            transcode = Transcode(self._container, cast("AudioStream", stream), codec)
            transcode.out.metadata.update(stream_metadata(stream))
            self._converters[stream.index] = transcode
            how = f"{codec.name}, mixed to stereo" if transcode.mixed else codec.name
            name = stream.codec_context.codec.canonical_name  # mp3, not the decoder's mp3float
            self.notes.append(f"sound re-encoded as {how}: {muxer} cannot hold {name}")
        else:
            what = {"audio": "sound", "video": "cover", "subtitle": "subtitles"}.get(kind, kind)
            self.notes.append(f"{what} left out: {muxer} cannot hold {name}")

    def _attach(self, cover: Stream) -> None:
        """Give Matroska the cover as it wants it: a file attached."""
        if self._original.container is not None:
            self.notes.append("cover left out: standard input is read once only")
            return
        form = {"mjpeg": "jpeg"}.get(cover.codec_context.name, cover.codec_context.name)
        if (picture := self._original.first(cover)) is not None:
            name = f"cover.{'jpg' if form == 'jpeg' else form}"
            self._container.add_attachment(name, f"image/{form}", picture)

    def _chapters(self) -> None:
        chapters, cut = [], self._original.cut
        for chapter in self._input.chapters():
            base = chapter["time_base"] or Fraction(1, 1000)
            start, end = chapter["start"], chapter["end"]
            if cut.begin_s is not None:
                start = max(start, round(cut.begin_s / base))
            if cut.end_s is not None:
                end = min(end, round(cut.end_s / base))
            if start < end:
                shift = round(cut.shift_s / base)
                chapters.append(chapter | {"start": start - shift, "end": end - shift})
        if chapters and self._container.format.name in PICTURES_ONLY:
            self.notes.append(f"chapters left out: {self._container.format.name} holds none")
        elif chapters:
            self._container.set_chapters(chapters)

    def _read(self) -> Iterator[Packet[Stream] | None]:
        """Yield the packets of the part asked for, moved in time as the picture is; None for none
        yet.
        """
        for packet in self._shown():
            if packet is None:
                yield None
                continue
            while self._times.waits(packet, self._until_s):
                yield None
            if self._times.move(packet):
                yield packet
            elif self._times.over and self._original.others is None:
                return

    def _shown(self) -> Iterator[Packet[Stream] | None]:
        """Yield the packets of the streams that are carried, less those that an edit list hides and
        that the output would show. The last of these is left: decoders of sound begin with it.
        """
        hides = self._container.format.name in QUICKTIME
        for packet in self._demux():
            if packet is None:
                yield None
                continue
            index = packet.stream.index
            if index not in self._converters or (packet.size == 0 and packet.dts is None):
                continue
            if packet.is_discard and not hides and isinstance(self._converters[index], StreamCopy):
                self._hidden[index] = packet
                continue
            if (before := self._hidden.pop(index, None)) is not None:
                yield before
            yield packet

    def _demux(self) -> Iterator[Packet[Stream] | None]:
        """Yield all packets; of standard input None where no more were read so far."""
        import av

        if self._original.others is not None:
            while True:
                yield self._original.others.popleft() if self._original.others else None
        streams = [self._input.streams[index] for index in self._converters]
        if not streams:
            return
        if self._original.cut.begin_s:
            with contextlib.suppress(av.FFmpegError):
                self._input.seek(max(0, int(self._original.cut.begin_s * 1_000_000)))
        packets, failures = self._input.demux(*streams), 0
        while failures < _MAX_ERRORS_IN_A_ROW:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except (av.FFmpegError, ValueError):
                self._errors += 1
                failures += 1
                packets = self._input.demux(*streams)
                continue
            failures = 0
            yield packet

    def feed(self, until_s: Fraction | None) -> None:
        """Write what comes before `until_s` in the output's time; None: all the rest."""
        self._until_s = until_s
        while (packet := self._next or next(self._packets, None)) is not None:
            self._next = packet
            stamp_s = None if packet.dts is None else packet.dts * packet.time_base
            if until_s is not None and stamp_s is not None and stamp_s > until_s:
                return
            self._next = None
            for converted in self._converters[packet.stream.index].convert(packet):
                self._mux(converted)

    def finish(self, until_s: Fraction | None) -> None:
        """Write what comes before `until_s`, or all the rest, and what encoders hold back."""
        self.feed(until_s)
        for converter in self._converters.values():
            for converted in converter.flush():
                self._mux(converted)
        if self._errors or self._refused:
            self.notes.append(
                f"sound or other streams are damaged: {self._errors + self._refused} "
                "packet(s) left out"
            )

    def _mux(self, packet: Packet[Stream]) -> None:
        import av

        try:
            self._container.mux(packet)
        except av.FFmpegError as error:
            if error.errno != errno.EINVAL:
                raise
            self._refused += 1  # such as time stamps that run backwards
