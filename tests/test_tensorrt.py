"""TensorRT without a GPU: engines kept, refitted and checked; its builder takes every style."""

from __future__ import annotations

import dataclasses
import io
import logging
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import pytest
import torch
from fake_device import FakeDevice
from fake_tensorrt import FakeTensorRT
from media import SIGNING, decode, psnr
from rich.console import Console
from stylecam.kernels.rgb_to_yuv420 import rgb_to_yuv420_reference
from stylecam.kernels.yuv420_to_rgb import yuv420_to_rgb_reference
from stylecam.realtime import engines
from stylecam.realtime.cli import build as build_command
from stylecam.realtime.colour import BT709
from stylecam.realtime.engines import (
    EngineOptions,
    engine_files,
    gpu,
    tensorrt,
    tensorrt_build,
    tensorrt_network,
)
from stylecam.realtime.engines.choice import Choice
from stylecam.realtime.engines.cuda import Gpu
from stylecam.realtime.engines.echo import EchoEngine
from stylecam.realtime.engines.engine_files import EngineFile, EngineKey
from stylecam.realtime.engines.gpu import GpuEngine
from stylecam.realtime.engines.half_onnx import half_onnx
from stylecam.realtime.engines.onnx_module import OnnxModule
from stylecam.realtime.engines.planes import PlanarStyle
from stylecam.realtime.engines.report import Report
from stylecam.realtime.engines.tensorrt import EngineStore, Prepared
from stylecam.realtime.engines.tensorrt_build import convert, typing_options
from stylecam.realtime.engines.tensorrt_library import Library
from stylecam.realtime.engines.tensorrt_network import TensorRTNetwork, kernel_names
from stylecam.realtime.errors import EngineError
from stylecam.realtime.pictures import Converter
from stylecam.realtime.styles import Style
from stylecam.realtime.styles import find as find_style
from stylecam.training.export import export_style
from stylecam.training.network import Generator

SIZE = (64, 96)
GPU = Gpu(torch.device("cpu"), "NVIDIA GeForce RTX 4090", "8.9")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STYLECAM_CACHE", str(tmp_path / "cache"))


@pytest.fixture(autouse=True)
def references(monkeypatch: pytest.MonkeyPatch) -> None:
    """Convert colours by the kernels' references: Triton's interpreter takes seconds a picture."""
    monkeypatch.setattr(gpu, "yuv420_to_rgb", yuv420_to_rgb_reference)
    monkeypatch.setattr(gpu, "rgb_to_yuv420", rgb_to_yuv420_reference)


def test_typing_is_strong_before_and_after_it_is_the_only_way() -> None:
    assert typing_options("2.11.0") == typing_options("2.12.1") == {"use_explicit_typing": True}
    assert typing_options("2.13.0") == typing_options("2.14.0+cu130") == {}


KEY = EngineKey(
    *("abc", "small", 720, 1280, "f16", "NVIDIA GeForce RTX 4090", "8.9"),
    *("2.13.0+cu130", "torch-tensorrt 2.13.0", "tensorrt 11.0.0"),
)


def test_the_file_of_an_engine_is_named_by_everything_that_makes_it_stale() -> None:
    assert KEY.path.name.startswith("small-1280x720-f16-geforce-rtx-4090-")
    assert KEY.path.parent.name == "engines"
    paths = {KEY.path}
    for field in dataclasses.fields(KEY):
        before = getattr(KEY, field.name)
        other = before + 8 if isinstance(before, int) else f"{before}x"
        paths.add(dataclasses.replace(KEY, **{field.name: other}).path)
    assert len(paths) == 1 + len(dataclasses.fields(KEY))


def test_an_engine_is_kept_whole_or_not_at_all() -> None:
    kept = EngineFile(bytes(range(256)) * 9 + b"\n\n", "style")
    assert engine_files.read(KEY) is None
    path = engine_files.write(KEY, kept)
    assert engine_files.read(KEY) == kept
    whole = path.read_bytes()
    for damaged, says in (
        (whole[:-1], "checksum"),
        (whole[:40], "Unterminated|delimiter|Expecting"),
        (whole.replace(b'"8.9"', b'"9.0"'), "something else"),
        (b"", "not an engine file"),
    ):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=says):
            engine_files.read(KEY)


def store_of(trt: FakeTensorRT) -> tuple[EngineStore, io.StringIO]:
    said = io.StringIO()
    report = Report(Console(file=said, width=500))
    return EngineStore(Library("tensorrt_rtx", ""), trt, GPU, report), said


