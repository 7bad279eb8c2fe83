"""A TensorRT engine as the network of `gpu.py`.

It runs through TensorRT's own interface, a context a slot, on the slot's stream: what the bridge to
PyTorch adds on top (a lock, staging buffers, streams of its own) would stand in the way of the
slot's graph.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from ..errors import EngineError
from .cuda import is_capturing, on_own_stream, stream_of
from .gpu import Painter
from .onnx_module import OnnxModule
from .planes import Folded, PlanarStyle
from .tensorrt_kernels import Kernels
from .tensorrt_library import make, reason

_FAITHFUL_DB: Final = 35.0
"""PSNR to PyTorch's painting that an engine must reach; float16 gives more than 45, a network with
one wrong kernel less than 20.
"""


class TensorRTNetwork:
    """An engine and what it needs beside it, for `gpu.py`. `kernels` as `Kernels` takes them."""

    dtype = torch.float16
    memory_format = torch.contiguous_format

    def __init__(
        self,
        trt: Any,
        engine: bytes,
        graph: OnnxModule,
        *,
        size: tuple[int, int],
        kernels: bytes = b"",
    ) -> None:
        self._trt, self._size, self._style = trt, size, PlanarStyle(graph)
        self.device = next(graph.buffers()).device
        self.channels, self.affine = self._style.channels, self._style.affine
        self.measure = self._style.measure
        self._runtime = make(trt, "Runtime")
        self._engine = self._runtime.deserialize_cuda_engine(engine)
        if self._engine is None:
            raise EngineError(f"TensorRT cannot load the engine: {reason(trt)}")
        self._photo, self._affine, self._painting = self._ports()
        self.kernels = Kernels(self._engine, kernels)

    @property
    def refittable(self) -> bool:
        """Whether it can be given other weights; TensorRT decides when it serialises."""
        return bool(self._engine.refittable)

    def _ports(self) -> tuple[str, str, str]:
        """Return the engine's names for the photo, the affine and the painting."""
        trt, planes, names = self._trt, (1, 3, *self._size), {}
        for index in range(self._engine.num_io_tensors):
            name = self._engine.get_tensor_name(index)
            taken = self._engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT
            shape = tuple(self._engine.get_tensor_shape(name))
            half = self._engine.get_tensor_dtype(name) == trt.DataType.HALF
            names[taken, shape, half] = name
        wanted = [
            (True, planes, True),
            (True, (1, 2 * self.channels, 1, 1), True),
            (False, planes, True),
        ]
        if set(wanted) != set(names):
            raise EngineError(f"the engine has other ports: {sorted(names.values())}")
        photo, affine, painting = (names[port] for port in wanted)
        return photo, affine, painting

    def painter(self) -> Painter:
        """Return the network with a context, and so working memory, of its own."""
        context = self.kernels.context()
        if context is None:
            raise EngineError(
                f"TensorRT cannot make room to run: {reason(self._trt)}",
                hint="work smaller, for example --size 720, or close what else uses the GPU",
            )
        half = {"dtype": torch.float16, "device": self.device}
        affine_half: Tensor = torch.empty((1, 2 * self.channels, 1, 1), **half)  # type: ignore[call-overload]
        painting: Tensor = torch.empty((1, 3, *self._size), **half)  # type: ignore[call-overload]
        can_be_captured = getattr(context, "is_stream_capturable", lambda stream: True)

        def paint(photo_NCHW: Tensor, affine: Tensor) -> Tensor:
            stream = stream_of(self.device)
            if not photo_NCHW.is_contiguous() or photo_NCHW.dtype != torch.float16:
                raise ValueError("TensorRT reads float16 planes one after another")
            affine_half.copy_(affine)
            for name, tensor in (
                (self._photo, photo_NCHW),
                (self._affine, affine_half),
                (self._painting, painting),
            ):
                context.set_tensor_address(name, tensor.data_ptr())
            if not context.execute_async_v3(stream):
                raise EngineError(f"TensorRT cannot run the engine: {reason(self._trt)}")
            # A question for before a capture, when all is compiled: each graph's work runs once.
            if not is_capturing(self.device) and not can_be_captured(stream):
                raise EngineError(
                    "TensorRT cannot run this engine as a CUDA graph", hint="use --engine torch"
                )
            return painting

        return paint

    def refit(self) -> None:
        """Give the engine the style's weights. Nothing of it may be under way."""
        if not self.refittable:
            raise EngineError("it holds another style, and its weights cannot be exchanged")
        refitter = make(self._trt, "Refitter", self._engine)
        kernels = self._style.kernels()
        names = kernel_names(refitter.get_all_weights(), kernels)
        held = {name: kernels[ours].half().cpu().contiguous() for name, ours in names.items()}
        for name, tensor in held.items():
            # The array shares the tensor's memory, which `held` keeps until the end.
            if not refitter.set_named_weights(name, self._trt.Weights(tensor.numpy())):
                raise EngineError(f"TensorRT refuses the weights {name}: {reason(self._trt)}")
        if refitter.get_missing_weights() or not refitter.refit_cuda_engine():
            raise EngineError(f"TensorRT cannot exchange the weights: {reason(self._trt)}")

    def check(self) -> None:
        """Paint one picture as PyTorch does, or raise EngineError."""
        generator = torch.Generator().manual_seed(0)
        small = torch.rand((1, 3, 9, 16), generator=generator)
        photo_NCHW = torch.nn.functional.interpolate(small, self._size, mode="bicubic")
        photo_NCHW = photo_NCHW.clamp(0, 1).to(self.device)
        with on_own_stream(self.device):
            statistics = self.measure(photo_NCHW).cpu().numpy()
            affine = torch.from_numpy(self.affine(statistics)).to(self.device)
            expected = Folded(self._style, torch.float32)(photo_NCHW, affine)
            paint = self.painter()  # its context has to live until the work is done
            painting = paint(photo_NCHW.half(), affine).float()
            error = float(torch.mean((painting - expected) ** 2))
        decibels = -10 * np.log10(max(error, 1e-12))
        if not decibels >= _FAITHFUL_DB:  # nor when it is not a number
            raise EngineError(
                f"the TensorRT engine does not paint as PyTorch does (PSNR {decibels:.0f} dB)",
                hint="use --engine torch",
            )


def kernel_names(theirs: Iterable[str], kernels: Mapping[str, Tensor]) -> dict[str, str]:
    """Return which of our kernels each of an engine's weights is; others are left as they are.

    TensorRT's ONNX parser keeps our names. torch-tensorrt numbers the convolutions in the order of
    the network, which is that of `kernels`: "[CONVOLUTION]-[...]-[/convolution_3] KERNEL". Raises
    EngineError unless each of ours is found, as others would keep another style's weights.
    """
    convolutions: list[dict[str, str]] = []
    for name, weights in kernels.items():
        if weights.ndim == 4:
            convolutions.append({"KERNEL": name})
        else:
            convolutions[-1]["BIAS"] = name
    found: dict[str, str] = {}
    for name in theirs:
        numbered = re.search(r"/convolution(?:_(\d+))?\] (KERNEL|BIAS)$", name)
        ours: str | None = name
        if numbered and int(numbered[1] or 0) < len(convolutions):
            ours = convolutions[int(numbered[1] or 0)].get(numbered[2])
        if ours is not None and ours in kernels:
            found[name] = ours
    missing = set(kernels) - set(found.values())
    if missing:
        raise EngineError(f"the engine has no weights of the names {', '.join(sorted(missing))}")
    return found
