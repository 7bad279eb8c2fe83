"""How fast the whole tool is: file to file, and live from a source of fixed rate."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

from rich.console import Console
from stylecam.realtime.engines import EngineOptions, open_engine
from stylecam.realtime.fit import fit
from stylecam.realtime.pipeline import run, warm
from stylecam.realtime.sinks import NullSink
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.realtime.stats import Stats
from stylecam.realtime.styles import Style
from stylecam.realtime.stylize import Look, stylize_file
from stylecam.realtime.threads import Threads


def file_to_file(clip: Path, look: Look, *, rounds: int = 3) -> dict[str, Any]:
    """Stylize `clip` into a temporary file `rounds` times; the row is the median run's."""
    outcomes = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            output = Path(folder) / "out.mp4"
            outcome = stylize_file(clip, output, look, console=Console(quiet=True), force=True)
            outcomes.append(outcome)
    outcomes.sort(key=lambda outcome: outcome.stats.fps)
    median = outcomes[len(outcomes) // 2]
    return {
        "case": "file to file",
        "clip": clip.name,
        "style": look.style.name,
        "size": look.size or "own",
        "engine": median.engine,
        "rounds": rounds,
        "peak_memory_mb": round(peak_memory_mb()),
        **median.stats.summary(),
    }


def live(
    style: Style,
    *,
    height: int = 360,
    width: int = 640,
    fps: int = 30,
    seconds: float = 10.0,
    engine: str = "auto",
) -> dict[str, Any]:
    """Run a test pattern of `fps` as if live; latency is from its birth to the sink."""
    stats, threads, rate = Stats(), Threads(), Fraction(fps)
    source = PatternSource(height, width, fps=rate, live=True, sleep=threads.sleep)
    into = fit(height, width)
    size: dict[str, Any] = {"height": into.padded[0], "width": into.padded[1]}
    with closing(open_engine(EngineOptions(engine), style, **size, live=True)) as opened:
        warm(opened, into, source.image(0))
        with threads:
            run(
                source,
                opened,
                [NullSink()],
                fit=into,
                threads=threads,
                stats=stats,
                seconds=seconds,
            )
        description = opened.description
    return {
        "case": f"live at {fps} fps",
        "height": height,
        "width": width,
        "style": style.name,
        "engine": description,
        **stats.summary(),
    }


def command(arguments: list[str]) -> float:
    """Seconds that a whole command takes, start-up and all; its output is thrown away."""
    begun = time.perf_counter()
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begun


def peak_memory_mb() -> float:
    """Return the most memory this process has held so far, in megabytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3
