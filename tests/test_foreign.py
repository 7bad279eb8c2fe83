"""Anyone's ONNX network: every layout, range and kind of size, against a known answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from media import ClipMaker, decode, psnr
from onnx import TensorProto, helper
from rich.console import Console
from stylecam.realtime.engines import EngineOptions, open_engine
from stylecam.realtime.engines.foreign import RANGES
from stylecam.realtime.errors import StyleError
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.realtime.styles import find
from stylecam.realtime.stylize import Look, stylize_file

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
