"""Part "overlap": how much of the copies is hidden behind the network.

The ideal is that only the longest of upload, network and download is left; the worst is their sum.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch
from stylecam.kernels.rgb_to_yuv420 import rgb_to_yuv420
from stylecam.kernels.yuv420_to_rgb import yuv420_to_rgb
from stylecam.realtime.engines.onnx_module import OnnxModule
from stylecam.realtime.engines.torch import TorchNetwork
from stylecam.realtime.styles import DEFAULT, find
from torch import Tensor

from ..benchmark import Row
from .bench import Bench, psnr_db
from .compare import faithful
from .networks import small
from .pictures import Scene, exact

SLOTS: Final = 3
_FRAMES: Final = 60
"""In a run; the first and the last overlap with nothing."""
_RUNS: Final = 5


def measure(bench: Bench) -> Iterator[Row]:
    """Yield a row for each size, with the small network: the larger, the easier to hide behind."""
    for height, width in bench.sizes:
        about = {"part": "overlap", "network": "stylecam small", "height": height, "width": width}
        scene = Scene(height, width)
        yield bench.case(about, partial(_row, bench, scene, find(DEFAULT).path), seconds=6)


class _Slot:
    """Buffers on both sides, a stream, and the work between them as a graph."""

    @torch.no_grad()
    def __init__(self, bench: Bench, scene: Scene, network: TorchNetwork, affine: Tensor) -> None:
        self._bench, layout = bench, scene.layout
        self.stream: Any = torch.cuda.Stream(bench.device) if bench.cuda else None  # type: ignore[no-untyped-call]
        self.sent = scene.frame.pin_memory() if bench.cuda else scene.frame.clone()
        self.got = torch.empty_like(self.sent, pin_memory=bench.cuda)
        source, target = (torch.empty_like(scene.frame, device=bench.device) for _ in range(2))
        photo = torch.empty_like(scene.photo, dtype=network.dtype, device=bench.device)
        photo, painter = photo.to(memory_format=network.memory_format), network.painter()
        self.source, self.target = source, target

        def work() -> Tensor:
            yuv420_to_rgb(source, photo, layout)
            rgb_to_yuv420(painter(photo, affine), target, layout)
            return target

        self.compute = bench.captured(work)
        self.done: Any = torch.cuda.Event(blocking=True) if bench.cuda else None  # type: ignore[no-untyped-call]

    def upload(self) -> None:
        self.source.copy_(self.sent, non_blocking=True)

    def download(self) -> None:
        self.got.copy_(self.target, non_blocking=True)

    def whole(self) -> None:
        """Enqueue one picture on the slot's stream."""
        with torch.cuda.stream(self.stream) if self.stream else contextlib.nullcontext():
            self.upload()
            self.compute()
            self.download()
            if self.done:
                self.done.record()

    def wait(self) -> None:
        if self.done:
            self.done.synchronize()


@torch.no_grad()
def _row(bench: Bench, scene: Scene, path: Path) -> Row:
    dtype = torch.float16 if bench.cuda else torch.float32
    network = TorchNetwork(OnnxModule(path), bench.device, dtype)
    statistics = network.measure(scene.photo.to(bench.device)).cpu().numpy()
    affine = torch.from_numpy(network.affine(statistics)).to(bench.device)
    slots = [_Slot(bench, scene, network, affine) for _ in range(SLOTS)]
    first, expected = slots[0], exact(small(), scene, bench.device).cpu()
    for slot in slots:
        slot.whole()
        slot.wait()
    checked = faithful(min(psnr_db(slot.got, expected) for slot in slots), must=True)

    def serial() -> None:
        first.upload()
        first.compute()
        first.download()

    def pipelined(index: int) -> None:
        slot = slots[index % SLOTS]
        if index >= SLOTS:
            slot.wait()
        slot.whole()

    works: dict[str, Callable[[int], object]] = {
        "upload": lambda _: first.upload(),
        "network": lambda _: first.compute(),
        "download": lambda _: first.download(),
        "serial": lambda _: serial(),
        "pipelined": pipelined,
    }
    ms = _by_turns(bench, works)
    ideal = max(ms["upload"], ms["network"], ms["download"])
    hidden = (ms["serial"] - ms["pipelined"]) / max(1e-9, ms["serial"] - ideal)
    row: Row = {f"{name}_ms": float(f"{value:.4g}") for name, value in ms.items()}
    return (
        row
        | checked
        | {
            "ideal_of_pipelined": round(ideal / ms["pipelined"], 3),
            "hidden": round(hidden, 3),
        }
    )


def _by_turns(bench: Bench, works: dict[str, Callable[[int], object]]) -> dict[str, float]:
    """Return what a picture takes in ms, the median of some runs, one work after another."""
    frames = 4 if bench.dry else _FRAMES
    runs: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(2 if bench.dry else 1 + _RUNS):
        for name, work in works.items():
            bench.wait()
            began_s = time.perf_counter()
            for index in range(frames):
                work(index)
            bench.wait()
            if turn > 0:  # the first turn warms up
                runs[name].append(1000 * (time.perf_counter() - began_s) / frames)
    return {name: sorted(times)[len(times) // 2] for name, times in runs.items()}
