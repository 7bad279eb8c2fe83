"""How near an engine comes to what the processor can do at all.

The floor of a network is the time that its multiplications take at the rate of a convolution with
nothing to wait for, or that its features take through memory, whichever is more (Williams,
Waterman, Patterson 2009, "Roofline"). Both rates are measured here with OpenVINO, on as many cores
as it computes with.
"""

from __future__ import annotations

import argparse
import math
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from stylecam.realtime.engines import EngineOptions, open_engine
from stylecam.realtime.engines.openvino_library import load
from stylecam.realtime.machine import usable_cores
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.realtime.styles import DEFAULT, Style, find

from .benchmark import Benchmark, Report, Row, parse_count, parse_sizes
from .engine import burst
from .turns import seconds

if TYPE_CHECKING:
    import openvino as ov

PRECISIONS: Final = ("f32", "bf16", "int8")
_CHANNELS: Final = 64
_SIDE: Final = 96
"""A convolution of this size keeps its weights in the second cache and lasts milliseconds."""
_BYTES: Final = {"f32": 4, "bf16": 2, "int8": 1}
_COPY_MB: Final = 128
"""More than caches hold."""


class Work(NamedTuple):
    """What a network does for one picture."""

    macs: int
    """Multiplications (each with its addition) of all convolutions."""
    features: int
    """Values that convolutions read and write, weights among them, each once."""


def count(model: ov.Model) -> Work:
    """Return the work of a network of fixed size."""
    macs = features = 0
    for op in model.get_ordered_ops():
        # Of a kernel's shape, what makes outputs stands first; the rest is summed for each.
        first = {"Convolution": 1, "GroupConvolution": 2}.get(op.get_type_name())
        if first is not None:
            weights, output = op.input_value(1).get_shape(), op.output(0).get_shape()
            macs += math.prod(output) * math.prod(weights[first:])
            features += math.prod(output) + math.prod(weights)
            features += math.prod(op.input_value(0).get_shape())
    return Work(macs, features)


def measure(
    style: Style, *, height: int, width: int, rounds: int = 5, pictures: int = 12
) -> list[Row]:
    """Return a row for each precision that the processor computes in, for one and for all cores.

    One core is shown by its rates alone; the engine is timed as it runs for files.
    """
    core = load().Core()
    from stylecam.realtime.engines.openvino_border import with_fixed_border

    model = core.read_model(style.path)
    model.reshape({0: [1, height, width, 3]})
    work = count(with_fixed_border(model))
    able = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    cores = usable_cores()
    rows = []
    for precision in (name for name in PRECISIONS if name == "f32" or name.upper() in able):
        alone = {
            "gmacs_1_core": round(peak(precision, threads=1, rounds=rounds) / 1e9, 1),
            "gigabytes_1_core": round(bandwidth(threads=1, rounds=rounds) / 1e9, 1),
        }
        top = peak(precision, threads=cores, rounds=rounds)
        memory = bandwidth(threads=cores, rounds=rounds)
        taken_s = _engine_s(style, precision, (height, width), rounds=rounds, pictures=pictures)
        floor_s = max(work.macs / top, work.features * _BYTES[precision] / memory)
        rows.append(
            {
                "case": "floor",
                "style": style.name,
                "precision": precision,
                "height": height,
                "width": width,
                "gmac": round(work.macs / 1e9, 3),
                "megabytes": round(work.features * _BYTES[precision] / 1e6, 1),
                **alone,
                "gmacs": round(top / 1e9, 1),
                "gigabytes": round(memory / 1e9, 1),
                "ms_per_picture": round(1000 * taken_s, 2),
                "floor_ms": round(1000 * floor_s, 2),
                "share_of_convolution": round(work.macs / top / taken_s, 3),
                "share_of_floor": round(floor_s / taken_s, 3),
            }
        )
    return rows


