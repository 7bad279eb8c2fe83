"""Views of one scene, painted together, and how far their paintings are from one another."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from .motion import Pair
from .network import MULTIPLE

SEAM_PX: Final = 32
"""What a seam of a rolled picture, or its border, may still reach of what is compared."""
AXES: Final = (2, 3)
Shift = tuple[int, int]


class Views:
    """The two views of a pair, (N, 3, H, W) each; if `rolled`, also the first one rolled by a few
    pixels, drawn from PyTorch's generator.
    """

    def __init__(self, pair: Pair, *, rolled: bool) -> None:
        self._pair, self._shift = pair, _off_grid() if rolled else None

    def photos(self) -> Tensor:
        """Return all as one batch."""
        first, second = self._pair.first, self._pair.second
        return torch.cat([first, second] + [first.roll(s, AXES) for s in [self._shift] if s])

    def compare(self, paintings: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the painting of the first view, of those of all, and the losses by name."""
        painted, moved, *rolled = paintings.chunk(3 if self._shift else 2)
        motion = self._pair.motion
        found = {"temporal": temporal_loss(moved, motion.apply(painted), motion.visible_N1HW)}
        if self._shift:
            found["equivariance"] = equivariance_loss(painted, rolled[0], self._shift)
        return painted, found


def temporal_loss(moved: Tensor, expected: Tensor, visible_N1HW: Tensor) -> Tensor:
    """Mean square distance between the painting of a moved photo and the moved painting.

    Only where the motion shows nothing new (`visible_N1HW`, 0 or 1).
    """
    error = (moved - expected).square().mean(1, keepdim=True)
    return (error * visible_N1HW).sum() / visible_N1HW.sum().clamp_min(1)


def equivariance_loss(painted: Tensor, rolled: Tensor, shift: Shift) -> Tensor:
    """Mean square distance between the painting of a photo rolled by `shift` (down, right) and the
    rolled painting, away from the seams.

    A network with strides can tell where on its grid an edge lies, and paints it accordingly: with
    lumps, steps and meshes of its own period, which then stay while the scene moves. Whole pixels
    need no resampling, whose blur hides such differences from `temporal_loss`.
    """
    margin = min(SEAM_PX, min(painted.shape[2:]) // 4)
    inside = (..., slice(margin, -margin), slice(margin, -margin))
    return (rolled[inside] - painted.roll(shift, AXES)[inside]).square().mean()


def _off_grid() -> Shift:
    """Draw a shift that is no whole step of the network's grid in both directions."""
    down, right = divmod(int(torch.randint(1, MULTIPLE**2, ())), MULTIPLE)
    return down, right
