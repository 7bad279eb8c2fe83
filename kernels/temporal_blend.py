"""Sensor noise quietened over time, where nothing moves.

Each pixel follows the new picture by a share that grows with how much the 3x3 pixels around it
differ from what was shown before: as much as noise differs, and it is an average over some frames;
more, and it is the new picture. Its twin for pictures in bytes is `realtime/sources/denoise.py`.
"""

from __future__ import annotations

from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor

from .launch import device_of, jit, runs_on, tl

STILL: Final = 2 / 255
"""Mean difference below which nothing moves: noise of sigma 2/255 makes 1.7."""
MOVING: Final = 5 / 255
"""And above which everything does."""
FOLLOW: Final = 0.15
"""Share of the new picture where nothing moves: noise that is left is 0.29 of what came."""

ROWS, COLUMNS = 4, 128


def temporal_blend(photo: Tensor, before: Tensor, out: Tensor) -> None:
    """Do what the reference does, in one kernel on the current stream of the tensors' device.

    Allocates nothing and never waits, so a CUDA graph can hold it. `out` must not be `before`:
    pixels look at their neighbours there.
    """
    if not runs_on(out):
        return temporal_blend_reference(photo, before, out)
    check(photo, before, out)
    height, width = out.shape[2:]
    grid = (-(-width // COLUMNS), -(-height // ROWS))
    strides = (*photo.stride()[1:], *before.stride()[1:], *out.stride()[1:])
    with device_of(out):
        _kernel[grid](photo, before, out, height, width, *strides, **constants())


def constants() -> dict[str, Any]:
    """Return what is compiled into the kernel."""
    return {
        "OFFSET": _OFFSET,
        "SLOPE": _SLOPE / 27,
        "FOLLOW": FOLLOW,
        "ROWS": ROWS,
        "COLUMNS": COLUMNS,
    }


def temporal_blend_reference(photo: Tensor, before: Tensor, out: Tensor) -> None:
    """Write into `out` what is to be painted instead of `photo`, given the `out` of the frame
    before: (1, 3, H, W) in 0..1 each, float16 or float32 of any strides, on one device.

    Raises ValueError when shapes or types do not fit.
    """
    check(photo, before, out)
    change = photo.float() - before.float()
    around = F.pad(change.abs().mean(1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    share = _OFFSET + _SLOPE * F.avg_pool2d(around, 3, stride=1)
    out.copy_(before.float() + share.clamp(FOLLOW, 1) * change)


_SLOPE: Final = (1 - FOLLOW) / (MOVING - STILL)
_OFFSET: Final = FOLLOW - _SLOPE * STILL


def check(photo: Tensor, before: Tensor, out: Tensor) -> None:
    """Raise ValueError unless these go together."""
    for x in (photo, before, out):
        if x.ndim != 4 or x.shape[:2] != (1, 3) or x.shape != out.shape:
            raise ValueError(f"{tuple(x.shape)} and {tuple(out.shape)} are not one size of RGB")
        if x.dtype not in (torch.float16, torch.float32):
            raise ValueError(f"RGB is float16 or float32, not {x.dtype}")
    if out.data_ptr() == before.data_ptr():
        raise ValueError("the picture before cannot be written over")


@jit
def _kernel(
    photo,
    before,
    out,
    height,
    width,
    photo_channel,
    photo_row,
    photo_column,
    before_channel,
    before_row,
    before_column,
    out_channel,
    out_row,
    out_column,
    OFFSET: tl.constexpr,
    SLOPE: tl.constexpr,
    FOLLOW: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    y = (tl.program_id(1) * ROWS + tl.arange(0, ROWS))[:, None]
    x = (tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS))[None, :]
    inside = (y < height) & (x < width)
    change = tl.zeros((ROWS, COLUMNS), tl.float32)
    for tap in tl.static_range(9):
        row = tl.minimum(tl.maximum(y + tap // 3 - 1, 0), height - 1)
        column = tl.minimum(tl.maximum(x + tap % 3 - 1, 0), width - 1)
        here = photo + row * photo_row + column * photo_column
        there = before + row * before_row + column * before_column
        for channel in tl.static_range(3):
            new = tl.load(here + channel * photo_channel, inside, 0.0).to(tl.float32)
            old = tl.load(there + channel * before_channel, inside, 0.0).to(tl.float32)
            change += tl.abs(new - old)
    share = tl.minimum(tl.maximum(OFFSET + SLOPE * change, FOLLOW), 1.0)
    here = photo + y * photo_row + x * photo_column
    there = before + y * before_row + x * before_column
    target = out + y * out_row + x * out_column
    for channel in tl.static_range(3):
        new = tl.load(here + channel * photo_channel, inside, 0.0).to(tl.float32)
        old = tl.load(there + channel * before_channel, inside, 0.0).to(tl.float32)
        tl.store(target + channel * out_channel, old + share * (new - old), inside)
