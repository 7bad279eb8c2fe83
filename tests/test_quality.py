"""The quality protocol measures what it says: known painters give known figures."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from stylecam.benchmarks import gallery, quality, rows, stability
from stylecam.benchmarks.cards import network_sha256, write_card
from stylecam.benchmarks.command import main as bench
from stylecam.benchmarks.coverage import SHIPPED, Judge, key_of, square
from stylecam.benchmarks.perceptual import ShiftTolerantLPIPS
from stylecam.benchmarks.texture import tinted
from stylecam.realtime.cli import main
from stylecam.realtime.engines import EngineOptions
from stylecam.realtime.errors import StylecamError
from stylecam.realtime.pictures import Image
from stylecam.realtime.styles import Style, built_in, find
from stylecam.training.pictures import read_painting


@pytest.fixture(scope="module")
def photo() -> Image:
    return quality.read_photo(quality.PHOTOS / "colosseum.jpg")


@pytest.fixture(scope="module")
def clip(photo: Image) -> stability.Clip:
    moving = stability.camera_move(photo, frames=60, height=160, width=240)
    return moving._replace(frames=moving.frames[:6])


def test_the_photos_are_twelve_and_credited() -> None:
    names = {path.name for path in quality.PHOTOS.glob("*.jpg")}
    credits = (quality.PHOTOS / "CREDITS.md").read_text()
    assert len(names) == 12
    assert all(name in credits for name in names)


def test_flow_follows_the_camera(clip: stability.Clip) -> None:
    (move, *_) = stability.flows(clip.frames, 5)
    before, after = clip.frames[0].astype(float), clip.frames[5].astype(float)
    seen = move.visible_HW
    assert seen.mean() > 0.5
    unmoved = np.abs(after - before)[seen].mean()
    assert np.abs(after - move.warp(clip.frames[0]))[seen].mean() < 0.6 * unmoved


def test_shimmer_is_one_for_the_input_and_grows_with_flicker(clip: stability.Clip) -> None:
    moves = stability.flows(clip.frames, 1)
    same = stability.shimmer(clip.frames, clip.frames, 1, moves)
    assert same.ratio == pytest.approx(1)
    assert same.border == pytest.approx(1)
    assert 0.3 < same.border_error < 3, "that of the scene"
    halved = [(frame // 2) for frame in clip.frames]
    assert stability.shimmer(clip.frames, halved, 1, moves).ratio < 0.5
    flicker = [f + np.uint8(40 * (i % 2)) for i, f in enumerate(halved)]
    assert stability.shimmer(clip.frames, flicker, 1, moves).ratio > 5
    framed = [frame.copy() for frame in clip.frames]
    for index, frame in enumerate(framed):
        frame[:8] = 255 * (index % 2)
    found = stability.shimmer(clip.frames, framed, 1, moves)
    assert found.border > 5
    assert found.border_error == pytest.approx(found.border * same.border_error)


def test_noise_gain_and_far_change_of_known_painters(photo: Image) -> None:
    small = (photo[:128, :192] // 2 + 64).astype(np.uint8)
    assert stability.noise_gain(lambda x: x, small) == pytest.approx(1)
    double = lambda x: (x.astype(int) * 2 - 128).clip(0, 255).astype(np.uint8)  # noqa: E731
    assert stability.noise_gain(double, small) == pytest.approx(2, rel=0.05)
    assert stability.far_change(lambda x: x, small) == 0
    brighter = lambda x: (x + x.mean() / 4).clip(0, 255).astype(np.uint8)  # noqa: E731
    assert stability.far_change(brighter, small) > 0.5


def test_shift_error_sees_a_grid_and_nothing_else(photo: Image) -> None:
    view = photo[:192, :192]
    edges = lambda x: np.abs(x.astype(int) - np.roll(x, 1, 1)).astype(np.uint8)  # noqa: E731
    assert stability.shift_error(edges, view) == 0
    mesh = np.zeros_like(view)
    mesh[:, ::2] = 20
    assert 7 < stability.shift_error(lambda x: x // 2 + mesh, view) < 20


def test_perceptual_distance_tolerates_shifts_and_sees_damage(photo: Image) -> None:
    distance = ShiftTolerantLPIPS()
    x = torch.from_numpy(photo.astype(np.float32) / 255).permute(2, 0, 1)[None]
    here, shifted = x[..., 8:200, 8:200], x[..., 9:201, 9:201]
    noisy = (
        here + 0.2 * torch.randn(here.shape, generator=torch.Generator().manual_seed(0))
    ).clamp(0, 1)
    assert distance(here, here) < 1e-6
    assert distance(here, shifted) < 0.05
    assert distance(here, noisy) > 0.2


def test_coverage_runs_from_the_photo_to_the_optimum(tmp_path: Path, photo: Image) -> None:
    judge = Judge(quality.PAINTINGS / "great-wave.jpg", long_side=256, cache=tmp_path / "best.json")
    view = square(photo, 64)
    best = judge.best(view)
    assert best < 0.5 * judge.distance(view)
    assert judge.best(view) == best  # from the cache
    assert len((tmp_path / "best.json").read_text().splitlines()) == 3
    painting = quality.read_photo(quality.PAINTINGS / "great-wave.jpg")
    assert judge.distance(square(painting, 192)) < 0.5 * judge.distance(view)
    assert judge.coverage(view, view) == 0
    assert 0.5 < judge.coverage(view, square(painting, 192)) < 1.2


def test_texture_is_what_strokes_do_and_colours_and_blur_do_not(photo: Image) -> None:
    judge = Judge(quality.PAINTINGS / "grande-jatte.jpg", long_side=768)
    view = square(photo)
    painting = read_painting(quality.PAINTINGS / "grande-jatte.jpg", 768)
    tint = tinted(view, painting)
    colours = tint.reshape(-1, 3) / 255
    assert colours.mean(0) == pytest.approx(painting.mean((1, 2)).numpy(), abs=0.02)
    assert colours.std(0) == pytest.approx(painting.std((1, 2)).numpy(), abs=0.02)
    assert judge.distance(tint) < 0.3 * judge.distance(view)  # so far by colours alone
    assert judge.texture(view, tint) == 0
    assert judge.texture(view, cv2.GaussianBlur(tint, (0, 0), 3)) < 0
    half = (128 + (tint.astype(int) - 128) / 2).round().astype(np.uint8)
    assert abs(judge.texture(view, half)) < 0.1
    with quality.painter(find("grande-jatte"), EngineOptions(precision="f32"), view) as paint:
        assert judge.texture(view, paint(view)) > 0.3
    whole = (painting.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    assert judge.texture(view, whole) == pytest.approx(1, abs=0.01)


def test_a_photo_without_colours_is_tinted_too() -> None:
    grey = np.full((32, 32, 3), 100, np.uint8)
    painting = read_painting(quality.PAINTINGS / "comic.jpg", 64)
    mean = 255 * painting.mean((1, 2)).numpy()
    assert tinted(grey, painting).reshape(-1, 3).mean(0) == pytest.approx(mean, abs=1)


def test_an_installed_package_lacks_the_clip_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quality, "ANIMATION", tmp_path / "bbb.mp4")
    with pytest.raises(StylecamError, match=r"bbb\.mp4") as caught:
        quality.Protocol()
    assert "clone" in caught.value.hint


def test_one_style_of_many_can_be_measured(tmp_path: Path) -> None:
    """A network that takes its style as a second input, as the peers' do."""
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, "h", "w"])
    weights = helper.make_tensor_value_info("weights", TensorProto.FLOAT, [2])
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 3, "h", "w"])
    shape = helper.make_tensor("shape", TensorProto.INT64, [2], [2, 1])
    kinds = helper.make_tensor("kinds", TensorProto.FLOAT, [1, 2], [1.0, 0.5])
    nodes = [
        helper.make_node("Reshape", ["weights", "shape"], ["column"]),
        helper.make_node("MatMul", ["kinds", "column"], ["gain"]),
        helper.make_node("Mul", ["image", "gain"], ["out"]),
    ]
    graph = helper.make_graph(nodes, "two", [image, weights], [out], [shape, kinds])
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
        tmp_path / "two.onnx",
    )
    path = quality.with_constant(tmp_path / "two.onnx", "weights", [0, 1], tmp_path / "one.onnx")
    grey = np.full((64, 64, 3), 100, np.uint8)
    options = EngineOptions(precision="f32", style_range="0-1")
    with quality.painter(find(str(path)), options, grey) as paint:
        assert np.abs(paint(grey).astype(int) - 50).max() <= 1


