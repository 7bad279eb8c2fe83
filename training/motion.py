"""Two views of one scene and the motion between them, so that steadiness can be trained.

From a still photo the second view is made: after ReReVST (Wang et al. 2020, arXiv:2010.10012) a
smooth random flow plus a shift of the whole picture; here also a small rotation and zoom, and what
a camera and its codec add. From a video it is a neighbouring frame, and the flow is estimated.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

SENSOR_SIGMA: Final = 0.012
"""The most noise of a camera, of 1, at each size of grain."""
SHIFT_PX: Final = 10.0


class Motion(NamedTuple):
    """Where each pixel comes from, for `grid_sample`, and whether it was seen there."""

    grid_NHW2: Tensor
    visible_N1HW: Tensor

    def apply(self, x_NCHW: Tensor) -> Tensor:
        """Move pictures (N, 3, H, W)."""
        return F.grid_sample(x_NCHW, self.grid_NHW2, padding_mode="border", align_corners=False)

    def to(self, device: torch.device | str) -> Motion:
        """Move the tensors."""
        return Motion(self.grid_NHW2.to(device), self.visible_N1HW.to(device))


class Pair(NamedTuple):
    """Two views of one scene, (N, 3, H, W) in 0..1, and the motion that leads to the second."""

    first: Tensor
    second: Tensor
    motion: Motion

    def to(self, device: torch.device | str) -> Pair:
        """Move the tensors."""
        return Pair(self.first.to(device), self.second.to(device), self.motion.to(device))

    @staticmethod
    def cat(pairs: list[Pair]) -> Pair:
        """Join pairs along the batch."""
        grids, visible = zip(*(pair.motion for pair in pairs), strict=True)
        return Pair(
            torch.cat([pair.first for pair in pairs]),
            torch.cat([pair.second for pair in pairs]),
            Motion(torch.cat(grids), torch.cat(visible)),
        )


def still_pair(
    photo: Tensor,
    *,
    generator: torch.Generator,
    noise: float = 1.0,
    shift_px: float = SHIFT_PX,
) -> Pair:
    """Return a photo (1, 3, H, W) and a moved exposure of it, `noise` times as noisy as usual."""
    motion = random_motion(photo.shape, generator=generator, shift_px=shift_px)
    second = camera_noise(motion.apply(photo), generator=generator, sigma=noise * SENSOR_SIGMA)
    return Pair(photo, second, motion)


def frame_pair(first: Tensor, second: Tensor) -> Pair:
    """Return two frames (1, 3, H, W) of a video with the flow between them.

    DIS optical flow (Kroeger et al. 2016, arXiv:1603.03590); what fails the forward-backward
    check does not count as seen.
    """
    earlier, later = (
        cv2.cvtColor((x[0].permute(1, 2, 0).numpy() * 255).astype(np.uint8), cv2.COLOR_RGB2GRAY)
        for x in (first, second)
    )
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    back: npt.NDArray[np.float32] = dis.calc(later, earlier, None)  # type: ignore[call-overload]
    forth: npt.NDArray[np.float32] = dis.calc(earlier, later, None)  # type: ignore[call-overload]
    flow_N2HW, forth_N2HW = (torch.from_numpy(f).permute(2, 0, 1)[None] for f in (back, forth))
    motion = _follow(flow_N2HW)
    off = (flow_N2HW + motion.apply(forth_N2HW)).square().sum(1, keepdim=True)
    agrees = off <= 0.01 * flow_N2HW.square().sum(1, keepdim=True) + 0.5
    return Pair(first, second, Motion(motion.grid_NHW2, motion.visible_N1HW * agrees))


def _follow(flow_N2HW: Tensor) -> Motion:
    n, _, h, w = flow_N2HW.shape
    grid = F.affine_grid(torch.eye(2, 3).expand(n, 2, 3), [n, 1, h, w], align_corners=False)
    grid = grid + flow_N2HW.permute(0, 2, 3, 1) * torch.tensor([2 / w, 2 / h])
    return Motion(grid, (grid.abs().amax(-1) <= 1).float().unsqueeze(1))


def random_motion(
    shape: torch.Size, *, generator: torch.Generator, shift_px: float = SHIFT_PX, flow_px: float = 8
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


def camera_noise(
    x_NCHW: Tensor, *, generator: torch.Generator, sigma: float = SENSOR_SIGMA
) -> Tensor:
    """Another exposure of the same view: brightness within 3 %, noise, often lossy compression.

    A codec smears sensor noise, so noise comes at four sizes of grain, up to `sigma` each.
    """
    n, _, h, w = x_NCHW.shape
    out = x_NCHW * (1 + (torch.rand(n, 1, 1, 1, generator=generator) - 0.5) * 0.06)
    for grain in (1, 2, 4, 8):
        noise = torch.randn(n, 3, -(-h // grain), -(-w // grain), generator=generator)
        amount = torch.rand(n, 1, 1, 1, generator=generator) * sigma
        out = out + F.interpolate(noise * amount, size=(h, w), mode="bilinear")
    out = out.clamp(0, 1)
    if torch.rand((), generator=generator) < 0.5:
        quality = int(torch.randint(35, 92, (), generator=generator))
        top, left = torch.randint(0, 8, (2,), generator=generator).tolist()
        out = torch.stack([_compress(x_CHW, quality, top, left) for x_CHW in out])
    return out


def _compress(x_CHW: Tensor, quality: int, top: int, left: int) -> Tensor:
    """Through JPEG, with its grid of blocks moved by (top, left)."""
    image = (x_CHW.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)[..., ::-1]  # BGR
    image = np.pad(image, ((top, 0), (left, 0), (0, 0)), "edge")
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert decoded is not None
    image = decoded[top:, left:, ::-1].astype(np.uint8)
    return torch.from_numpy(image.astype(np.float32) / 255).permute(2, 0, 1)
