"""Where the Triton kernels run: on NVIDIA GPUs, and for the tests in Triton's interpreter.

Triton is not there on every system that has PyTorch, and needs a C compiler. Without it each
operation computes its reference, on any device; `problem` says why.
"""

from __future__ import annotations

import functools
import sys
from contextlib import AbstractContextManager
from typing import Any, Final

import torch
from torch import Tensor

try:
    import triton
    import triton.language as tl
except ImportError as error:
    if isinstance(error.__cause__, KeyboardInterrupt):  # heard while its extension was loaded
        raise error.__cause__ from None
    triton = tl = None

__all__ = ["device_of", "jit", "problem", "remedy", "runs_on", "tl"]


def jit(function: Any) -> Any:
    """Compile a kernel with Triton when it is first launched; without Triton, leave it alone."""
    return function if triton is None else triton.jit(function)


def problem(device: torch.device) -> str:
    """Return why kernels do not run on `device`; "" when they do."""
    if triton is None:
        return "Triton is not installed"
    if triton.knobs.runtime.interpret:
        return ""
    if device.type != "cuda":
        return f"Triton has no kernels for {device.type}"
    return _launcher_problem()


def remedy() -> str:
    """Return how to get what kernels need on a GPU."""
    if triton is None:
        return f"pip install {'triton-windows' if sys.platform == 'win32' else 'triton'}"
    return "pip install --force-reinstall triton-windows" if sys.platform == "win32" else _COMPILER


_COMPILER: Final = "sudo apt install gcc python3-dev (on other systems: a C compiler and Python.h)"


@functools.cache
def _launcher_problem() -> str:
    """Return why Triton cannot reach the GPU: its first use compiles a part in C, and keeps it."""
    try:
        triton.runtime.driver.active.get_current_target()
    except Exception as error:  # of subprocess, of the linker, its own
        said = str(error).strip().splitlines() or [type(error).__name__]
        return f"Triton does not start: {said[0]}"
    return ""


def runs_on(tensor: Tensor) -> bool:
    """Tell whether a kernel can be launched on this tensor."""
    return not problem(tensor.device)


def device_of(tensor: Tensor) -> AbstractContextManager[None]:
    """Make the tensor's GPU the current one, onto which Triton launches."""
    context: AbstractContextManager[None] = torch.cuda.device_of(tensor)  # type: ignore[no-untyped-call]
    return context
