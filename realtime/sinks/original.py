"""The input as the muxer sees it: what is in it beside the picture, and who can hold that."""

from __future__ import annotations

import contextlib
import dataclasses
import io
from collections import deque
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from ..ffmpeg import TAG_ERRORS, is_adts
from ..section import EVERYTHING, Cut
from .codecs import PICTURES_ONLY
from .transcode import guessed_layout

if TYPE_CHECKING:
    from av import Packet
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.stream import Stream

_OF_THE_FILE: Final = frozenset(
    {"encoder", "major_brand", "minor_version", "compatible_brands", "duration"}
)
"""Metadata that tells of the input's file, not of what is in it."""
_OF_THE_STREAM: Final = (
    "encoder",
    "vendor_id",
    "rotate",
    "duration",
    "bps",
    "number_of_",
    "_stat",
    "alpha_mode",
)


@dataclasses.dataclass(frozen=True)
class Original:
    """Where the rest comes from: the input at `path`, less its stream number `picture`.

    Standard input can be read once only, so there `container` is the one the pictures are read
    from, and its other packets are found in `others`. `jumps` says by how many seconds times are
    moved since each jump back of its clock.
    """

    path: Path
    picture: int
    cut: Cut = EVERYTHING
    audio: bool = True
    container: InputContainer | None = None
    others: deque[Packet[Stream]] | None = None
    jumps: Sequence[Fraction] = ()

    def open(self) -> InputContainer:
        """Open the file once more."""
        import av

        return av.open(str(self.path.absolute()), metadata_errors=TAG_ERRORS)

    def first(self, stream: Stream) -> bytes | None:
        """Return the first packet of a stream, of standard input among those that were read."""
        if self.others is not None:
            return next((bytes(p) for p in self.others if p.stream is stream and p.size), None)
        with self.open() as container:
            packets = container.demux(container.streams[stream.index])
            return next((bytes(packet) for packet in packets if packet.size), None)


def gif_loops(path: Path) -> int:
    """Return a GIF's loop count: -1 plays it once, 0 for ever; 0 for other files too."""
    if path.suffix.lower() != ".gif" or not path.is_file():
        return 0
    with path.open("rb") as file:
        _, found, after = file.read(1 << 12).partition(b"NETSCAPE2.0\3\1")
    return int.from_bytes(after[:2], "little") if found else -1


def add_copy(container: OutputContainer, original: Original, stream: Stream) -> Stream | None:
    """Add a stream for a copy of one of the original's; None where the container takes none."""
    if container.format.name in PICTURES_ONLY:
        return None
    for told in _told(original, stream):
        if _takes(container, stream, told):
            return _add(container, stream, told)
    return None


def _told(original: Original, stream: Stream) -> Iterator[dict[str, Any]]:
    """Yield what a container may have to be told of a stream beside what its header says: first
    nothing.
    """
    yield {}
    if stream.type != "audio":
        return
    sound = cast("AudioStream", stream)
    # Where a header can be mended afterwards, Matroska does that itself.
    if setup := _adts_setup(original, sound):
        yield {"extradata": setup}
    if sound.codec_context is not None and (layout := guessed_layout(sound)):
        yield {"layout": layout}


def _takes(container: OutputContainer, stream: Stream, told: dict[str, Any]) -> bool:
    """Whether a container takes a stream: found out by writing such a header into memory. MP4
    refuses raw sound without a layout only at its end, after some.
    """
    import av

    raw = stream.type == "audio" and stream.codec_context.name.startswith("pcm_")
    trial = av.open(
        io.BytesIO(),
        "w",
        format=container.format.name,
        options={} if raw else container.options,  # in memory, no end is written with "faststart"
        metadata_errors=TAG_ERRORS,
    )
    try:
        out = _add(trial, stream, told)
        trial.start_encoding()
        if raw:
            count = cast("AudioStream", out).layout.nb_channels
            silence = av.Packet(bytes(24 * count))  # whole samples of any size
            silence.stream, silence.pts, silence.dts = out, 0, 0
            trial.mux(silence)
            trial.close()
    except (av.FFmpegError, ValueError):
        return False
    finally:
        with contextlib.suppress(av.FFmpegError, ValueError):
            trial.close()
    return True


def _add(container: OutputContainer, stream: Stream, told: dict[str, Any]) -> Stream:
    out = container.add_stream_from_template(stream)
    for name, value in told.items():
        setattr(out.codec_context, name, value)
    return out


def _adts_setup(original: Original, stream: AudioStream) -> bytes:
    """Return what the first packet of ADTS tells, as a header has it; b"" for other streams."""
    import av
    from av.bitstream import BitStreamFilterContext

    if not is_adts(stream):
        return b""
    if (first := original.first(stream)) is None:
        return b""
    try:
        stripped = BitStreamFilterContext("aac_adtstoasc", stream).filter(av.Packet(first))
    except (av.FFmpegError, ValueError):
        return b""
    found = (bytes(packet.get_sidedata("new_extradata")) for packet in stripped)
    return next(found, b"")


def wanted_metadata(container: InputContainer | Any) -> dict[str, str]:
    """Return what a file's metadata says of its content."""
    return {k: v for k, v in container.metadata.items() if k.lower() not in _OF_THE_FILE}


def stream_metadata(stream: Stream) -> dict[str, str]:
    """Return what a stream's metadata says of its content, in the words that muxers know."""
    said = {
        key: value
        for key, value in stream.metadata.items()
        if not key.lower().startswith(_OF_THE_STREAM)
    }
    if "name" in said:  # as MP4's and MOV's are read; they are written, as all are, from "title"
        said.setdefault("title", said.pop("name"))
    return said
