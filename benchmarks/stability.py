"""How steady a style is: shimmer on clips, gain on sensor noise, what a shift and a change far off
do.

Everything takes a painter: a function from uint8 RGB (H, W, 3) to its painting, called in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from stylecam.realtime.pictures import Image

Painter = Callable[[Image], Image]
Floats = npt.NDArray[np.float32]

BORDER_PX: Final = 16
NOISE_SIGMA: Final = 2.0  # of 255
SHIFTS_PX: Final = ((0, 1), (1, 0), (3, 5), (4, 4), (2, 6))
SEAM_PX: Final = 40
"""What the seam of a rolled picture may still reach of what is compared."""


class Clip(NamedTuple):
    """Frames, uint8 RGB (H, W, 3) each."""

    name: str
    frames: list[Image]


class Flow(NamedTuple):
    """For each pixel of the later frame where it was in the earlier one, (H, W, 2) pixels, and
    whether it was seen there (H, W).
    """

    to_earlier_HW2: Floats
    visible_HW: npt.NDArray[np.bool_]

    def warp(self, earlier: Image) -> Floats:
        """Move the earlier frame to where the later one is, float32."""
        grid = self.to_earlier_HW2
        return _remap(earlier.astype(np.float32), grid)


class Shimmer(NamedTuple):
    """Warping error of the painting over the input's own: 1 moves exactly as the scene does."""

    ratio: float
    border: float
    """The same ratio in the outer 16 pixels, over that inside."""
    border_error: float
    """The painting's mean warping error in the outer 16 pixels, over that inside."""


def read_clip(path: Path) -> Clip:
    """Decode a whole (short) clip."""
    import av

    with av.open(str(path)) as container:
        frames = [
            frame.to_ndarray(format="rgb24").astype(np.uint8) for frame in container.decode(video=0)
        ]
    return Clip(path.stem, frames)


def camera_move(photo: Image, *, frames: int = 60, height: int = 304, width: int = 456) -> Clip:
    """Return a clip of a camera that pans, tilts and zooms over `photo`, with sensor noise."""
    random = np.random.default_rng(1)
    tall, wide = photo.shape[:2]
    clip = []
    for t in np.linspace(0, 1, frames):
        zoom = 1 + 0.15 * np.sin(np.pi * t)
        left = (wide - width / zoom) * (0.5 - 0.5 * np.cos(np.pi * t))
        top = (tall - height / zoom) * (0.5 + 0.4 * np.sin(2 * np.pi * t))
        matrix = np.array([[zoom, 0, -left * zoom], [0, zoom, -top * zoom]], np.float32)
        view = cv2.warpAffine(photo, matrix, (width, height), flags=cv2.INTER_LINEAR)
        clip.append(_noisy(view.astype(np.uint8), random, sigma=1.0))
    return Clip("camera-move", clip)


def flows(frames: Sequence[Image], gap: int) -> list[Flow]:
    """Return the flow between each frame and the one `gap` later: DIS, forward-backward checked."""
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
    height, width = grey[0].shape
    here = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)
    found = []
    for earlier, later in zip(grey, grey[gap:], strict=False):
        back = dis.calc(later, earlier, None)  # type: ignore[call-overload]
        forth = dis.calc(earlier, later, None)  # type: ignore[call-overload]
        grid = here + back
        returned = back + _remap(forth, grid)
        lengths = (back**2).sum(-1) + ((returned - back) ** 2).sum(-1)
        inside = (grid >= 0).all(-1) & (grid[..., 0] < width - 1) & (grid[..., 1] < height - 1)
        found.append(Flow(grid, inside & ((returned**2).sum(-1) <= 0.01 * lengths + 0.5)))
    return found


