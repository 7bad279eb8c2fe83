"""TensorRT: the style as one engine in float16, built once for a size and kept.

Another style of the same network gets its weights put into the engine that there is; one that runs
is never touched, its file is read again. Each engine, built, read or refitted, has to paint one
picture as PyTorch does before it is used: a wrong name of a weight, or a fault of a builder
(TensorRT 11.3 lists one of refittable engines), then costs a build, not a wrong picture.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Final

import torch

from ..atomic import write_whole
from ..errors import EngineError
from ..frame import Expected
from ..styles import Style
from . import EngineOptions, engine_files
from .cuda import CudaDevice, Gpu, current_gpu, wrapping_errors
from .engine_files import EngineFile, EngineKey
from .environment import detect_environment
from .gpu import GpuEngine
from .onnx_module import OnnxModule
from .report import Report
from .tensorrt_build import build
from .tensorrt_kernels import path_beside, read_beside
from .tensorrt_library import Library, find, load
from .tensorrt_network import TensorRTNetwork

PRECISION: Final = "f16"


def open_tensorrt(
    options: EngineOptions,
    style: Style,
    *,
    height: int,
    width: int,
    report: Report,
    expected: Expected | None = None,
) -> GpuEngine:
    """Build the engine for pictures of (height, width), from the cache if it is there.

    Raises EngineError with the reason and the remedy when TensorRT cannot be used.
    """
    if options.precision not in (None, PRECISION):
        raise EngineError(
            f"the TensorRT engine computes in f16, not {options.precision}",
            hint="leave --precision out, or use --engine torch",
        )
    if options.device not in (None, "cuda", "cuda:0"):
        raise EngineError(
            f"the TensorRT engine uses the first GPU, not {options.device}",
            hint="CUDA_VISIBLE_DEVICES=1 in the environment makes another one the first",
        )
    made = prepare(find(detect_environment()), style, size=(height, width), report=report)
    device = made.network.device
    return GpuEngine(
        CudaDevice(device),
        made.network,
        size=(height, width),
        smoothed=options.statistics == "smoothed",
        title=f"{made.library} {PRECISION} on {torch.cuda.get_device_name(device)}",
        expected=expected,
    )


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A style's network, ready to run."""

    network: TensorRTNetwork
    path: Path | None
    """Its file in the cache, None if it could not be kept."""
    library: str
    """The TensorRT and its version."""


def prepare(library: Library, style: Style, *, size: tuple[int, int], report: Report) -> Prepared:
    """Return the style's network for `size` (height, width): as it is kept, by giving a kept engine
    its weights, or built. Raises EngineError when it cannot be.
    """
    if not style.native:
        raise EngineError(
            f"{style.path} is not a stylecam style", hint="use --engine openvino for it"
        )
    with wrapping_errors("prepare the TensorRT engine"):
        return EngineStore(library, load(library), current_gpu(), report).prepare(style, size)


@dataclasses.dataclass(frozen=True)
class EngineStore:
    """Where engines are kept, refitted and built: with one TensorRT, for one GPU."""

    library: Library
    trt: Any
    """Its module."""
    gpu: Gpu
    report: Report

    def prepare(self, style: Style, size: tuple[int, int]) -> Prepared:
        """Return a style's network for `size` (height, width); see `prepare`."""
        graph = OnnxModule(style.path).to(self.gpu.device).eval()
        shared = self._key(style, graph, size)
        own = dataclasses.replace(shared, weights=style.sha256)
        try:
            for key in (own, shared):
                network = self._kept(key, style, graph)
                if network is not None:
                    self._keep_kernels(network, key.path)
                    return Prepared(network, key.path, key.tensorrt)
            engine, network = self._built(style, graph, size, refittable=True)
            key = shared if network.refittable else own
        except EngineError as error:
            # Kept under its own name: in place of the shared one it would go to and fro with the
            # styles.
            self.report.note(f"built once more, for this style alone: {error.message}")
            engine, network = self._built(style, graph, size, refittable=False)
            key = own
        try:
            path = engine_files.write(key, EngineFile(engine, style.sha256))
        except OSError as error:
            self.report.note(f"it cannot be kept, and will be built again: {error}")
            return Prepared(network, None, key.tensorrt)
        self.report.note(f"kept as {path}")
        self._keep_kernels(network, path)
        return Prepared(network, path, key.tensorrt)

    def _kept(self, key: EngineKey, style: Style, graph: OnnxModule) -> TensorRTNetwork | None:
        """Return the network in a kept engine, or None when none can be used. Raises EngineError
        when there is one, but it cannot be given this style's weights.
        """
        size = key.height, key.width
        try:
            kept = engine_files.read(key)
            if kept is None:
                return None
            kernels = read_beside(key.path)
            with wrapping_errors("load it"):
                network = TensorRTNetwork(self.trt, kept.engine, graph, size=size, kernels=kernels)
                if kept.weights == style.sha256:
                    network.check()
        except (EngineError, ValueError, OSError) as error:
            self.report.note(f"the {key} that is kept cannot be used and is rebuilt: {error}")
            return None
        if kept.weights != style.sha256:
            with wrapping_errors("exchange the weights of the engine that is kept"):
                network.refit()
                network.check()
        return network

    def _keep_kernels(self, network: TensorRTNetwork, path: Path) -> None:
        kernels = network.kernels.unsaved()
        try:
            if kernels:
                write_whole(path_beside(path), kernels)
        except OSError as error:
            self.report.note(f"its kernels cannot be kept, and will be compiled again: {error}")

    def _built(
        self, style: Style, graph: OnnxModule, size: tuple[int, int], *, refittable: bool
    ) -> tuple[bytes, TensorRTNetwork]:
        what = f"TensorRT engine for {size[1]}x{size[0]}"
        with self.report.working(f"building the {what}, once", done=f"{what} built"):
            engine = build(self.library, self.trt, style.path, size=size, refittable=refittable)
        network = TensorRTNetwork(self.trt, engine, graph, size=size)
        network.check()
        return engine, network

    def _key(self, style: Style, graph: OnnxModule, size: tuple[int, int]) -> EngineKey:
        return EngineKey(
            architecture=graph.architecture,
            size_name=str(style.card.get("size") or "style"),
            height=size[0],
            width=size[1],
            precision=PRECISION,
            gpu=self.gpu.name,
            capability=self.gpu.capability,
            torch=torch.__version__,
            builder=self.library.built_by,
            tensorrt=f"{self.library.module} {self.trt.__version__}",
        )
