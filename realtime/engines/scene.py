"""What has changed between two frames of a clip, told from small pictures of them.

A thumbnail is float32 RGB (18, 32, 3) of 255; looking at two takes a fraction of a millisecond.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from ..pictures import Picture, Yuv420

Thumbnail = npt.NDArray[np.float32]

CUT: Final = 28.0
"""Mean absolute difference of two neighbouring frames that makes them two scenes."""
STILL: Final = 0.5
"""The same, below which two frames show one picture."""
DRIFT: Final = 0.2
"""Distance of two distributions of colours, in units of their spread, that makes two looks."""
DRIFT_OF_HALF: Final = 0.1
"""By how much, in the same units, at least half of all pixels must then have changed: a thing that
enters, however bright, changes fewer.
"""
EMPTY: Final = 3.0
"""Standard deviation of a frame that shows nothing: black, or a blank wall."""
_WIDTH, _HEIGHT = 32, 18
_RANKS: Final = [_WIDTH * _HEIGHT * percent // 100 for percent in (10, 25, 50, 75, 90)]


def thumbnail(picture: Picture) -> Thumbnail:
    """Look at a frame, uint8 RGB (H, W, 3) or in planes."""
    rgb: Any = picture
    if isinstance(picture, Yuv420):
        luma, *chroma = picture.planes
        small = [_shrunk(luma, 2 * _HEIGHT, 2 * _WIDTH)]
        small += [_shrunk(plane, _HEIGHT, _WIDTH) for plane in chroma]
        planes = np.concatenate([plane.ravel() for plane in small]).reshape(-1, 2 * _WIDTH)
        rgb = cv2.cvtColor(planes, cv2.COLOR_YUV2RGB_I420)  # of whatever matrix: it is compared
    return _shrunk(rgb, _HEIGHT, _WIDTH).astype(np.float32)


def _shrunk(picture: Any, height: int, width: int) -> npt.NDArray[np.uint8]:
    """Scale by area, in halves at first: at once, OpenCV takes 12 ms for 3840x2160, not 1.5."""
    while picture.shape[0] >= 4 * height and picture.shape[1] >= 4 * width:
        halves = picture.shape[1] // 2, picture.shape[0] // 2
        picture = cv2.resize(picture, halves, interpolation=cv2.INTER_AREA)
    small: npt.NDArray[np.uint8] = cv2.resize(
        picture, (width, height), interpolation=cv2.INTER_AREA
    )
    return small


def is_cut(before: Thumbnail, now: Thumbnail) -> bool:
    """Whether a scene ends between two neighbouring frames."""
    return float(np.abs(now - before).mean()) > CUT


def is_still(earlier: Thumbnail, now: Thumbnail) -> bool:
    """Whether both show the same picture, but for noise."""
    return float(np.abs(now - earlier).mean()) < STILL


def is_empty(now: Thumbnail) -> bool:
    """Whether there is nothing to see."""
    return float(now.std()) < EMPTY


def has_drifted(earlier: Thumbnail, now: Thumbnail) -> bool:
    """Whether the picture has become another without a cut: it was faded in, dissolved, exposed
    anew.

    Then most of the picture has changed, and the distribution of its colours too. A pan changes
    the first and not the second, a thing that enters the second and not the first. What is darker
    all through is the same picture, faded out.
    """
    before, after = _levels(earlier), _levels(now)
    spread = float(before.std(0).mean()) + 2.0
    if float(np.abs(after - before).mean()) < DRIFT * spread or bool((after <= before + 2).all()):
        return False
    return float(np.median(np.abs(now - earlier).mean(2))) > DRIFT_OF_HALF * spread


def ordinary(like: Picture) -> Picture:
    """Return a grey picture of the size and form of another with what pictures have on average:
    as much of large shapes as of small ones, level 110 and contrast 60 of 255.
    """
    if isinstance(like, Yuv420):
        data = np.full_like(like.data, 128)
        data[: like.height * like.width] = _ordinary(like.height, like.width).ravel()
        return dataclasses.replace(like, data=data)
    return np.repeat(_ordinary(*like.shape[:2])[..., None], 3, 2)


def _ordinary(height: int, width: int) -> npt.NDArray[np.uint8]:
    random = np.random.default_rng(0)
    shapes = np.zeros((height, width), np.float32)
    across = 2
    while across < max(height, width):
        grid = random.normal(size=(max(2, across * height // width), across)).astype(np.float32)
        shapes += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) / across
        across *= 2
    levels = 110 + 60 * (shapes - shapes.mean()) / max(float(shapes.std()), 1e-6)
    grey: npt.NDArray[np.uint8] = levels.clip(0, 255).astype(np.uint8)
    return grey


def _levels(colours: Thumbnail) -> npt.NDArray[np.float32]:
    """Return five quantiles of each channel, (5, 3)."""
    ordered: npt.NDArray[np.float32] = np.sort(colours.reshape(-1, 3), 0)[_RANKS]
    return ordered
