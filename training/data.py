"""Photos to train on and the painting to learn from, as float (3, H, W) tensors in 0..1."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

PHOTO_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})


def read_image(path: Path, long_side: int | None = None) -> Tensor:
    """Read RGB (3, H, W) float 0..1, shrunk so that its long side is `long_side` pixels.

    Raises ValueError when the file is no picture.
    """
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise ValueError(f"{path} cannot be read as a picture")
    if long_side is not None:
        scale = long_side / max(bgr.shape[:2])
        bgr = cv2.resize(bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
    return torch.from_numpy(rgb.astype(np.float32) / 255).permute(2, 0, 1).contiguous()


class Photos:
    """An endless, seeded stream of photo crops from a folder."""

    def __init__(self, folder: Path, *, short_side: tuple[int, int] = (200, 420)) -> None:
        self.paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in PHOTO_SUFFIXES)
        if not self.paths:
            raise ValueError(f"{folder} holds no photos ({', '.join(sorted(PHOTO_SUFFIXES))})")
        self.short_side = short_side

    def batches(self, batch: int, crop: int, *, seed: int) -> Iterator[Tensor]:
        """Yield (batch, 3, crop, crop): random scale, place and mirror, the photos in random
        order.
        """
        random = np.random.default_rng(seed)
        while True:
            order = random.permutation(len(self.paths))
            for start in range(0, len(order) - batch + 1, batch):
                paths = (self.paths[i] for i in order[start : start + batch])
                yield torch.stack([self._crop(path, crop, random) for path in paths])

    def _crop(self, path: Path, crop: int, random: np.random.Generator) -> Tensor:
        image = read_image(path)
        target = max(crop, int(random.integers(*self.short_side)))
        scale = target / min(image.shape[1:])
        size = [max(crop, round(side * scale)) for side in image.shape[1:]]
        image = F.interpolate(image[None], size=size, mode="area")[0]
        top, left = (int(random.integers(side - crop + 1)) for side in size)
        image = image[:, top : top + crop, left : left + crop]
        return image.flip(-1) if random.random() < 0.5 else image


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
