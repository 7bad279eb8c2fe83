"""The picture that everything is measured on, and what becomes of it in float32."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from stylecam.kernels.layout import Layout
from stylecam.kernels.rgb_to_yuv420 import rgb_to_yuv420_reference
from stylecam.kernels.yuv420_to_rgb import yuv420_to_rgb_reference
from stylecam.realtime.frame import BT709, Yuv420
from stylecam.realtime.sources.pattern import PatternSource
from torch import Tensor, nn


class Scene:
    """The test pattern, of sides that are multiples of 8, on the CPU."""

    def __init__(self, height: int, width: int) -> None:
        self.layout = Layout(height, width)
        rgb = torch.from_numpy(PatternSource(height, width).image(7).copy())
        self.frame = torch.empty(self.layout.samples, dtype=torch.uint8)
        """Its samples, I420."""
        planes = rgb.permute(2, 0, 1)[None].float() / 255
        rgb_to_yuv420_reference(planes, self.frame, self.layout)
        self.photo = torch.empty(1, 3, height, width)
        """What the samples are in RGB, 0..1."""
        yuv420_to_rgb_reference(self.frame, self.photo, self.layout)

    @property
    def picture(self) -> Yuv420:
        """The samples as the pipeline carries them."""
        return Yuv420(self.frame.numpy(), self.layout.height, self.layout.width, BT709)


@contextmanager
def exactly() -> Iterator[None]:
    """Let float32 be float32: cuDNN multiplies with ten bits of it unless it is told not to."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


@torch.no_grad()
def exact(module: nn.Module, scene: Scene, device: torch.device) -> Tensor:
    """Return the samples of the painting by `module` and the references alone, all in float32.

    Its norms take the picture's own statistics, with which a clip begins.
    """
    with exactly():
        painting = module.eval().to(device)(scene.photo.to(device))
    out = torch.empty(scene.layout.samples, dtype=torch.uint8, device=device)
    rgb_to_yuv420_reference(painting, out, scene.layout)
    return out
