"""A 4:2:0 picture as it crosses the bus to the RGB planes a network takes.

Chroma is doubled linearly, as swscale does with the flags of `realtime/colour.py`. Its samples lie
on the even columns, between the rows, as decoders have it unless a video says otherwise: an odd
column is the mean of two, a row 3/4 of the nearer and 1/4 of the farther; the outermost are
repeated.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .launch import device_of, jit, runs_on, tl
from .layout import Layout

ROWS, COLUMNS = 4, 128
"""Of the picture that one program writes: 128 threads with 4 pixels each."""


def yuv420_to_rgb(frame: Tensor, out: Tensor, layout: Layout) -> None:
    """Do what the reference does, in one kernel on the current stream of the tensors' device.

    Allocates nothing and never waits, so a CUDA graph can hold it. Values differ from the
    reference's by float32 rounding.
    """
    if not runs_on(out):
        return yuv420_to_rgb_reference(frame, out, layout)
    check(frame, out, layout)
    height, width = out.shape[2:]
    grid = (-(-width // COLUMNS), -(-height // ROWS))
    sizes = (layout.height, layout.width, height, width, *out.stride()[1:])
    with device_of(out):
        _kernel[grid](frame, out, *sizes, layout.v_behind_u, **constants(layout))


def constants(layout: Layout) -> dict[str, Any]:
    """Return what is compiled into the kernel."""
    values = {name.upper(): value for name, value in layout.decoding()._asdict().items()}
    shape = {"ROWS": ROWS, "COLUMNS": COLUMNS}
    return values | shape | {"STEP": layout.step, "DEEP": layout.bits > 8}


def yuv420_to_rgb_reference(frame: Tensor, out: Tensor, layout: Layout) -> None:
    """Write RGB in 0..1 into `out` (1, 3, height, width), float16 or float32, of any strides.

    `frame` holds the samples that `layout` says, uint8 (p010: int16 or uint16). What `out` has
    beyond the picture's size at the bottom and right is mirrored, the last row and column not
    repeated. Raises ValueError when shapes or types do not fit.
    """
    check(frame, out, layout)
    y, u, v = (codes(plane) for plane in layout.planes(frame))
    u, v = (_double(plane, layout.height, layout.width) for plane in (u, v))
    k = layout.decoding()
    luma = (y - k.black) * k.gain
    u, v = u - k.zero, v - k.zero
    rgb = (luma + k.red_v * v, luma + k.green_u * u + k.green_v * v, luma + k.blue_u * u)
    rows, columns = (
        reflect(torch.arange(padded, device=out.device), size)
        for padded, size in zip(out.shape[2:], layout[:2], strict=True)
    )
    for plane_HW, target_HW in zip(rgb, out[0], strict=True):
        target_HW.copy_(plane_HW.clamp(0, 1)[rows][:, columns])


def check(frame: Tensor, out: Tensor, layout: Layout) -> None:
    """Raise ValueError unless `out` can take a picture of this layout."""
    layout.check(frame)
    batch, channels, height, width = out.shape
    if (batch, channels) != (1, 3) or height < layout.height or width < layout.width:
        raise ValueError(f"{layout.width}x{layout.height} does not go into {tuple(out.shape)}")
    if out.dtype not in (torch.float16, torch.float32):
        raise ValueError(f"RGB is float16 or float32, not {out.dtype}")


def codes(plane: Tensor) -> Tensor:
    """Return samples as float32 numbers: 0..255, or the ten bits of a p010 sample."""
    if plane.dtype == torch.uint8:
        return plane.float()
    return ((plane.view(torch.int16).int() & 0xFFFF) >> 6).float()


def reflect(index: Tensor, size: int) -> Tensor:
    """Return where `index` falls in 0..size-1 when the picture is mirrored at its ends again and
    again, the outermost pixels once.
    """
    period = max(1, 2 * size - 2)
    there = index % period
    return torch.minimum(there, (2 * size - 2 - there).clamp(min=0))


def _double(plane_HW: Tensor, height: int, width: int) -> Tensor:
    high, wide = plane_HW.shape
    row, column = (torch.arange(side, device=plane_HW.device) for side in (height, width))
    far = (row // 2 + 2 * (row % 2) - 1).clamp(0, high - 1)
    plane_HW = 0.75 * plane_HW[row // 2] + 0.25 * plane_HW[far]
    far = (column // 2 + column % 2).clamp(max=wide - 1)
    return 0.5 * (plane_HW[:, column // 2] + plane_HW[:, far])


@jit
def _kernel(
    frame,
    out,
    height,
    width,
    padded_height,
    padded_width,
    channel_stride,
    row_stride,
    column_stride,
    v_behind_u,
    STEP: tl.constexpr,
    DEEP: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    BLACK: tl.constexpr,
    GAIN: tl.constexpr,
    ZERO: tl.constexpr,
    RED_V: tl.constexpr,
    GREEN_U: tl.constexpr,
    GREEN_V: tl.constexpr,
    BLUE_U: tl.constexpr,
):
    y = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    x = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    row, column = _reflect(y, height), _reflect(x, width)
    luma = (code(tl.load(frame + row[:, None] * width + column[None, :]), DEEP) - BLACK) * GAIN

    # The nearer chroma sample is the one of the pixel's own cell, the farther lies on its side; on
    # an even column they are one.
    high, wide = (height + 1) // 2, (width + 1) // 2
    near_row, near_column = row // 2, column // 2
    far_row = tl.minimum(tl.maximum(near_row + 2 * (row % 2) - 1, 0), high - 1)
    far_column = tl.minimum(near_column + column % 2, wide - 1)
    near_row, far_row = near_row[:, None] * wide * STEP, far_row[:, None] * wide * STEP
    near_column, far_column = near_column[None, :] * STEP, far_column[None, :] * STEP
    u_plane = frame + height * width
    v_plane = u_plane + v_behind_u
    u = _between(u_plane, near_row, far_row, near_column, far_column, DEEP) - ZERO
    v = _between(v_plane, near_row, far_row, near_column, far_column, DEEP) - ZERO

    inside = (y < padded_height)[:, None] & (x < padded_width)[None, :]
    target = out + y[:, None] * row_stride + x[None, :] * column_stride
    _store(target, luma + RED_V * v, inside)
    _store(target + channel_stride, luma + GREEN_U * u + GREEN_V * v, inside)
    _store(target + 2 * channel_stride, luma + BLUE_U * u, inside)


@jit
def code(sample, DEEP: tl.constexpr):
    """Return loaded samples as `codes` does."""
    number = sample.to(tl.int32)
    if DEEP:
        number = (number & 0xFFFF) >> 6
    return number.to(tl.float32)


@jit
def _reflect(index, size):
    there = index % tl.maximum(2 * size - 2, 1)
    return tl.minimum(there, tl.maximum(2 * size - 2 - there, 0))


@jit
def _between(plane, near_row, far_row, near_column, far_column, DEEP: tl.constexpr):
    left = 0.75 * code(tl.load(plane + near_row + near_column), DEEP)
    left += 0.25 * code(tl.load(plane + far_row + near_column), DEEP)
    right = 0.75 * code(tl.load(plane + near_row + far_column), DEEP)
    right += 0.25 * code(tl.load(plane + far_row + far_column), DEEP)
    return 0.5 * (left + right)


@jit
def _store(pointers, value, mask):
    tl.store(pointers, tl.minimum(tl.maximum(value, 0.0), 1.0), mask)