def paints(prepared: Prepared, style: Style) -> float:
    """PSNR to what PyTorch paints."""
    photo_NCHW = torch.from_numpy(decode(SIGNING)[0][80:144, 200:296].copy())[None]
    photo_NCHW = (photo_NCHW.permute(0, 3, 1, 2) / 255).contiguous()
    with torch.no_grad():
        whole = PlanarStyle(OnnxModule(style.path))
        affine = torch.from_numpy(whole.affine(whole.measure(photo_NCHW).numpy()))
        painting = prepared.network.painter()(photo_NCHW.half(), affine).float()
        return float(-10 * torch.log10(((painting - whole(photo_NCHW, affine)) ** 2).mean()))


def test_styles_share_one_engine_which_is_built_once_and_refitted() -> None:
    trt = FakeTensorRT()
    makes, said = store_of(trt)
    first, second = find_style("great-wave"), find_style("starry-night")
    made = makes.prepare(first, SIZE)
    assert paints(made, first) > 40
    assert "building the TensorRT engine for 96x64" in said.getvalue()
    assert f"kept as {made.path}" in said.getvalue()
    said.truncate(0)
    assert makes.prepare(first, SIZE).path == made.path
    other = makes.prepare(second, SIZE)
    assert paints(other, second) > 40
    assert paints(other, first) < 30
    assert paints(made, first) > 40  # the one that runs is left alone
    assert (trt.builds, trt.refits) == ([True], 1)
    assert not said.getvalue().strip("\0")
    assert makes.prepare(first, (64, 64)).path != made.path
    assert trt.builds == [True, True]


def test_a_damaged_file_is_rebuilt_and_it_is_said() -> None:
    trt = FakeTensorRT()
    makes, said = store_of(trt)
    style = find_style("great-wave")
    path = makes.prepare(style, SIZE).path
    assert path is not None
    path.write_bytes(path.read_bytes()[:-7])
    assert paints(makes.prepare(style, SIZE), style) > 40
    assert "cannot be used and is rebuilt: its checksum is wrong" in said.getvalue()
    assert trt.builds == [True, True]


def test_where_nothing_can_be_kept_it_is_built_each_time_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("STYLECAM_CACHE", str(tmp_path / "file" / "cache"))
    trt = FakeTensorRT()
    makes, said = store_of(trt)
    style = find_style("great-wave")
    made = makes.prepare(style, SIZE)
    assert paints(made, style) > 40
    assert made.path is None
    assert "it cannot be kept, and will be built again" in said.getvalue()
    with pytest.raises(EngineError, match="cannot be kept") as caught:
        build_command.main(["--size", "96x64"], lambda: makes.prepare)
    assert "STYLECAM_CACHE" in caught.value.hint


@pytest.mark.parametrize(
    ("fault", "says"), [("no", "no refit today"), ("wrong", "does not paint as PyTorch does")]
)
def test_where_no_engine_can_be_refitted_each_style_has_its_own(fault: str, says: str) -> None:
    trt = FakeTensorRT(fault)
    makes, said = store_of(trt)
    for style in (find_style("great-wave"), find_style("starry-night")):
        assert paints(makes.prepare(style, SIZE), style) > 40
        assert says in said.getvalue()
    assert trt.builds == [True, False] * 2
    for style in (find_style("great-wave"), find_style("starry-night")):
        assert paints(makes.prepare(style, SIZE), style) > 40
    assert trt.builds == [True, False] * 2


@pytest.mark.parametrize(
    ("fault", "says"), [("refused", "refuses the weights"), ("spoilt", "does not paint as PyTorch")]
)
def test_a_style_whose_weights_an_engine_does_not_take_has_its_own(fault: str, says: str) -> None:
    """And leaves the shared one to the style that it holds: going to and fro builds no more."""
    trt = FakeTensorRT(fault)
    makes, said = store_of(trt)
    first, second = find_style("great-wave"), find_style("starry-night")
    paths = []
    for style in (first, second) * 3:
        made = makes.prepare(style, SIZE)
        assert paints(made, style) > 40
        paths.append(made.path)
    assert trt.builds == [True, False]
    assert len(set(paths)) == 2
    assert "built once more, for this style alone: " in said.getvalue()
    assert says in said.getvalue()


