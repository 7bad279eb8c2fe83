"""An NVIDIA GPU as PyTorch gives it, for `slots.py`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor

from ..errors import EngineError, StylecamError
from .cuda_streams import give_back, lend
from .environment import Environment
from .slots import HostBuffer, Work
from .tensorrt_library import cuda_hint

_WARM_UPS: Final = 3
"""Runs before a graph is captured: kernels are compiled, algorithms tried, workspaces allocated.
PyTorch's notes on CUDA graphs ask for at least one, its examples do three.
"""
# A process may capture one graph at a time (torch/cuda/graphs.py), and to begin is to wait for the
# whole device, which is not allowed while another is captured.
_CAPTURING: Final = threading.Lock()


class CudaDevice:
    """Streams, events and buffers are PyTorch's own, so its allocator accounts for all of it."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def stream(self, *, urgent: bool) -> Any:
        """Make a stream. Never the default one, on which TensorRT would wait for others."""
        with wrapping_errors("make a stream"):
            return lend(self._device, urgent=urgent)

    def event(self) -> Any:
        """Make an event. Waiting for it sleeps: spinning would take a core from the encoder."""
        return torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]

    def host_buffer(self, size: int) -> HostBuffer:
        """Allocate page-locked bytes."""
        with wrapping_errors(f"allocate {size} page-locked bytes"):
            memory = torch.empty(size, dtype=torch.uint8, pin_memory=True)
        return HostBuffer(memory.numpy(), memory)

    def buffer(self, size: int) -> Any:
        """Allocate bytes on the device."""
        with wrapping_errors(f"allocate {size} bytes"):
            return torch.empty(size, dtype=torch.uint8, device=self._device)

    def capture(self, work: Work, source: Any, target: Any, stream: Any) -> Any:
        """Record the work as a graph. Other threads may use the device meanwhile, as they do when a
        style is loaded during a run, so only this thread is held to what may be captured.
        """
        with (
            _CAPTURING,
            wrapping_errors("prepare the network"),
            torch.cuda.device(self._device),
            _benchmark(),
        ):
            source.zero_()  # what runs to warm up should compute on numbers
            stream.wait_stream(torch.cuda.current_stream())
            with torch.no_grad(), torch.cuda.stream(stream):
                for _ in range(_WARM_UPS):
                    work(source, target)
            stream.synchronize()
            graph = torch.cuda.CUDAGraph()
            with (
                torch.no_grad(),
                torch.cuda.stream(stream),  # `graph` leaves it the current one when it fails
                torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"),
            ):
                work(source, target)
        return graph

    def upload(self, source: HostBuffer, target: Any, stream: Any) -> None:
        """Enqueue a copy to the device."""
        self._copy(source.handle, target, stream)

    def launch(self, graph: Any, stream: Any) -> None:
        """Enqueue a graph."""
        with wrapping_errors("start the network"), torch.cuda.stream(stream):
            graph.replay()

    def download(self, source: Any, target: HostBuffer, stream: Any) -> None:
        """Enqueue a copy to the host."""
        self._copy(source, target.handle, stream)

    def _copy(self, source: Tensor, target: Tensor, stream: Any) -> None:
        with wrapping_errors("copy a picture"), torch.cuda.stream(stream):
            target.copy_(source, non_blocking=True)

    def record(self, event: Any, stream: Any) -> None:
        """Let `event` be done when all that is on the stream now is."""
        with wrapping_errors("record an event"):
            event.record(stream)

    def wait(self, event: Any) -> None:
        """Return when it is done; the interpreter is free meanwhile."""
        with wrapping_errors("compute a picture"):
            event.synchronize()

    def drain(self, stream: Any) -> None:
        """Return when nothing is on the stream any more."""
        with suppress(RuntimeError):  # told to whoever waited for the picture
            stream.synchronize()

    def free(self, *handles: Any) -> None:
        """Memory goes with its last reference; a graph is told, as others may still hold it."""
        for handle in handles:
            if isinstance(handle, torch.cuda.Stream):
                give_back(handle)
            if isinstance(handle, torch.cuda.CUDAGraph):
                with suppress(RuntimeError):
                    handle.reset()


class Gpu(NamedTuple):
    """Which GPU it is: an engine built for one is not for another."""

    device: torch.device
    name: str
    capability: str
    """As in 8.9."""


def need_gpu() -> None:
    """Raise EngineError, with the reason and the remedy, unless PyTorch can use a GPU."""
    if torch.cuda.is_available():
        return
    if torch.version.cuda is None:
        here = Environment("", {"torch": torch.__version__}, frozenset())
        raise EngineError(
            f"PyTorch finds no NVIDIA GPU, as {torch.__version__} is built without CUDA",
            hint=cuda_hint(here),
        )
    raise EngineError(
        "PyTorch finds no NVIDIA GPU",
        hint="stylecam doctor checks the driver; --engine openvino works without the GPU",
    )


def current_gpu() -> Gpu:
    """Return the GPU that PyTorch uses. Raises EngineError when there is none."""
    need_gpu()
    device = torch.device("cuda", torch.cuda.current_device())
    major, second = torch.cuda.get_device_capability(device)
    return Gpu(device, torch.cuda.get_device_name(device), f"{major}.{second}")


def stream_of(device: torch.device) -> int:
    """Return the handle of the current stream; 0 on a CPU, where all is done at once."""
    return torch.cuda.current_stream(device).cuda_stream if device.type == "cuda" else 0


def is_capturing(device: torch.device) -> bool:
    """Whether what is enqueued now becomes part of a graph."""
    return device.type == "cuda" and torch.cuda.is_current_stream_capturing()


@contextmanager
def on_own_stream(device: torch.device) -> Iterator[None]:
    """Work on a stream of its own, so that nobody else's waits; done when the block ends."""
    if device.type != "cuda":
        yield
        return
    with wrapping_errors("try the engine"), torch.no_grad():
        stream = lend(device, urgent=False)
        try:
            stream.wait_stream(torch.cuda.current_stream(device))
            with torch.cuda.stream(stream):
                yield
            stream.synchronize()
        finally:
            give_back(stream)


@contextmanager
def _benchmark() -> Iterator[None]:
    """Let cuDNN try its algorithms for each convolution it meets first inside the block."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


@contextmanager
def wrapping_errors(task: str) -> Iterator[None]:
    """Turn errors of PyTorch, TensorRT, Triton and the C compiler that Triton calls into ours."""
    try:
        yield
    except StylecamError:
        raise
    except torch.cuda.OutOfMemoryError as error:
        raise EngineError(
            f"the GPU has no memory left to {task}",
            hint="work smaller, for example --size 720, or close what else uses the GPU",
        ) from error
    except Exception as error:
        raise EngineError(
            f"the GPU could not {task}: {first_line(error)}",
            hint="stylecam doctor checks the driver; --engine openvino works without the GPU",
        ) from error


def first_line(error: Exception) -> str:
    """Return the line of a message that says what happened; CUDA's go on with advice."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
