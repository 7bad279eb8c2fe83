"""What training looks at: pairs of views from photos and videos, and the painting.

Pictures are float (3, H, W) tensors, RGB in 0..1.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset

from .motion import Pair, frame_pair, still_pair

PHOTO_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp"})
VIDEO_SUFFIXES: Final = frozenset({".mp4", ".mkv", ".mov", ".webm", ".avi", ".m4v"})
SHORT_SIDE_PX: Final = (270, 480)
"""Photos are shrunk to a random short side in this range before they are cropped."""
VIDEO_PAIRS: Final = 60
"""Pairs of neighbouring frames taken from each video."""


def read_image(path: Path, long_side: int | None = None) -> Tensor:
    """Read RGB (3, H, W) float 0..1, scaled so that its long side is `long_side` pixels.

    Raises ValueError when the file is no picture.
    """
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise ValueError(f"{path} cannot be read as a picture")
    if long_side is not None:
        scale = long_side / max(bgr.shape[:2])
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        bgr = cv2.resize(bgr, None, fx=scale, fy=scale, interpolation=how)
    return _tensor(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8))


class _Moment(NamedTuple):
    """Two frames of a video, uint8 RGB (H, W, 3)."""

    first: npt.NDArray[np.uint8]
    second: npt.NDArray[np.uint8]


class Pairs(Dataset[Pair]):
    """One batch of pairs for each step of training: `pairs[step]` is always the same.

    `sources` are folders, photos and videos; `noise` is how many times a camera's own the second
    exposure of a photo gets. Raises ValueError when there is nothing to train on.
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
    ) -> None:
        files = sorted(
            path
            for source in sources
            for path in (source.rglob("*") if source.is_dir() else [source])
        )
        self.photos = [path for path in files if path.suffix.lower() in PHOTO_SUFFIXES]
        videos = [path for path in files if path.suffix.lower() in VIDEO_SUFFIXES]
        self.moments = [moment for path in videos for moment in read_moments(path)]
        if not self.photos and not self.moments:
            known = ", ".join(sorted(PHOTO_SUFFIXES | VIDEO_SUFFIXES))
            named = ", ".join(str(source) for source in sources)
            raise ValueError(f"{named}: no photos or videos there (looked for {known})")
        self.batch, self.crop, self.seed, self.steps = batch, crop, seed, steps
        self.noise = noise

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> Pair:
        return Pair.cat([self._one(step * self.batch + index) for index in range(self.batch)])

    def _one(self, index: int) -> Pair:
        total = len(self.photos) + len(self.moments)
        epoch, place = divmod(index, total)
        chosen = int(np.random.default_rng((self.seed, epoch)).permutation(total)[place])
        random = np.random.default_rng((self.seed, epoch, place, 1))
        if chosen < len(self.photos):
            photo = self._crop([read_image(self.photos[chosen])], random)[0]
            generator = torch.Generator().manual_seed(int(random.integers(2**62)))
            return still_pair(photo, generator=generator, noise=self.noise)
        moment = self.moments[chosen - len(self.photos)]
        return frame_pair(*self._crop([_tensor(frame) for frame in moment], random))

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


def read_moments(path: Path, *, count: int = VIDEO_PAIRS) -> list[_Moment]:
    """Take `count` pairs of neighbouring frames, spread over a video.

    Raises ValueError when the file is no video.
    """
    import av

    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            every = max(2, (stream.frames or 2 * count) // count)
            moments: list[_Moment] = []
            for index, frame in enumerate(container.decode(stream)):
                if index % every == 0:
                    before = frame.to_ndarray(format="rgb24").astype(np.uint8)
                elif index % every == 1 and len(moments) < count:
                    after = frame.to_ndarray(format="rgb24").astype(np.uint8)
                    moments.append(_Moment(before, after))
            return moments
    except (av.FFmpegError, IndexError) as error:
        raise ValueError(f"{path} cannot be read as a video ({error})") from error


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


def _tensor(rgb: npt.NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(rgb.astype(np.float32) / 255).permute(2, 0, 1).contiguous()
