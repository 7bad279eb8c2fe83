"""The engine for GPUs on the device of `fake_device.py`: the same paintings as on a CPU, from
planes to planes.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fake_device import FakeDevice
from media import SIGNING, decode, psnr
from stylecam.kernels import launch
from stylecam.kernels.layout import Layout
from stylecam.kernels.rgb_to_yuv420 import rgb_to_yuv420_reference
from stylecam.kernels.yuv420_to_rgb import yuv420_to_rgb_reference
from stylecam.realtime.colour import BT601, BT709, FULL, Colour
from stylecam.realtime.engines import EngineOptions, gpu, open_engine
from stylecam.realtime.engines.gpu import GpuEngine
from stylecam.realtime.engines.onnx_module import OnnxModule
from stylecam.realtime.engines.planes import Folded, PlanarStyle
from stylecam.realtime.engines.statistics import SmoothedStatistics
from stylecam.realtime.engines.torch import TorchNetwork
from stylecam.realtime.errors import EngineError
from stylecam.realtime.fit import fit
from stylecam.realtime.frame import Expected
from stylecam.realtime.pictures import Image, Yuv420
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.realtime.styles import Style, built_in, find
from stylecam.training.export import export_style
from stylecam.training.network import Generator

FULL_601 = BT601._replace(range=2)


@pytest.fixture
def kernels() -> None:
    """For tests that want Triton's kernels, in its interpreter if that is on: seconds a picture."""


