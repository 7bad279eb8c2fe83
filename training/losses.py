"""What a painting is asked for: content, style, texture, colours."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .vgg import TAPS

CONTENT_LAYER = "3_1"
LEAST_VARIANCE = 1e-5
LEAST_FEATURE_VARIANCE = 1.0
"""Far below those of any picture with something on it: with nothing, quotients stay finite."""


def gram(features_NCHW: Tensor) -> Tensor:
    """Gram matrix of each picture's features (Gatys et al. 2015, arXiv:1508.06576): (N, C, C)."""
    n, c, h, w = features_NCHW.shape
    flat = features_NCHW.reshape(n, c, h * w).float()
    return flat @ flat.transpose(1, 2) / (h * w)


def covariance(features_NCHW: Tensor) -> Tensor:
    """Covariance matrix of each picture's features, the Gram matrix of what is not their mean:
    (N, C, C).
    """
    return gram(features_NCHW - features_NCHW.mean((2, 3), keepdim=True))


def style_loss(features: dict[str, Tensor], targets: dict[str, Tensor]) -> Tensor:
    """Distance of Gram matrices, each layer relative to the painting's own, summed over layers.

    `targets` holds (1, C, C) matrices. 0 is the painting itself; photos are at 2 to 24, which
    depends on the painting more than on the photo.
    """
    return relative_distance({name: gram(features[name]) for name in TAPS}, targets)


def texture_loss(features: dict[str, Tensor], targets: dict[str, Tensor]) -> Tensor:
    """Distance of covariance matrices, as `style_loss` is that of Gram matrices.

    Means make up 0.5 to 0.9 of a Gram matrix: with those right, strokes hardly count any more.
    `targets` holds (1, C, C) matrices. 0 is the painting itself, 4 one colour; photos are at 3 to
    51.
    """
    return relative_distance({name: covariance(features[name]) for name in TAPS}, targets)


def relative_distance(matrices: dict[str, Tensor], targets: dict[str, Tensor]) -> Tensor:
    """Square distance of (N, C, C) matrices to (1, C, C) `targets`, each layer relative to its
    target, mean over pictures and summed over layers.
    """
    terms = [
        (matrices[name] - target).square().sum((1, 2)).mean()
        / target.square().sum().clamp_min(LEAST_FEATURE_VARIANCE)
        for name, target in targets.items()
    ]
    return torch.stack(terms).sum()


def content_loss(features: dict[str, Tensor], photo: dict[str, Tensor]) -> Tensor:
    """Mean square distance of relu3_1 features to the photo's, relative to their variance."""
    target = photo[CONTENT_LAYER]
    distance = (features[CONTENT_LAYER] - target).square().mean()
    return distance / target.var().clamp_min(LEAST_FEATURE_VARIANCE)


def palette_loss(painted: Tensor, painting: Tensor) -> Tensor:
    """Distance of each picture's mean colour and colour covariance to the painting's own.

    Gram matrices of features hardly feel colour: without this, palettes come out muted. 0 is the
    painting's palette; `painting` is (1, 3, H, W).
    """

    def moments(x_NCHW: Tensor) -> tuple[Tensor, Tensor]:
        colours = x_NCHW.flatten(2)
        mean = colours.mean(2, keepdim=True)
        return mean, (colours - mean) @ (colours - mean).transpose(1, 2) / colours.shape[2]

    mean, covariance = moments(painted)
    target_mean, target_covariance = moments(painting)
    spread = target_covariance.diagonal(dim1=1, dim2=2).sum().clamp_min(LEAST_VARIANCE)
    off_mean = (mean - target_mean).square().sum((1, 2)).mean() / spread
    off_covariance = (covariance - target_covariance).square().sum((1, 2)).mean()
    return off_mean + off_covariance / target_covariance.square().sum().clamp_min(LEAST_VARIANCE**2)


def colours_loss(
    painted: Tensor, painting: Tensor, *, cell: int = 4, directions: int = 24, levels: int = 128
) -> Tensor:
    """How far each picture's colours are from the painting's, as distributions.

    Mean and covariance are content without the rare colours, such as the yellow of a few stars.
    This is the sliced Wasserstein distance (Rabin et al. 2011) of the means of `cell` x `cell`
    pixels: along random directions through colour space, the mean square distance of quantiles, in
    units of the painting's variance. 0 is the painting; `painting` is (1, 3, H, W).
    """
    axes = F.normalize(torch.randn(directions, 3), dim=1).to(painted)

    def quantiles(x_NCHW: Tensor) -> Tensor:
        ordered = (axes @ F.avg_pool2d(x_NCHW, cell).flatten(2)).sort(2).values
        return F.interpolate(ordered, levels, mode="linear", align_corners=True)

    target = quantiles(painting)
    return (quantiles(painted) - target).square().mean() / target.var(2).mean().clamp_min(
        LEAST_VARIANCE
    )


def tone_loss(painted: Tensor, photo: Tensor, *, cell: int = 8) -> Tensor:
    """1 - correlation of light and dark between painting and photo, over cells of `cell` pixels.

    Features and Gram matrices are content with a dark head painted pale; viewers are not. A
    correlation leaves the palette and its contrast free.
    """
    weights = painted.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)

    def cells(x_NCHW: Tensor) -> Tensor:
        luma = F.avg_pool2d((x_NCHW * weights).sum(1, keepdim=True), cell).flatten(1)
        return luma - luma.mean(1, keepdim=True)

    return 1 - F.cosine_similarity(cells(painted), cells(photo), dim=1, eps=1e-4).mean()


def total_variation(x_NCHW: Tensor) -> Tensor:
    """Mean absolute difference of neighbouring pixels."""
    down = (x_NCHW[..., 1:, :] - x_NCHW[..., :-1, :]).abs().mean()
    across = (x_NCHW[..., :, 1:] - x_NCHW[..., :, :-1]).abs().mean()
    return down + across
