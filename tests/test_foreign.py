"""Networks that others trained: any layout, value range and size, made here with known answers."""

from __future__ import annotations

import shutil
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import openvino as ov
import pytest
import torch
import torch.nn.functional as F
from media import SIGNING, decode, psnr
from onnx import TensorProto, helper, numpy_helper
from stylecam.realtime.cli import main
from stylecam.realtime.engines import EngineOptions, open_engine
from stylecam.realtime.engines.foreign import RANGES, detect_ranges, settle
from stylecam.realtime.errors import StyleError
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.realtime.styles import find

LAYOUTS = ("NCHW", "NHWC")
ENDS = ("open", "clamp", "tanh", "sigmoid")
Step = tuple[str, list[Any], dict[str, Any]]


def save(path: Path, steps: list[Step], *, ports: dict[str, Any], kind: int = 1) -> Path:
    """Write a chain of operators; `ports` are the shapes of x (and x2 ...) and, last, of y."""
    nodes, constants, last = [], [], "x"
    for index, (operator, extra, attributes) in enumerate(steps):
        names = []
        for value in extra:
            names.append(value if isinstance(value, str) else f"c{len(constants)}")
            if not isinstance(value, str):
                constants.append(numpy_helper.from_array(np.asarray(value), names[-1]))
        output = "y" if index == len(steps) - 1 else f"t{index}"
        nodes.append(helper.make_node(operator, [last, *names], [output], **attributes))
        last = output
    infos = [helper.make_tensor_value_info(name, kind, shape) for name, shape in ports.items()]
    graph = helper.make_graph(nodes, "foreign", infos[:-1], infos[-1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


def shape_of(layout: str, size: tuple[int, int] | None) -> list[str | int]:
    rows, columns = size or ("h", "w")
    return ["n", 3, rows, columns] if layout == "NCHW" else ["n", rows, columns, 3]


def blur(low: float, high: float) -> list[Step]:
    """A 3x3 mean, inverted, red and blue swapped, in the network's own range."""
    weight = np.zeros((3, 3, 3, 3), np.float32)
    weight[[0, 1, 2], [2, 1, 0]] = -1 / 9
    bias = np.full(3, low + high, np.float32)
    edge = np.int64([0, 0, 1, 1, 0, 0, 1, 1])
    return [("Pad", [edge], {"mode": "reflect"}), ("Conv", [weight, bias], {"kernel_shape": [3, 3]})]


def fast_neural_style(low: float, high: float) -> list[Step]:
    """Convolutions and instance norms with random weights and a picture-like spread of values."""
    random = np.random.default_rng(4)
    layers: list[Step] = []
    for inputs, outputs, scale, shift in ((3, 8, 1, 0), (8, 3, (high - low) / 5, (high + low) / 2)):
        weight = random.normal(0, 1, (outputs, inputs, 3, 3)).astype(np.float32)
        affine = [np.full(outputs, value, np.float32) for value in (scale, shift)]
        layers += [
            ("Conv", [weight], {"pads": [1, 1, 1, 1]}),
            ("InstanceNormalization", affine, {}),
            ("Relu", [], {}),
        ]
    return layers[:-1]


def end(low: float, high: float, kind: str) -> list[Step]:
    """How a network keeps to its range; tanh and sigmoid change what passes through."""
    half, middle = np.float32((high - low) / 2), np.float32((high + low) / 2)
    unit: list[Step] = [("Sub", [middle], {}), ("Div", [half], {})]
    match kind:
        case "open":
            return []
        case "clamp":
            return [("Clip", [np.float32(low), np.float32(high)], {})]
        case "tanh":
            return [*unit, ("Tanh", [], {}), ("Mul", [half], {}), ("Add", [middle], {})]
        case _:
            back: list[Step] = [("Mul", [2 * half], {}), ("Add", [np.float32(low)], {})]
            return [*unit, ("Mul", [np.float32(2)], {}), ("Sigmoid", [], {}), *back]


def in_layout(steps: list[Step], layout: str) -> list[Step]:
    """Steps work on NCHW; an NHWC network transposes inside."""
    if layout == "NCHW":
        return steps
    first: Step = ("Transpose", [], {"perm": [0, 3, 1, 2]})
    return [first, *steps, ("Transpose", [], {"perm": [0, 2, 3, 1]})]


def paint(path: Path, image: np.ndarray, style_range: str | None = None) -> np.ndarray:
    """Run one picture through the engine that the command uses."""
    options = EngineOptions("openvino", precision="f32", style_range=style_range)
    height, width = image.shape[:2]
    engine = open_engine(options, find(str(path)), height=height, width=width, live=True)
    try:
        return engine.submit(image).result()
    finally:
        engine.close()


def resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    x_NCHW = torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1)[None]
    y_NCHW = F.interpolate(x_NCHW, size=size, mode="bilinear", antialias=True)
    return y_NCHW[0].permute(1, 2, 0).numpy()


def blurred(image: np.ndarray, size: tuple[int, int] | None = None) -> np.ndarray:
    """What `blur` makes of a picture, if of fixed size by way of that size."""
    small = resized(image, size) if size else image.astype(np.float32)
    small = 255 - cv2.blur(small, (3, 3), borderType=cv2.BORDER_REFLECT_101)[..., ::-1]
    return resized(small, image.shape[:2]) if size else small


def off(painting: np.ndarray, expected: np.ndarray) -> float:
    assert painting.dtype == np.uint8
    assert painting.shape == expected.shape
    return float(np.abs(painting - expected.clip(0, 255)).max())


PHOTO = decode(SIGNING)[0][40:136, 200:328]
"""96x128 pixels of a real picture."""


@pytest.mark.parametrize("size", [None, (96, 128), (64, 80), (75, 101)], ids=str)
@pytest.mark.parametrize("value_range", RANGES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_paints_the_known_answer(
    tmp_path: Path, layout: str, value_range: str, size: tuple[int, int] | None
) -> None:
    steps = in_layout(blur(*RANGES[value_range]), layout)
    shape = shape_of(layout, size)
    path = save(tmp_path / "foreign.onnx", steps, ports={"x": shape, "y": shape})
    expected = blurred(PHOTO, size)
    assert off(paint(path, PHOTO), expected) <= 2
    assert off(paint(path, PHOTO, value_range), expected) <= 2


def test_a_wrong_range_shows(tmp_path: Path) -> None:
    shape = shape_of("NCHW", None)
    path = save(tmp_path / "foreign.onnx", blur(0, 1), ports={"x": shape, "y": shape})
    assert off(paint(path, PHOTO, "0-255"), blurred(PHOTO)) > 100


@pytest.mark.parametrize(
    ("kind", "value_range", "layout"),
    [*product(ENDS, RANGES, ["NCHW"]), *product(["clamp"], RANGES, ["NHWC"])],
)
@pytest.mark.parametrize("body", [blur, fast_neural_style, lambda low, high: []])
def test_detects_the_range(
    tmp_path: Path, body: Any, kind: str, value_range: str, layout: str
) -> None:
    steps = [*body(*RANGES[value_range]), *end(*RANGES[value_range], kind)]
    shape = shape_of(layout, None)
    if not steps:
        pytest.skip("what gives back anything unchanged has no range")
    ports = {"x": shape, "y": shape}
    model = ov.Core().read_model(save(tmp_path / "f.onnx", in_layout(steps, layout), ports=ports))
    assert settle(model, 96, 96) == layout
    assert detect_ranges(model, layout) == (value_range, value_range)


@pytest.mark.parametrize(
    ("takes", "gives"), [("0-1", "0-255"), ("0-255", "0-1"), ("-1-1", "0-255")]
)
def test_detects_two_ranges(tmp_path: Path, takes: str, gives: str) -> None:
    """A network that scales what it gives, to be seen or saved."""
    (low, high), (darkest, brightest) = RANGES[takes], RANGES[gives]
    scale = (brightest - darkest) / (high - low)
    clip = [np.float32(darkest), np.float32(brightest)]
    steps: list[Step] = [
        *blur(low, high),
        ("Mul", [np.float32(scale)], {}),
        ("Add", [np.float32(darkest - low * scale)], {}),
        ("Clip", clip, {}),
    ]
    shape = shape_of("NCHW", None)
    path = save(tmp_path / "foreign.onnx", steps, ports={"x": shape, "y": shape})
    assert off(paint(path, PHOTO), blurred(PHOTO)) <= 2


def test_whole_numbers_in_and_out(tmp_path: Path) -> None:
    to_float: Step = ("Cast", [], {"to": TensorProto.FLOAT})
    to_bytes: Step = ("Cast", [], {"to": TensorProto.UINT8})
    steps = in_layout([to_float, *blur(0, 255), to_bytes], "NHWC")
    shape = shape_of("NHWC", None)
    path = save(tmp_path / "f.onnx", steps, ports={"x": shape, "y": shape}, kind=TensorProto.UINT8)
    assert off(paint(path, PHOTO), blurred(PHOTO)) <= 2


@pytest.mark.parametrize("pad", [2, -2, 7])
def test_gives_a_few_pixels_more_or_fewer(tmp_path: Path, pad: int) -> None:
    border: Step = ("Pad", [np.int64([0, 0, pad, pad] * 2)], {"mode": "edge"})
    ports = {"x": shape_of("NCHW", None), "y": ["n", 3, "p", "q"]}
    path = save(tmp_path / "foreign.onnx", [*blur(0, 1), border], ports=ports)
    inner = blurred(PHOTO)
    if pad < 0:
        other = inner[-pad:pad, -pad:pad]
    else:
        other = np.pad(inner, [(pad, pad), (pad, pad), (0, 0)], mode="edge")
    assert off(paint(path, PHOTO), resized(other, PHOTO.shape[:2])) <= 2


@pytest.mark.parametrize(
    "shape",
    [[4, 3, 96, 128], ["n", 3, 96, "w"], ["n", "c", "h", "w"], None],
    ids=["batch of four", "only the width is free", "all free", "not even the rank"],
)
def test_other_shapes(tmp_path: Path, shape: list[Any] | None) -> None:
    path = save(tmp_path / "foreign.onnx", blur(0, 255), ports={"x": shape, "y": shape})
    assert off(paint(path, PHOTO), blurred(PHOTO)) <= 2


def test_a_side_that_does_not_halve_evenly(tmp_path: Path) -> None:
    """A skip over five halvings fits multiples of 32 only: 100x130 is painted at 128x160."""
    size = PatternSource(100, 130).image(0).shape[:2]
    photo = np.rint(resized(PHOTO, size)).astype(np.uint8)
    steps: list[Step] = [
        ("MaxPool", [], {"kernel_shape": [32, 32], "strides": [32, 32]}),
        ("Resize", ["", np.float32([1, 1, 32, 32])], {}),
        ("Mul", [np.float32(0)], {}),
        ("Add", ["x"], {}),
        *blur(0, 255),
    ]
    shape = shape_of("NCHW", None)
    path = save(tmp_path / "foreign.onnx", steps, ports={"x": shape, "y": shape})
    assert off(paint(path, photo), blurred(photo, (128, 160))) <= 2


def test_refuses_what_is_no_style(tmp_path: Path) -> None:
    shape = shape_of("NCHW", (96, 128))
    classes: list[Step] = [("GlobalAveragePool", [], {}), ("Flatten", [], {})]
    cases: dict[str, tuple[list[Step], dict[str, Any]]] = {
        "[?,3,96,128] -> [?,3]": (classes, {"x": shape, "y": ["n", 3]}),
        "[?,3,96,128], [26] -> ": (
            [*blur(0, 1), ("Add", ["x2"], {})],
            {"x": shape, "x2": [26], "y": shape},
        ),
        "[?,1,?,?] -> ": (
            [("Abs", [], {})],
            {"x": ["n", 1, "h", "w"], "y": ["n", 1, "h", "w"]},
        ),
    }
    cases["[?,3,96,128], [26] -> "][0][-1] = ("Add", [np.float32(0)], {})
    for index, (goes, (steps, ports)) in enumerate(cases.items()):
        path = save(tmp_path / f"{index}.onnx", steps, ports=ports)
        with pytest.raises(StyleError, match="this network is no style: it goes") as caught:
            paint(path, PHOTO)
        assert goes in caught.value.message
        assert caught.value.hint == (
            "a style goes from one RGB picture (1, 3, H, W) or (1, H, W, 3) to another"
        )


def test_refuses_what_has_no_range(tmp_path: Path) -> None:
    shape = shape_of("NCHW", None)
    steps: list[Step] = [("Mul", [np.float32(0)], {})]
    path = save(tmp_path / "foreign.onnx", steps, ports={"x": shape, "y": shape})
    with pytest.raises(StyleError, match="cannot be told") as caught:
        paint(path, PHOTO)
    assert "--style-range 0-255" in caught.value.hint
    assert not paint(path, PHOTO, "0-1").any()


def test_refuses_what_is_no_onnx(tmp_path: Path) -> None:
    for content in (b"", b"hello, I am a text\n" * 9, b"\x08\x07\x3a\x03abc", SIGNING.read_bytes()):
        path = tmp_path / "broken.onnx"
        path.write_bytes(content)
        with pytest.raises(StyleError, match="no ONNX model") as caught:
            paint(path, PHOTO)
        assert caught.value.hint


def test_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A network of odd, fixed size on a picture of odd size."""
    shape = shape_of("NHWC", (75, 101))
    steps = in_layout([*blur(-1, 1), *end(-1, 1, "clamp")], "NHWC")
    style = save(tmp_path / "my.onnx", steps, ports={"x": shape, "y": shape})
    photo, painting = tmp_path / "photo.png", tmp_path / "painting.png"
    cv2.imwrite(str(photo), PHOTO[:93, :127, ::-1])
    assert main([str(photo), "-o", str(painting), "--style", str(style)]) == 0
    painted = cv2.imread(str(painting))[..., ::-1]
    padded = np.pad(PHOTO[:93, :127], [(0, 3), (0, 1), (0, 0)], mode="reflect")
    assert off(painted, blurred(padded, (75, 101))[:93, :127]) <= 2

    style.write_text("no network")
    assert main([str(photo), "-o", str(painting), "--force", "--style", str(style)]) == 1
    assert "no ONNX model" in capsys.readouterr().err


def test_a_clip_from_the_command_line(tmp_path: Path, make_clip: Any) -> None:
    shape = shape_of("NCHW", None)
    style = save(tmp_path / "my.onnx", blur(0, 1), ports={"x": shape, "y": shape})
    clip = shutil.move(make_clip(frames=4, height=90, width=122), tmp_path / "odd.mp4")
    out = tmp_path / "out.mp4"
    assert main([str(clip), "-o", str(out), "--style", str(style)]) == 0
    pictures = decode(out)
    assert len(pictures) == 4
    for before, after in zip(decode(Path(clip)), pictures, strict=True):
        assert psnr(after, blurred(before).astype(np.uint8)) > 28
