"""Convolutions in 8 bits: chosen where faster, and nearer to float than eyes tell."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import pytest
from media import SIGNING, decode
from openvino import opset13 as ops
from stylecam.benchmarks.quality import read_photo
from stylecam.benchmarks.stability import noise_gain
from stylecam.realtime.engines import Engine, EngineOptions, open_engine
from stylecam.realtime.engines.openvino_border import with_fixed_border
from stylecam.realtime.engines.openvino_int8 import Spread, in_8_bits, spread_after
from stylecam.realtime.errors import EngineError
from stylecam.realtime.pictures import Image
from stylecam.realtime.styles import find

PHOTO = Path(__file__).parent.parent / "benchmarks" / "photos"


@contextmanager
def opened(style: str, like: Image, **options: Any) -> Iterator[Engine]:
    height, width = like.shape[:2]
    made = EngineOptions("openvino", **options)
    with closing(open_engine(made, find(style), height=height, width=width, live=True)) as engine:
        yield engine


def paint(engine: Engine, image: Image) -> Image:
    return engine.submit(image).result().copy()


def psnr(one: Image, other: Image) -> float:
    error = np.mean((one.astype(np.float64) - other) ** 2)
    return float(10 * np.log10(255**2 / error))


# The steadiest style, and the one whose hatching amplifies most.
@pytest.mark.parametrize("style", ["great-wave", "engraving"])
def test_the_painting_is_that_of_float(style: str) -> None:
    photos = [read_photo(path) for path in sorted(PHOTO.glob("*.jpg"))[:3]]
    for whole in [*photos, decode(SIGNING)[40]]:
        image = np.ascontiguousarray(whole[80:272, 136:392])
        with (
            opened(style, image, precision="f32") as exact,
            opened(style, image, precision="int8") as coded,
        ):
            difference = psnr(paint(exact, image), paint(coded, image))
        assert 42 < difference < 60, "60 and more would be float"


def test_weights_leave_a_bit_free() -> None:
    """Without VNNI sums of two products are kept in 16 bits, and would overflow."""
    model = ov.Core().read_model(find("great-wave").path)
    model.reshape({0: [1, 64, 64, 3]})
    model = in_8_bits(with_fixed_border(model))
    weights = [
        op.input_value(1).get_node()
        for op in model.get_ops()
        if op.get_type_name() == "Convolution"
    ]
    coded = [node for node in weights if node.get_type_name() == "FakeQuantize"]
    assert len(coded) >= 10
    for node in coded:
        values, high = (node.input_value(index).get_node().data for index in (0, 2))
        assert np.allclose(high, 2 * np.abs(values).max(axis=(1, 2, 3), keepdims=True))


def test_a_sum_is_spread_as_far_as_both_together() -> None:
    one, other = (
        Spread(np.full(2, mean, np.float32), np.full(2, variance, np.float32), positive)
        for mean, variance, positive in ((1.0, 4.0, True), (3.0, 9.0, False))
    )
    features = ops.parameter([1, 2, 8, 8], np.float32)
    found = spread_after(ops.add(features, features), [one, other])
    assert found is not None
    assert (found.mean == 4).all()
    assert (found.variance == 13).all()
    assert not found.positive


def test_noise_is_not_amplified() -> None:
    still = np.ascontiguousarray(decode(SIGNING)[0][80:272, 200:456])
    with opened("engraving", still, precision="f32") as exact:
        before = noise_gain(lambda image: paint(exact, image), still)
    with opened("engraving", still, precision="int8") as coded:
        after = noise_gain(lambda image: paint(coded, image), still)
    assert after < 1.1 * before


def test_what_is_computed_in_is_said() -> None:
    small = np.zeros((64, 64, 3), np.uint8)
    x86 = platform.machine() in ("x86_64", "AMD64")
    with opened("comic", small) as clip:
        assert ("OpenVINO int8 on" in clip.description) == x86
    with opened("comic", small, statistics="frame") as picture:
        assert "int8" not in picture.description
    with opened("comic", small, precision="f32") as exact:
        assert "OpenVINO f32 on" in exact.description


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="for x86")
@pytest.mark.parametrize("precision", ["int8", "bf16"])
def test_no_transposed_convolution_is_in_bfloat16(precision: str) -> None:
    """There it takes twenty times as long. Can fail where the processor has bfloat16."""
    small = np.zeros((64, 64, 3), np.uint8)
    with opened("comic", small, precision=precision) as engine:
        layers = [op.get_rt_info() for op in engine._compiled.get_runtime_model().get_ops()]
    kinds = [
        (info["layerType"].astype(str), info["runtimePrecision"].astype(str)) for info in layers
    ]
    doubling = {kind for kind, _ in kinds if "Deconv" in kind or "BackpropData" in kind}
    assert bool(doubling) == (precision == "int8")
    assert all(computed == "f32" for kind, computed in kinds if kind in doubling)
    assert ("Interpolate" in dict(kinds)) == (precision == "bf16")


def test_another_device_is_told() -> None:
    options = EngineOptions("openvino", device="GPU", precision="int8")
    with pytest.raises(EngineError, match="int8 on GPU") as caught:
        open_engine(options, find("comic"), height=64, width=64, live=True)
    assert "leave --precision out" in caught.value.hint


def test_a_kept_network_paints_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STYLECAM_CACHE", str(tmp_path))
    image = np.ascontiguousarray(decode(SIGNING)[0][80:144, 200:264])
    first: dict[str, Image] = {}
    for style in ("comic", "great-wave") * 2:
        with opened(style, image) as engine:
            assert np.array_equal(
                first.setdefault(style, paint(engine, image)), paint(engine, image)
            )
    assert not np.array_equal(first["comic"], first["great-wave"])
    kept = list((tmp_path / "openvino").iterdir())
    assert len(kept) == 2
    for path in kept:
        path.chmod(0o600)
        path.write_bytes(path.read_bytes()[:1000])
    with opened("comic", image) as engine:
        assert np.array_equal(first["comic"], paint(engine, image))


def test_of_kept_networks_those_go_that_were_not_used_for_longest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A photo of another size makes another one, and OpenVINO deletes none."""
    monkeypatch.setenv("STYLECAM_CACHE", str(tmp_path))
    folder = tmp_path / "openvino"
    folder.mkdir()
    for name, used_s in (("older.blob", 1e9), ("newer.blob", 1.1e9)):
        with (folder / name).open("wb") as file:
            file.truncate(200_000_000)
        os.utime(folder / name, (used_s, used_s))
        (folder / name).chmod(0o440)
    (folder / "other.txt").touch()
    with opened("comic", np.zeros((64, 64, 3), np.uint8)):
        left = {path.name for path in folder.iterdir()}
    assert {"newer.blob", "other.txt"} < left
    assert "older.blob" not in left


def test_no_folder_to_keep_it_in_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("STYLECAM_CACHE", str(tmp_path / "file" / "below"))
    image = np.zeros((64, 64, 3), np.uint8)
    with opened("comic", image) as engine:
        assert paint(engine, image).shape == image.shape
