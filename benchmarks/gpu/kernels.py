"""The GPU operations: against their references, against PyTorch's operations one by one, and
against the time it takes to move as many bytes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, NamedTuple

import torch
from rich.console import Console
from stylecam.kernels import launch
from stylecam.kernels.layout import Kind, Layout
from stylecam.kernels.rgb_to_yuv420 import rgb_to_yuv420, rgb_to_yuv420_reference
from stylecam.kernels.temporal_blend import temporal_blend, temporal_blend_reference
from stylecam.kernels.yuv420_to_rgb import yuv420_to_rgb, yuv420_to_rgb_reference
from torch import Tensor

from ..benchmark import Benchmark, Report, Row, parse_seconds
from .bench import Bench

CALLS: Final = 20
"""In one graph: a kernel takes microseconds, starting one as long."""
KINDS: Final[tuple[Kind, ...]] = ("i420", "nv12", "p010")
_RGB_TOLERANCE: Final = 2**-11
"""One step of float16 below 1."""


class _Case(NamedTuple):
    """One operation: what computes it each way into an output, and how far they may differ."""

    name: str
    kernel: Callable[[Tensor], None]
    reference: Callable[[Tensor], None]
    out: Tensor
    moved: int
    """Bytes read and written, each once."""
    tolerance: float
    differing_share: float = 1.0
    """Share of values that may differ at all."""


def measure(bench: Bench) -> Iterator[Row]:
    """Yield a row for each operation and size. Where Triton cannot run, the references are timed
    alone.
    """
    problem = "" if bench.cuda else "no CUDA device"
    problem = problem or launch.problem(bench.device)
    for height, width in bench.sizes:
        for case in _cases(height, width, bench.device):
            about = {"part": "kernels", "case": case.name, "height": height, "width": width}
            yield bench.case(about, partial(_row, bench, case, problem))


def _row(bench: Bench, case: _Case, problem: str) -> Row:
    expected = torch.empty_like(case.out)
    case.reference(expected)
    kernel = _captured(bench, lambda: case.kernel(case.out), case.out)
    difference = (_values(kernel()) - _values(expected)).abs()
    furthest, differing_share = float(difference.max()), float((difference > 0).float().mean())
    if not (furthest <= case.tolerance and differing_share <= case.differing_share):  # nor NaN
        raise AssertionError(
            f"differs from its reference by up to {furthest:g}, {differing_share:.2%} of it"
        )
    row: Row = {"difference_max": furthest, "moved_mb": round(case.moved / 1e6, 2)}
    reference = _captured(bench, lambda: case.reference(expected), expected)
    row["unfused_us"] = _microseconds(bench, reference)
    source = torch.zeros(case.moved // 2, dtype=torch.uint8, device=bench.device)
    target = torch.empty_like(source)
    copy = _captured(bench, lambda: target.copy_(source), target)
    row["floor_us"] = _microseconds(bench, copy)
    if problem:
        return row | {"kernel": problem}
    row["kernel_us"] = _microseconds(bench, kernel)
    row["times_faster"] = round(row["unfused_us"] / row["kernel_us"], 2)
    row["of_bandwidth"] = round(row["floor_us"] / row["kernel_us"], 3)
    return row


def _captured(bench: Bench, work: Callable[[], object], out: Tensor) -> Callable[[], Tensor]:
    """Return what does `work`, which writes `out`, several times as one graph."""

    def several() -> Tensor:
        for _ in range(CALLS if bench.cuda else 1):
            work()
        return out

    return bench.captured(several)


def _microseconds(bench: Bench, several: Callable[[], object]) -> float:
    samples = sorted(bench.time(several))
    return float(f"{1000 * samples[len(samples) // 2] / (CALLS if bench.cuda else 1):.4g}")


def _cases(height: int, width: int, device: torch.device) -> Iterator[_Case]:
    random = torch.Generator().manual_seed(0)
    rgb = torch.rand(1, 3, height, width, generator=random).half().to(device)
    planes = rgb.numel() * rgb.element_size()
    strength = torch.full((1,), 0.7, device=device)
    for kind in KINDS:
        layout = Layout(height, width, kind)
        codes = torch.randint(0, 1 << layout.bits, (layout.samples,), generator=random)
        deep = layout.bits > 8
        frame = ((codes << 6).to(torch.int16) if deep else codes.to(torch.uint8)).to(device)
        moved = frame.numel() * frame.element_size()
        yield _Case(
            f"yuv420_to_rgb {kind}",
            partial(yuv420_to_rgb, frame, layout=layout),
            partial(yuv420_to_rgb_reference, frame, layout=layout),
            torch.empty_like(rgb),
            moved + planes,
            _RGB_TOLERANCE,
        )
        step = 64 if deep else 1
        yield _Case(
            f"rgb_to_yuv420 {kind}, mixed",
            partial(rgb_to_yuv420, rgb, layout=layout, original=frame, strength=strength),
            partial(rgb_to_yuv420_reference, rgb, layout=layout, original=frame, strength=strength),
            torch.empty_like(frame),
            planes + 2 * moved,
            step,
            1e-3,
        )
    noise = torch.randn(rgb.shape, generator=random).to(device)
    before = (rgb + 0.02 * noise).clamp(0, 1).half()  # beyond 1 a step of float16 is twice as long
    yield _Case(
        "temporal_blend",
        partial(temporal_blend, rgb, before),
        partial(temporal_blend_reference, rgb, before),
        torch.empty_like(rgb),
        3 * planes,
        _RGB_TOLERANCE,
    )


def _values(x: Tensor) -> Tensor:
    return (x.int() & 0xFFFF if x.dtype == torch.int16 else x).float()


def _measure(options: argparse.Namespace, report: Report) -> list[Row]:
    dry = not torch.cuda.is_available()
    if dry:
        Console(stderr=True).print(
            "No NVIDIA GPU: a dry run of the references at a tiny size; no row is kept."
        )
    device = torch.device("cpu" if dry else "cuda")
    bench = Bench(device, dry, time.monotonic() + options.seconds)
    about: Row = {"device": "cpu" if dry else torch.cuda.get_device_name(device)}
    about |= {"dry": True} if dry else {}
    return [row | about for row in measure(bench)]


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=parse_seconds, default=120, help="at most [%(default)s]")


BENCHMARK: Final = Benchmark(
    arguments=_arguments,
    measure=_measure,
    keys=("case", "height", "width"),
    columns=("case", "picture", "kernel_us", "unfused_us", "floor_us", "times_faster",
             "of_bandwidth", "difference_max", "error", "skipped"),
)  # fmt: skip
