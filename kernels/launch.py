"""Where the Triton kernels run: on NVIDIA GPUs, and for the tests in Triton's interpreter.

Triton is not there on every system that has PyTorch. Each operation then computes its reference,
on any device; `problem` says why.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor

try:
    import triton
    import triton.language as tl
except ImportError:
    triton = tl = None

__all__ = ["device_of", "jit", "problem", "runs_on", "tl"]


def jit(function: Any) -> Any:
    """Compile a kernel with Triton when it is first launched; without Triton, leave it alone."""
    return function if triton is None else triton.jit(function)


def problem(device: torch.device) -> str:
    """Return why kernels do not run on `device`, with the remedy; "" when they do."""
    if triton is None:
        return "Triton is not installed (pip install triton)"
    if device.type == "cuda" or triton.knobs.runtime.interpret:
        return ""
    return f"Triton has no kernels for {device.type}"


def runs_on(tensor: Tensor) -> bool:
    """Tell whether a kernel can be launched on this tensor."""
    return not problem(tensor.device)


def device_of(tensor: Tensor) -> AbstractContextManager[None]:
    """Make the tensor's GPU the current one, onto which Triton launches."""
    context: AbstractContextManager[None] = torch.cuda.device_of(tensor)  # type: ignore[no-untyped-call]
    return context
