"""Streams carried into the output: copied as they are, or transcoded to Opus."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from av import AudioFrame, Packet
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.stream import Stream

_OPUS_RATE: Final = 48_000
_OPUS_LAYOUTS: Final = {"mono", "stereo", "3.0", "quad", "5.0", "5.1", "6.1", "7.1"}
"""Those of RFC 7845, section 5.1.1, in FFmpeg's names."""
_USUAL_LAYOUTS: Final = {1: "mono", 2: "stereo", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
"""What FFmpeg takes a number of channels for that has no layout, where Opus has that."""


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
    """A sound stream decoded and encoded again as Opus; `mixed` to stereo where Opus has no such
    layout.
    """

    def __init__(self, container: OutputContainer, stream: AudioStream) -> None:
        import av

        given = stream.layout
        layout = given.name.replace("(side)", "")  # Opus does not tell side from back
        if layout == f"{given.nb_channels} channels":
            layout = _USUAL_LAYOUTS.get(given.nb_channels, "")
        self.mixed = layout not in _OPUS_LAYOUTS
        if self.mixed:
            layout = "stereo"
        self._resampler = av.AudioResampler("flt", layout, _OPUS_RATE)
        # Without it FFmpeg exchanges channels of 5.0 and of 6.1.
        several = {} if layout in ("mono", "stereo") else {"mapping_family": "1"}
        self.out = container.add_stream("libopus", rate=_OPUS_RATE, options=several)
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
    """Whether a container can hold sound transcoded to Opus."""
    return "libopus" in container.supported_codecs
