"""All that `stylecam bench` can do, one line each."""

from __future__ import annotations

import importlib
from typing import Final, NamedTuple

from stylecam.realtime.engines.openvino_library import load as load_openvino

from .benchmark import Benchmark


class Entry(NamedTuple):
    """The module that declares a benchmark, what it measures, and whether `all` includes it."""

    module: str
    help: str
    in_all: bool = True


SUITE: Final = {
    "engine": Entry("engine", "the network alone, each engine and size"),
    "floor": Entry("floor", "how near the network comes to what the processor can do"),
    "pipeline": Entry("pipeline", "file to file, and live at 30 fps"),
    "latency": Entry("latency", "capture to sink, by a clock in the pictures"),
    "peers": Entry("peers", "others' networks and commands beside ours"),
    "graphs": Entry("graphs", "what the shipped graphs compute: MACs, bytes, nodes; no timing"),
    "kernels": Entry("gpu.kernels", "the GPU operations against PyTorch's; needs a GPU", False),
    "quality": Entry("quality", "coverage, shimmer, noise of every style; half an hour", False),
}
"""In the order that `all` runs them. A new benchmark is a module and its line here."""


def load(name: str) -> Benchmark:
    """Return the benchmark of that name; only its own module and imports are loaded."""
    load_openvino()  # before a module does so plainly, with the converter and its telemetry
    module = importlib.import_module(f"{__package__}.{SUITE[name].module}")
    found: Benchmark = module.BENCHMARK
    return found
