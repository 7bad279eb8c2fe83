"""The graph as a CPU likes it: the same picture from other layers."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops
from stylecam.realtime.engines.openvino_layout import with_fast_layout
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.realtime.styles import find

F32 = {"INFERENCE_PRECISION_HINT": "f32"}


def network(name: str, height: int, width: int) -> ov.Model:
    model = ov.Core().read_model(find(name).path)
    model.reshape({0: [1, height, width, 3]})
    return model


def painted(model: ov.Model, image: Any) -> Any:
    return ov.Core().compile_model(model, "CPU", F32)([image])[0]


def kinds(model: ov.Model) -> Counter[str]:
    return Counter(op.get_type_name() for op in model.get_ops())


# Widths of an even and an odd number of pairs at half size; the smallest there is.
@pytest.mark.parametrize(("height", "width"), [(8, 8), (64, 40), (72, 48), (360, 640)])
@pytest.mark.parametrize("style", ["great-wave", "comic"])
def test_it_paints_the_same_picture(style: str, height: int, width: int) -> None:
    model, image = network(style, height, width), PatternSource(height, width).image(5)[None]
    made = with_fast_layout(model)
    difference = np.abs(painted(model, image).astype(int) - painted(made, image))
    assert difference.max() <= 1
    assert difference.mean() < 1e-3
    assert kinds(model)["DepthToSpace"] == 1, "it changed the model that it was given"


def test_what_is_slow_is_gone() -> None:
    before, after = (
        kinds(network("great-wave", 64, 64)),
        kinds(with_fast_layout(network("great-wave", 64, 64))),
    )
    slow = ("DepthToSpace", "Interpolate")
    assert [before[kind] for kind in slow] == [1, 2]
    assert [after[kind] for kind in slow] == [0, 0]
    assert after["GroupConvolutionBackpropData"] == 2


@pytest.mark.parametrize(
    ("mode", "scales", "coordinates"),
    [
        ("linear_onnx", [1, 1, 3, 3], "half_pixel"),
        ("linear_onnx", [1, 1, 2, 2], "align_corners"),
        ("nearest", [1, 1, 2, 2], "half_pixel"),
    ],
)
def test_another_enlargement_stays_as_it_is(mode: str, scales: list[int], coordinates: str) -> None:
    image = ops.parameter([1, 16, 24, 3], np.uint8)
    x_NCHW = ops.convert(ops.transpose(image, [0, 3, 1, 2]), "f32")
    big = ops.interpolate(
        x_NCHW,
        np.asarray(scales, np.float32),
        mode,
        "scales",
        coordinate_transformation_mode=coordinates,
        nearest_mode="floor",
    )
    model = ov.Model([big], [image])
    assert kinds(with_fast_layout(model)) == kinds(model)
