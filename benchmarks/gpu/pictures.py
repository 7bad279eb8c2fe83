"""The picture that everything is measured on, and what becomes of it in float32."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import numpy as np
import torch
from stylecam.kernels.layout import Layout
from stylecam.kernels.rgb_to_yuv420 import rgb_to_yuv420_reference
from stylecam.kernels.yuv420_to_rgb import yuv420_to_rgb_reference
from stylecam.realtime.colour import BT709
from stylecam.realtime.pictures import Image, Picture, Yuv420
from stylecam.realtime.sources.pattern import PatternSource
from torch import Tensor, nn

_CLIP: Final = 4
"""Pictures in a clip: no divisor of 15, so that those that are measured differ."""


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

    @property
    def image(self) -> Image:
        """The same as uint8 RGB (H, W, 3)."""
        return (self.photo[0].permute(1, 2, 0) * 255).round().to(torch.uint8).contiguous().numpy()


def moving(picture: Picture) -> list[Picture]:
    """Return the pictures of a short clip, to be shown again and again: this one, moved sideways.

    Of a still picture the statistics are measured once. Of these they are every 15 frames, as of a
    clip from a camera, and none is far enough from the next to be taken for a cut.
    """
    return [_moved(picture, step) for step in range(_CLIP)]


def _moved(picture: Picture, step: int) -> Picture:
    if not isinstance(picture, Yuv420):
        return np.roll(picture, 2 * round(step * picture.shape[1] / 128), axis=1)
    columns = round(step * picture.width / 128)
    luma, *chroma = picture.planes
    planes = [np.roll(luma, 2 * columns, axis=1), *(np.roll(c, columns, axis=1) for c in chroma)]
    return dataclasses.replace(picture, data=np.concatenate([plane.ravel() for plane in planes]))


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
