"""The networks that are compared, and the ways in which each is run."""

from __future__ import annotations

import copy
import io
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch
from stylecam.realtime.engines.cuda import stream_of
from stylecam.realtime.engines.environment import detect_environment
from stylecam.realtime.engines.tensorrt_build import build_onnx
from stylecam.realtime.engines.tensorrt_library import find as find_tensorrt
from stylecam.realtime.engines.tensorrt_library import load, log_of, reason
from stylecam.realtime.errors import EngineError
from stylecam.realtime.styles import DEFAULT, find
from stylecam.training.export import OPSET, export_style, read_generator
from stylecam.training.network import ConvNorm, Generator
from torch import Tensor, nn

from .bench import Bench, Unavailable

Work = Callable[[], Tensor]
"""Computes the painting of one photo; the tensor may be overwritten by the next call."""


def small() -> Generator:
    """Return the network of the style that is used when none is named."""
    return read_generator(find(DEFAULT).path)


def large() -> Generator:
    """Return the network for GPUs, untrained: speed does not depend on the weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Generator("large").eval()


OURS: Final = {"stylecam small": small, "stylecam large": large}


def style_file(name: str, folder: Path) -> Path:
    """Return the network of that name as a style file, written into `folder` if there is none."""
    if name == "stylecam small":
        return find(DEFAULT).path
    path = folder / f"{name.replace(' ', '-')}.onnx"
    if not path.exists():
        export_style(OURS[name](), {"title": name}, path)
    return path


@torch.no_grad()
def carried(generator: Generator, photo_NCHW: Tensor) -> Generator:
    """Return the network as it runs in a clip: each instance norm folded into its convolution with
    the statistics of `photo_NCHW`, as if they had been carried here.
    """
    made = copy.deepcopy(generator).eval()
    layers = [layer for layer in made.modules() if isinstance(layer, ConvNorm)]
    for layer in layers:
        # A hook sees what enters the norm; what follows is computed as if nothing had changed.
        layer.norm.register_forward_pre_hook(partial(_fold, layer))
    made(photo_NCHW)
    for layer in layers:
        layer.norm = nn.Identity()  # type: ignore[assignment]
    return made


def _fold(layer: ConvNorm, norm: nn.InstanceNorm2d, inputs: tuple[Tensor]) -> None:
    variance, mean = torch.var_mean(inputs[0], dim=(0, 2, 3), correction=0)
    gain = norm.weight / torch.sqrt(variance + norm.eps)
    layer.conv.weight *= gain[:, None, None, None]
    layer.conv.bias = nn.Parameter(norm.bias - mean * gain)


def eager_f32(bench: Bench, module: nn.Module, photo_NCHW: Tensor) -> Work:
    """PyTorch as it comes."""
    module = copy.deepcopy(module).to(bench.device)
    return lambda: module(photo_NCHW)


def eager_f16(bench: Bench, module: nn.Module, photo_NCHW: Tensor) -> Work:
    """Half precision, channels last: what tensor cores take."""
    module, photo_NCHW = _half(bench, module, photo_NCHW)
    return lambda: module(photo_NCHW)


def cuda_graph(bench: Bench, module: nn.Module, photo_NCHW: Tensor) -> Work:
    """The same, started as one."""
    return bench.captured(eager_f16(bench, module, photo_NCHW))


def compiled(bench: Bench, module: nn.Module, photo_NCHW: Tensor) -> Work:
    """torch.compile on half precision, as one CUDA graph. Dry, only its tracing."""
    module, photo_NCHW = _half(bench, module, photo_NCHW)
    torch._dynamo.reset()
    fast = torch.compile(module, dynamic=False, backend="inductor" if bench.cuda else "eager")
    return bench.captured(lambda: fast(photo_NCHW))


def tensorrt(bench: Bench, module: nn.Module, photo_NCHW: Tensor) -> Work:
    """One TensorRT engine in half precision, built and run as our own is, as one CUDA graph."""
    trt = tensorrt_here(bench)
    module, photo_NCHW = _half(bench, module, photo_NCHW)
    photo_NCHW = photo_NCHW.contiguous()
    built = build_onnx(trt, half_model(module, photo_NCHW), refittable=False)
    runtime = trt.Runtime(log_of(trt))
    engine = runtime.deserialize_cuda_engine(built)
    context = engine.create_execution_context()
    painting_NCHW = torch.empty_like(photo_NCHW)
    context.set_tensor_address("photo", photo_NCHW.data_ptr())
    context.set_tensor_address("painting", painting_NCHW.data_ptr())

    def work() -> Tensor:
        # A context does not keep its engine.
        if not context.execute_async_v3(stream_of(bench.device)) or engine is None:
            raise EngineError(f"TensorRT cannot run the engine: {reason(trt)}")
        return painting_NCHW

    return bench.captured(work)


def tensorrt_here(bench: Bench) -> Any:
    """Return TensorRT's module, or raise Unavailable with what is missing."""
    if not bench.cuda:
        raise Unavailable("TensorRT needs a GPU")
    try:
        return load(find_tensorrt(detect_environment()))
    except EngineError as error:
        raise Unavailable(f"{error.message} ({error.hint})") from error


def half_model(module: nn.Module, photo_NCHW: Tensor) -> bytes:
    """Return a network in half precision as ONNX, for photos of this size."""
    with io.BytesIO() as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, that it is the older one
        torch.onnx.export(
            module,
            (photo_NCHW,),
            file,  # type: ignore[arg-type]
            dynamo=False,
            opset_version=OPSET,
            input_names=["photo"],
            output_names=["painting"],
        )
        return file.getvalue()


VARIANTS: Final = {
    "eager f32": eager_f32,
    "eager f16": eager_f16,
    "CUDA graph": cuda_graph,
    "TensorRT": tensorrt,
    "torch.compile": compiled,
}
SLOW: Final = {"TensorRT": 40.0, "torch.compile": 45.0}
"""Seconds that a build may take."""


def _half(bench: Bench, module: nn.Module, photo_NCHW: Tensor) -> tuple[nn.Module, Tensor]:
    last = torch.channels_last
    module = copy.deepcopy(module).to(bench.device, torch.float16).to(memory_format=last)  # type: ignore[call-overload]
    return module, photo_NCHW.to(bench.device, torch.float16, memory_format=last)