@pytest.mark.parametrize("broken", ["Builder", "Runtime", "Refitter"])
def test_what_tensorrt_cannot_make_is_told_with_its_reason(broken: str) -> None:
    first, second = find_style("great-wave"), find_style("starry-night")
    if broken == "Refitter":
        store_of(FakeTensorRT())[0].prepare(first, SIZE)
    makes, said = store_of(FakeTensorRT(broken=(broken,)))
    says = f"cannot make its {broken.lower()}: CUDA initialization failure"
    if broken == "Refitter":  # the style gets an engine of its own
        assert paints(makes.prepare(second, SIZE), second) > 40
        assert says in said.getvalue()
        return
    with pytest.raises(EngineError, match=says) as caught:
        makes.prepare(first, SIZE)
    assert "--engine torch" in caught.value.hint


def test_an_engine_that_fails_in_a_way_of_its_own_is_rebuilt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trt = FakeTensorRT()
    makes, said = store_of(trt)
    style = find_style("great-wave")
    makes.prepare(style, SIZE)
    check = TensorRTNetwork.check
    failures = iter([RuntimeError("CUDA error: misaligned address\nadvice")])

    def failing(network: TensorRTNetwork) -> None:
        for failure in failures:
            raise failure
        check(network)

    monkeypatch.setattr(TensorRTNetwork, "check", failing)
    assert paints(makes.prepare(style, SIZE), style) > 40
    assert "is rebuilt: the GPU could not load it: CUDA error: misaligned" in said.getvalue()
    assert trt.builds == [True, True]


def test_auto_goes_on_when_tensorrt_fails_in_a_way_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unavailable() -> Gpu:
        raise RuntimeError("CUDA unknown error")

    monkeypatch.setattr(engines, "candidates", lambda *_: Choice(["tensorrt", "echo"], []))
    monkeypatch.setattr(tensorrt, "find", lambda _: Library("tensorrt_rtx", ""))
    monkeypatch.setattr(tensorrt, "load", lambda _: FakeTensorRT())
    monkeypatch.setattr(tensorrt, "current_gpu", unavailable)
    said = io.StringIO()
    engine = engines.open_engine(
        EngineOptions(),
        find_style("great-wave"),
        height=64,
        width=96,
        live=True,
        report=Report(Console(file=said, width=500)),
    )
    assert isinstance(engine, EchoEngine)
    assert "tensorrt cannot be used: the GPU could not prepare the TensorRT" in said.getvalue()
    engine.close()


def test_what_an_engine_compiles_is_kept_beside_it() -> None:
    trt = FakeTensorRT(compiles=True)
    makes, _ = store_of(trt)
    first, second = find_style("great-wave"), find_style("starry-night")
    made = makes.prepare(first, SIZE)
    assert made.path is not None
    kernels = made.path.with_suffix(".kernels")
    assert kernels.read_bytes() == b"kernels"
    assert trt.compiled == 1  # the contexts of one engine share them
    for style in (first, second):
        assert paints(makes.prepare(style, SIZE), style) > 40
    assert trt.compiled == 1
    kernels.write_bytes(b"of another driver")
    assert paints(makes.prepare(first, SIZE), first) > 40
    assert trt.compiled == 2
    assert kernels.read_bytes() == b"kernels"
    assert trt.builds == [True]


def test_an_engine_that_cannot_be_captured_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = store_of(FakeTensorRT())[0].prepare(find_style("great-wave"), SIZE)
    make_context = prepared.network.kernels.context

    def context() -> Any:
        made = make_context()
        made.is_stream_capturable = lambda stream: False
        return made

    monkeypatch.setattr(prepared.network.kernels, "context", context)
    paint = prepared.network.painter()
    photo_NCHW = torch.zeros(1, 3, *SIZE, dtype=torch.float16)
    affine = torch.zeros(1, 2 * prepared.network.channels, 1, 1)
    with pytest.raises(EngineError, match="cannot run this engine as a CUDA graph"):
        paint(photo_NCHW, affine)
    monkeypatch.setattr(tensorrt_network, "is_capturing", lambda device: True)
    paint(photo_NCHW, affine)  # nothing may be asked of a stream that is being captured


class Bridge:
    """Torch-tensorrt 2.11 where TensorRT fails: it logs why, and stumbles over what is missing."""

    def __init__(self, *logged: tuple[str, str]) -> None:
        self.dynamo, self._logged = self, logged

    def convert_exported_program_to_serialized_trt_engine(self, *_: Any, **__: Any) -> bytes:
        logging.getLogger("torch_tensorrt.dynamo").warning("a package is missing")
        for name, message in self._logged:
            logging.getLogger(name).error(message)
        raise UnboundLocalError("cannot access local variable 'interpreter_result'")


BRIDGE = "torch_tensorrt.dynamo._compiler"
INSIDE = "torch_tensorrt [TensorRT Conversion Context]"


