"""PyTorch: the float32 reference on a CPU and on MPS, and its own kernels on an NVIDIA GPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import Tensor

from ..errors import EngineError
from ..frame import Expected
from ..pictures import Image
from ..styles import Style
from . import EngineOptions
from .onnx_module import OnnxModule
from .planes import Folded, PlanarStyle
from .statistics import SmoothedStatistics, Statistics

if TYPE_CHECKING:
    from .gpu import GpuEngine, Painter

PRECISIONS = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}


class _Computed:
    """The device works on in the background; reading the result waits for it."""

    def __init__(self, painting: Tensor) -> None:
        self._painting = painting

    def wait(self) -> None:
        """Return when the painting is there."""
        self._painting = self._painting.cpu()

    def result(self) -> Image:
        """Return the painting (H, W, 3)."""
        painting: Image = self._painting.cpu().numpy()[0]
        return painting


_DEVICES: Final = "cuda, cuda:1, mps or cpu"


def open_torch(
    options: EngineOptions,
    style: Style,
    *,
    height: int,
    width: int,
    expected: Expected | None = None,
) -> TorchEngine | GpuEngine:
    """Build the engine for pictures of (height, width) on the device asked for, or the best one."""
    if not style.native:
        raise EngineError(
            f"{style.path} is not a stylecam style", hint="use --engine openvino for it"
        )
    try:
        device = torch.device(options.device or _best_device())
    except RuntimeError as error:
        raise EngineError(f"there is no device {options.device!r}", hint=_DEVICES) from error
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise EngineError("PyTorch finds no Apple GPU", hint="use --device cpu")
    if device.type not in ("cuda", "mps", "cpu"):
        raise EngineError(f"there is no device {options.device!r}", hint=_DEVICES)
    if device.type == "cuda":
        from .cuda import need_gpu

        need_gpu()
    precision = options.precision or ("f16" if device.type == "cuda" else "f32")
    if precision not in PRECISIONS:
        raise EngineError(
            f"there is no precision {precision!r}", hint=f"one of {', '.join(PRECISIONS)}"
        )
    smoothed = options.statistics == "smoothed"
    title = f"torch {torch.__version__} {precision} on "
    if device.type != "cuda":
        title += str(device)
        return TorchEngine(style, device, PRECISIONS[precision], smoothed=smoothed, title=title)
    from .cuda import CudaDevice, wrapping_errors
    from .gpu import GpuEngine

    with wrapping_errors("load the network"):
        network = TorchNetwork(OnnxModule(style.path), device, PRECISIONS[precision])
        title += torch.cuda.get_device_name(device)
    return GpuEngine(
        CudaDevice(device),
        network,
        size=(height, width),
        smoothed=smoothed,
        title=title,
        expected=expected,
    )


class TorchNetwork:
    """A style in PyTorch's own kernels, for `gpu.py`: channels last, norms folded into kernels."""

    memory_format = torch.channels_last

    def __init__(self, graph: OnnxModule, device: torch.device, dtype: torch.dtype) -> None:
        self.device = device
        self.dtype = torch.float16 if dtype == torch.float16 else torch.float32
        self._style = PlanarStyle(graph.to(device).eval())
        self._folded = Folded(self._style, dtype)
        self.channels, self.affine = self._style.channels, self._style.affine
        self.measure = self._style.measure

    def painter(self) -> Painter:
        """Return the network: what a slot needs of memory its graph allocates."""
        return lambda photo, affine: self._folded(photo, affine).to(self.dtype)


class TorchEngine:
    """A style as a PyTorch module that runs at once."""

    depth = 3
    planar = False

    def __init__(
        self, style: Style, device: torch.device, dtype: torch.dtype, *, smoothed: bool, title: str
    ) -> None:
        self._device = device
        self._module = OnnxModule(style.path).to(device, dtype).eval()
        carried = smoothed and self._module.normalised
        self.statistics = SmoothedStatistics(self._measure) if carried else None
        self.description = title

    def submit(self, picture: Image, strength: float = 1.0) -> _Computed:
        """Start on (H, W, 3)."""
        with torch.inference_mode():
            try:
                statistics = None
                if self.statistics is not None:
                    followed = self.statistics.step(picture)
                    statistics = torch.from_numpy(followed).to(self._device)
                return _Computed(self._module(self._batch(picture), statistics))
            except RuntimeError as error:
                raise EngineError(f"the network failed: {error}") from error

    def _batch(self, image: Image) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(image))[None].to(self._device)

    def _measure(self, image: Image) -> Callable[[], Statistics]:
        measured = self._module.measure(self._batch(image))
        return lambda: measured.cpu().numpy()

    def close(self) -> None:
        """Drop the weights."""
        self.statistics = None
        self.__dict__.pop("_module", None)


def _best_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
