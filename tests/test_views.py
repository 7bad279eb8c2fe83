"""The views of a step, and what it costs a network to paint them differently."""

from __future__ import annotations

import pytest
import torch
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.training import views
from stylecam.training.motion import still_pair
from stylecam.training.pictures import to_tensor
from stylecam.training.views import Views, equivariance_loss, temporal_loss

SIDE = 128


def picture() -> torch.Tensor:
    return to_tensor(PatternSource(SIDE, SIDE).image(0))[None]


def test_temporal_loss_counts_only_what_is_visible() -> None:
    a, b = torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)
    b[..., :2, :] = 1
    hidden = torch.ones(1, 1, 4, 4)
    hidden[..., :2, :] = 0
    assert temporal_loss(a, b, hidden) == 0
    assert temporal_loss(a, b, torch.ones(1, 1, 4, 4)) == 0.5


def test_equivariance_is_lost_by_what_lies_on_the_grid() -> None:
    x, mesh = picture(), torch.zeros(1, 3, SIDE, SIDE)
    mesh[..., ::2] = 0.2
    for shift in ((0, 1), (5, 2)):
        rolled = x.roll(shift, views.AXES)
        assert equivariance_loss(x, rolled, shift) == 0
        differs = equivariance_loss(x + mesh, rolled + mesh, shift)
        assert differs == pytest.approx(0.04 if shift[1] % 2 else 0, abs=1e-6)
    seam = x.clone()
    seam[..., : views.SEAM_PX] = 0
    assert equivariance_loss(x, seam, (0, 0)) == 0


@pytest.mark.parametrize("rolled", [False, True])
def test_views_are_painted_together_and_compared_by_name(*, rolled: bool) -> None:
    pair = still_pair(picture(), generator=torch.Generator().manual_seed(0))
    views_of_it = Views(pair, rolled=rolled)
    photos = views_of_it.photos()
    assert photos.shape == (2 + rolled, 3, SIDE, SIDE)
    painted, found = views_of_it.compare(photos)
    assert torch.equal(painted, pair.first)
    assert found.keys() == {"temporal", *["equivariance"] * rolled}
    assert found.pop("temporal") > 0  # the second view has noise
    assert all(value == 0 for value in found.values())
