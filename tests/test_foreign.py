"""Anyone's ONNX network: every layout, range and kind of size, against a known answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import openvino as ov
import pytest
from media import ClipMaker, decode, psnr
from onnx import TensorProto, helper, numpy_helper
from rich.console import Console
from stylecam.realtime.engines import EngineOptions, open_engine
from stylecam.realtime.engines.foreign import RANGES, detect_ranges, settle
from stylecam.realtime.errors import StyleError
from stylecam.realtime.job import Look
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.realtime.styles import find
from stylecam.realtime.stylize import stylize_file

HEIGHT, WIDTH = 96, 128


def network(
    path: Path, *, layout: str, values: str, size: tuple[int, int] | None, crop: int = 0
) -> Path:
    """Write a network that swaps red and blue and inverts, within its own range of values."""
    low, high = RANGES[values]
    swap = np.eye(3, dtype=np.float32)[::-1].reshape(3, 3, 1, 1) * -1
    sides: list[int | str] = list(size) if size else ["height", "width"]
    shape = [1, 3, *sides] if layout == "NCHW" else [1, *sides, 3]
    nodes = [
        helper.make_node("Conv", ["nchw", "swap", "offset"], ["swapped"]),
        helper.make_node("Clip", ["swapped", "low", "high"], ["clipped"]),
        helper.make_node("Slice", ["clipped", "begin", "end", "axes"], ["painted"]),
    ]
    if layout == "NHWC":
        nodes.insert(0, helper.make_node("Transpose", ["photo"], ["nchw"], perm=[0, 3, 1, 2]))
        nodes.append(helper.make_node("Transpose", ["painted"], ["painting"], perm=[0, 2, 3, 1]))
    else:
        nodes.insert(0, helper.make_node("Identity", ["photo"], ["nchw"]))
        nodes.append(helper.make_node("Identity", ["painted"], ["painting"]))
    constants = {
        "swap": swap,
        "offset": np.full(3, low + high, np.float32),
        "low": np.float32(low),
        "high": np.float32(high),
        "begin": np.array([crop, crop]),
        "end": np.array([-crop or 1 << 30, -crop or 1 << 30]),
        "axes": np.array([2, 3]),
    }
    out = [1, 3, None, None] if layout == "NCHW" else [1, None, None, 3]
    graph = helper.make_graph(
        nodes,
        "style",
        [helper.make_tensor_value_info("photo", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("painting", TensorProto.FLOAT, out)],
        [onnx.numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)
    return path


def paint(path: Path, image: np.ndarray, value_range: str | None = None) -> np.ndarray:
    height, width = image.shape[:2]
    options = EngineOptions("openvino", precision="f32", style_range=value_range)
    engine = open_engine(options, find(str(path)), height=height, width=width, live=False)
    painting = engine.submit(image).result()
    engine.close()
    return painting


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("values", RANGES)
@pytest.mark.parametrize("size", [None, (HEIGHT, WIDTH)], ids=["any size", "fixed"])
@pytest.mark.parametrize("told", [True, False], ids=["told", "detected"])
def test_known_answer(
    layout: str, values: str, size: tuple[int, int] | None, told: bool, tmp_path: Path
) -> None:
    path = network(tmp_path / "net.onnx", layout=layout, values=values, size=size)
    image = PatternSource(HEIGHT, WIDTH).image(4)
    painting = paint(path, image, values if told else None)
    assert np.abs(painting.astype(int) - (255 - image[..., ::-1])).max() <= 2


def test_a_network_of_another_size_is_fed_a_resized_picture(tmp_path: Path) -> None:
    path = network(tmp_path / "net.onnx", layout="NCHW", values="0-1", size=(64, 64))
    image = PatternSource(HEIGHT, WIDTH).image(4)
    painting = paint(path, image)
    assert painting.shape == image.shape
    assert psnr(painting, 255 - image[..., ::-1]) > 20


def test_a_smaller_painting_is_resized_back(tmp_path: Path) -> None:
    path = network(tmp_path / "net.onnx", layout="NCHW", values="0-255", size=None, crop=2)
    image = PatternSource(HEIGHT, WIDTH).image(4)
    painting = paint(path, image)
    assert painting.shape == image.shape
    assert psnr(painting, 255 - image[..., ::-1]) > 18


def test_through_the_whole_path(make_clip: ClipMaker, tmp_path: Path) -> None:
    path = network(tmp_path / "net.onnx", layout="NHWC", values="-1-1", size=None)
    clip = make_clip(frames=3)
    stylize_file(clip, tmp_path / "out.mkv", Look(find(str(path))), console=Console(quiet=True))
    for before, after in zip(decode(clip), decode(tmp_path / "out.mkv"), strict=True):
        assert psnr(after, 255 - before[..., ::-1]) > 25


@pytest.mark.parametrize("broken", ["no onnx", "classifier", "two inputs"])
def test_what_is_no_style_is_refused(broken: str, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    if broken == "no onnx":
        path.write_bytes(b"\x08\x07 this is no network at all")
    else:
        photo = helper.make_tensor_value_info("photo", TensorProto.FLOAT, [1, 3, 64, 64])
        code = helper.make_tensor_value_info("code", TensorProto.FLOAT, [1, 3, 1, 1])
        two = broken == "two inputs"
        node = (
            helper.make_node("Add", ["photo", "code"], ["out"])
            if two
            else helper.make_node("Flatten", ["photo"], ["out"])
        )
        out = helper.make_tensor_value_info(
            "out", TensorProto.FLOAT, [1, 3, 64, 64] if two else [1, 12_288]
        )
        graph = helper.make_graph([node], "net", [photo, code] if two else [photo], [out])
        opset = [helper.make_opsetid("", 17)]
        onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)
    with pytest.raises(StyleError) as caught:
        paint(path, np.zeros((64, 64, 3), np.uint8))
    assert caught.value.hint


def painter(path: Path, values: str, end: str) -> Path:
    """Write the usual convolutions and instance norms: random weights, picture-like values."""
    low, high = RANGES[values]
    half, middle = (high - low) / 2, (high + low) / 2
    constants = {
        "first": np.random.default_rng(4).normal(0, 1, (8, 3, 3, 3)),
        "second": np.random.default_rng(5).normal(0, 1, (3, 8, 3, 3)),
        "one": np.ones(8),
        "zero": np.zeros(8),
        "spread": np.full(3, 0.4 if end != "open" else 0.4 * half),
        "centre": np.full(3, 0 if end != "open" else middle),
        "-1": -1,
        "1": 1,
        "half": half,
        "middle": middle,
    }
    chain = [
        ("Conv", ["first"], {"pads": [1, 1, 1, 1]}),
        ("InstanceNormalization", ["one", "zero"], {}),
        ("Relu", [], {}),
        ("Conv", ["second"], {"pads": [1, 1, 1, 1]}),
        ("InstanceNormalization", ["spread", "centre"], {}),
    ]
    if end != "open":
        chain += [("Clip", ["-1", "1"], {}) if end == "clamp" else ("Tanh", [], {})]
        chain += [("Mul", ["half"], {}), ("Add", ["middle"], {})]
    nodes = [
        helper.make_node(name, [f"t{i}", *more], [f"t{i + 1}"], **attributes)
        for i, (name, more, attributes) in enumerate(chain)
    ]
    shape = ["n", 3, "height", "width"]
    infos = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name in ("t0", f"t{len(chain)}")
    ]
    weights = [numpy_helper.from_array(np.asarray(v, np.float32), k) for k, v in constants.items()]
    graph = helper.make_graph(nodes, "style", infos[:1], infos[1:], weights)
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path
    )
    return path


@pytest.mark.parametrize("values", RANGES)
@pytest.mark.parametrize("end", ["open", "clamp", "tanh"])
def test_the_range_of_a_usual_network_is_detected(values: str, end: str, tmp_path: Path) -> None:
    model = ov.Core().read_model(painter(tmp_path / "net.onnx", values, end))
    assert detect_ranges(model, settle(model, 96, 96)) == (values, values)


def test_a_part_of_a_larger_picture_is_painted(tmp_path: Path) -> None:
    """The engine's own copy of it must live until the painting is done."""
    path = network(tmp_path / "net.onnx", layout="NCHW", values="0-255", size=None)
    view = PatternSource(HEIGHT + 20, WIDTH + 20).image(4)[10:-10, 10:-10]
    options = EngineOptions("openvino", precision="f32")
    engine = open_engine(options, find(str(path)), height=HEIGHT, width=WIDTH, live=True)
    pending = engine.submit(view)
    np.full((1, HEIGHT, WIDTH, 3), 7, np.uint8)  # takes the memory that a lost copy frees
    painting = pending.result()
    engine.close()
    assert np.abs(painting.astype(int) - (255 - view[..., ::-1])).max() <= 2


