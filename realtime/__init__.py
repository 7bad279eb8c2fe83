"""What a user runs: sources, engines, sinks and the pipeline between them."""

from pathlib import Path
from typing import Final

DEMO: Final = Path(__file__).parent / "assets" / "signing_640x360.mp4"
"""The bundled clip."""
