"""How fast an engine runs alone: pictures in memory in and out."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np
from stylecam.realtime.engines import Engine, EngineOptions, open_engine
from stylecam.realtime.frame import Image
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.realtime.stats import percentiles
from stylecam.realtime.styles import Style


class Case(NamedTuple):
    """One engine at one size."""

    engine: str
    precision: str | None
    height: int
    width: int


def measure(
    cases: list[Case], style: Style, *, rounds: int = 5, burst: int = 20
) -> list[dict[str, Any]]:
    """Measure each case for speed (all slots busy) and for latency (one picture at a time).

    The cases take turns, `rounds` times `burst` pictures each, so that a machine whose speed
    drifts treats all alike. Paintings are checked against the first case of the same size before
    anything is timed.
    """
    rows: list[dict[str, Any]] = []
    pictures = {case[2:]: PatternSource(case.height, case.width).image(7) for case in cases}
    reference: dict[tuple[int, int], Image] = {}
    engines: list[tuple[Engine, Engine]] = []
    try:
        for case in cases:
            options = EngineOptions(case.engine, precision=case.precision)
            size = {"height": case.height, "width": case.width}
            pair = tuple(open_engine(options, style, **size, live=live) for live in (False, True))
            engines.append((pair[0], pair[1]))
            painting = pair[0].submit(pictures[case[2:]]).result()
            first = reference.setdefault(case[2:], painting)
            difference = np.abs(painting.astype(np.int16) - first)
            rows.append(
                {
                    "engine": case.engine,
                    "description": pair[0].description,
                    "precision": case.precision or "default",
                    "height": case.height,
                    "width": case.width,
                    "style": style.name,
                    "difference_mean": round(float(difference.mean()), 3),
                    "difference_max": int(difference.max()),
                }
            )
        speeds: list[list[float]] = [[] for _ in cases]
        latencies: list[list[float]] = [[] for _ in cases]
        for turn in range(rounds + 1):
            for index, (case, (fast, prompt)) in enumerate(zip(cases, engines, strict=True)):
                picture = pictures[case[2:]]
                seconds = burst_s(fast, picture, burst)
                alone = [_one(prompt, picture) for _ in range(burst)]
                if turn > 0:  # the first turn warms up
                    speeds[index].append(seconds / burst)
                    latencies[index] += alone
    finally:
        for pair in engines:
            for engine in pair:
                engine.close()
    for row, speed, latency in zip(rows, speeds, latencies, strict=True):
        per_picture = float(np.median(speed))
        row["fps"] = round(1 / per_picture, 1)
        row["ms_per_picture"] = round(1000 * per_picture, 2)
        row["latency_ms"] = {k: round(v, 2) for k, v in percentiles(latency)._asdict().items()}
        row["n"] = rounds * burst
    return rows


def _one(engine: Engine, picture: Image) -> float:
    begun = time.perf_counter()
    engine.submit(picture).result()
    return time.perf_counter() - begun


def burst_s(engine: Engine, picture: Image, count: int) -> float:
    """Seconds for `count` pictures with every slot busy."""
    begun = time.perf_counter()
    under_way = [engine.submit(picture) for _ in range(min(engine.depth, count))]
    for _ in range(count - len(under_way)):
        under_way.pop(0).result()
        under_way.append(engine.submit(picture))
    for pending in under_way:
        pending.result()
    return time.perf_counter() - begun
