"""How fast an engine runs alone: pictures in memory in and out."""

from __future__ import annotations

import argparse
import importlib.util
import statistics
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
from stylecam.realtime.colour import BT709
from stylecam.realtime.engines import Engine, EngineOptions, open_engine
from stylecam.realtime.pictures import Converter, Image, Picture, as_rgb
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.realtime.styles import DEFAULT, Style, find

from .benchmark import Benchmark, Report, Row, parse_count, parse_sizes
from .turns import burst_length, in_ms, in_turns, seconds, spread

SIZES: Final = "256x144,640x360,1024x576,1280x720,1920x1080"
SECOND_OPINION: Final = "640x360,1280x720"
"""Sizes at which engines after the first are measured too, unless sizes are named."""


class Case(NamedTuple):
    """One engine at one size."""

    engine: str
    precision: str | None
    height: int
    width: int


class _Opened:
    """An engine opened twice, for throughput and for latency."""

    def __init__(self, case: Case, style: Style, picture: Image) -> None:
        options = EngineOptions(case.engine, precision=case.precision)
        self.fast = open_engine(options, style, height=case.height, width=case.width, live=False)
        self.prompt = open_engine(options, style, height=case.height, width=case.width, live=True)
        planes = self.fast.planar
        self._picture = Converter().to_planes(picture, BT709) if planes else picture
        self.painting = as_rgb(self.fast.submit(self._picture).result())
        self._one()
        self._count = burst_length(self._one())

    def turn(self) -> tuple[float, list[float]]:
        """Return seconds a picture with every slot busy, and each alone."""
        together = seconds(lambda: burst(self.fast, self._picture, self._count)) / self._count
        return together, [self._one() for _ in range(self._count)]

    def close(self) -> None:
        """Close both."""
        self.fast.close()
        self.prompt.close()

    def _one(self) -> float:
        return seconds(lambda: self.prompt.submit(self._picture).result())


def burst(engine: Engine, picture: Picture, count: int) -> None:
    """Run `count` pictures with every slot busy."""
    under_way = [engine.submit(picture) for _ in range(min(engine.depth, count))]
    for _ in range(count - len(under_way)):
        under_way.pop(0).result()
        under_way.append(engine.submit(picture))
    for pending in under_way:
        pending.result()


def measure(
    cases: list[Case],
    style: Style,
    *,
    rounds: int = 8,
    report: Callable[[str], None] = lambda text: None,
) -> list[Row]:
    """Measure each case for speed (all slots busy) and for latency (one picture at a time).

    The cases of one size take turns. Paintings are checked against the first case of the same size
    before anything is timed.
    """
    rows: list[Row] = []
    for size in dict.fromkeys(case[2:] for case in cases):
        rows += _measure_size([c for c in cases if c[2:] == size], style, rounds, report)
    return rows


def _measure_size(
    cases: list[Case], style: Style, rounds: int, report: Callable[[str], None]
) -> list[Row]:
    height, width = cases[0][2:]
    picture = PatternSource(height, width).image(7)
    opened: list[_Opened] = []
    try:
        for case in cases:
            report(f"{width}x{height}: opening {case.engine}")
            opened.append(_Opened(case, style, picture))
        turns = in_turns(
            [one.turn for one in opened],
            rounds=rounds,
            report=lambda text: report(f"{width}x{height}: {text}"),
        )
        return [
            _describe(case, one, opened[0].painting) | {"style": style.name} | _timed(given)
            for case, one, given in zip(cases, opened, turns, strict=True)
        ]
    finally:
        for one in opened:
            one.close()


def _describe(case: Case, opened: _Opened, first: Image) -> Row:
    difference = np.abs(opened.painting.astype(np.int16) - first)
    return {
        "engine": case.engine,
        "description": opened.fast.description,
        "precision": case.precision or "default",
        "height": case.height,
        "width": case.width,
        "difference_mean": round(float(difference.mean()), 3),
        "difference_max": int(difference.max()),
    }


def _timed(given: list[tuple[float, list[float]]]) -> Row:
    together = [speed for speed, _ in given]
    alone = [duration for _, durations in given for duration in durations]
    per_picture = statistics.median(together)
    return {
        "fps": round(1 / per_picture, 1),
        "ms_per_picture": round(1000 * per_picture, 2),
        "latency_ms": spread(alone),
        "n": len(alone),
        "by_round": {
            "ms_per_picture": in_ms(together),
            "latency": in_ms([statistics.median(durations) for _, durations in given]),
        },
    }


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--style", default=DEFAULT, help="[%(default)s]")
    parser.add_argument(
        "--sizes", type=parse_sizes, help=f"[{SIZES}; engines after the first: two of them]"
    )
    parser.add_argument("--engines", default="openvino,torch", help="[%(default)s]")
    parser.add_argument("--precisions", default="default", help="default, int8, f32, bf16, f16")
    parser.add_argument(
        "--rounds", type=parse_count, default=8, help="turns that count; even [%(default)s]"
    )


def _measure(options: argparse.Namespace, report: Report) -> list[Row]:
    names = options.engines.split(",")
    if options.engines == "openvino,torch" and importlib.util.find_spec("torch") is None:
        names = ["openvino"]
    cases = [
        Case(name, None if precision == "default" else precision, *size)
        for size in options.sizes or parse_sizes(SIZES)
        for name in names
        for precision in options.precisions.split(",")
        if options.sizes or name == names[0] or size in parse_sizes(SECOND_OPINION)
    ]
    return measure(cases, find(options.style), rounds=options.rounds, report=report)


BENCHMARK: Final = Benchmark(
    _arguments,
    _measure,
    keys=("engine", "precision", "height", "width", "style"),
    columns=("description", "picture", "fps", "ms_per_picture", "latency_ms"),
    judged=("ms_per_picture", "latency"),
)
