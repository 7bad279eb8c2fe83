"""Training in miniature: the parts do what they say, a run stops, resumes and exports."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from media import psnr
from stylecam.realtime.engines import EngineOptions, open_engine
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.realtime.styles import find
from stylecam.training import losses
from stylecam.training.__main__ import main
from stylecam.training.data import Photos, painting_patches
from stylecam.training.discriminator import (
    Discriminator,
    adversarial_loss,
    discriminator_loss,
    gradient_penalty,
)
from stylecam.training.export import export_style
from stylecam.training.loop import Trainer, train
from stylecam.training.motion import Motion, camera_noise, random_motion
from stylecam.training.network import SIZES, Generator, Head, StyleGraph
from stylecam.training.recipe import Recipe, read_recipe
from stylecam.training.vgg import VGG19, load_vgg19

RECIPES = sorted((Path(__file__).parent.parent / "training" / "recipes").glob("*.toml"))
TINY = Recipe("tiny", "painting.png", "Tiny", "Nobody", "CC0", batch=1, crop=96, steps=4,
              painting_long_side=128, warmup_steps=1, adversarial_from=1,
              gradient_penalty=0.1, discriminator_dropout=0.1)  # fmt: skip


@pytest.fixture(scope="session")
def vgg() -> VGG19:
    return load_vgg19()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for index in range(3):
        picture = PatternSource(120, 160).image(40 * index)
        cv2.imwrite(str(tmp_path / f"photo{index}.png"), picture)
    cv2.imwrite(str(tmp_path / "painting.png"), PatternSource(150, 130).image(5)[:, :, ::-1])
    return tmp_path


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
    (tmp_path / "bad.pth").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"bad\.pth"):
        load_vgg19(tmp_path / "bad.pth")


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


def test_temporal_loss_counts_only_what_is_visible() -> None:
    a, b = torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)
    b[..., :2, :] = 1
    hidden = torch.ones(1, 1, 4, 4)
    hidden[..., :2, :] = 0
    assert losses.temporal_loss(a, b, hidden) == 0
    assert losses.temporal_loss(a, b, torch.ones(1, 1, 4, 4)) == 0.5


def test_discriminator_learns_to_tell_paintings() -> None:
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


def test_photos_are_seeded_crops(folder: Path) -> None:
    photos = Photos(folder)
    one, two, other = (next(photos.batches(2, 64, seed=seed)) for seed in (1, 1, 2))
    assert one.shape == (2, 3, 64, 64)
    assert torch.equal(one, two)
    assert not torch.equal(one, other)
    (folder / "empty").mkdir()
    with pytest.raises(ValueError, match="no photos"):
        Photos(folder / "empty")


def test_a_run_trains_stops_resumes_and_exports(folder: Path, vgg: VGG19) -> None:
    def trainer() -> Trainer:
        return Trainer(TINY, painting=folder / "painting.png", photos=Photos(folder), vgg=vgg)

    said: list[str] = []
    first = trainer()
    step = first.train_step

    def interrupted(photo: torch.Tensor) -> dict[str, float]:
        if first.step == 2:
            raise KeyboardInterrupt
        return step(photo)

    first.train_step = interrupted  # type: ignore[method-assign]
    card = {"name": "tiny"}
    half = train(first, folder / "run", card=card, report=said.append)
    assert "stopped at step 2" in said[-1]
    assert json.loads(find(str(half)).path.with_name("config.json").read_text())["steps"] == 4
    assert find(str(half)).card == {"name": "tiny", "steps": 2, "losses": {}}

    second = trainer()
    whole = train(second, folder / "run", card=card, report=said.append)
    assert "resumed at step 2" in said
    assert find(str(whole)).card["steps"] == 4
    rows = [json.loads(line) for line in (folder / "run" / "stats.jsonl").read_text().splitlines()]
    assert {"content", "style", "temporal", "adversarial", "discriminator"} <= set(rows[-1])
    assert all(np.isfinite(value) for value in rows[-1].values())
    assert cv2.imread(str(folder / "run" / "preview.jpg")).shape[0] == 512


def test_training_lowers_the_style_loss(folder: Path, vgg: VGG19) -> None:
    import dataclasses

    recipe = dataclasses.replace(TINY, steps=40, warmup_steps=5, adversarial=0.0, tone=0.0)
    trainer = Trainer(recipe, painting=folder / "painting.png", photos=Photos(folder), vgg=vgg)
    batches = trainer.photos.batches(1, 96, seed=0)
    history = [trainer.train_step(next(batches))["style"] for _ in range(30)]
    assert np.mean(history[-5:]) < 0.8 * np.mean(history[:3])


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


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipes_can_be_read(path: Path) -> None:
    recipe = read_recipe(path)
    assert recipe.name == path.stem
    assert recipe.size in SIZES
    assert recipe.artist
    assert recipe.licence


def test_the_command_says_what_is_wrong(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "bad.toml").write_text('name = "x"\nstrokes = 3\n')
    where = ["--photos", str(folder), "--paintings", str(folder)]
    assert main([str(folder / "bad.toml"), *where]) == 1
    assert "bad.toml" in capsys.readouterr().err
    assert main([str(RECIPES[0]), *where]) == 1  # the painting is not there
    assert "cannot be read as a picture" in capsys.readouterr().err
