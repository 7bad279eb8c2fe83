"""Blends: the mean of weights, made once, without the onnx package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from media import psnr
from stylecam.realtime.cli import main
from stylecam.realtime.engines import EngineOptions, open_engine
from stylecam.realtime.errors import StyleError
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.realtime.styles import built_in, find


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STYLECAM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def tensors(path: Path) -> dict[str, np.ndarray]:
    graph = onnx.load(path).graph
    return {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer if t.data_type == 1}


def painted(name: str) -> np.ndarray:
    image = PatternSource(64, 96).image(7)
    engine = open_engine(EngineOptions(precision="f32"), find(name), height=64, width=96, live=True)
    out = engine.submit(image).result().copy()
    engine.close()
    return out


def test_weights_are_the_weighted_mean(cache: Path) -> None:
    a, b = (style.name for style in built_in()[:2])
    style = find(f"{a}:3,{b}:1")
    onnx.checker.check_model(onnx.load(style.path))
    assert style.path.is_relative_to(cache)
    assert style.card["blend"] == {a: 0.75, b: 0.25}
    ours, first, second = tensors(style.path), tensors(find(a).path), tensors(find(b).path)
    assert ours.keys() == first.keys()
    trained = [name for name in ours if name.startswith("generator.")]
    assert len(trained) > 20
    for name in trained:
        assert np.allclose(ours[name], 0.75 * first[name] + 0.25 * second[name], atol=1e-6)


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits as Unix has them")
def test_a_disk_that_fills_is_said_and_left_clean(cache: Path) -> None:
    code = (
        "import resource, signal; from stylecam.realtime.styles import find\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
        "find('great-wave,starry-night')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "cannot be kept" in done.stderr
    assert list((cache / "blends").iterdir()) == []


def test_all_of_one_style_is_that_style() -> None:
    a, b = (style.name for style in built_in()[:2])
    assert psnr(painted(f"{a}:1,{b}:0"), painted(a)) > 60
    assert psnr(painted(f"{a},{b}"), painted(f"{a}:0.5,{b}:0.5")) == float("inf")


def test_huge_weights_are_weights() -> None:
    a, b = (style.name for style in built_in()[:2])
    assert find(f"{a}:1e308,{b}:1e308").card["blend"] == {a: 0.5, b: 0.5}


def test_a_file_may_have_a_comma_in_its_name(tmp_path: Path) -> None:
    path = tmp_path / "wave,blue.onnx"
    path.write_bytes(built_in()[0].path.read_bytes())
    assert find(str(path)).path == path


def test_a_blend_is_made_once() -> None:
    a, b = (style.name for style in built_in()[:2])
    path = find(f"{a},{b}").path
    made = path.stat().st_mtime_ns
    assert find(f"{a},{b}").path.stat().st_mtime_ns == made


def test_blending_needs_no_onnx() -> None:
    a, b = (style.name for style in built_in()[:2])
    code = (
        "import sys; from stylecam.realtime.styles import find; "
        f"find('{a},{b}'); print([m for m in ('onnx', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("{a}:x,{b}", "'x' in --style is not a weight"),
        ("{a}:-1,{b}", "'-1' in --style is not a weight"),
        ("{a}:0,{b}:0", "add up to zero"),
        ("{a},nowhere", "there is no style 'nowhere'"),
        (r"{b},C:\styles\{a}.onnx", r"C:\styles\{a}.onnx: no such style file"),
        ("{a}:0.5", "nothing to blend {a} with"),
        ("{a}:0.6,", "a part of the blend in --style is empty"),
    ],
)
def test_what_is_wrong_is_said(name: str, said: str) -> None:
    a, b = (style.name for style in built_in()[:2])
    with pytest.raises(StyleError) as caught:
        find(name.format(a=a, b=b))
    assert said.format(a=a) in caught.value.message
    if not any(words in said for words in ("add up", "nowhere", "no such")):
        assert "great-wave:0.6,starry-night:0.4" in caught.value.hint


def test_networks_that_differ_are_refused(tmp_path: Path) -> None:
    a = built_in()[0]
    model = onnx.load(a.path)
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "foreign.onnx")
    with pytest.raises(StyleError, match=r"foreign\.onnx cannot be blended"):
        find(f"{a.name},{tmp_path / 'foreign.onnx'}")


def test_the_command_takes_a_blend(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import cv2

    cv2.imwrite(str(tmp_path / "photo.png"), PatternSource(64, 96).image(3))
    a, b = (style.name for style in built_in()[:2])
    assert main([str(tmp_path / "photo.png"), "--style", f"{a}:0.6,{b}:0.4"]) == 0
    assert f"photo.{a}-0.6+{b}-0.4.png" in capsys.readouterr().out
