"""The discriminator: judges patches, the painting's own against stylized ones."""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm


class Discriminator(nn.Module):
    """PatchGAN with spectral norm (Isola et al. 2017; Miyato et al. 2018, arXiv:1802.05957).

    Takes float (N, 3, H, W) in 0..1 and returns one score for each overlapping 46-pixel patch,
    float (N, 1, H/8 - 1, W/8 - 1): high for a painting.
    """

    def __init__(self, width: int = 32, dropout: float = 0.0) -> None:
        super().__init__()
        widths = (3, width, 2 * width, 4 * width)
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(widths):
            layers += [spectral_norm(nn.Conv2d(inputs, outputs, 4, 2, 1)), nn.LeakyReLU(0.2)]
        layers.append(nn.Dropout2d(dropout))  # without any too: a resumed run may begin with it
        layers.append(spectral_norm(nn.Conv2d(widths[-1], 1, 4, 1, 1)))
        self.layers = nn.Sequential(*layers)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        scores: Tensor = self.layers(x_NCHW * 2 - 1)
        return scores


def discriminator_loss(discriminator: Discriminator, real: Tensor, fake: Tensor) -> Tensor:
    """Hinge loss of the discriminator on paintings `real` and stylized `fake`, detached."""
    return F.relu(1 - discriminator(real)).mean() + F.relu(1 + discriminator(fake.detach())).mean()


def adversarial_loss(discriminator: Discriminator, fake: Tensor) -> Tensor:
    """Hinge loss of the generator: how little the discriminator is convinced."""
    scores: Tensor = discriminator(fake)
    return -scores.mean()


def gradient_penalty(discriminator: Discriminator, real: Tensor) -> Tensor:
    """R1 penalty: squared gradient of the score at real patches (Mescheder et al. 2018)."""
    real = real.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(discriminator(real).sum(), real, create_graph=True)
    return gradient.square().sum((1, 2, 3)).mean()
