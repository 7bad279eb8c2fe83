"""Distance of two pictures as a network sees them that took no part in training the styles.

Shift-tolerant LPIPS (Ghildyal and Liu 2022, arXiv:2207.13686), its AlexNet. The weights come with
the package stlpips-pytorch 0.0.2, whose code needs torchvision and is not used.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
import torch.nn.functional as F
from stylecam.realtime.errors import StylecamError
from torch import Tensor

_WEIGHTS = "weights/vST0.0/alex_shift_tolerant.pth"


class ShiftTolerantLPIPS:
    """Call it on two batches, RGB (N, 3, H, W) in 0..1, for their mean distance: 0 is equal.

    Raises StylecamError when the weights are not installed.
    """

    def __init__(self) -> None:
        package = importlib.util.find_spec("stlpips_pytorch")
        if package is None or package.origin is None:
            raise StylecamError(
                "the perceptual distance needs the weights of stlpips-pytorch",
                hint="pip install stlpips-pytorch==0.0.2",
            )
        path = Path(package.origin).parent / _WEIGHTS
        self._weights: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)

    @torch.inference_mode()
    def __call__(self, first: Tensor, second: Tensor) -> float:
        """Return the distance."""
        total = torch.zeros(())
        pairs = zip(self._features(first), self._features(second), strict=True)
        for index, (a, b) in enumerate(pairs):
            square = (F.normalize(a, eps=1e-10) - F.normalize(b, eps=1e-10)).square()
            total = total + F.conv2d(square, self._weights[f"lin{index}.model.1.weight"]).mean()
        return float(total)

    def _features(self, x_NCHW: Tensor) -> list[Tensor]:
        w = self._weights
        x = (x_NCHW * 2 - 1 - w["scaling_layer.shift"]) / w["scaling_layer.scale"]
        x = self._conv(x, "net.slice1.0", padding=2)
        first = F.relu(self._blur(x, "net.slice1.1"))
        x = self._blur(F.max_pool2d(first, 3, 1), "net.slice2.4")
        second = F.relu(self._conv(x, "net.slice2.5", padding=2))
        x = self._blur(F.max_pool2d(second, 3, 1), "net.slice3.8")
        third = F.relu(self._conv(x, "net.slice3.9", padding=1))
        fourth = F.relu(self._conv(third, "net.slice4.11", padding=1))
        fifth = F.relu(self._conv(fourth, "net.slice5.13", padding=1))
        return [first, second, third, fourth, fifth]

    def _conv(self, x: Tensor, name: str, *, padding: int) -> Tensor:
        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        return F.conv2d(x, weight, bias, padding=padding)

    def _blur(self, x: Tensor, name: str) -> Tensor:
        """Halve the size through a small filter: what makes the distance tolerate shifts."""
        x = F.pad(x, (2, 2, 2, 2), mode="reflect")
        return F.conv2d(x, self._weights[f"{name}.filt"], stride=2, groups=x.shape[1])