def test_figures_get_into_the_card(tmp_path: Path) -> None:
    original = built_in()[0]
    path = tmp_path / "copy.onnx"
    path.write_bytes(original.path.read_bytes())
    row = {"style": "x", "network_sha256": network_sha256(path), "noise_gain": 1.5}
    write_card(find(str(path)), row)
    assert find(str(path)).card["quality"] == {"noise_gain": 1.5}
    assert find(str(path)).name == original.name
    assert network_sha256(path) == row["network_sha256"]  # the card is not in it


def test_a_network_is_known_by_its_weights(tmp_path: Path) -> None:
    path = tmp_path / "copy.onnx"
    model = onnx.load(find("great-wave").path)
    (weights, *_) = model.graph.initializer
    weights.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(weights) * 2))
    onnx.save(model, path)
    assert network_sha256(path) != network_sha256(find("great-wave").path)


def test_a_row_says_what_was_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Figures against another painting are not the style's."""

    class Quick:
        def measure(self, style: Style, **options: object) -> dict[str, str]:
            return {"style": style.name}

    monkeypatch.setattr(quality, "Protocol", Quick)
    monkeypatch.setattr(quality, "_judge", lambda style, options: None)
    words = ["quality", "--style", "comic", "--results", str(tmp_path)]
    for more in ([], ["--painting", "folder/mine.jpg", "--long-side", "300"], ["--name", "x"]):
        assert bench([*words, *more]) == 0
    told = [
        {key: row[key] for key in ("style", "painting", "long_side") if key in row}
        for row in rows.read("quality", folder=tmp_path)
    ]
    given = {"style": "comic", "long_side": 300, "painting": "mine.jpg"}
    assert told == [{"style": "comic"}, given, {"style": "x"}]


