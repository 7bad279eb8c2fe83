"""Memory stays flat over a long file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from media.clips import Film
from stylecam.realtime.sources.pattern import PatternSource

FULL = bool(os.environ.get("STYLECAM_FULL"))


@pytest.mark.timeout(1000)
@pytest.mark.skipif(sys.platform != "linux", reason="memory as Linux tells it")
def test_memory_stays_flat(tmp_path: Path) -> None:
    """Resident memory late in a long run against early: all stages, segments and codecs in it."""
    # Small pictures leave the allocator's own ups and downs, 1 to 3 MiB, a larger share.
    frames, early, share = (3000, 500, 1.02) if FULL else (900, 300, 1.04)
    height, width = (720, 1280) if FULL else (180, 320)
    shown = [PatternSource(height, width).image(index) for index in range(30)]
    Film(
        height,
        width,
        range(frames),
        seconds=frames / 30,
        options={"preset": "ultrafast", "bf": "2"},
        picture=lambda index: shown[index % 30],
    ).build(tmp_path / "long.mkv")
    program = f"""
from pathlib import Path
from rich.console import Console
from stylecam.realtime import stylize
from stylecam.realtime.engines import EngineOptions
from stylecam.realtime.job import Look
from stylecam.realtime.styles import DEFAULT, find

seen = []

class Watch(stylize.ProgressSink):
    def write(self, frame):
        seen.append(int(Path("/proc/self/statm").read_text().split()[1]))

stylize.ProgressSink = Watch
look = Look(find(DEFAULT), engine=EngineOptions("echo"))
stylize.stylize_file(Path("long.mkv"), Path("out.mkv"), look, console=Console(quiet=True))
around = lambda n: sorted(seen[n - 128 : n])[64]  # over a whole segment
print(len(seen), around({early}), around({frames}))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=900,
    )
    count, before, after = map(int, done.stdout.split())
    print(f"RSS at frame {early}: {before * 4 // 1024} MiB, at frame {frames}: {after * 4 // 1024}")
    assert count == frames
    assert after <= share * before
