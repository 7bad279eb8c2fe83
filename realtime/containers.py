"""What those who read containers and those who write them have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Final

PIPE: Final = Path("-")
"""Standard input where an input is named, standard output where an output is."""
NO_DRIVER: Final = "no NVIDIA driver is loaded"
"""What FFmpeg means by "Operation not permitted" (EPERM) of NVDEC and NVENC."""
TAG_ERRORS: Final = "surrogateescape"
"""Tags need not be UTF-8: whatever they are goes into the output byte for byte."""
