"""What a step of training is given: a pair of views, and patches of the painting.

Pictures are float (3, H, W) tensors, RGB in 0..1.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset

from .errors import TrainingError
from .motion import Pair, frame_pair, still_pair
from .recipe import Recipe
from .scenes import SHORT_SIDE_PX, Scenes

TRIES: Final = 10
ONE_COLOUR: Final = 1e-4
"""Deviation, of 1, below which a view shows nothing."""


class Pairs(Dataset[Pair]):
    """One batch of pairs of views for each of `steps` of training: `pairs[step]` is always the
    same, by the recipe's seed.
    """

    def __init__(self, scenes: Scenes, recipe: Recipe, *, steps: int) -> None:
        self.scenes, self._recipe, self._steps = scenes, recipe, steps

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> Pair:
        batch = self._recipe.batch
        return Pair.cat([self._one(step * batch + index) for index in range(batch)])

    def _one(self, index: int) -> Pair:
        """Return one pair; instead of one without anything on it, such as a film's black frames or
        a white sky, that of the scene which comes next. Instance norm has no finite gradient there.
        """
        total, seed = len(self.scenes), self._recipe.seed
        epoch, place = divmod(index, total)
        order = np.random.default_rng((seed, epoch)).permutation(total)
        random = np.random.default_rng((seed, epoch, place, 1))
        for turn in range(max(TRIES, total)):
            pair = self._pair(int(order[(place + turn) % total]), random)
            if min(float(view.std((2, 3)).max()) for view in pair[:2]) > ONE_COLOUR:
                return pair
        raise TrainingError("the photos are of one colour: there is nothing to train on")

    def _pair(self, chosen: int, random: np.random.Generator) -> Pair:
        views = self._crop(self.scenes.views(chosen), random)
        if len(views) == 2:
            return frame_pair(*views)
        generator = torch.Generator().manual_seed(int(random.integers(2**62)))
        recipe = self._recipe
        return still_pair(views[0], generator=generator, noise=recipe.noise, shift_px=recipe.shift)

    def _crop(self, views: list[Tensor], random: np.random.Generator) -> list[Tensor]:
        """Give all views the same random scale, place and mirroring: (1, 3, crop, crop) each."""
        crop = self._recipe.crop
        target = max(crop, int(random.integers(*SHORT_SIDE_PX)))
        scale = target / min(views[0].shape[1:])
        size = [max(crop, round(side * scale)) for side in views[0].shape[1:]]
        top, left = (int(random.integers(side - crop + 1)) for side in size)
        mirrored = random.random() < 0.5
        cropped = []
        for view in views:
            image = F.interpolate(view[None], size=size, mode="bilinear", antialias=scale < 1)
            image = image[..., top : top + crop, left : left + crop].clamp(0, 1)
            cropped.append(image.flip(-1) if mirrored else image)
        return cropped


def painting_patches(painting: Tensor, n: int, crop: int, generator: torch.Generator) -> Tensor:
    """Cut (n, 3, crop, crop) from a painting (3, H, W) at scales 0.6 to 1.2, half of them
    mirrored.
    """
    patches = []
    for _ in range(n):
        scale, mirror, *place = torch.rand(4, generator=generator).tolist()
        side = min(int(crop / (0.6 + 0.6 * scale)), *painting.shape[1:])
        top, left = (
            int(p * (s - side + 1)) for p, s in zip(place, painting.shape[1:], strict=True)
        )
        patch = painting[None, :, top : top + side, left : left + side]
        patch = F.interpolate(patch, size=(crop, crop), mode="bilinear", antialias=True)[0]
        patches.append(patch.flip(-1) if mirror < 0.5 else patch)
    return torch.stack(patches)
