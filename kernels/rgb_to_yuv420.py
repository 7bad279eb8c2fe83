"""The RGB planes of a painting to a 4:2:0 picture as it crosses the bus.

Chroma is halved as swscale does it: four rows weighted 1 3 3 1, and 3/4 of the mean of two columns
with 1/4 of that of the two to their left, so that its samples lie between the rows and on the even
columns, where `yuv420_to_rgb` and decoders look for them. The outermost pixels are repeated.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .launch import device_of, jit, runs_on, tl
from .layout import Layout
from .yuv420_to_rgb import code, codes

ROWS, COLUMNS = 4, 64
"""Of chroma that one program writes, and of luma twice as many each way."""


def rgb_to_yuv420(
    rgb: Tensor,
    out: Tensor,
    layout: Layout,
    *,
    original: Tensor | None = None,
    strength: Tensor | None = None,
    dither: bool = False,
) -> None:
    """Do what the reference does, in one kernel on the current stream of the tensors' device.

    Allocates nothing and never waits, so a CUDA graph can hold it. Float32 rounding may turn a
    value that lies between two samples the other way.
    """
    if not runs_on(rgb):
        return rgb_to_yuv420_reference(
            rgb, out, layout, original=original, strength=strength, dither=dither
        )
    check(rgb, out, layout, original, strength)
    mixed = original is not None
    high, wide = layout.chroma
    grid = (-(-wide // COLUMNS), -(-high // ROWS))
    tensors = (rgb, out, original if mixed else out, strength if mixed else rgb)
    sizes = (layout.height, layout.width, *rgb.stride()[1:])
    compiled_in = constants(layout, mixed=mixed, dither=dither)
    with device_of(rgb):
        _kernel[grid](*tensors, *sizes, layout.v_behind_u, **compiled_in)


def constants(layout: Layout, *, mixed: bool, dither: bool) -> dict[str, Any]:
    """Return what is compiled into the kernel."""
    values = {name.upper(): value for name, value in layout.encoding()._asdict().items()}
    shape = {"ROWS": ROWS, "COLUMNS": COLUMNS, "STEP": layout.step, "BITS": layout.bits}
    return values | shape | {"ODD": layout.width % 2 == 1, "MIXED": mixed, "DITHER": dither}


def rgb_to_yuv420_reference(
    rgb: Tensor,
    out: Tensor,
    layout: Layout,
    *,
    original: Tensor | None = None,
    strength: Tensor | None = None,
    dither: bool = False,
) -> None:
    """Write the upper left of `rgb` (1, 3, height, width), float16 or float32 of any strides,
    clipped to 0..1, into the samples `out` as `layout` says.

    With `original`, samples of the same layout, the result is mixed: `strength` parts painting (one
    float32 on the same device, so that a captured graph reads it anew) to 1 - `strength` parts
    original. Values are rounded to the nearest, or with `dither` by an 8x8 ordered pattern (Bayer
    1973) that stands still. Raises ValueError when shapes or types do not fit.
    """
    check(rgb, out, layout, original, strength)
    red, green, blue = rgb[0, :, : layout.height, : layout.width].float().clamp(0, 1).unbind(0)
    k = layout.encoding()
    luma = k.kr * red + k.kg * green + k.kb * blue
    y = k.black + k.range * luma
    u = k.zero + _halve(k.u_gain * (blue - luma))
    v = k.zero + _halve(k.v_gain * (red - luma))
    before = (None, None, None) if original is None else layout.planes(original)
    for plane, target, photo in zip((y, u, v), layout.planes(out), before, strict=True):
        if photo is not None and strength is not None:
            old = codes(photo)
            plane = old + strength * (plane - old)  # noqa: PLW2901
        threshold = _bayer(plane) if dither else 0.5
        value = (plane + threshold).floor().clamp(0, (1 << layout.bits) - 1)
        if layout.bits > 8:
            target.view(torch.int16).copy_((value.int() << 6).to(torch.int16))
        else:
            target.copy_(value)


def check(
    rgb: Tensor, out: Tensor, layout: Layout, original: Tensor | None, strength: Tensor | None
) -> None:
    """Raise ValueError unless these go together."""
    layout.check(out)
    batch, channels, height, width = rgb.shape
    if (batch, channels) != (1, 3) or height < layout.height or width < layout.width:
        raise ValueError(f"{tuple(rgb.shape)} does not hold {layout.width}x{layout.height}")
    if rgb.dtype not in (torch.float16, torch.float32):
        raise ValueError(f"RGB is float16 or float32, not {rgb.dtype}")
    if (original is None) != (strength is None):
        raise ValueError("a mix needs both the original and the strength")
    if original is not None:
        layout.check(original)
    if strength is not None and (strength.numel(), strength.dtype) != (1, torch.float32):
        raise ValueError("the strength is one float32")


def _halve(x_HW: Tensor) -> Tensor:
    """Halve both sides, odd ones rounded up."""
    height, width = x_HW.shape
    left = torch.arange(0, width, 2, device=x_HW.device)
    x_HW = (x_HW[:, left] + x_HW[:, (left + 1).clamp(max=width - 1)]) / 2
    top = torch.arange(0, height, 2, device=x_HW.device)
    rows = [x_HW[(top + step).clamp(0, height - 1)] for step in (-1, 0, 1, 2)]
    x_HW = (rows[0] + 3 * (rows[1] + rows[2]) + rows[3]) / 8
    return 0.75 * x_HW + 0.25 * torch.cat([x_HW[:, :1], x_HW[:, :-1]], dim=1)


def _bayer(plane_HW: Tensor) -> Tensor:
    """Return thresholds in 0..1, 64 different ones in each 8x8 cell, their mean a half."""
    rows, columns = (torch.arange(side, device=plane_HW.device) for side in plane_HW.shape)
    x, y = columns[None, :], rows[:, None]
    mixed = x ^ y
    order = torch.zeros_like(mixed)
    for bit in range(3):
        order = order * 4 + 2 * ((mixed >> bit) & 1) + ((y >> bit) & 1)
    return (order.float() + 0.5) / 64


@jit
def _kernel(
    rgb,
    out,
    original,
    strength,
    height,
    width,
    channel_stride,
    row_stride,
    column_stride,
    v_behind_u,
    STEP: tl.constexpr,
    BITS: tl.constexpr,
    ODD: tl.constexpr,
    MIXED: tl.constexpr,
    DITHER: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    KR: tl.constexpr,
    KG: tl.constexpr,
    KB: tl.constexpr,
    BLACK: tl.constexpr,
    RANGE: tl.constexpr,
    ZERO: tl.constexpr,
    U_GAIN: tl.constexpr,
    V_GAIN: tl.constexpr,
):
    high, wide = (height + 1) // 2, (width + 1) // 2
    cell_y = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    cell_x = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    y = 2 * cell_y
    x = tl.program_id(0) * 2 * COLUMNS + tl.arange(0, 2 * COLUMNS)
    # Where the width is even, contiguous as the compiler can see; the last cell of an odd one has
    # its only column twice.
    column = tl.minimum(x, width - 1) if ODD else x
    columns = rgb + column[None, :] * column_stride
    seen = (x < 2 * wide)[None, :] & (cell_y < high)[:, None]
    r0, g0, b0 = _row(columns, y - 1, height, row_stride, channel_stride, seen)
    r1, g1, b1 = _row(columns, y, height, row_stride, channel_stride, seen)
    r2, g2, b2 = _row(columns, y + 1, height, row_stride, channel_stride, seen)
    r3, g3, b3 = _row(columns, y + 2, height, row_stride, channel_stride, seen)

    share = tl.load(strength) if MIXED else 1.0
    inside = seen & (x < width)[None, :]
    upper = BLACK + RANGE * (KR * r1 + KG * g1 + KB * b1)
    at = y[:, None] * width + x[None, :]
    threshold = _threshold(y[:, None], x[None, :], DITHER)
    _emit(out, original, at, upper, share, threshold, inside, BITS, MIXED)
    lower = BLACK + RANGE * (KR * r2 + KG * g2 + KB * b2)
    threshold = _threshold(y[:, None] + 1, x[None, :], DITHER)
    inside = inside & (y + 1 < height)[:, None]
    _emit(out, original, at + width, lower, share, threshold, inside, BITS, MIXED)

    red = _halve_cells(r0, r1, r2, r3, ROWS, COLUMNS)
    green = _halve_cells(g0, g1, g2, g3, ROWS, COLUMNS)
    blue = _halve_cells(b0, b1, b2, b3, ROWS, COLUMNS)
    # The cells to the left, which may be another program's: the cache has them.
    columns = rgb + (x - 2)[None, :] * column_stride
    seen = seen & (x >= 2)[None, :]
    r0, g0, b0 = _row(columns, y - 1, height, row_stride, channel_stride, seen)
    r1, g1, b1 = _row(columns, y, height, row_stride, channel_stride, seen)
    r2, g2, b2 = _row(columns, y + 1, height, row_stride, channel_stride, seen)
    r3, g3, b3 = _row(columns, y + 2, height, row_stride, channel_stride, seen)
    first = (cell_x == 0)[None, :]
    left = _halve_cells(r0, r1, r2, r3, ROWS, COLUMNS)
    red = 0.75 * red + 0.25 * tl.where(first, red, left)
    left = _halve_cells(g0, g1, g2, g3, ROWS, COLUMNS)
    green = 0.75 * green + 0.25 * tl.where(first, green, left)
    left = _halve_cells(b0, b1, b2, b3, ROWS, COLUMNS)
    blue = 0.75 * blue + 0.25 * tl.where(first, blue, left)
    luma = KR * red + KG * green + KB * blue
    inside = (cell_y < high)[:, None] & (cell_x < wide)[None, :]
    at = height * width + (cell_y[:, None] * wide + cell_x[None, :]) * STEP
    threshold = _threshold(cell_y[:, None], cell_x[None, :], DITHER)
    u, v = ZERO + U_GAIN * (blue - luma), ZERO + V_GAIN * (red - luma)
    _emit(out, original, at, u, share, threshold, inside, BITS, MIXED)
    _emit(out, original, at + v_behind_u, v, share, threshold, inside, BITS, MIXED)


@jit
def _row(columns, y, height, row_stride, channel_stride, mask):
    """Load red, green and blue of some rows, the outermost repeated."""
    here = columns + tl.minimum(tl.maximum(y, 0), height - 1)[:, None] * row_stride
    return (
        _unit(tl.load(here, mask, 0.0)),
        _unit(tl.load(here + channel_stride, mask, 0.0)),
        _unit(tl.load(here + 2 * channel_stride, mask, 0.0)),
    )


@jit
def _unit(value):
    return tl.minimum(tl.maximum(value.to(tl.float32), 0.0), 1.0)


@jit
def _halve_cells(above, upper, lower, below, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """Weight four rows of cells, and take the mean of each two columns."""
    column = (above + 3 * (upper + lower) + below) * 0.125
    even, odd = tl.split(tl.reshape(column, (ROWS, COLUMNS, 2)))
    return (even + odd) * 0.5


@jit
def _threshold(y, x, DITHER: tl.constexpr):
    """Return what to add before cutting off: a half, or the Bayer pattern."""
    if DITHER:
        mixed = x ^ y
        order = 32 * (mixed & 1) + 16 * (y & 1) + 4 * (mixed & 2) + 2 * (y & 2)
        order += (mixed & 4) // 2 + (y & 4) // 4
        threshold = (order.to(tl.float32) + 0.5) * 0.015625
    else:
        threshold = 0.5
    return threshold


@jit
def _emit(
    out, original, at, value, share, threshold, mask, BITS: tl.constexpr, MIXED: tl.constexpr
):
    """Mix, round and store samples."""
    if MIXED:
        old = code(tl.load(original + at, mask, 0), BITS > 8)
        value = old + share * (value - old)
    sample = tl.maximum(value + threshold, 0.0).to(tl.int32)
    sample = tl.minimum(sample, (1 << BITS) - 1)
    if BITS > 8:
        sample = sample << 6
    tl.store(out + at, sample.to(out.dtype.element_ty), mask)
