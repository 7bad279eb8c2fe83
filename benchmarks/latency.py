"""Latency from capture to sink, read off the pictures themselves: a clock is painted into each."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Final

import numpy as np
from stylecam.realtime.errors import UsageError
from stylecam.realtime.frame import Frame
from stylecam.realtime.pictures import Image
from stylecam.realtime.sinks import NullSink
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.realtime.stats import KEPT
from stylecam.realtime.styles import DEFAULT, Style, find
from stylecam.realtime.threads import Threads

from .benchmark import Benchmark, Report, Row, parse_seconds, parse_sizes
from .memory import in_new_process, peak_memory_mb
from .pipeline import run_live
from .turns import chunk_medians, histogram, in_ms, spread

BITS: Final = 20
TICK_S: Final = 1e-4
"""Of the painted clock: it counts to 105 s, and then from 0 again."""

LONGEST_S: Final = KEPT // 30 // 10 * 10
"""At 30 pictures a second their durations are then all kept, so that each can be set beside that of
its picture."""


def paint(image: Image, ticks: int) -> None:
    """Write a number into the upper eighth of a picture: a row of bits and a row of their
    opposites, so that any style that tells light from dark leaves it readable.
    """
    height, width = image.shape[:2]
    bits = (ticks >> np.arange(BITS)) & 1
    columns = bits.repeat(width // BITS)
    row = np.uint8(255) * np.stack([columns, 1 - columns]).astype(np.uint8)
    high = height // 16
    image[: 2 * high, : columns.size] = row.repeat(high, axis=0)[..., None]


def read(image: Image) -> int:
    """Return the number painted into a picture."""
    height, width = image.shape[:2]
    high, wide = height // 16, width // BITS
    grey = image[: 2 * high, : BITS * wide].astype(np.float32).mean(-1)
    blocks = grey.reshape(2, high, BITS, wide)[:, high // 4 : -high // 4, :, wide // 4 : -wide // 4]
    upper, lower = blocks.mean((1, 3))
    return int(((upper > lower).astype(np.int64) << np.arange(BITS)).sum())


class ClockSource(PatternSource):
    """The test pattern with the time of its birth painted in; live."""

    def __iter__(self) -> Iterator[Frame]:
        for frame in super().__iter__():
            image = frame.image.copy()
            paint(image, int(frame.captured_s / TICK_S) % (1 << BITS))
            yield frame.with_image(image)


class ClockSink(NullSink):
    """Reads the clock in what it gets, and checks it against the frame's own."""

    def __init__(self) -> None:
        self.ages_s: list[float | None] = []
        """Of each picture in order; None of one that cannot be read."""

    def write(self, frame: Frame) -> None:
        """Note how old the picture is by what it shows."""
        now, painted = int(time.perf_counter() / TICK_S), read(frame.image)
        readable = painted == int(frame.captured_s / TICK_S) % (1 << BITS)
        self.ages_s.append(TICK_S * ((now - painted) % (1 << BITS)) if readable else None)


def latency(
    style: Style,
    *,
    height: int = 360,
    width: int = 640,
    fps: int = 30,
    seconds: float = 20.0,
    engine: str = "auto",
) -> Row:
    """Run the clock at `fps` as if live, no window. `added_ms` is what the pipeline adds to the
    engine's own time, picture by picture; it should stay under one frame's period.
    """
    threads, sink = Threads(), ClockSink()
    source = ClockSource(height, width, fps=Fraction(fps), live=True, sleep=threads.sleep)
    stats, description = run_live(
        source, sink, style, engine=engine, threads=threads, seconds=seconds
    )
    # Both in the order of the pictures; of the last the engine's time may be missing.
    own_s = stats.stages["engine"]
    added_s = [age - own for age, own in zip(sink.ages_s, own_s, strict=False) if age is not None]
    ages_s = [age for age in sink.ages_s if age is not None]
    added = spread(added_s)
    return {
        "case": f"latency at {fps} fps, by a painted clock",
        "height": height,
        "width": width,
        "style": style.name,
        "engine": description,
        "unreadable": len(sink.ages_s) - len(ages_s),
        "latency_ms": spread(ages_s),
        "engine_ms": spread(own_s),
        "added_ms": added,
        "under_one_period": added["p99"] < 1000 / fps,
        "histogram": histogram(ages_s),
        "by_round": {"latency": in_ms(chunk_medians(ages_s))},
        "peak_memory_mb": peak_memory_mb(),
        **stats.summary(),
    }


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--style", default=DEFAULT, help="[%(default)s]")
    parser.add_argument(
        "--sizes", type=parse_sizes, default="640x360,1280x720", help="[%(default)s]"
    )
    parser.add_argument(
        "--seconds", type=parse_seconds, default=10.0, help="of each run [%(default)s]"
    )


def _measure(options: argparse.Namespace, report: Report) -> list[Row]:
    if options.seconds > LONGEST_S:
        raise UsageError(
            f"--seconds {options.seconds:g} is more than durations are kept for",
            hint=f"{LONGEST_S:.0f} at most",
        )
    style, measured = find(options.style), []
    for height, width in options.sizes:
        report(f"{width}x{height}: {options.seconds:.0f} seconds")
        measured.append(
            in_new_process(latency, style, height=height, width=width, seconds=options.seconds)
        )
    return measured


BENCHMARK: Final = Benchmark(
    _arguments,
    _measure,
    keys=("case", "height", "width", "style"),
    columns=(
        *("case", "picture", "engine", "latency_ms", "engine_ms", "added_ms"),
        *("under_one_period", "dropped"),
    ),
    judged=("latency",),
)