def test_a_network_without_a_range_asks_for_it(tmp_path: Path) -> None:
    path = network(tmp_path / "net.onnx", layout="NCHW", values="0-1", size=None)
    model = onnx.load(path)
    for constant in model.graph.initializer:
        if constant.name == "swap":
            constant.CopyFrom(numpy_helper.from_array(np.zeros((3, 3, 1, 1), np.float32), "swap"))
    onnx.save(model, path)
    image = PatternSource(HEIGHT, WIDTH).image(4)
    with pytest.raises(StyleError, match="cannot be detected") as caught:
        paint(path, image)
    assert "--style-range 0-255" in caught.value.hint
    assert (paint(path, image, "0-1") == 255).all()


def test_a_network_that_takes_0_1_and_gives_0_255(tmp_path: Path) -> None:
    """Its paintings are colour without light; fed too much, they are black and white throughout."""
    path = network(tmp_path / "net.onnx", layout="NCHW", values="0-255", size=None)
    model = onnx.load(path)
    colour = (np.eye(3) - 1 / 3).reshape(3, 3, 1, 1) * 255
    new = {"swap": colour, "offset": np.full(3, 127.5)}
    for constant in model.graph.initializer:
        if constant.name in new:
            value = new[constant.name].astype(np.float32)
            constant.CopyFrom(numpy_helper.from_array(value, constant.name))
    onnx.save(model, path)
    image = PatternSource(HEIGHT, WIDTH).image(4)
    expected = (127.5 + image - image.mean(axis=2, keepdims=True)).clip(0, 255)
    assert np.abs(paint(path, image) - expected).max() <= 2
