"""The peers' networks are the ones that were published."""

from __future__ import annotations

import pytest
import torch
from stylecam.benchmarks.architectures import ARCHITECTURES

PUBLISHED = {"fast-neural-style": 1_679_235, "ReCoNet": 3_098_307, "AnimeGANv2": 2_143_552}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_parameters_and_shape(name: str) -> None:
    network, again = ARCHITECTURES[name](seed=1), ARCHITECTURES[name](seed=1)
    count = sum(parameter.numel() for parameter in network.parameters())
    assert count == PUBLISHED[name]
    picture = torch.rand(1, 3, 36, 52)
    with torch.inference_mode():
        painted = network(picture)
        assert painted.shape == picture.shape
        assert painted.std() > 0
        assert torch.equal(painted, again(picture))


def test_building_one_leaves_the_random_numbers_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    ARCHITECTURES["ReCoNet"]()
    assert torch.equal(torch.rand(1), expected)
