"""Which TensorRT an engine is built and run with, and the line that installs what is missing.

There are two builds of it: for datacentre and workstation GPUs, which PyTorch's bridge
`torch-tensorrt` uses and brings along, and TensorRT-RTX for GeForce. A bridge goes with one minor
version of PyTorch. Without it TensorRT's own ONNX parser reads the style, and always for
TensorRT-RTX: `torch-tensorrt-rtx` has no way to ask for an engine that a CUDA graph can hold.
"""

from __future__ import annotations

import functools
import importlib
from typing import Any, Final, NamedTuple

from ..errors import EngineError, raise_interrupt
from .environment import MODULES, Environment, minor

RELEASES: Final = {(2, 11): "2.11.0", (2, 12): "2.12.1", (2, 13): "2.13.0", (2, 14): "2.14.0"}
"""Of the bridge, by the minor version of torch that its metadata requires."""
BRIDGE: Final = "torch-tensorrt"
RTX_BRIDGE: Final = "torch-tensorrt-rtx"


class Library(NamedTuple):
    """`module` is what to import; `builder` makes engines: the bridge with its version, or "" for
    TensorRT's own parser.
    """

    module: str
    builder: str
    version: str = ""

    @property
    def built_by(self) -> str:
        """Return the builder for people."""
        return f"{self.builder} {self.version}" if self.builder else "its ONNX parser"


def find(environment: Environment) -> Library:
    """Return the TensorRT to use. Raises EngineError with the reason, and the line that helps."""
    packages = environment.packages
    torch = environment.torch
    if torch is None or "onnx" not in packages:
        lacking = "PyTorch" if torch is None else "onnx"
        raise EngineError(
            f"the TensorRT engine needs {lacking}", hint='pip install "stylecam[tensorrt]"'
        )
    if not environment.cuda:
        raise EngineError(
            f"TensorRT needs CUDA, and PyTorch {packages['torch']} is built without",
            hint=cuda_hint(environment),
        )
    if BRIDGE in packages and RTX_BRIDGE in packages:
        raise EngineError(
            f"{BRIDGE} and {RTX_BRIDGE} are both installed: one has overwritten the other",
            hint=f"pip uninstall {BRIDGE} {RTX_BRIDGE}, then {install_hint(torch)}",
        )
    if BRIDGE in packages:
        version, module = packages[BRIDGE], "tensorrt"
        if minor(version) != torch:
            raise EngineError(
                f"{BRIDGE} {version} does not go with torch {packages['torch']}",
                hint=install_hint(torch, bridge=True),
            )
        if module not in environment.modules:
            raise EngineError(
                f"{BRIDGE} {version} is installed, but {module}, which it needs, is not",
                hint=f"pip install --force-reinstall {BRIDGE}=={version}",
            )
        return Library(module, BRIDGE, version)
    for module in MODULES:
        if module in environment.modules:
            return Library(module, "")
    raise EngineError("TensorRT is not installed", hint=install_hint(torch))


def install_hint(torch: tuple[int, int], *, bridge: bool = False) -> str:
    """Return the pip line for this minor version of PyTorch, of TensorRT or of its `bridge`."""
    release = RELEASES.get(torch)
    if release is None:
        newest = max(RELEASES)
        wanted = f'"torch=={newest[0]}.{newest[1]}.*" '
        release = RELEASES[newest]
    else:
        wanted = ""
    line = f"pip install {wanted}{BRIDGE}=={release}"
    return line if bridge else f"{line} (for a GeForce RTX: pip install tensorrt-rtx)"


def cuda_hint(environment: Environment) -> str:
    """Return how to get the PyTorch that is installed with CUDA."""
    release = environment.packages["torch"].split("+")[0]
    return (
        f"pip install --force-reinstall torch=={release} on Linux; on Windows with the "
        "--index-url that pytorch.org/get-started gives"
    )


def load(library: Library) -> Any:
    """Import TensorRT. Raises EngineError when it does not load."""
    return _load(library.module, library)


def load_bridge(library: Library) -> Any:
    """Import torch-tensorrt, which takes seconds. Raises EngineError when it does not load."""
    return _load("torch_tensorrt", library)


def make(trt: Any, kind: str, *arguments: Any) -> Any:
    """Return a new Builder, Runtime or Refitter. Raises EngineError with TensorRT's reason: where
    it cannot make one, its bindings raise TypeError and leave the reason to the log.
    """
    try:
        return getattr(trt, kind)(*arguments, log_of(trt))
    except TypeError as error:
        raise EngineError(
            f"TensorRT cannot make its {kind.lower()}: {reason(trt)}",
            hint="stylecam doctor checks the driver; --engine torch works without TensorRT",
        ) from error


def _load(module: str, library: Library) -> Any:
    try:
        return importlib.import_module(module)
    except Exception as error:  # torch-tensorrt raises plain Exception; libraries raise OSError
        raise_interrupt(error)
        release = f"{library.builder}=={library.version}" if library.builder else library.module
        raise EngineError(
            f"{module} is installed but does not load: {error}",
            hint=f"pip install --force-reinstall {release}",
        ) from error


@functools.cache
def log_of(trt: Any) -> Any:
    """Return the logger for all that is made with this TensorRT, which uses the first it is given
    for ever. It keeps the errors, for messages.
    """

    class Log(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.INTERNAL_ERROR, trt.ILogger.ERROR):
                self.errors.append(" ".join(message.split()))

    return Log()


def reason(trt: Any) -> str:
    """Return TensorRT's last error, and forget all."""
    errors: list[str] = log_of(trt).errors
    said = errors[-1] if errors else "it does not say why"
    errors.clear()
    return said
