"""How the packets of a carried stream get into the output."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from av import AudioFrame, Packet
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.stream import Stream

_OPUS_RATE: Final = 48_000


class StreamCopy:
    """A stream whose packets go over as they are."""

    def __init__(self, out: Stream) -> None:
        self._out = out

    def convert(self, packet: Packet[Stream]) -> Iterator[Packet[Stream]]:
        """Yield what becomes of a packet."""
        packet.stream = self._out
        yield packet

    def flush(self) -> Iterator[Packet[Stream]]:
        """Yield what is held back: nothing."""
        return iter(())


class Transcode:
    """A sound stream decoded and encoded anew, as Opus."""

    def __init__(self, container: OutputContainer, stream: AudioStream) -> None:
        import av

        layout = "mono" if stream.codec_context.channels == 1 else "stereo"
        self._resampler = av.AudioResampler("flt", layout, _OPUS_RATE)
        self.out = container.add_stream("libopus", rate=_OPUS_RATE)
        self.out.codec_context.layout = layout

    def convert(self, packet: Packet[Stream]) -> Iterator[Packet[Stream]]:
        """Yield what becomes of a packet; nothing of one that cannot be decoded."""
        import av

        try:
            frames = packet.decode()
        except av.FFmpegError:
            return
        for frame in frames:
            for resampled in self._resampler.resample(cast("AudioFrame", frame)):
                yield from self.out.encode(resampled)

    def flush(self) -> Iterator[Packet[Stream]]:
        """Yield what is held back."""
        for resampled in self._resampler.resample(None):
            yield from self.out.encode(resampled)
        yield from self.out.encode(None)


def takes_opus(container: OutputContainer) -> bool:
    """Whether sound can be encoded anew for a container."""
    return "libopus" in container.supported_codecs
