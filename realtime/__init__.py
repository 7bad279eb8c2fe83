"""What a user runs: sources, engines, sinks and the pipeline between them.

| modules | what they are about |
| --- | --- |
| cli/ | the command |
| stylize, live, stylizer | the three uses: a file, a camera, a program of your own |
| job, outputs, recordings, controls | what the uses are asked for, and what they give |
| pipeline, threads, background, pacing, signals, stats | how frames go by, and how that ends |
| sources/, engines/, sinks/, styles/ | where from, through what, where to, and how it looks |
| frame, pictures, colour, fit, letterbox, tags, section, snapshots, ffmpeg | what goes by |
| atomic, cache, machine, v4l2, windows_console, system_libraries | the system below |
| errors, check | what is told of all that |
"""

from pathlib import Path
from typing import Final

DEMO: Final = Path(__file__).parent / "assets" / "signing_640x360.mp4"
"""The bundled clip."""
