"""What the generator is asked for: content, style, smoothness and steadiness."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .vgg import TAPS

CONTENT_LAYER = "3_1"


def gram(features_NCHW: Tensor) -> Tensor:
    """Gram matrix of each picture's features (Gatys et al. 2015, arXiv:1508.06576): (N, C, C)."""
    n, c, h, w = features_NCHW.shape
    flat = features_NCHW.reshape(n, c, h * w).float()
    return flat @ flat.transpose(1, 2) / (h * w)


def style_loss(features: dict[str, Tensor], targets: dict[str, Tensor]) -> Tensor:
    """Distance of Gram matrices, each layer relative to the painting's own, summed over layers.

    `targets` holds (1, C, C) matrices. 0 is the painting itself; a photo is at about 2.
    """
    terms = [
        (gram(features[name]) - targets[name]).square().sum((1, 2)).mean()
        / targets[name].square().sum()
        for name in TAPS
    ]
    return torch.stack(terms).sum()


def content_loss(features: dict[str, Tensor], photo: dict[str, Tensor]) -> Tensor:
    """Mean square distance of relu3_1 features to the photo's, relative to their variance."""
    target = photo[CONTENT_LAYER]
    return (features[CONTENT_LAYER] - target).square().mean() / target.var()


def total_variation(x_NCHW: Tensor) -> Tensor:
    """Mean absolute difference of neighbouring pixels."""
    down = (x_NCHW[..., 1:, :] - x_NCHW[..., :-1, :]).abs().mean()
    across = (x_NCHW[..., :, 1:] - x_NCHW[..., :, :-1]).abs().mean()
    return down + across


def lattice_loss(x_NCHW: Tensor, *, period: int = 8, repeats: int = 11) -> Tensor:
    """Variance of the mean colours of the `period` x `period` places on the network's grid.

    A network of strides can see where a pixel lies on its grid, and fills flat areas with a mesh
    of that period, which Gram matrices reward. Averaged over `repeats` periods each way, pictures
    have no such pattern and a mesh is all that remains.
    """
    fine = x_NCHW - F.avg_pool2d(x_NCHW, period + 1, stride=1, padding=period // 2)
    block = period * repeats
    n, c, h, w = (*fine.shape[:2], fine.shape[2] // block, fine.shape[3] // block)
    fine = fine[..., : h * block, : w * block]
    places = fine.reshape(n, c, h, repeats, period, w, repeats, period).mean((3, 6))
    return places.var((3, 5)).mean()


def temporal_loss(moved: Tensor, expected: Tensor, visible_N1HW: Tensor) -> Tensor:
    """Mean square distance between the painting of a moved photo and the moved painting.

    Only where the motion shows nothing new (`visible_N1HW`, 0 or 1).
    """
    error = (moved - expected).square().mean(1, keepdim=True)
    return (error * visible_N1HW).sum() / visible_N1HW.sum().clamp_min(1)
