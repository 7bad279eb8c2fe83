"""What runs the network.

| name | where |
| --- | --- |
| openvino | any CPU, Intel GPU and NPU; what auto takes without an NVIDIA GPU |
| tensorrt | an NVIDIA GPU, fastest: an engine built once for a size |
| torch | an NVIDIA GPU in PyTorch's own kernels; MPS; a CPU as the float32 reference |
| echo | nowhere: gives every picture back, for measuring the rest |
"""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from ..errors import EngineError, raise_interrupt
from ..frame import Expected
from ..styles import Style
from .choice import Choice, choose
from .environment import detect_environment, driver
from .report import Report

if TYPE_CHECKING:
    from .statistics import SmoothedStatistics

NAMES: Final = ("auto", "openvino", "tensorrt", "torch", "echo")


class Pending(Protocol):
    """A picture under way."""

    def wait(self) -> None:
        """Return when it is done. From any thread."""
        ...

    def result(self) -> Any:
        """Wait and return the painting in the form that was submitted. The caller owns it; the
        slot is free again.

        Call once. Raises EngineError when the network failed.
        """
        ...


class Engine(Protocol):
    """The network at one picture size, with `depth` slots.

    `submit` is called by one thread with the frames of one clip in order, `result` by another; at
    most `depth` pictures are under way.

    What a picture is, `planar` says. False: uint8 RGB (H, W, 3) padded to the network's multiple,
    both ways; the pipeline mixes it with the photo. True: a `Yuv420` of the size before padding,
    both ways, of the same colour; padding, mixing and cropping are done on the device.
    """

    depth: int
    description: str

    @property
    def planar(self) -> bool:
        """Whether pictures are `Yuv420`; the same as long as the engine is open."""
        ...

    @property
    def statistics(self) -> SmoothedStatistics | None:
        """What is carried from frame to frame; None when nothing is."""
        ...

    def submit(self, picture: Any, strength: float = 1.0) -> Pending:
        """Start on a picture of the engine's size, which stays unchanged until the result is
        taken. Returns at once where the device allows.

        A planar engine mixes `strength` parts painting with 1 - `strength` parts picture; others
        are not given it.
        """
        ...

    def close(self) -> None:
        """Give back the device. Pictures under way are lost. Idempotent."""
        ...


@dataclasses.dataclass(frozen=True)
class EngineOptions:
    """What the user may say about the engine."""

    name: str = "auto"
    device: str | None = None
    """OpenVINO, which auto takes when it is given one: CPU, GPU, NPU. torch: cuda, mps, cpu. None:
    the best there is."""
    precision: str | None = None
    """int8 (OpenVINO on a CPU), f32, bf16 or f16; None is what suits the device."""
    style_range: str | None = None
    """Value range of a foreign network, one of `foreign.RANGES`; None is to be detected."""
    statistics: Literal["smoothed", "frame"] = "smoothed"
    """What instance norm uses: statistics carried through the clip, or each frame's own."""


def open_engine(
    options: EngineOptions,
    style: Style,
    *,
    height: int,
    width: int,
    live: bool,
    report: Report | None = None,
    expected: Expected | None = None,
) -> Engine:
    """Build the engine for pictures of (height, width); `live` asks for latency, else throughput.
    A planar engine is made ready for pictures as `expected`, and for others when they come.

    "auto" takes the fastest there is (`choice.py`), and the next one where that fails; what it took
    and why goes to `report`. A named engine never falls back. Raises EngineError with the remedy.
    """
    size = {"height": height, "width": width}
    report = report or Report()

    def opened(name: str) -> Engine:
        wanted = dataclasses.replace(options, name=name)
        return _open(wanted, style, size, live=live, report=report, expected=expected)

    if options.name != "auto":
        return opened(options.name)
    engines, notes = candidates(options, style)
    for note in notes:
        report.note(note)
    for name in engines[:-1]:
        try:
            return opened(name)
        except EngineError as error:
            report.note(f"{name} cannot be used: {error.message}: {error.hint}; trying the next")
    return opened(engines[-1])


def candidates(options: EngineOptions, style: Style) -> Choice:
    """Return which engines are tried in order, loading none, and what is to be said first."""
    if options.name != "auto":
        return Choice([options.name], [])
    if driver():  # looked for first: the rest takes longer
        return choose(detect_environment(), options, native=style.native)
    return Choice(["openvino"], [])


def _open(
    options: EngineOptions,
    style: Style,
    size: dict[str, int],
    *,
    live: bool,
    report: Report,
    expected: Expected | None,
) -> Engine:
    name = options.name
    if name == "openvino":
        from .openvino import OpenVINOEngine

        return OpenVINOEngine(options, style, **size, live=live)
    if name == "echo":
        from .echo import EchoEngine

        return EchoEngine()
    if name not in ("torch", "tensorrt"):
        raise EngineError(f"there is no engine {name!r}", hint=f"engines: {', '.join(NAMES)}")
    if name == "torch":
        with need_torch(name):
            from .torch import open_torch
        return open_torch(options, style, **size, expected=expected)
    with need_torch(name):
        from .tensorrt import open_tensorrt
    return open_tensorrt(options, style, **size, report=report, expected=expected)


@contextmanager
def need_torch(engine: str) -> Iterator[None]:
    """Say what to do when PyTorch, for this engine, is missing or does not load in the block."""
    if importlib.util.find_spec("torch") is None or importlib.util.find_spec("onnx") is None:
        raise EngineError(
            f"the {engine} engine needs PyTorch and onnx", hint=f'pip install "stylecam[{engine}]"'
        )
    try:
        yield
    except (ImportError, OSError) as error:
        raise_interrupt(error)
        raise EngineError(
            f"PyTorch is installed but does not load: {error}",
            hint="pip install --force-reinstall torch",
        ) from error
