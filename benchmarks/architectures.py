"""The networks that others use for the same task, to be timed beside ours.

Written from the layer lists that their authors published. The weights are random: speed does not
depend on them. Pictures are float (N, 3, H, W) in and out, H and W multiples of 4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def fast_neural_style(*, seed: int = 0) -> nn.Module:
    """Johnson, Alahi, Fei-Fei 2016 (arXiv:1603.08155) in the form that is commonly shipped:
    instance norm, reflection padding, nearest upsampling and a convolution instead of a transposed
    one.
    """
    return _seeded(
        seed,
        lambda: [
            *_instance_normed(3, 32, 9),
            *_instance_normed(32, 64, 3, stride=2),
            *_instance_normed(64, 128, 3, stride=2),
            *(Residual(128) for _ in range(5)),
            *_upsampled(128, 64),
            *_upsampled(64, 32),
            _conv(32, 3, 9),
        ],
    )


def reconet(*, seed: int = 0) -> nn.Module:
    """ReCoNet (Gao, Gu, Li, Yang 2018, arXiv:1807.01197, table 1): wider, four residual blocks, and
    tanh at the end.
    """
    return _seeded(
        seed,
        lambda: [
            *_instance_normed(3, 48, 9),
            *_instance_normed(48, 96, 3, stride=2),
            *_instance_normed(96, 192, 3, stride=2),
            *(Residual(192) for _ in range(4)),
            *_upsampled(192, 96),
            *_upsampled(96, 48),
            _conv(48, 3, 9),
            nn.Tanh(),
        ],
    )


def animegan_v2(*, seed: int = 0) -> nn.Module:
    """The generator of AnimeGANv2 (Chen, Liu, Chen 2020): inverted residual blocks at a quarter of
    the size, layer norm over the whole picture, bilinear upsampling, no biases.
    """
    return _seeded(
        seed,
        lambda: [
            *_layer_normed(3, 32, 7),
            *_layer_normed(32, 64, 3, stride=2),
            *_layer_normed(64, 64, 3),
            *_layer_normed(64, 128, 3, stride=2),
            *_layer_normed(128, 128, 3),
            *_layer_normed(128, 128, 3),
            InvertedResidual(128, 256),
            *(InvertedResidual(256, 256) for _ in range(3)),
            *_layer_normed(256, 128, 3),
            Twice("bilinear"),
            *_layer_normed(128, 128, 3),
            *_layer_normed(128, 128, 3),
            Twice("bilinear"),
            *_layer_normed(128, 64, 3),
            *_layer_normed(64, 64, 3),
            *_layer_normed(64, 32, 7),
            nn.Conv2d(32, 3, 1, bias=False),
            nn.Tanh(),
        ],
    )


ARCHITECTURES: Final = {
    "fast-neural-style": fast_neural_style,
    "ReCoNet": reconet,
    "AnimeGANv2": animegan_v2,
}


class Residual(nn.Module):
    """Two 3x3 convolutions with instance norm, added to their input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inside = nn.Sequential(
            *_instance_normed(channels, channels, 3),
            _conv(channels, channels, 3),
            nn.InstanceNorm2d(channels, affine=True),
        )

    def forward(self, x_NCHW: Tensor) -> Tensor:
        out: Tensor = x_NCHW + self.inside(x_NCHW)
        return out


class InvertedResidual(nn.Module):
    """Widen to twice the channels, filter each alone, narrow; added to the input where it fits."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        wide = 2 * inputs
        self.inside = nn.Sequential(
            *_layer_normed(inputs, wide, 1),
            *_layer_normed(wide, wide, 3, groups=wide, bias=True),
            nn.Conv2d(wide, outputs, 1, bias=False),
            nn.GroupNorm(1, outputs),
        )
        self.added = inputs == outputs

    def forward(self, x_NCHW: Tensor) -> Tensor:
        out: Tensor = self.inside(x_NCHW)
        return x_NCHW + out if self.added else out


class Twice(nn.Module):
    """Twice the height and width."""

    def __init__(self, mode: Literal["nearest", "bilinear"]) -> None:
        super().__init__()
        self.mode = mode

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return F.interpolate(x_NCHW, scale_factor=2.0, mode=self.mode)


def _seeded(seed: int, layers: Callable[[], Iterable[nn.Module]]) -> nn.Module:
    """Build a network without disturbing the caller's random numbers."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(*layers()).eval()


def _conv(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1, bias: bool = True
) -> nn.Conv2d:
    return nn.Conv2d(
        inputs,
        outputs,
        kernel,
        stride,
        kernel // 2,
        groups=groups,
        bias=bias,
        padding_mode="reflect" if kernel > 1 else "zeros",
    )


def _instance_normed(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1
) -> tuple[nn.Module, ...]:
    norm = nn.InstanceNorm2d(outputs, affine=True)
    return _conv(inputs, outputs, kernel, stride=stride), norm, nn.ReLU()


def _upsampled(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return Twice("nearest"), *_instance_normed(inputs, outputs, 3)


def _layer_normed(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1, bias: bool = False
) -> tuple[nn.Module, ...]:
    conv = _conv(inputs, outputs, kernel, stride=stride, groups=groups, bias=bias)
    return conv, nn.GroupNorm(1, outputs), nn.LeakyReLU(0.2)