def peak(precision: str, *, threads: int, rounds: int) -> float:
    """Return multiplications a second of a 3x3 convolution of 64 channels, the best of `rounds`."""
    ov = load()
    ops = ov.opset13
    x_NCHW = ops.parameter([1, _CHANNELS, _SIDE, _SIDE], np.float32)
    weights = np.full((_CHANNELS, _CHANNELS, 3, 3), 0.01, np.float32)
    taken: Any = x_NCHW
    weighed: Any = ops.constant(weights)
    if precision == "int8":
        taken = ops.fake_quantize(x_NCHW, *(np.float32(v) for v in (0, 1, 0, 1)), 256)
        weighed = ops.fake_quantize(weighed, *(np.float32(v) for v in (-1, 1, -1, 1)), 255)
    # Twice: what is computed in 8 bits is also handed on in 8 bits.
    for _ in range(2):
        made = ops.relu(ops.convolution(taken, weighed, [1, 1], [1, 1], [1, 1], [1, 1]))
        taken = made
        if precision == "int8":
            taken = ops.fake_quantize(made, *(np.float32(v) for v in (0, 1, 0, 1)), 256)
    model = ov.Model([taken], [x_NCHW])
    picture = np.random.default_rng(0).random((1, _CHANNELS, _SIDE, _SIDE), np.float32)
    hint = "f32" if precision == "int8" else precision
    best = _best_s(model, picture, hint, threads=threads, rounds=rounds)
    return 2 * _CHANNELS**2 * 9 * _SIDE**2 / best


def bandwidth(*, threads: int, rounds: int) -> float:
    """Return bytes a second through memory, read and written, the best of `rounds`."""
    ov = load()
    ops = ov.opset13
    count = _COPY_MB * 1_000_000 // 4
    x = ops.parameter([count], np.float32)
    model = ov.Model([ops.multiply(x, np.float32(2))], [x])
    best = _best_s(model, np.ones(count, np.float32), "f32", threads=threads, rounds=rounds)
    return 2 * 4 * count / best


def _best_s(model: ov.Model, x: Any, hint: str, *, threads: int, rounds: int) -> float:
    config = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": hint,
    }
    ov = load()
    request = ov.Core().compile_model(model, "CPU", config).create_infer_request()
    request.set_input_tensor(ov.Tensor(x, shared_memory=True))
    times = []
    for _ in range(4 * rounds + 1):
        begun = time.perf_counter()
        request.infer()
        times.append(time.perf_counter() - begun)
    return min(times[1:])


def _engine_s(
    style: Style, precision: str, size: tuple[int, int], *, rounds: int, pictures: int
) -> float:
    """Return seconds a picture, every slot busy, in the best of `rounds`."""
    height, width = size
    picture = PatternSource(height, width).image(7)
    options = EngineOptions("openvino", precision=precision)
    engine = open_engine(options, style, height=height, width=width, live=False)
    with closing(engine):
        times = [seconds(lambda: burst(engine, picture, pictures)) for _ in range(rounds + 1)]
    return min(times[1:]) / pictures


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--style", default=DEFAULT, help="[%(default)s]")
    parser.add_argument(
        "--sizes", type=parse_sizes, default="640x360,1280x720", help="[%(default)s]"
    )
    parser.add_argument(
        "--rounds", type=parse_count, default=5, help="the best counts [%(default)s]"
    )


def _measure(options: argparse.Namespace, report: Report) -> list[Row]:
    style, measured = find(options.style), []
    for height, width in options.sizes:
        report(f"{width}x{height}")
        measured += measure(style, height=height, width=width, rounds=options.rounds)
    return measured


BENCHMARK: Final = Benchmark(
    _arguments,
    _measure,
    keys=("precision", "height", "width", "style"),
    columns=(
        *("precision", "picture", "gmac", "gmacs", "gigabytes", "ms_per_picture", "floor_ms"),
        *("share_of_convolution", "share_of_floor"),
    ),
)