def test_pictures_are_read_and_written_without_opening_names(
    photo: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenCV cannot open those outside ASCII on Windows."""
    monkeypatch.setattr(cv2, "imread", lambda *_: None)
    monkeypatch.setattr(cv2, "imwrite", lambda *_: False)
    path = tmp_path / "Gemälde.jpg"
    cell = photo[: gallery.CELL[1], : gallery.CELL[0]]
    gallery._save(path, [cell])
    assert np.abs(quality.read_photo(path).astype(int) - cell).mean() < 5


def test_the_optimum_belongs_to_the_pixels_not_to_a_files_name(
    tmp_path: Path, photo: Image
) -> None:
    view = square(photo, 64)
    cache = tmp_path / "best.json"
    bests = []
    for index, name in enumerate(("great-wave", "comic")):
        (tmp_path / str(index)).mkdir()
        path = tmp_path / str(index) / "painting.jpg"
        path.write_bytes((quality.PAINTINGS / f"{name}.jpg").read_bytes())
        bests.append(Judge(path, long_side=128, cache=cache).best(view))
    assert bests[0] != bests[1]
    assert len(cache.read_text().splitlines()) == 4


def test_the_shipped_optima_are_found_whatever_the_painting_is_called(
    tmp_path: Path, photo: Image
) -> None:
    path = tmp_path / "mine.jpg"
    path.write_bytes((quality.PAINTINGS / "great-wave.jpg").read_bytes())
    long_side = find("great-wave").card["painting_long_side"]
    judge = Judge(path, long_side=long_side, cache=tmp_path / "best.json")
    assert judge.best(square(photo)) in json.loads(SHIPPED.read_text()).values()
    assert not (tmp_path / "best.json").exists()


@pytest.mark.parametrize("style", built_in(), ids=lambda style: style.name)
def test_the_optima_of_every_style_are_shipped(style: Style) -> None:
    """Finding them takes a minute, and they change with the painting and its size."""
    painting = quality.painting_of(style)
    assert painting is not None
    key = key_of(painting, long_side=style.card["painting_long_side"])
    found = [name for name in json.loads(SHIPPED.read_text()) if name.startswith(f"{key}:")]
    assert len(found) == len(list(quality.PHOTOS.glob("*.jpg")))


def test_contrast_tells_why_a_pale_style_shimmers_less(clip: stability.Clip) -> None:
    assert stability.contrast(clip.frames, clip.frames) == pytest.approx(1)
    halved = [frame // 2 for frame in clip.frames]
    assert stability.contrast(clip.frames, halved) == pytest.approx(0.5, rel=0.05)


def test_a_painting_that_is_none_is_refused_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(quality, "Protocol", lambda: pytest.fail("clips were read"))
    (tmp_path / "note.jpg").write_text("no picture")
    for name in ("note.jpg", "missing.jpg"):
        words = ["bench", "quality", "--no-save", "--style", "comic", "--painting"]
        assert main([*words, str(tmp_path / name)]) == 2
        assert f"{name} cannot be read as a picture" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--painting", "mine.jpg"], "--painting is what one style"),
        (["--cards", "--statistics", "frame"], "cards hold"),
    ],
)
def test_what_would_spoil_figures_is_refused(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "quality", "--no-save", *words]) == 2
    assert said in capsys.readouterr().err
