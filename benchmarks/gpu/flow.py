"""Part "end-to-end": from a picture in the host's memory to its painting there, as users run it,
of pictures that move.
Part "memory": what that takes of the GPU's.
"""

from __future__ import annotations

import contextlib
import itertools
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch
from stylecam.realtime.engines import Engine, EngineOptions, open_engine
from stylecam.realtime.frame import Expected
from stylecam.realtime.styles import find

from ..benchmark import Row
from .bench import Bench, Unavailable, in_ms, psnr_db
from .compare import faithful
from .networks import OURS, style_file, tensorrt_here
from .pictures import Scene, exact, moving

ENGINES: Final = {"torch": 6.0, "tensorrt": 45.0}
"""With the seconds that opening one and measuring it may take."""
_KEPT_S: Final = 12.0
"""The same of a TensorRT engine that was built before."""
MOST_SLOTS: Final = 3


def end_to_end(bench: Bench) -> Iterator[Row]:
    """Yield speed and latency with 1, 2 and 3 pictures under way."""
    for about, seconds, scene, path in _cases(bench, "end-to-end"):
        yield from bench.cases(about, partial(_flow, bench, about, scene, path), seconds=seconds)


def memory(bench: Bench) -> Iterator[Row]:
    """Yield what an engine takes of the GPU's memory with all its slots."""
    for about, seconds, scene, path in _cases(bench, "memory"):
        allowed = min(seconds, _KEPT_S)
        yield bench.case(about, partial(_memory, bench, about, scene, path), seconds=allowed)


def _flow(bench: Bench, about: Row, scene: Scene, path: Path) -> Iterator[Row]:
    with _opened(bench, about["engine"], path, scene) as engine:
        found = _check(bench, engine, about["network"], scene)
        for slots in range(1, min(MOST_SLOTS, engine.depth) + 1):
            yield found | {"slots": slots} | _run(bench, engine, scene, slots)


def _memory(bench: Bench, about: Row, scene: Scene, path: Path) -> Row:
    if bench.cuda:
        with _opened(bench, about["engine"], path, scene) as engine:
            _check(bench, engine, about["network"], scene)  # what libraries load stays for good
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(bench.device)
    before = torch.cuda.mem_get_info(bench.device)[0] if bench.cuda else 0
    with _opened(bench, about["engine"], path, scene) as engine:
        _run(bench, engine, scene, engine.depth)
        if not bench.cuda:
            raise Unavailable("no CUDA device")
        # PyTorch's own peak, and what is gone from the device: TensorRT allocates beside PyTorch.
        allocated = torch.cuda.max_memory_allocated(bench.device)
        taken = before - torch.cuda.mem_get_info(bench.device)[0]
        slots = engine.depth
    found = {"allocated_mb": allocated / 2**20, "taken_mb": taken / 2**20}
    return {name: round(value, 1) for name, value in found.items()} | {"slots": slots}


def _cases(bench: Bench, part: str) -> Iterator[tuple[Row, float, Scene, Path]]:
    with tempfile.TemporaryDirectory() as folder:
        for height, width in bench.sizes:
            scene = Scene(height, width)
            for name, (engine, seconds) in itertools.product(OURS, ENGINES.items()):
                about: Row = {"part": part, "network": name, "engine": engine}
                about |= {"height": height, "width": width}
                yield about, seconds, scene, style_file(name, Path(folder))


@contextlib.contextmanager
def _opened(bench: Bench, name: str, path: Path, scene: Scene) -> Iterator[Engine]:
    if name == "tensorrt":
        tensorrt_here(bench)
    height, width = scene.layout[:2]
    options = EngineOptions(name, device=str(bench.device))
    with contextlib.closing(
        open_engine(
            options,
            find(str(path)),
            height=height,
            width=width,
            live=True,
            expected=Expected(height, width, scene.picture.colour),
        )
    ) as engine:
        yield engine


def _picture(engine: Engine, scene: Scene) -> Any:
    return scene.picture if engine.planar else scene.image


def _check(bench: Bench, engine: Engine, network: str, scene: Scene) -> Row:
    painting = engine.submit(_picture(engine, scene)).result()
    about: Row = {"description": engine.description}
    if not engine.planar:
        return about
    expected = exact(OURS[network](), scene, bench.device)
    found = psnr_db(torch.from_numpy(painting.data.copy()).to(bench.device), expected)
    return about | faithful(found, must=True)


def _run(bench: Bench, engine: Engine, scene: Scene, slots: int) -> Row:
    """Keep `slots` pictures of a clip under way for a while."""
    pictures = itertools.cycle(moving(_picture(engine, scene)))
    under_way: deque[tuple[float, Any]] = deque()
    latencies: list[float] = []

    def land() -> None:
        began_s, pending = under_way.popleft()
        pending.result()
        latencies.append(1000 * (time.perf_counter() - began_s))

    def fly(seconds: float) -> None:
        end_s = time.perf_counter() + seconds
        while time.perf_counter() < end_s or not latencies:
            if len(under_way) == slots:
                land()
            under_way.append((time.perf_counter(), engine.submit(next(pictures))))
        while under_way:
            land()

    fly(bench.figure_s / 2)
    latencies.clear()
    began_s = time.perf_counter()
    fly(2 * bench.figure_s)
    fps = len(latencies) / (time.perf_counter() - began_s)
    return {"fps": round(fps, 1), "latency_ms": in_ms(latencies), "n": len(latencies)}
