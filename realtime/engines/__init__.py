"""What runs the network.

| name | where |
| --- | --- |
| openvino | any CPU, Intel GPU and NPU; the default |
| torch | PyTorch on CUDA or MPS, or on the CPU as the float32 reference |
| echo | nowhere: gives every picture back, for measuring the rest |
"""

from __future__ import annotations

import dataclasses
import importlib.util
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from ..errors import EngineError
from ..styles import Style

if TYPE_CHECKING:
    from .statistics import SmoothedStatistics

NAMES: Final = ("auto", "openvino", "torch", "echo")


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
        """Give back the device. Pictures under way are lost."""
        ...


@dataclasses.dataclass(frozen=True)
class EngineOptions:
    """What the user may say about the engine."""

    name: str = "auto"
    device: str | None = None
    """OpenVINO: CPU, GPU, NPU. torch: cuda, mps, cpu. None: the best there is."""
    precision: str | None = None
    """int8 (OpenVINO on a CPU), f32, bf16 or f16; None is what suits the device."""
    style_range: str | None = None
    """Value range of a foreign network, one of `foreign.RANGES`; None is to be detected."""
    statistics: Literal["smoothed", "frame"] = "smoothed"
    """What instance norm uses: statistics carried through the clip, or each frame's own."""


def open_engine(
    options: EngineOptions, style: Style, *, height: int, width: int, live: bool
) -> Engine:
    """Build the engine for pictures of (height, width); `live` asks for latency, else throughput.

    "auto" takes OpenVINO, which is installed with stylecam; a named engine never falls back.
    Raises EngineError with the remedy.
    """
    name = options.name
    if name == "tensorrt":
        raise EngineError(
            "the TensorRT engine is not part of this version",
            hint="use --engine torch on an NVIDIA GPU, or leave --engine out",
        )
    if name in ("auto", "openvino"):
        from .openvino import OpenVINOEngine

        return OpenVINOEngine(options, style, height=height, width=width, live=live)
    if name == "torch":
        if importlib.util.find_spec("torch") is None or importlib.util.find_spec("onnx") is None:
            raise EngineError(
                "the torch engine needs PyTorch and onnx", hint="pip install 'stylecam[torch]'"
            )
        from .torch import open_torch

        return open_torch(options, style, height=height, width=width)
    if name == "echo":
        from .echo import EchoEngine

        return EchoEngine()
    raise EngineError(f"there is no engine {name!r}", hint=f"engines: {', '.join(NAMES)}")
