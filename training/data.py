"""What training looks at: pairs of views from photos and videos, and the painting.

Pictures are float (3, H, W) tensors, RGB in 0..1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset

from .errors import TrainingError
from .motion import SHIFT_PX, Pair, frame_pair, still_pair
from .pictures import LOG, read_photo, to_tensor
from .videos import VIDEO_PAIRS, FramePair, read_frame_pairs

PHOTO_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp"})
VIDEO_SUFFIXES: Final = frozenset({".mp4", ".mkv", ".mov", ".webm", ".avi", ".m4v"})
SHORT_SIDE_PX: Final = (270, 480)
"""Photos are shrunk to a random short side in this range before they are cropped."""
HELD_PAIRS: Final = 300
"""Pairs of frames of all videos together: 2.5 MB each."""


class Pairs(Dataset[Pair]):
    """One batch of pairs for each step of training: `pairs[step]` is always the same.

    `sources` are folders, photos and videos; `noise` is how many times a camera's own the second
    exposure of a photo gets, `shift_px` how far it is shifted at most. What cannot be read is
    passed over with a warning, and the next photo takes its turn. Raises TrainingError when there
    is nothing to train on.
    """

    def __init__(
        self,
        sources: Sequence[Path],
        *,
        batch: int,
        crop: int,
        seed: int,
        steps: int,
        noise: float = 1.0,
        shift_px: float = SHIFT_PX,
    ) -> None:
        self._needed_px = max(crop, SHORT_SIDE_PX[1])
        files = sorted(path for source in sources for path in _files(source))
        self.photos = [path for path in files if path.suffix.lower() in PHOTO_SUFFIXES]
        self.frame_pairs = self._frame_pairs(
            [path for path in files if path.suffix.lower() in VIDEO_SUFFIXES]
        )
        if not self.photos and not self.frame_pairs:
            known = ", ".join(sorted(PHOTO_SUFFIXES | VIDEO_SUFFIXES))
            named = ", ".join(str(source) for source in sources)
            raise TrainingError(f"{named}: no photos or videos there (looked for {known})")
        self._unreadable: set[int] = set()
        self._view(0)
        self.batch, self.crop, self.seed, self.steps = batch, crop, seed, steps
        self.noise, self.shift_px = noise, shift_px

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> Pair:
        return Pair.cat([self._one(step * self.batch + index) for index in range(self.batch)])

    def samples(self, count: int = 4) -> list[Tensor]:
        """Return photos or frames from all over, (3, H, W) each."""
        total = len(self.photos) + len(self.frame_pairs)
        return [self._view(n)[0] for n in range(0, total, max(1, total // count))][:count]

    def _one(self, index: int) -> Pair:
        total = len(self.photos) + len(self.frame_pairs)
        epoch, place = divmod(index, total)
        chosen = int(np.random.default_rng((self.seed, epoch)).permutation(total)[place])
        random = np.random.default_rng((self.seed, epoch, place, 1))
        views = self._crop(self._view(chosen), random)
        if len(views) == 2:
            return frame_pair(*views)
        generator = torch.Generator().manual_seed(int(random.integers(2**62)))
        return still_pair(views[0], generator=generator, noise=self.noise, shift_px=self.shift_px)

    def _view(self, chosen: int) -> list[Tensor]:
        """Read a photo, or two frames; instead of what cannot be read what comes after it."""
        total = len(self.photos) + len(self.frame_pairs)
        for turn in range(total):
            number = (chosen + turn) % total
            if number >= len(self.photos):
                return [to_tensor(frame) for frame in self.frame_pairs[number - len(self.photos)]]
            if number in self._unreadable:
                continue
            try:
                return [read_photo(self.photos[number], self._needed_px)]
            except TrainingError as error:
                self._unreadable.add(number)
                LOG.warning("%s; it is left out", error)
        raise TrainingError(
            f"none of the {total} photos can be read, {self.photos[0]} to begin with"
        )

    def _frame_pairs(self, videos: list[Path]) -> list[FramePair]:
        frame_pairs: list[FramePair] = []
        for path in videos:
            count = max(2, min(VIDEO_PAIRS, HELD_PAIRS // len(videos)))
            try:
                frame_pairs += read_frame_pairs(path, self._needed_px, count=count)
            except TrainingError as error:
                LOG.warning("%s; it is left out", error)
        return frame_pairs

    def _crop(self, views: list[Tensor], random: np.random.Generator) -> list[Tensor]:
        """Give all views the same random scale, place and mirroring: (1, 3, crop, crop) each."""
        crop = self.crop
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


def _files(source: Path) -> Iterator[Path]:
    """Give the files of a folder, without what a system hides there, or the one file."""
    if not source.is_dir():
        yield source
        return
    for path in source.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(source).parts)
        if not hidden and path.is_file():
            yield path
