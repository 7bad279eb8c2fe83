"""What training looks at: photos and videos, read from folders and files.

Pictures are float (3, H, W) tensors, RGB in 0..1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from .errors import TrainingError
from .files import KNOWN, PHOTO_SUFFIXES, VIDEO_SUFFIXES, files_of, notes_on_others
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


class Scenes:
    """Photos, and pairs of neighbouring frames of videos; numbers go through both.

    `sources` are folders, photos and videos; crops of `crop` pixels will be cut. What cannot be
    read is passed over with a warning, and the next photo takes its turn; `notes` say what else the
    user should know of the sources. Raises TrainingError when there is nothing to train on, and
    when a file of another kind is named.
    """

    def __init__(self, sources: Sequence[Path], *, crop: int) -> None:
        self._needed_px = max(crop, SHORT_SIDE_PX[1])
        files = sorted(path for source in sources for path in files_of(source))
        self.photos = [path for path in files if path.suffix.lower() in PHOTO_SUFFIXES]
        videos = [path for path in files if path.suffix.lower() in VIDEO_SUFFIXES]
        # Tensors, as processes that read photos share those: each would get a copy of an array.
        self.frame_pairs: list[Tensor] = self._frame_pairs(videos)
        if videos and not len(self):
            raise _none_of("videos", videos)
        if not len(self):
            known = ", ".join(sorted(KNOWN))
            named = ", ".join(str(source) for source in sources)
            raise TrainingError(f"{named}: no photos or videos there (looked for {known})")
        self._unreadable: set[int] = set()
        self.notes = [*notes_on_others(files), *self._shortcomings()]

    def __len__(self) -> int:
        return len(self.photos) + len(self.frame_pairs)

    def views(self, number: int) -> list[Tensor]:
        """Read a photo, or two frames; instead of what cannot be read what comes after it."""
        for turn in range(len(self)):
            chosen = (number + turn) % len(self)
            if chosen >= len(self.photos):
                frames = self.frame_pairs[chosen - len(self.photos)]
                return [to_tensor(frame.numpy()) for frame in frames]
            if chosen in self._unreadable:
                continue
            try:
                return [read_photo(self.photos[chosen], self._needed_px)]
            except TrainingError as error:
                self._unreadable.add(chosen)
                LOG.warning("%s; it is left out", error)
        raise _none_of("photos", self.photos)

    def samples(self, count: int = 4) -> list[Tensor]:
        """Return photos or frames from all over, (3, H, W) each."""
        step = max(1, len(self) // count)
        return [self.views(number)[0] for number in range(0, len(self), step)][:count]

    def _frame_pairs(self, videos: list[Path]) -> list[Tensor]:
        """Read pairs of frames, uint8 (2, H, W, 3) each; of very many videos, of some of them."""
        frame_pairs: list[Tensor] = []
        taken = videos[:: -(-len(videos) // HELD_PAIRS)] if videos else []
        if len(taken) < len(videos):
            LOG.warning("of %d videos %d are taken, from all over", len(videos), len(taken))
        for path in taken:
            count = min(VIDEO_PAIRS, HELD_PAIRS // len(taken))
            try:
                found = read_frame_pairs(path, self._needed_px, count=count)
            except TrainingError as error:
                LOG.warning("%s; it is left out", error)
            else:
                frame_pairs += [torch.from_numpy(np.stack(pair)) for pair in found]
        return frame_pairs

    def _shortcomings(self) -> Iterator[str]:
        if len(self) < FEW:
            yield (
                f"with so few photos ({len(self)}) the style will suit such scenes only; a few "
                "hundred of all kinds are better"
            )
        sides = sorted((view.shape[1:] for view in self.samples(5)), key=min)
        height, width = sides[len(sides) // 2]
        if min(height, width) < WANTED_PX:
            yield f"photos of {width}x{height} pixels are small: {WANTED_PX} or more are better"


def _none_of(kind: str, files: list[Path]) -> TrainingError:
    return TrainingError(f"none of the {kind} can be used, {files[0]} to begin with")
