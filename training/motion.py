"""Synthetic motion of still photos, so that steadiness can be trained without video.

After ReReVST (Wang et al. 2020, arXiv:2010.10012): a smooth random flow plus a shift of the whole
picture; here also a small rotation and zoom, sensor noise and a change of brightness.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Motion(NamedTuple):
    """Where each pixel comes from, for `grid_sample`, and where that lies inside the picture."""

    grid_NHW2: Tensor
    visible_N1HW: Tensor

    def apply(self, x_NCHW: Tensor) -> Tensor:
        """Move pictures (N, 3, H, W)."""
        return F.grid_sample(x_NCHW, self.grid_NHW2, padding_mode="border", align_corners=False)


def random_motion(
    shape: torch.Size, *, generator: torch.Generator, shift_px: float = 10, flow_px: float = 8
) -> Motion:
    """A motion for pictures of `shape` (N, C, H, W): local flow, shift, rotation within 2 degrees
    and zoom within 3 %.
    """
    n, _, h, w = shape

    def uniform(low: float, high: float, *size: int) -> Tensor:
        return torch.rand(*size, generator=generator) * (high - low) + low

    angle, zoom = uniform(-2, 2, n) * math.pi / 180, uniform(0.97, 1.03, n)
    cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0], theta[:, 0, 1], theta[:, 0, 2] = cos, -sin, uniform(-1, 1, n) * 2 * shift_px / w
    theta[:, 1, 0], theta[:, 1, 1], theta[:, 1, 2] = sin, cos, uniform(-1, 1, n) * 2 * shift_px / h
    grid = F.affine_grid(theta, [n, 1, h, w], align_corners=False)
    coarse = torch.randn(n, 2, max(2, h // 48), max(2, w // 48), generator=generator)
    amount = uniform(0, 1, n, 1, 1, 1) * flow_px
    flow = F.interpolate(coarse * amount, size=(h, w), mode="bicubic", align_corners=True)
    grid = grid + flow.permute(0, 2, 3, 1) * torch.tensor([2 / w, 2 / h])
    visible = (grid.abs().amax(-1) <= 1).float().unsqueeze(1)
    return Motion(grid, visible)


def camera_noise(x_NCHW: Tensor, *, generator: torch.Generator, sigma: float = 0.012) -> Tensor:
    """Another exposure of the same view: sensor noise, and a brightness change within 3 %."""
    gain = 1 + (torch.rand(x_NCHW.shape[0], 1, 1, 1, generator=generator) - 0.5) * 0.06
    noise = torch.randn(x_NCHW.shape, generator=generator) * sigma
    return (x_NCHW * gain + noise).clamp(0, 1)
