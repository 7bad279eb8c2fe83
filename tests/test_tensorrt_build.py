"""TensorRT-RTX builds the styles, without a GPU."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from stylecam.realtime.cli import build as build_command
from stylecam.realtime.engines.environment import MODULES
from stylecam.realtime.engines.half_onnx import half_onnx
from stylecam.realtime.engines.tensorrt_build import build_onnx
from stylecam.realtime.engines.tensorrt_library import Library, load
from stylecam.realtime.errors import EngineError, UsageError
from stylecam.realtime.styles import Style, built_in
from stylecam.training.export import export_style
from stylecam.training.network import Generator

RTX = next((name for name in MODULES if importlib.util.find_spec(name) is not None), "")
needs_tensorrt = pytest.mark.skipif(not RTX, reason="pip install '.[tensorrt-test]'")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STYLECAM_CACHE", str(tmp_path / "cache"))


@needs_tensorrt
@pytest.mark.parametrize("style", built_in(), ids=lambda style: style.name)
def test_tensorrt_builds_every_style_whole(style: Style) -> None:
    """Without a GPU; one engine, since its builder knows no other way."""
    trt = load(Library(RTX, ""))
    engine = build_onnx(trt, half_onnx(style.path, height=360, width=640), refittable=False)
    assert len(engine) > 100_000


@needs_tensorrt
def test_tensorrt_builds_the_large_network(tmp_path: Path) -> None:
    path = tmp_path / "large.onnx"
    export_style(Generator("large"), {"name": "large"}, path)
    model = half_onnx(path, height=360, width=640)
    assert len(build_onnx(load(Library(RTX, "")), model, refittable=False)) > 1_000_000


@needs_tensorrt
def test_tensorrt_says_why_it_cannot_build() -> None:
    trt = load(Library(RTX, ""))
    with pytest.raises(EngineError, match="cannot read the style: ") as caught:
        build_onnx(trt, b"no model", refittable=False)
    assert caught.value.hint == "use --engine torch"


def test_build_makes_each_style_at_each_size(capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[tuple[str, tuple[int, int]]] = []

    def prepare(style: Style, size: tuple[int, int]) -> Any:
        asked.append((style.name, size))
        return SimpleNamespace(path=Path("file.engine"), library="tensorrt 11.0.0")

    sizes = ["--size", "640x360", "--size", "1918x1078"]
    styles = ["--style", "comic", "--style", "great-wave"]
    assert build_command.main([*styles, *sizes, "--json"], lambda: prepare) == 0
    padded = [(360, 640), (1080, 1920)]
    assert asked == [(style, size) for style in ("comic", "great-wave") for size in padded]
    rows = json.loads(capsys.readouterr().out)
    assert [row["size"] for row in rows] == ["640x360", "1918x1078"] * 2
    assert build_command.main([], lambda: prepare) == 0
    assert asked[-1] == ("great-wave", (720, 1280))
    assert "great-wave at 1280x720 is ready: file.engine" in capsys.readouterr().out


def test_build_refuses_what_it_cannot_do(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a size"):
        build_command.main(["--size", "large"])
    foreign = tmp_path / "foreign.onnx"
    export_style(Generator("small"), {}, foreign)
    with pytest.raises(UsageError, match="not a stylecam style"):
        build_command.main(["--style", str(foreign)])
    if not torch.cuda.is_available():
        with pytest.raises(EngineError, match="CUDA") as caught:
            build_command.main([])
        assert caught.value.hint