@pytest.mark.parametrize(
    ("logged", "says"),
    [
        ([], "cannot access local variable"),
        ([(BRIDGE, "first"), (BRIDGE, "While interpreting: no op\nmore")], "While interpreting"),
        ([(INSIDE, "Error Code 2: no memory"), (BRIDGE, "no engine")], "Error Code 2: no memory"),
    ],
)
def test_what_the_bridge_logs_is_the_reason(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    logged: list[tuple[str, str]],
    says: str,
) -> None:
    monkeypatch.setattr(tensorrt_build, "load_bridge", lambda _: Bridge(*logged))
    library = Library("tensorrt", "torch-tensorrt", "2.11.0")
    with pytest.raises(EngineError) as caught:
        convert(library, torch.nn.ReLU(), (torch.zeros(1),), refittable=True)
    assert caught.value.message.startswith(f"torch-tensorrt 2.11.0 cannot build the engine: {says}")
    assert "\n" not in caught.value.message
    assert not [record for record in caplog.records if record.name.startswith("torch_tensorrt")]
    logging.getLogger(BRIDGE).warning("afterwards it is heard again")
    assert caplog.records[-1].name == BRIDGE


def test_a_tensorrt_network_paints_a_clip_in_slots() -> None:
    makes, _ = store_of(FakeTensorRT())
    device = FakeDevice(5)
    network = makes.prepare(find_style("great-wave"), SIZE).network
    engine = GpuEngine(device, network, size=SIZE, smoothed=True, title="test")
    frames = [frame[80:140, 200:290] for frame in decode(SIGNING)[:4]]
    pictures = [Converter().to_planes(frame, BT709) for frame in frames]
    together = [engine.submit(picture) for picture in pictures[:3]]
    paintings = [pending.result() for pending in together] + [engine.submit(pictures[3]).result()]
    engine.close()
    assert device.live == 0
    engine = GpuEngine(FakeDevice(6), network, size=SIZE, smoothed=True, title="test")
    for picture, painting in zip(pictures, paintings, strict=True):
        assert psnr(engine.submit(picture).result().data, painting.data) > 60
        assert psnr(painting.data, picture.data) < 30
    engine.close()


def test_weights_are_found_by_the_names_of_both_builders(tmp_path: Path) -> None:
    export_style(Generator(), {}, tmp_path / "style.onnx")
    kernels = PlanarStyle(OnnxModule(tmp_path / "style.onnx")).kernels()
    assert kernel_names([*kernels, "axis"], kernels) == {name: name for name in kernels}
    convolutions = [name for name, value in kernels.items() if value.ndim == 4]
    layer = "[CONVOLUTION]-[aten_ops.convolution.default]-[/convolution{}] {}"
    numbers = [f"_{n}" if n else "" for n in range(len(convolutions))]
    theirs = [layer.format(number, "KERNEL") for number in numbers]
    biased = [3, 4, 12, 13, 17]  # what is one at the border's two, what it adds there, and the head
    theirs += [layer.format(numbers[n], "BIAS") for n in biased]
    theirs += [layer.format("_20", "BIAS"), "/replication_pad2d_pad_after_0 CONSTANT"]
    found = kernel_names(theirs, kernels)
    assert found[theirs[0]] == "generator.stem.conv.weight"
    assert found[theirs[4]] == "generator.down_eighth.border.weight"
    assert found[theirs[5]] == "generator.eighth.0.first.conv.weight"
    assert found[theirs[-3]] == "generator.head.conv.bias"
    assert sorted(found.values()) == sorted(kernels)
    with pytest.raises(EngineError, match="no weights of the names generator"):
        kernel_names(theirs[1:], kernels)


def test_the_float16_model_computes_as_the_style_does() -> None:
    style = find_style("comic")
    model = ov.Core().read_model(half_onnx(style.path, height=64, width=96))
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    photo = decode(SIGNING)[0][80:144, 200:296].transpose(2, 0, 1)[None] / np.float32(255)
    whole = PlanarStyle(OnnxModule(style.path))
    with torch.no_grad():
        affine = whole.affine(whole.measure(torch.from_numpy(photo)).numpy())
        expected = whole(torch.from_numpy(photo), torch.from_numpy(affine)).numpy()
    given = {"photo": photo.astype(np.float16), "affine": affine.astype(np.float16)}
    painting = np.asarray(compiled(given)[0], np.float32)
    assert -10 * np.log10(np.mean((painting - expected) ** 2)) > 40
