"""Several processes train one network together, started by `torchrun`; alone, nothing happens.

Each takes its own pairs, and gradients are averaged. The networks are small, so one all-reduce
after the backward pass costs less than hooking into it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import Tensor


def join(device: str) -> str:
    """Join the other processes, if `torchrun` started several; return this one's device."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return device
    if device == "cuda":
        device = f"cuda:{os.environ['LOCAL_RANK']}"
        torch.cuda.set_device(device)
    if not dist.is_initialized():
        dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    return device


def leave() -> None:
    """Part from the other processes."""
    if dist.is_initialized():
        dist.destroy_process_group()


def rank() -> int:
    """Return this process's number; 0 writes the files."""
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    """Return how many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def cores() -> int:
    """Return how many CPU cores there are for each process on this machine, 1 at least."""
    if hasattr(os, "sched_getaffinity"):  # what a container or a batch system leaves to this one
        there = len(os.sched_getaffinity(0))
    else:
        there = os.cpu_count() or 1
    return max(1, there // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


def agree(value: float) -> float:
    """Return rank 0's value in every process: clocks differ, and all must stop at the same step."""
    if world() == 1:
        return value
    shared = torch.tensor([value], dtype=torch.float64)
    shared = shared.cuda() if dist.get_backend() == "nccl" else shared
    dist.broadcast(shared, src=0)
    return float(shared)


def average_gradients(parameters: Iterable[Tensor]) -> None:
    """Replace each gradient by its mean over all processes."""
    if world() == 1:
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    flat /= world()
    parts = torch.split(flat, [gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))
