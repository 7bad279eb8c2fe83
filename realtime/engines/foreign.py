"""Anyone's ONNX style network, wrapped so that it takes and gives uint8 RGB (1, H, W, 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ..errors import StyleError

if TYPE_CHECKING:
    import openvino as ov
    from openvino import Node

RANGES: Final = {"0-1": (0.0, 1.0), "0-255": (0.0, 255.0), "-1-1": (-1.0, 1.0)}


def adapt(model: ov.Model, *, height: int, width: int, value_range: str | None = None) -> ov.Model:
    """Return `model` between conversions to and from uint8, for pictures of (height, width).

    The layout is read from the input's shape, the value range found by `detect_range` unless
    given. A network of fixed size is fed a resized picture, and its painting resized back.
    Raises StyleError when it is no network from one RGB picture to another.
    """
    from openvino import Layout, PartialShape, Type
    from openvino.preprocess import PrePostProcessor, ResizeAlgorithm

    layout = _layout(model)
    rows, columns = layout.index("H"), layout.index("W")
    shape = model.input(0).partial_shape
    if shape[rows].is_dynamic or shape[columns].is_dynamic:
        size = {"N": 1, "C": 3, "H": height, "W": width}
        model.reshape(PartialShape([size[letter] for letter in layout]))
    low, high = RANGES[value_range or detect_range(model, layout)]

    wrap = PrePostProcessor(model)
    tensor = wrap.input(0).tensor()
    tensor.set_element_type(Type.u8).set_layout(Layout("NHWC")).set_shape([1, height, width, 3])
    wrap.input(0).model().set_layout(Layout(layout))
    steps = wrap.input(0).preprocess().convert_element_type(Type.f32)
    fixed = [model.input(0).shape[i] for i in (rows, columns)]
    if fixed != [height, width]:
        steps.resize(ResizeAlgorithm.RESIZE_LINEAR)
    if (low, high) != (0.0, 255.0):
        steps.scale(255 / (high - low)).mean(-low)
    wrap.output(0).model().set_layout(Layout(layout))
    wrap.output(0).tensor().set_layout(Layout("NHWC"))
    wrap.output(0).postprocess().custom(_to_bytes(layout, height, width, low, high))
    return wrap.build()


def _to_bytes(layout: str, height: int, width: int, low: float, high: float):  # type: ignore[no-untyped-def]
    def convert(output: Node) -> Node:
        from openvino import opset13 as ops

        node = ops.convert(output, "f32")
        if layout == "NCHW":
            node = ops.transpose(node, np.array([0, 2, 3, 1]))
        node = ops.multiply(ops.subtract(node, np.float32(low)), np.float32(255 / (high - low)))
        if list(node.output(0).get_partial_shape().get_max_shape())[1:3] != [height, width]:
            node = ops.interpolate(
                node,
                np.array([height, width]),
                "linear_onnx",
                "sizes",
                axes=np.array([1, 2]),
                coordinate_transformation_mode="half_pixel",
            )
        return ops.convert(ops.clamp(ops.add(node, np.float32(0.5)), 0.0, 255.0), "u8")

    return convert


def _layout(model: ov.Model) -> str:
    shapes = [port.partial_shape for port in (*model.inputs, *model.outputs)]
    picture = "one RGB picture (1, 3, H, W) or (1, H, W, 3) to another"
    if len(shapes) == 2 and all(shape.rank.is_static and len(shape) == 4 for shape in shapes):
        channels = [[d.is_static and d.get_length() == 3 for d in (s[1], s[3])] for s in shapes]
        if channels[0][0]:
            return "NCHW"
        if channels[0][1]:
            return "NHWC"
    described = ", ".join(str(shape) for shape in shapes)
    raise StyleError(
        f"this network is no style: its inputs and outputs are {described}",
        hint=f"a style goes from {picture}",
    )


def detect_range(model: ov.Model, layout: str) -> str:
    """Find the value range by trying each on a small smooth picture.

    A network fed the range it was trained for answers with a picture that fills that range and
    resembles its input; one fed too little answers with an almost flat one.
    """
    import openvino as ov

    compiled = ov.Core().compile_model(model, "CPU", {"PERFORMANCE_HINT": "LATENCY"})
    shape = [dimension.get_length() for dimension in model.input(0).partial_shape]
    rows, columns = (shape[layout.index(letter)] for letter in "HW")
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    tones = [np.sin(x / 23) * np.cos(y / 31), np.cos(x / 41 + y / 29), np.sin(y / 19)]
    photo = (np.stack(tones) * 0.45 + 0.5).astype(np.float32)
    if layout == "NHWC":
        photo = photo.transpose(1, 2, 0)
    scores: dict[str, float] = {}
    for name, (low, high) in RANGES.items():
        try:
            out = compiled((photo * (high - low) + low)[np.newaxis].astype(np.float32))[0]
        except RuntimeError as error:
            raise StyleError(f"the network cannot be run: {error}") from error
        unit = (out.astype(np.float64) - low) / (high - low)
        inside = float(np.mean((unit > -0.1) & (unit < 1.1)))
        spread = min(1.0, float(np.percentile(unit, 95) - np.percentile(unit, 5)) / 0.3)
        reach = 0.0 if low >= 0 else 0.1 * float(np.percentile(out, 5) < -0.2)
        scores[name] = inside * spread + reach
    return max(scores, key=lambda name: scores[name])
