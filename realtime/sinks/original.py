"""The input as the muxer sees it: what it has beside its picture, and who can hold that."""

from __future__ import annotations

import contextlib
import dataclasses
import io
from collections import deque
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..containers import TAG_ERRORS
from ..section import EVERYTHING, Cut
from .codecs import PICTURES_ONLY

if TYPE_CHECKING:
    from av import Packet
    from av.container import InputContainer
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


def gif_loops(path: Path) -> int:
    """Return how often a GIF is repeated, -1 for never and 0 for ever, which all else is."""
    if path.suffix.lower() != ".gif" or not path.is_file():
        return 0
    with path.open("rb") as file:
        _, found, after = file.read(1 << 12).partition(b"NETSCAPE2.0\3\1")
    return int.from_bytes(after[:2], "little") if found else -1


def holds(muxer: str, stream: Stream) -> bool:
    """Whether a container takes a copy of the stream: found out by writing a header with it."""
    import av

    if muxer in PICTURES_ONLY:
        return False
    trial = av.open(io.BytesIO(), "w", format=muxer, metadata_errors=TAG_ERRORS)
    try:
        trial.add_stream_from_template(stream)
        trial.start_encoding()
    except (av.FFmpegError, ValueError):
        return False
    finally:
        with contextlib.suppress(av.FFmpegError, ValueError):
            trial.close()
    return True


def wanted_metadata(container: InputContainer | Any) -> dict[str, str]:
    """Return what a file's metadata says of its content."""
    return {k: v for k, v in container.metadata.items() if k.lower() not in _OF_THE_FILE}


def stream_metadata(stream: Stream) -> dict[str, str]:
    """Return what a stream's metadata says of its content."""
    return {
        key: value
        for key, value in stream.metadata.items()
        if not key.lower().startswith(_OF_THE_STREAM)
    }
