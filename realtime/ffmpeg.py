"""What those who read files through FFmpeg and those who write them have in common."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from av.audio.stream import AudioStream

PIPE: Final = Path("-")
"""Standard input where an input is named, standard output where an output is."""
NO_DRIVER: Final = "no NVIDIA driver is loaded"
"""What FFmpeg means by "Operation not permitted" (EPERM) of NVDEC and NVENC."""
TAG_ERRORS: Final = "surrogateescape"
"""Tags need not be UTF-8: whatever they are goes into the output byte for byte."""


def is_adts(stream: AudioStream) -> bool:
    """Whether sound is AAC as MPEG-TS has it: only its packets tell how it is to be decoded."""
    codec = stream.codec_context
    if codec is None or codec.name != "aac" or codec.extradata:
        return False
    return codec.sample_rate > 0  # else there was none among the first packets
