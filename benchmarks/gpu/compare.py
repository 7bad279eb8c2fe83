"""Parts "engines" and "peers": each network in each way of running it, on one GPU in one run."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
from stylecam.kernels.rgb_to_yuv420 import rgb_to_yuv420
from stylecam.kernels.yuv420_to_rgb import yuv420_to_rgb
from stylecam.realtime.engines.onnx_module import OnnxModule
from stylecam.realtime.engines.torch import TorchNetwork
from torch import Tensor, nn

from ..architectures import ARCHITECTURES
from ..benchmark import Row
from .bench import Bench, in_ms, psnr_db
from .networks import OURS, SLOW, VARIANTS, carried, style_file
from .pictures import Scene, exact, exactly

FAITHFUL_DB = 40.0
"""PSNR to float32 that our networks must keep in float16."""


def peers(bench: Bench) -> Iterator[Row]:
    """Yield rows of the networks that others use, with random weights."""
    modules = {name: make() for name, make in ARCHITECTURES.items()}
    for slow in (False, True):
        yield from _compare(bench, "peers", modules, slow=slow)


def engines(bench: Bench) -> Iterator[Row]:
    """Yield rows of our networks, with statistics carried as in a clip, and of the whole of what
    happens on the device to one picture, from YUV to YUV. What is quick comes first.
    """
    photo = Scene(*bench.sizes[0]).photo
    modules: dict[str, nn.Module] = {name: carried(make(), photo) for name, make in OURS.items()}
    yield from _compare(bench, "engines", modules, slow=False)
    yield from _from_yuv_to_yuv(bench)
    yield from _compare(bench, "engines", modules, slow=True)


def _from_yuv_to_yuv(bench: Bench) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        for height, width in bench.sizes:
            for name in OURS:
                about: Row = {"part": "engines", "network": name, "variant": "YUV to YUV"}
                about |= {"height": height, "width": width}
                path, scene = style_file(name, Path(folder)), Scene(height, width)
                yield bench.case(about, partial(_on_device, bench, name, path, scene), seconds=5)


def _compare(
    bench: Bench, part: str, modules: dict[str, nn.Module], *, slow: bool
) -> Iterator[Row]:
    """What is quick at every size, or what has to be built first."""
    variants = [variant for variant in VARIANTS if (variant in SLOW) == slow]
    for height, width in bench.sizes:
        photo = Scene(height, width).photo
        for (name, module), variant in itertools.product(modules.items(), variants):
            about: Row = {"part": part, "network": name, "variant": variant}
            about |= {"height": height, "width": width}
            about["parameters"] = sum(p.numel() for p in module.parameters())
            run = partial(_variant, bench, variant, module, photo, ours=part == "engines")
            yield bench.case(about, run, seconds=SLOW.get(variant, 4.0))


@torch.no_grad()
def _variant(bench: Bench, variant: str, module: nn.Module, photo: Tensor, *, ours: bool) -> Row:
    photo = photo.to(bench.device)
    work = VARIANTS[variant](bench, module, photo)
    with exactly():
        expected = module.to(bench.device)(photo)
    found = psnr_db(work(), expected)
    return faithful(found, must=ours) | _timed(bench, work)


@torch.no_grad()
def _on_device(bench: Bench, name: str, path: Path, scene: Scene) -> Row:
    """Time what a slot's graph of the torch engine holds: kernel, network, kernel."""
    dtype = torch.float16 if bench.cuda else torch.float32
    network = TorchNetwork(OnnxModule(path), bench.device, dtype)
    painter, frame = network.painter(), scene.frame.to(bench.device)
    shape = (1, 3, scene.layout.height, scene.layout.width)
    photo = torch.empty(shape, dtype=network.dtype, device=bench.device)
    photo = photo.to(memory_format=network.memory_format)
    exact_photo = scene.photo.to(bench.device)
    statistics = network.measure(exact_photo).cpu().numpy()
    affine = torch.from_numpy(network.affine(statistics)).to(bench.device)
    out, strength = torch.empty_like(frame), torch.ones(1, device=bench.device)

    def work() -> Tensor:
        yuv420_to_rgb(frame, photo, scene.layout)
        painting = painter(photo, affine)
        rgb_to_yuv420(painting, out, scene.layout, original=frame, strength=strength)
        return out

    replay = bench.captured(work)
    found = psnr_db(replay(), exact(OURS[name](), scene, bench.device))
    return faithful(found, must=True) | _timed(bench, replay)


def _timed(bench: Bench, work: Callable[[], object]) -> Row:
    took = in_ms(bench.time(work))
    return {"ms": took, "fps": round(1000 / took["p50"], 1)}


def faithful(found_db: float, *, must: bool) -> Row:
    """Return the figure. Raises AssertionError where it must reach `FAITHFUL_DB` and does not."""
    if must and found_db < FAITHFUL_DB:
        raise AssertionError(f"{found_db} dB from float32: at least {FAITHFUL_DB} are wanted")
    return {"psnr_db": found_db}