def shimmer(
    inputs: Sequence[Image], painted: Sequence[Image], gap: int, moves: Sequence[Flow]
) -> Shimmer:
    """Return the warping error (Lai et al. 2018, arXiv:1808.00449) relative to the input's."""
    band = np.ones(inputs[0].shape[:2], np.bool_)
    band[BORDER_PX:-BORDER_PX, BORDER_PX:-BORDER_PX] = False
    sums = np.zeros((2, 2))  # input or painting, border or inside
    pixels = np.zeros(2)
    for index, move in enumerate(moves):
        later = index + gap
        squares = (
            _square(inputs[later], move.warp(inputs[index])),
            _square(painted[later], move.warp(painted[index])),
        )
        for place, where in enumerate((band, ~band)):
            seen = move.visible_HW & where
            pixels[place] += seen.sum()
            for which, square in enumerate(squares):
                sums[which, place] += square[seen].sum()
    before, after = sums[0], sums[1]
    ratios = after / np.maximum(before, 1e-9)
    errors = after / np.maximum(pixels, 1)
    return Shimmer(
        float(after.sum() / before.sum()),
        float(ratios[0] / ratios[1]),
        float(errors[0] / max(errors[1], 1e-9)),
    )


def contrast(inputs: Sequence[Image], painted: Sequence[Image]) -> float:
    """Return the deviation of the paintings' pixels over the inputs'.

    Shimmer is a ratio of squares, so a painting of half the contrast has a quarter of it for
    nothing: read them together.
    """
    pairs = zip(inputs, painted, strict=True)
    return float(np.mean([after.std() / max(before.std(), 1e-9) for before, after in pairs]))


def noise_gain(painter: Painter, photo: Image, *, frames: int = 8) -> float:
    """Return how many times stronger sensor noise of sigma 2/255 leaves than it came."""
    random = np.random.default_rng(0)
    noisy = [_noisy(photo, random, sigma=NOISE_SIGMA) for _ in range(frames)]
    painted = [painter(frame) for frame in noisy]
    return _deviation(painted) / _deviation(noisy)


def far_change(painter: Painter, photo: Image, *, frames: int = 40) -> float:
    """Return the largest mean change from one frame to the next, of 255, in the lower right
    quarter by quarter of a still photo while a bright disc moves in at the upper left.
    """
    height, width = photo.shape[:2]
    before: Floats | None = None
    largest = 0.0
    for painted in map(painter, _disc_enters(photo, frames)):
        corner = painted[height * 3 // 4 :, width * 3 // 4 :].astype(np.float32)
        if before is not None:
            largest = max(largest, float(np.abs(corner - before).mean()))
        before = corner
    return largest


def shift_error(painter: Painter, photo: Image) -> float:
    """Return how far, of 255, the painting of a photo shifted by whole pixels is from the shifted
    painting: the root of the mean square over five shifts.

    What differs is what a network paints by its own grid instead of by the scene: lumps along
    edges, steps, meshes. The photo is rolled, so that it stays the same but for a seam.
    """
    still = painter(photo).astype(np.float32)
    inside = slice(SEAM_PX, -SEAM_PX)
    squares = []
    for down, right in SHIFTS_PX:
        rolled = painter(np.roll(photo, (down, right), (0, 1))).astype(np.float32)
        back = np.roll(rolled, (-down, -right), (0, 1))
        squares.append(((back - still)[inside, inside] ** 2).mean())
    return float(np.mean(squares) ** 0.5)


def _disc_enters(photo: Image, frames: int) -> Iterator[Image]:
    radius = min(photo.shape[:2]) // 4
    for index in range(frames):
        way = min(1.0, max(0.0, (index - frames // 4) / (frames // 4)))
        centre = round((2 * way - 1) * radius)
        picture = photo.copy()
        yield cv2.circle(picture, (centre, centre), radius, (255, 250, 240), -1)  # type: ignore[misc]


def _noisy(picture: Image, random: np.random.Generator, *, sigma: float) -> Image:
    noise = random.normal(0, sigma, picture.shape)
    return (picture + noise).round().clip(0, 255).astype(np.uint8)


def _deviation(frames: Iterable[Image]) -> float:
    return float(np.stack([frame.astype(np.float32) for frame in frames]).var(0).mean() ** 0.5)


def _remap(x: Floats, grid: Floats) -> Floats:
    moved: Floats = cv2.remap(x, grid, None, cv2.INTER_LINEAR)  # type: ignore[call-overload]
    return moved


def _square(a: Image, b: Floats) -> Floats:
    square: Floats = ((a.astype(np.float32) - b) ** 2).mean(-1)
    return square
