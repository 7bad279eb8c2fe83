"""A step of training: the pair that it sees, what it lowers, weighs and holds."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from media import SIGNING
from media.training import TINY, make_folder, pairs, trainer
from stylecam.training import checkpoint
from stylecam.training.data import Pairs
from stylecam.training.recipe import Recipe
from stylecam.training.scenes import Scenes
from stylecam.training.vgg import VGG19
from stylecam.training.videos import read_frame_pairs

WEIGHTS = ("content", "style", "texture", "palette", "colours", "tone", "temporal",
           "total_variation", "adversarial", "equivariance")  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path)


def test_a_step_has_its_pair_whatever_came_before(folder: Path) -> None:
    stream = pairs(folder, dataclasses.replace(TINY, batch=2, seed=1, steps=100))
    one, again, later = stream[7], stream[7], stream[8]
    assert one.first.shape == one.second.shape == (2, 3, 96, 96)
    assert torch.equal(one.second, again.second)
    assert not torch.equal(one.first, later.first)
    other = pairs(folder, dataclasses.replace(TINY, batch=2, seed=2, steps=100))
    assert not torch.equal(one.first, other[7].first)


def test_every_photo_has_its_turn(folder: Path) -> None:
    stream = pairs(folder, dataclasses.replace(TINY, batch=3))
    means = {round(float(photo.mean()), 2) for photo in stream[0].first}
    assert len(means) == 3


def test_videos_give_neighbouring_frames(folder: Path) -> None:
    frame_pairs = read_frame_pairs(SIGNING, count=10)
    assert len(frame_pairs) == 10
    near = np.mean([np.abs(a.astype(int) - b).mean() for a, b in frame_pairs])
    far = np.abs(frame_pairs[0].first.astype(int) - frame_pairs[-1].first).mean()
    assert 0 < near < far
    stream = Pairs(Scenes([SIGNING], crop=96), Recipe("x", "x", crop=96), steps=5)
    assert not stream.scenes.photos
    assert stream[0].motion.visible_N1HW.mean() > 0.5


def test_what_is_resumed_on_a_device_counts_its_steps_on_the_host(
    folder: Path, vgg: VGG19, tmp_path: Path
) -> None:
    """Else Adam asks the device for each parameter's, and waits for it each time."""
    learner, stream = trainer(folder, vgg, TINY), pairs(folder, TINY)
    learner.train_step(stream[0], progress=0.1)
    checkpoint.save(learner, tmp_path / "checkpoint.pt", {})
    again = trainer(folder, vgg, TINY)
    again.device = "meta"  # stands for one, of which nothing could be had back
    checkpoint.restore(again, tmp_path / "checkpoint.pt")
    (state, *_) = again.optimizer.state.values()
    assert (state["step"].device.type, float(state["step"])) == ("cpu", 1)
    for a, b in zip(learner.generator.parameters(), again.generator.parameters(), strict=True):
        assert torch.equal(a, b)


def test_training_lowers_the_style_loss(folder: Path, vgg: VGG19) -> None:
    recipe = dataclasses.replace(
        TINY, steps=40, warmup_steps=5, adversarial=0.0, tone=0.0, temporal=10.0
    )
    learner, stream = trainer(folder, vgg, recipe), pairs(folder, recipe)
    history = [learner.train_step(stream[i], progress=i / 40)["style"] for i in range(30)]
    assert np.mean(history[-5:]) < 0.8 * np.mean(history[:3])


def test_every_weight_reaches_the_gradient(folder: Path, vgg: VGG19) -> None:
    recipe = dataclasses.replace(
        TINY,
        crop=64,
        texture=9.0,
        colours=3.0,
        adversarial_from=0,
        gradient_clip=1e6,
        temporal_from=1.0,
    )
    learner, pair = trainer(folder, vgg, recipe), pairs(folder, recipe)[0]

    def gradient(**changes: float) -> torch.Tensor:
        learner.load(copy.deepcopy(begun))
        learner.recipe = dataclasses.replace(recipe, **changes)
        learner.train_step(pair, progress=0.0)
        return torch.cat([p.grad.flatten() for p in learner.generator.parameters()])

    begun = copy.deepcopy(learner.state())
    whole = gradient()
    assert torch.equal(gradient(), whole)
    same = [name for name in WEIGHTS if torch.equal(gradient(**{name: 0.0}), whole)]
    assert same == []


def test_after_each_step_flat_areas_are_held_flat_and_the_mean_follows(
    folder: Path, vgg: VGG19
) -> None:
    learner, stream = trainer(folder, vgg), pairs(folder)
    expected = {name: value.clone() for name, value in learner.average.named_parameters()}
    for step in range(3):
        learner.train_step(stream[step], progress=step / 4)
        for parameter in learner.generator.head.conv.parameters():
            sums = parameter.detach().reshape(3, 4, -1, 9 if parameter.ndim > 1 else 1).mean(3)
            assert sums.std(1).max() < 1e-6
        keep = min(TINY.ema, (step + 1) / (step + 10))
        for name, value in learner.generator.named_parameters():
            expected[name] = keep * expected[name] + (1 - keep) * value.detach()
    for name, value in learner.average.named_parameters():
        assert torch.allclose(value, expected[name], atol=1e-6), name
    trained = dict(learner.generator.named_parameters())
    assert any((value - expected[name]).abs().max() > 1e-4 for name, value in trained.items())


def test_at_a_rate_of_0_the_border_alone_learns(folder: Path, vgg: VGG19) -> None:
    recipe = dataclasses.replace(TINY, learning_rate=0.0)
    learner, stream = trainer(folder, vgg, recipe), pairs(folder, recipe)
    before = {name: value.clone() for name, value in learner.average.state_dict().items()}
    for step in range(3):
        assert learner.train_step(stream[step], progress=step / 4).keys() == {"border"}
    for network in (learner.generator, learner.average):
        for name, value in network.state_dict().items():
            assert torch.equal(value, before[name]) == (name not in network.borders()), name


def test_the_temporal_weight_ramps_up(folder: Path, vgg: VGG19) -> None:
    learner = trainer(folder, vgg, dataclasses.replace(TINY, temporal_from=0.2))
    assert learner.ramp(0) == pytest.approx(0.2)
    assert 0.2 < learner.ramp(0.3) < 1
    assert learner.ramp(0.6) == learner.ramp(1) == 1


def test_the_ramp_weighs_the_temporal_loss(folder: Path, vgg: VGG19) -> None:
    recipe = dataclasses.replace(TINY, crop=64, gradient_clip=1e6, temporal_from=0.0)
    pair, gradients = pairs(folder, recipe)[0], []
    for temporal in (0.0, 1500.0):
        learner = trainer(folder, vgg, dataclasses.replace(recipe, temporal=temporal))
        learner.train_step(pair, progress=0.0)
        grads = [p.grad for p in learner.generator.parameters()]
        gradients.append(torch.cat([grad.flatten() for grad in grads if grad is not None]))
    assert torch.equal(*gradients)
