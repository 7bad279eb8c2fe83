"""PyTorch's CUDA streams, lent to one user at a time.

PyTorch has 32 streams of a priority and hands them out by turns, also those that are in use. That
does no harm to what is enqueued, but what another thread enqueues on a stream that is being
captured becomes part of the graph. Loading a style takes up to nine streams, so after a few loads
beside a run the next would be one that the run uses.
"""

from __future__ import annotations

import threading
import weakref
from typing import Any, Final

import torch

from ..errors import EngineError

POOL: Final = 32
"""Streams of one priority on one device, as c10/cuda/CUDAStream.cpp has them."""

# A stream that is forgotten instead of given back is free when it is collected.
_LENT: Final = weakref.WeakSet[Any]()
_LOCK: Final = threading.Lock()


def lend(device: torch.device, *, urgent: bool) -> Any:
    """Return a stream that nobody else has; kernels on `urgent` ones go before those on others.

    From any thread. Raises EngineError when all are lent.
    """
    with _LOCK:
        for _ in range(POOL):
            stream = torch.cuda.Stream(device, -1 if urgent else 0)  # type: ignore[no-untyped-call]
            if stream not in _LENT:
                _LENT.add(stream)
                return stream
    raise EngineError(
        f"all {POOL} streams of the GPU are in use", hint="close engines that are done with"
    )


def give_back(stream: Any) -> None:
    """Let others have the stream. From any thread; a second time changes nothing."""
    with _LOCK:
        _LENT.discard(stream)
