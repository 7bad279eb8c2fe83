"""PyTorch: the float32 reference on a CPU, and the engine for CUDA and MPS devices."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..errors import EngineError
from ..frame import Image
from ..styles import Style
from . import EngineOptions
from .onnx_module import OnnxModule
from .statistics import SmoothedStatistics, Statistics

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


class TorchEngine:
    """A style as a PyTorch module: float16 on CUDA, float32 elsewhere unless asked."""

    depth = 3
    planar = False

    def __init__(self, options: EngineOptions, style: Style, *, height: int, width: int) -> None:
        if not style.native:
            raise EngineError(
                f"{style.path} is not a stylecam style", hint="use --engine openvino for it"
            )
        self._device = torch.device(options.device or _best_device())
        if self._device.type == "cuda" and not torch.cuda.is_available():
            raise EngineError(
                "PyTorch finds no NVIDIA GPU",
                hint="install a CUDA build of torch and the driver, or use --device cpu",
            )
        precision = options.precision or ("f16" if self._device.type == "cuda" else "f32")
        if precision not in PRECISIONS:
            raise EngineError(
                f"there is no precision {precision!r}", hint=f"one of {', '.join(PRECISIONS)}"
            )
        self._module = OnnxModule(style.path).to(self._device, PRECISIONS[precision]).eval()
        smoothed = options.statistics == "smoothed" and self._module.normalised
        self.statistics = SmoothedStatistics(self._measure) if smoothed else None
        self.description = f"torch {torch.__version__} {precision} on {self._device}"

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

    def _measure(self, image: Image) -> Statistics:
        return self._module.measure(self._batch(image)).cpu().numpy()

    def close(self) -> None:
        """Drop the weights."""
        del self._module


def _best_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
