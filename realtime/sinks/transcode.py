"""Streams carried into the output: copied as they are, or transcoded."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Final, NamedTuple, cast

if TYPE_CHECKING:
    from av import AudioFrame, Packet
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.stream import Stream

_RATE: Final = 48_000


class SoundCodec(NamedTuple):
    """What sound is encoded anew as: its name, FFmpeg's encoder, the samples that this takes, and
    the layouts, in FFmpeg's names, that all decoders play.
    """

    name: str
    encoder: str
    samples: str
    layouts: frozenset[str]


_SOUND_CODECS: Final = (
    SoundCodec(  # the layouts of RFC 7845, section 5.1.1
        "Opus",
        "libopus",
        "flt",
        frozenset({"mono", "stereo", "3.0", "quad", "5.0", "5.1", "6.1", "7.1"}),
    ),
    SoundCodec(  # those that have a number in ISO/IEC 14496-3, table 1.19
        "AAC", "aac", "fltp", frozenset({"mono", "stereo", "3.0", "4.0", "5.0", "5.1"})
    ),
)
"""The first is taken that a container can hold: QuickTime's own holds no Opus."""
_USUAL_LAYOUTS: Final = {1: "mono", 2: "stereo", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
"""What FFmpeg takes a number of channels for that has no layout, where that is one of the above."""


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
    """A sound stream decoded and encoded anew; `mixed` to stereo where the codec has no such
    layout.
    """

    def __init__(self, container: OutputContainer, stream: AudioStream, codec: SoundCodec) -> None:
        import av

        layout = guessed_layout(stream) or stream.layout.name
        layout = layout.replace("(side)", "")  # neither codec tells side from back
        self.mixed = layout not in codec.layouts
        if self.mixed:
            layout = "stereo"
        self._resampler = av.AudioResampler(codec.samples, layout, _RATE)
        self.out = _add(container, codec, layout)

    def convert(self, packet: Packet[Stream]) -> Iterator[Packet[Stream]]:
        """Yield what becomes of a packet; nothing of one that cannot be decoded."""
        import av

        try:
            frames = packet.decode()
        except av.FFmpegError:
            return
        for frame in frames:
            sound = cast("AudioFrame", frame)
            if sound.pts is not None and sound.time_base is not None:
                # A stream's own clock, as AVI's, may be too coarse for the frames of another codec.
                sound.pts = round(sound.pts * sound.time_base * sound.sample_rate)
                sound.time_base = Fraction(1, sound.sample_rate)
            for resampled in self._resampler.resample(sound):
                yield from self.out.encode(resampled)

    def flush(self) -> Iterator[Packet[Stream]]:
        """Yield what is held back."""
        for resampled in self._resampler.resample(None):
            yield from self.out.encode(resampled)
        yield from self.out.encode(None)


def guessed_layout(stream: AudioStream) -> str:
    """Return the usual layout of so many channels where a file tells no more, else ""."""
    count = stream.layout.nb_channels
    return _USUAL_LAYOUTS.get(count, "") if stream.layout.name == f"{count} channels" else ""


def sound_codec(container: OutputContainer) -> SoundCodec | None:
    """Return what sound is encoded anew as for a container, found out by writing such a header into
    memory; None where it takes neither.
    """
    import av

    for codec in _SOUND_CODECS:
        trial = av.open(io.BytesIO(), "w", format=container.format.name)
        try:
            _add(trial, codec, "stereo")
            trial.start_encoding()
        except (av.FFmpegError, ValueError):
            continue
        finally:
            with contextlib.suppress(av.FFmpegError, ValueError):
                trial.close()
        return codec
    return None


def _add(container: OutputContainer, codec: SoundCodec, layout: str) -> AudioStream:
    # Without it FFmpeg exchanges channels of Opus in 5.0 and in 6.1.
    several = codec.name == "Opus" and layout not in ("mono", "stereo")
    options = {"mapping_family": "1"} if several else {}
    out = cast("AudioStream", container.add_stream(codec.encoder, rate=_RATE, options=options))
    out.codec_context.layout = layout
    out.time_base = Fraction(1, _RATE)  # the muxer's clock is to have ticks of it
    return out
