"""What `--engine auto` takes: the fastest engine that this machine may have, and why.

Decided from what is installed, which is looked up without loading it, so that a machine without an
NVIDIA GPU never waits for PyTorch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..errors import EngineError
from . import tensorrt_library
from .environment import Environment

if TYPE_CHECKING:
    from . import EngineOptions


class Choice(NamedTuple):
    """Engines to try in order, the last of which is always there, and what is to be said first."""

    engines: list[str]
    notes: list[str]


def choose(environment: Environment, options: EngineOptions, *, native: bool) -> Choice:
    """Choose for a style that is `native` (one of stylecam's own) or not.

    Each engine that an NVIDIA GPU could have had, and why not, is a note.
    """
    version = environment.driver
    if not version or options.device is not None:
        return Choice(["openvino"], [])
    here = "NVIDIA GPU found" + (f" (driver {version})" if version != "found" else "")
    obstacle = _obstacle(environment, native=native)
    if obstacle:
        return Choice(["openvino"], [f"{here}, but {obstacle}"])
    if options.precision not in (None, "f16"):
        return Choice(["torch", "openvino"], [f"{here}; {options.precision} is left to PyTorch"])
    try:
        library = tensorrt_library.find(environment)
    except EngineError as error:
        note = f"{here}; PyTorch's own kernels are used, as {error.message}: {error.hint}"
        return Choice(["torch", "openvino"], [note])
    note = f"{here}, and TensorRT, with engines built by {library.built_by}"
    return Choice(["tensorrt", "torch", "openvino"], [note])


def _obstacle(environment: Environment, *, native: bool) -> str:
    """Return what keeps every engine from the GPU that there is, and the remedy, or ""."""
    if not native:
        return "other people's styles run in OpenVINO"
    if environment.torch is None or "onnx" not in environment.packages:
        return 'no PyTorch: pip install "stylecam[tensorrt]" makes use of it'
    if not environment.cuda:
        version = environment.packages["torch"]
        return f"PyTorch {version} has no CUDA: {tensorrt_library.cuda_hint(environment)}"
    return ""