@pytest.fixture(autouse=True)
def references(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Convert colours by the kernels' references in all other tests."""
    if "kernels" not in request.fixturenames:
        monkeypatch.setattr(gpu, "yuv420_to_rgb", yuv420_to_rgb_reference)
        monkeypatch.setattr(gpu, "rgb_to_yuv420", rgb_to_yuv420_reference)


@contextmanager
def opened(
    style: Style, height: int, width: int, *, smoothed: bool = True, seed: int = 0
) -> Iterator[tuple[GpuEngine, FakeDevice]]:
    device = FakeDevice(seed)
    network = TorchNetwork(OnnxModule(style.path), torch.device("cpu"), torch.float32)
    size = fit(height, width).padded
    engine = GpuEngine(device, network, size=size, smoothed=smoothed, title="test")
    try:
        yield engine, device
    finally:
        engine.close()
        assert device.live == 0


def in_planes(image: Image, colour: Colour = BT709) -> Yuv420:
    """As the kernels' references do it: where chroma lies is their matter, not this suite's."""
    height, width = image.shape[:2]
    made = Yuv420.empty(height, width, colour)
    rgb_NCHW = torch.from_numpy(image / np.float32(255)).permute(2, 0, 1)[None]
    rgb_to_yuv420_reference(rgb_NCHW, torch.from_numpy(made.data), layout_of(made))
    return made


def in_rgb(picture: Yuv420) -> Image:
    rgb_NCHW = torch.empty(1, 3, picture.height, picture.width)
    yuv420_to_rgb_reference(torch.from_numpy(picture.data), rgb_NCHW, layout_of(picture))
    image: Image = (rgb_NCHW[0].permute(1, 2, 0) * 255).round().numpy().astype(np.uint8)
    return image


def layout_of(picture: Yuv420) -> Layout:
    colour = picture.colour
    full = colour.range == FULL
    return Layout(picture.height, picture.width, matrix=colour.matrix, full_range=full)


def reference(style: Style, pictures: list[Image]) -> list[Image]:
    """The paintings of the CPU engine, for pictures of any size."""
    into = fit(*pictures[0].shape[:2])
    options = EngineOptions("torch", device="cpu", precision="f32")
    height, width = into.padded
    engine = open_engine(options, style, height=height, width=width, live=False)
    made = [
        into.from_network(engine.submit(into.to_network(picture)).result()) for picture in pictures
    ]
    engine.close()
    return made


@pytest.mark.parametrize(
    ("height", "width", "colour"), [(96, 128, BT709), (91, 121, BT601), (72, 96, FULL_601)]
)
def test_paints_as_the_reference_does(height: int, width: int, colour: Colour) -> None:
    """Over a cut, over a measurement, all slots busy; every size, matrix and range."""
    frames = [frame[100 : 100 + height, 200 : 200 + width] for frame in decode(SIGNING)[:18]]
    pattern = PatternSource(height, width)
    pictures = [in_planes(image, colour) for image in [*frames, pattern.image(0), pattern.image(3)]]
    style = find("great-wave")
    expected = reference(style, [in_rgb(picture) for picture in pictures])
    with opened(style, height, width) as (engine, device):
        paintings, under_way = [], []
        for picture in pictures:
            if len(under_way) == engine.depth:
                paintings.append(under_way.pop(0).result())
            under_way.append(engine.submit(picture))
        paintings += [pending.result() for pending in under_way]
        # Two slots would be mixed up on a device that has three, were they not kept apart.
        assert device.most_busy >= 2
    for painting, image, picture in zip(paintings, expected, pictures, strict=True):
        assert (painting.height, painting.width, painting.colour) == (height, width, colour)
        # In planes both, as the painting has lost chroma by halving it.
        assert psnr(painting.data, in_planes(image, colour).data) >= 40
        assert psnr(painting.data, picture.data) < 30


def test_strength_mixes_with_the_photo(kernels: None) -> None:
    picture = in_planes(PatternSource(33, 47).image(3))
    with opened(find("great-wave"), 33, 47) as (engine, _):
        full, half, none = (engine.submit(picture, share).result() for share in (1.0, 0.5, 0.0))
    assert np.array_equal(none.data, picture.data)
    assert np.abs(half.data - (full.data / 2 + picture.data / 2)).max() <= 1


def test_each_picture_alone_when_statistics_are_its_own() -> None:
    first, second = (in_planes(PatternSource(64, 64).image(n)) for n in (0, 40))
    with opened(find("great-wave"), 64, 64, smoothed=False) as (engine, _):
        assert engine.statistics is None
        engine.submit(first).result()
        after = engine.submit(second).result()
    with opened(find("great-wave"), 64, 64, smoothed=False) as (engine, _):
        alone = engine.submit(second).result()
    assert np.array_equal(after.data, alone.data)


def test_another_layout_takes_over_without_losing_pictures() -> None:
    image = PatternSource(64, 96).image(5)
    with opened(find("great-wave"), 64, 96) as (engine, device):
        under_way = [engine.submit(in_planes(image)) for _ in range(3)]
        under_way += [engine.submit(in_planes(image, FULL_601)) for _ in range(3)]
        many = device.live
        colours = [pending.result().colour for pending in under_way]
        assert colours == [BT709] * 3 + [FULL_601] * 3
        engine.submit(in_planes(image, FULL_601)).result()
        assert device.live < many  # the old slots are gone


@pytest.mark.parametrize("colour", [BT601, FULL_601])
def test_what_is_expected_needs_no_second_capture(
    colour: Colour, monkeypatch: pytest.MonkeyPatch
) -> None:
    captures: list[object] = []
    capture = FakeDevice.capture

    def counted(*arguments: Any) -> Any:
        captures.append(None)
        return capture(*arguments)

    monkeypatch.setattr(FakeDevice, "capture", counted)
    network = TorchNetwork(OnnxModule(find("great-wave").path), torch.device("cpu"), torch.float32)
    engine = GpuEngine(
        FakeDevice(0),
        network,
        size=(96, 128),
        smoothed=True,
        title="test",
        expected=Expected(91, 121, colour),
    )
    assert len(captures) == engine.depth + 1
    image = PatternSource(91, 121).image(0)
    engine.submit(in_planes(image, colour)).result()
    assert len(captures) == engine.depth + 1
    engine.submit(in_planes(image, BT709)).result()
    assert len(captures) == 2 * (engine.depth + 1)
    engine.close()


def test_an_idle_layout_makes_room_before_the_next_is_captured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two may be more than a card holds."""
    held: list[int] = []
    prepare = GpuEngine._capture
    with opened(find("great-wave"), 64, 64, smoothed=False) as (engine, device):

        def capture(*arguments: Any) -> Any:
            held.append(device.live)
            return prepare(*arguments)

        monkeypatch.setattr(GpuEngine, "_capture", capture)
        engine.submit(in_planes(PatternSource(64, 64).image(0), BT601)).result()
    assert held == [0]


def test_a_device_that_cannot_run_the_network_says_so_when_it_is_opened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def capture(*_: object) -> None:
        raise EngineError("no kernel image for this GPU")

    monkeypatch.setattr(FakeDevice, "capture", capture)
    with pytest.raises(EngineError, match="no kernel image"):
        opened(find("great-wave"), 64, 64).__enter__()


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (torch.cuda.OutOfMemoryError("CUDA out of memory."), "no memory left to prepare"),
        (TypeError("factory function returned nullptr"), "could not prepare the network: factory"),
    ],
)
def test_whatever_a_network_raises_is_an_error_of_the_engine(
    monkeypatch: pytest.MonkeyPatch, error: Exception, says: str
) -> None:
    """Or "auto" would end with a traceback instead of taking the next engine."""

    def painter(_: object) -> None:
        raise error

    monkeypatch.setattr(TorchNetwork, "painter", painter)
    with pytest.raises(EngineError, match=says) as caught:
        opened(find("great-wave"), 64, 64).__enter__()
    assert caught.value.hint


@pytest.mark.parametrize("smoothed", [True, False])
def test_measuring_a_clip_does_not_hold_up_its_pictures(smoothed: bool) -> None:
    with opened(find("great-wave"), 64, 64, smoothed=smoothed) as (_, device):
        assert device.urgent == [True] * 3 + [not smoothed]


def test_a_closed_engine_holds_no_weights() -> None:
    with opened(find("great-wave"), 64, 64) as (engine, _):
        network = weakref.ref(engine._network)
        assert network() is not None
    assert network() is None


def test_a_gpu_without_triton_is_said_to_be_slower(monkeypatch: pytest.MonkeyPatch) -> None:
    here = torch.device("cuda")
    assert gpu.described("torch", here) == "torch"
    monkeypatch.setattr(launch, "triton", None)
    told = "torch, slower: Triton is not installed (pip install triton)"
    assert gpu.described("torch", here) == told
    assert gpu.described("torch", torch.device("cpu")) == "torch"
    monkeypatch.setattr(sys, "platform", "win32")
    assert "triton-windows" in gpu.described("torch", here)


def test_a_gpu_that_triton_cannot_reach_is_said_to_be_slower(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without a C compiler it compiles no launcher; the operations' references then run."""

    class Driver:
        @property
        def active(self) -> object:
            raise RuntimeError("Failed to find C compiler.\nPlease specify via CC")

    launch._launcher_problem.cache_clear()
    monkeypatch.setattr(launch.triton.runtime, "driver", Driver())
    monkeypatch.setattr(launch.triton.knobs.runtime, "interpret", False)
    monkeypatch.setattr(sys, "platform", "linux")
    told = gpu.described("torch", torch.device("cuda"))
    assert "slower: Triton does not start: Failed to find C compiler. (sudo apt" in told
    launch._launcher_problem.cache_clear()


def test_a_picture_that_is_too_large_is_refused() -> None:
    with (
        opened(find("great-wave"), 64, 64) as (engine, _),
        pytest.raises(EngineError, match="96x64 does not go into the engine's 64x64"),
    ):
        engine.submit(in_planes(PatternSource(64, 96).image(0)))


def test_the_same_cuts_are_seen_in_planes_as_in_rgb() -> None:
    frames = decode(SIGNING)[:3]
    clip = [*frames, PatternSource(360, 640).image(0), 255 - frames[2]]
    ages: dict[str, list[int]] = {"rgb": [], "planes": []}
    for key, make in (("rgb", lambda image: image), ("planes", in_planes)):
        smoothed = SmoothedStatistics(lambda _: lambda: np.zeros((2, 1), np.float32))
        for image in clip:
            smoothed.step(make(image))
            ages[key].append(smoothed.state()["age"])
    assert ages["rgb"] == ages["planes"] == [0, 1, 2, 0, 0]


PAINTERS: dict[str, Callable[[OnnxModule], Callable[..., torch.Tensor]]] = {
    "folded": lambda graph: Folded(PlanarStyle(graph), torch.float16),
    "behind": lambda graph: PlanarStyle(graph.half()),
}


@pytest.mark.parametrize("kind", PAINTERS)
@pytest.mark.parametrize("style", built_in(), ids=lambda style: style.name)
def test_float16_is_enough(style: Style, kind: str) -> None:
    """As PyTorch's kernels compute it, and as TensorRT is given it."""
    image = decode(SIGNING)[0][60:156, 200:328]
    photo_NCHW = torch.from_numpy(image.copy())[None].permute(0, 3, 1, 2).float() / 255
    whole = PlanarStyle(OnnxModule(style.path))
    with torch.no_grad():
        statistics = whole.measure(photo_NCHW).numpy()
        affine = torch.from_numpy(whole.affine(statistics))
        expected = whole(photo_NCHW, affine).numpy()
        half = PAINTERS[kind](OnnxModule(style.path))
        fed = affine if kind == "folded" else affine.half()
        painting = half(photo_NCHW.half(), fed)
    assert painting.dtype == torch.float16
    error = float(np.mean((painting.float().numpy() - expected) ** 2))
    assert -10 * np.log10(error) >= 40


def test_the_large_network_and_one_without_norms_go_the_same_way(tmp_path: Path) -> None:
    path = tmp_path / "large.onnx"
    export_style(Generator("large"), {"name": "large"}, path)
    style = PlanarStyle(OnnxModule(path))
    photo_NCHW = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        statistics = style.measure(photo_NCHW).numpy()
        affine = torch.from_numpy(style.affine(statistics))
        a, b = style(photo_NCHW, affine), Folded(style, torch.float32)(photo_NCHW, affine)
    assert statistics.shape == (2, style.channels)
    assert torch.allclose(a, b, atol=1e-4)
