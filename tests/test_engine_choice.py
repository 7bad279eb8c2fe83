"""Which engine is taken, which TensorRT is found, and what is said to be missing."""

from __future__ import annotations

import pytest
from stylecam.realtime.engines import (
    EngineOptions,
)
from stylecam.realtime.engines.choice import choose
from stylecam.realtime.engines.environment import Environment
from stylecam.realtime.engines.tensorrt_library import Library, find, load
from stylecam.realtime.errors import EngineError


def machine(driver: str = "580.65.06", modules: str = "", **packages: str) -> Environment:
    named = {name.replace("_", "-"): version for name, version in packages.items()}
    return Environment(driver, named, frozenset(modules.split()))


TORCH = {"torch": "2.13.0+cu130", "onnx": "1.18.0"}
WHOLE = machine(modules="tensorrt", torch_tensorrt="2.13.0", **TORCH)


@pytest.mark.parametrize(
    ("environment", "engines", "says"),
    [
        (machine(driver="", modules="tensorrt", torch_tensorrt="2.13.0", **TORCH), "openvino", ""),
        (WHOLE, "tensorrt torch openvino", "driver 580.65.06), and TensorRT"),
        (machine(driver="found", **TORCH), "torch openvino", "pip install torch-tensorrt==2.13.0"),
        (machine(), "openvino", 'pip install "stylecam[tensorrt]"'),
        (machine(torch="2.13.0+cpu", onnx="1"), "openvino", "--force-reinstall torch==2.13.0"),
    ],
)
def test_auto_takes_the_fastest_that_is_there_and_says_why(
    environment: Environment, engines: str, says: str
) -> None:
    choice = choose(environment, EngineOptions(), native=True)
    assert choice.engines == engines.split()
    assert says in " ".join(choice.notes)
    assert bool(choice.notes) == bool(says)


def test_auto_leaves_to_others_what_tensorrt_cannot_do() -> None:
    assert choose(WHOLE, EngineOptions(), native=False).engines == ["openvino"]
    assert choose(WHOLE, EngineOptions(device="NPU"), native=True).engines == ["openvino"]
    bf16 = choose(WHOLE, EngineOptions(precision="bf16"), native=True)
    assert bf16.engines == ["torch", "openvino"]


@pytest.mark.parametrize(
    ("environment", "library"),
    [
        (WHOLE, Library("tensorrt", "torch-tensorrt", "2.13.0")),
        (
            machine(modules="tensorrt_rtx", torch_tensorrt_rtx="2.12.1", **TORCH),
            Library("tensorrt_rtx", ""),  # its bridge has no say
        ),
        (machine(modules="tensorrt_rtx_bindings", **TORCH), Library("tensorrt_rtx_bindings", "")),
    ],
)
def test_the_library_that_is_installed_is_found(environment: Environment, library: Library) -> None:
    assert find(environment) == library


BOTH = "torch-tensorrt==2.13.0 (for a GeForce RTX: pip install tensorrt-rtx)"


@pytest.mark.parametrize(
    ("environment", "says", "hint"),
    [
        (machine(onnx="1"), "needs PyTorch", 'pip install "stylecam[tensorrt]"'),
        (machine(torch="2.13.0"), "needs onnx", 'pip install "stylecam[tensorrt]"'),
        (machine(**TORCH), "TensorRT is not installed", f"pip install {BOTH}"),
        (
            machine(torch_tensorrt="2.13.0", torch="2.11.0+cu130", onnx="1", modules="tensorrt"),
            "torch-tensorrt 2.13.0 does not go with torch 2.11.0",
            "pip install torch-tensorrt==2.11.0",
        ),
        (
            machine(torch="2.15.0", onnx="1"),
            "TensorRT is not installed",
            'pip install "torch==2.14.*" torch-tensorrt==2.14.0 '
            "(for a GeForce RTX: pip install tensorrt-rtx)",
        ),
        (
            machine(torch_tensorrt="2.13.0", modules="tensorrt_bindings", **TORCH),
            "tensorrt, which it needs, is not",
            "pip install --force-reinstall torch-tensorrt==2.13.0",
        ),
        (
            machine(
                torch_tensorrt="2.13.0", torch_tensorrt_rtx="2.13.0", modules="tensorrt", **TORCH
            ),
            "one has overwritten the other",
            f"pip uninstall torch-tensorrt torch-tensorrt-rtx, then pip install {BOTH}",
        ),
        (
            machine(torch="2.13.0+cpu", onnx="1", modules="tensorrt"),
            "2.13.0+cpu is built without",
            "pip install --force-reinstall torch==2.13.0 on Linux; on Windows with the "
            "--index-url that pytorch.org/get-started gives",
        ),
    ],
)
def test_what_is_missing_is_named_with_its_exact_line(
    environment: Environment, says: str, hint: str
) -> None:
    with pytest.raises(EngineError) as caught:
        find(environment)
    assert says in caught.value.message
    assert caught.value.hint == hint


def test_a_library_that_does_not_load_says_so() -> None:
    with pytest.raises(EngineError, match="does not load: No module") as caught:
        load(Library("tensorrt_of_nobody", "torch-tensorrt", "2.13.0"))
    assert caught.value.hint == "pip install --force-reinstall torch-tensorrt==2.13.0"
