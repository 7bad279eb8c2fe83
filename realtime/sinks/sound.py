"""Sound and subtitles of the input, carried into the output packet by packet."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from av import AudioFrame, AudioResampler, Packet
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.stream import Stream

_OPUS_RATE: Final = 48_000


class _Copied:
    """A stream whose packets go over as they are."""

    def __init__(self, out: Stream) -> None:
        self._out = out

    def convert(self, packet: Packet[Stream]) -> Iterator[Packet[Stream]]:
        if packet.dts is not None:  # the demuxer's last packet of a stream is empty
            packet.stream = self._out
            yield packet

    def flush(self) -> Iterator[Packet[Stream]]:
        return iter(())


class _Reencoded:
    """An audio stream decoded and encoded anew."""

    def __init__(self, out: AudioStream, resampler: AudioResampler) -> None:
        self._out, self._resampler = out, resampler

    def convert(self, packet: Packet[Stream]) -> Iterator[Packet[Stream]]:
        import av

        try:
            frames = packet.decode()
        except av.FFmpegError:
            return
        for frame in frames:
            for resampled in self._resampler.resample(cast("AudioFrame", frame)):
                yield from self._out.encode(resampled)

    def flush(self) -> Iterator[Packet[Stream]]:
        for resampled in self._resampler.resample(None):
            yield from self._out.encode(resampled)
        yield from self._out.encode(None)


class Sound:
    """Reads `path` a second time, beside the picture's own reader, so that the two never wait
    for each other. `notes` says what could not be copied.
    """

    def __init__(self, container: OutputContainer, path: Path) -> None:
        import av

        self._container, self.notes = container, list[str]()
        self._input = av.open(str(path))
        self._ways: dict[int, _Copied | _Reencoded] = {}
        held = container.supported_codecs
        for stream in self._input.streams:
            if stream.type not in ("audio", "subtitle") or stream.codec_context is None:
                continue
            codec, kind = stream.codec_context.name, container.format.name
            if stream.codec_context.codec.canonical_name in held:
                self._ways[stream.index] = _Copied(container.add_stream_from_template(stream))
            elif stream.type == "audio" and "opus" in held:
                self._ways[stream.index] = self._reencode(cast("AudioStream", stream))
                self.notes.append(f"sound re-encoded as Opus: {kind} cannot hold {codec}")
            else:
                self.notes.append(f"{stream.type} left out: {kind} cannot hold {codec}")
        self._packets = self._read()
        self._next = next(self._packets, None)

    def _reencode(self, stream: AudioStream) -> _Reencoded:
        import av

        out = self._container.add_stream("libopus", rate=_OPUS_RATE)
        layout = "mono" if stream.codec_context.channels == 1 else "stereo"
        out.codec_context.layout = layout
        return _Reencoded(out, av.AudioResampler("flt", layout, _OPUS_RATE))

    def _read(self) -> Iterator[Packet[Stream]]:
        import av

        streams = [self._input.streams[index] for index in self._ways]
        if streams:
            try:
                yield from self._input.demux(streams)
            except av.FFmpegError:
                self.notes.append("the sound ends early: the input is damaged there")

    def feed(self, until: Fraction | None) -> None:
        """Write what sounds before `until` seconds; None: all the rest."""
        while (packet := self._next) is not None:
            dts_s = None if packet.dts is None else packet.dts * packet.time_base
            if until is not None and dts_s is not None and dts_s > until:
                return
            for converted in self._ways[packet.stream.index].convert(packet):
                self._container.mux(converted)
            self._next = next(self._packets, None)
        if until is None:
            for way in self._ways.values():
                for converted in way.flush():
                    self._container.mux(converted)

    def close(self) -> None:
        """Close the input."""
        self._input.close()
