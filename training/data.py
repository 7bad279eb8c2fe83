"""What training looks at: pairs of views from photos and videos, and the painting.

Pictures are float (3, H, W) tensors, RGB in 0..1.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset

from .errors import TrainingError
from .files import KNOWN, PHOTO_SUFFIXES, VIDEO_SUFFIXES, files_of, notes_on_others
from .motion import SHIFT_PX, Pair, frame_pair, still_pair
from .pictures import LOG, read_photo, to_tensor
from .videos import VIDEO_PAIRS, read_frame_pairs

SHORT_SIDE_PX: Final = (270, 480)
"""Photos are shrunk to a random short side in this range before they are cropped."""
HELD_PAIRS: Final = 300
"""Pairs of frames of all videos together: 2.5 MB each."""
WANTED_PX: Final = 300
"""Of a photo's short side."""
FEW: Final = 50
"""With fewer photos and pairs of frames a style suits these scenes only."""


class Pairs(Dataset[Pair]):
    """One batch of pairs for each step of training: `pairs[step]` is always the same.

    `sources` are folders, photos and videos; `noise` is how many times a camera's own the second
    exposure of a photo gets, `shift_px` how far it is shifted at most. What cannot be read is
    passed over with a warning, and the next photo takes its turn; `notes` say what else the user
    should know of the sources. Raises TrainingError when there is nothing to train on, and when a
    file of another kind is named.
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
        self.batch, self.crop, self.seed, self.steps = batch, crop, seed, steps
        self.noise, self.shift_px = noise, shift_px
        files = sorted(path for source in sources for path in files_of(source))
        self.photos = [path for path in files if path.suffix.lower() in PHOTO_SUFFIXES]
        # Tensors, as processes that read photos share those: each would get a copy of an array.
        self.frame_pairs: list[Tensor] = self._frame_pairs(
            [path for path in files if path.suffix.lower() in VIDEO_SUFFIXES]
        )
        if not self.photos and not self.frame_pairs:
            known = ", ".join(sorted(KNOWN))
            named = ", ".join(str(source) for source in sources)
            raise TrainingError(f"{named}: no photos or videos there (looked for {known})")
        self._unreadable: set[int] = set()
        self.notes = [*notes_on_others(files), *self._shortcomings()]

    def varied(
        self, *, batch: int, crop: int, seed: int, steps: int, noise: float, shift_px: float
    ) -> Pairs:
        """Return other pairs of the same photos and frames, which are not read again."""
        pairs = copy.copy(self)
        pairs.batch, pairs.crop, pairs.seed, pairs.steps = batch, crop, seed, steps
        pairs.noise, pairs.shift_px = noise, shift_px
        return pairs

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
                frames = self.frame_pairs[number - len(self.photos)]
                return [to_tensor(frame.numpy()) for frame in frames]
            if number in self._unreadable:
                continue
            try:
                return [read_photo(self.photos[number], self._needed_px())]
            except TrainingError as error:
                self._unreadable.add(number)
                LOG.warning("%s; it is left out", error)
        raise TrainingError(
            f"none of the {total} photos can be read, {self.photos[0]} to begin with"
        )

    def _needed_px(self) -> int:
        return max(self.crop, SHORT_SIDE_PX[1])

    def _frame_pairs(self, videos: list[Path]) -> list[Tensor]:
        """Read pairs of frames, uint8 (2, H, W, 3) each; of very many videos, of some of them."""
        frame_pairs: list[Tensor] = []
        taken = videos[:: -(-len(videos) // HELD_PAIRS)] if videos else []
        if len(taken) < len(videos):
            LOG.warning("of %d videos %d are taken, from all over", len(videos), len(taken))
        for path in taken:
            count = min(VIDEO_PAIRS, HELD_PAIRS // len(taken))
            try:
                found = read_frame_pairs(path, self._needed_px(), count=count)
            except TrainingError as error:
                LOG.warning("%s; it is left out", error)
            else:
                frame_pairs += [torch.from_numpy(np.stack(pair)) for pair in found]
        return frame_pairs

    def _shortcomings(self) -> Iterator[str]:
        total = len(self.photos) + len(self.frame_pairs)
        if total < FEW:
            yield (
                f"with so few photos ({total}) the style will suit such scenes only; a few hundred "
                "of all kinds are better"
            )
        sides = sorted((view.shape[1:] for view in self.samples(5)), key=min)
        height, width = sides[len(sides) // 2]
        if min(height, width) < WANTED_PX:
            yield f"photos of {width}x{height} pixels are small: {WANTED_PX} or more are better"

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
