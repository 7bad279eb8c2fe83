"""What a style adds near its border is worked out once for pictures of one size."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import openvino as ov
import pytest
import torch
from stylecam.realtime.engines.openvino_border import with_fixed_border
from stylecam.realtime.engines.openvino_int8 import in_8_bits
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.training.export import export_style
from stylecam.training.network import Generator

F32 = {"INFERENCE_PRECISION_HINT": "f32"}


@pytest.fixture(scope="module")
def style(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    generator = Generator()
    for weight in generator.borders().values():
        torch.nn.init.normal_(weight, std=0.2)
    path = tmp_path_factory.mktemp("style") / "bordered.onnx"
    export_style(generator, {"name": "bordered"}, path)
    return path


def network(style: Path, height: int, width: int) -> ov.Model:
    model = ov.Core().read_model(style)
    model.reshape({0: [1, height, width, 3]})
    return model


def painted(model: ov.Model, image: Any) -> Any:
    return ov.Core().compile_model(model, "CPU", F32)([image])[0].astype(int)


def kinds(model: ov.Model) -> Counter[str]:
    return Counter(op.get_type_name() for op in model.get_ops())


# The smallest there is, where every feature at an eighth is near two borders; and a common one.
@pytest.mark.parametrize(("height", "width"), [(8, 8), (64, 40), (360, 640)])
def test_it_paints_the_same_picture(style: Path, height: int, width: int) -> None:
    image = PatternSource(height, width).image(5)[None]
    model = network(style, height, width)
    before, fixed = painted(model, image), with_fixed_border(model)
    other = onnxruntime.InferenceSession(style).run(None, {"image": image})[0].astype(int)
    for after in (painted(fixed, image), other):
        assert np.abs(before - after).max() <= 1
    saved = kinds(model)["Convolution"] - kinds(fixed)["Convolution"]
    assert saved == 2 * len(Generator().borders())


def test_8_bits_know_what_is_added(style: Path) -> None:
    """All convolutions are coded but the first, and paint what float does."""
    image = PatternSource(96, 96).image(5)[None]
    exact = with_fixed_border(network(style, 96, 96))
    coded = in_8_bits(exact)
    assert kinds(coded)["FakeQuantize"] == 2 * (kinds(exact)["Convolution"] - 1)
    error = np.mean((painted(exact, image) - painted(coded, image)) ** 2.0)
    assert 10 * np.log10(255**2 / error) > 35
