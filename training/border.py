"""What a network learns of the border, where it must guess what lies beyond.

The border has weights of its own (`network.Border`), which no other loss moves, and whose loss
moves no others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from . import ranks
from .network import Generator
from .views import AXES, SEAM_PX, Shift

RATE: Final = 1e-2
"""Learning rate of these weights, before warm-up and decay."""
REACH_PX: Final = 6.0
"""So far from the border a pixel counts 1/e of one at the border."""
INSIDE_PX: Final = 16
"""From here on inwards nothing should change, ..."""
INSIDE: Final = 4.0
"""... and what does counts so many times as much as at the border."""
NEAR_PX: Final = 8
"""How far, at most, the two cuts of a photo are from each other."""
STEADY: Final = 1.5
"""How many times the distance of two cuts counts, compared with that from the photo uncut."""
PATCH_PX: Final = 9
FLAT: Final = 0.0002
"""A variance within such a patch that is as good as none."""


class BorderLesson:
    """Teaches a generator its border, step by step: first `study`, then `step`."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self._own = generator.borders()
        self.optimizer = torch.optim.Adam(self._own.values(), lr=RATE)

    def study(self, photo: Tensor, *, clip: float) -> dict[str, Tensor]:
        """Return the loss for a photo (N, 3, H, W), and the norm of its gradient, which is kept
        clipped to `clip`.
        """
        cuts, generator, own = Cuts(photo), self._generator, self._own
        named = {name: value.detach() for name, value in generator.named_parameters()}
        # Without a border, or all might be painted flat to be alike at the border.
        none = {name: torch.zeros_like(value) for name, value in own.items()}
        with torch.no_grad():
            whole = functional_call(generator, named | none, photo)
        loss = cuts.compare(whole, functional_call(generator, named | own, cuts.photos()))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        ranks.average_gradients(own.values())
        norm = nn.utils.clip_grad_norm_(own.values(), clip)
        return {"border": loss, "border's gradient": norm}

    def step(self, rate: float) -> None:
        """Take a step at `rate` times the learning rate."""
        for group in self.optimizer.param_groups:
            group["lr"] = RATE * rate
        self.optimizer.step()


class Cuts:
    """A photo, (N, 3, H, W), cut twice where its middle is, at shifts a few pixels apart that are
    drawn from PyTorch's generator.

    Each cut is the photo rolled: what lay in the middle is at its border, without what was beside.
    """

    def __init__(self, photo: Tensor) -> None:
        self._photo = photo
        first = _across(photo.shape[2:])
        self._shifts = [first, _beside(first)]

    def photos(self) -> Tensor:
        """Return both as one batch."""
        return torch.cat([self._photo.roll(shift, AXES) for shift in self._shifts])

    def compare(self, whole: Tensor, paintings: Tensor) -> Tensor:
        """Return the loss at the border, of the paintings of the photo and of both cuts."""
        return border_loss(whole, paintings.chunk(2), self._shifts)


def border_loss(whole: Tensor, cuts: Sequence[Tensor], shifts: Sequence[Shift]) -> Tensor:
    """How far what is painted at the border is from what is painted there of a photo that goes on.

    `cuts` are the paintings of the photo rolled by two `shifts` (down, right) at most `NEAR_PX`
    apart. The sum of three mean square distances:

    - from the rolled painting near the border, most of all where that is flat, or walls and skies
      would get a frame of the mean colour;
    - from the rolled painting inside: what is added at the border moves the statistics of the
      instance norms behind it, and would take strokes away everywhere;
    - of one cut from the other: a network cannot know what comes in next, but it can paint what
      that will change least.
    """
    size, flatness = whole.shape[2:], _flatness(whole)
    off_seams = _off_seams(size, shifts[0]).to(whole)
    distance = _distance(size).to(whole)
    nearness = _nearness(distance)
    inside = (distance >= INSIDE_PX) * off_seams
    to_whole = []
    for cut, shift in zip(cuts, shifts, strict=True):
        away, flat = cut - whole.roll(shift, AXES), flatness.roll(shift, AXES)
        to_whole.append(_mean_square(away, flat * nearness * off_seams))
        to_whole.append(INSIDE * _mean_square(away, inside.expand_as(flat)))
    # Back over the first cut. What is rolled around the edge is not compared.
    back = tuple(first - second for first, second in zip(*shifts, strict=True))
    there = _distance(size, back).to(whole)
    weights = torch.maximum(nearness, _nearness(there)) * (there >= 0) * off_seams
    apart = _mean_square(cuts[0] - cuts[1].roll(back, AXES), weights.expand_as(flatness))
    return torch.stack(to_whole).sum() / len(cuts) + STEADY * apart


def _mean_square(x_NCHW: Tensor, weights_N1HW: Tensor) -> Tensor:
    weighed = x_NCHW.square().mean(1, keepdim=True) * weights_N1HW
    return weighed.sum() / weights_N1HW.sum().clamp_min(1)


def _flatness(x_NCHW: Tensor) -> Tensor:
    """Return one over the variance around each pixel, (N, 1, H, W), 1 in the mean of a picture."""
    edge = PATCH_PX // 2
    padded = F.pad(x_NCHW, (edge, edge, edge, edge), mode="replicate")
    mean, square = (F.avg_pool2d(x, PATCH_PX, 1) for x in (padded, padded.square()))
    flatness = 1 / ((square - mean.square()).mean(1, keepdim=True) + FLAT)
    return flatness / flatness.mean((2, 3), keepdim=True)


def _distance(size: Sequence[int], moved: Sequence[int] = (0, 0)) -> Tensor:
    """Return how many pixels each is from the border, (H, W), less than 0 outside. `moved`: of a
    picture moved (down, right).
    """
    rows, columns = (torch.arange(n) - by for n, by in zip(size, moved, strict=True))
    ends = [torch.minimum(at, n - 1 - at) for at, n in zip((rows, columns), size, strict=True)]
    return torch.minimum(ends[0][:, None], ends[1][None])


def _nearness(distance: Tensor) -> Tensor:
    """Return how much a pixel counts by its distance from the border: 1 there."""
    return torch.exp(-distance / REACH_PX)


def _off_seams(size: Sequence[int], shift: Shift) -> Tensor:
    """Return (H, W): 1 where a picture rolled by `shift` is away from its seams, else 0."""
    far = [(torch.arange(n) - by).abs() > SEAM_PX for n, by in zip(size, shift, strict=True)]
    return (far[0][:, None] & far[1][None]).float()


def _across(size: Sequence[int]) -> Shift:
    """Draw a shift between a quarter and three quarters of a picture."""
    down, right = (int(torch.randint(n // 4, n - n // 4, ())) for n in size)
    return down, right


def _beside(shift: Shift) -> Shift:
    """Draw a shift at most `NEAR_PX` from another in each direction."""
    down, right = (at + int(torch.randint(-NEAR_PX, NEAR_PX + 1, ())) for at in shift)
    return down, right
