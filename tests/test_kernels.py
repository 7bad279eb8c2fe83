"""The GPU operations: each kernel computes its reference, and the references what swscale does.

On a CPU the kernels run in Triton's interpreter (conftest.py), on an NVIDIA GPU the same tests run
there.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch
from stylecam.kernels import launch
from stylecam.kernels.layout import Kind, Layout
from stylecam.kernels.rgb_to_yuv420 import rgb_to_yuv420, rgb_to_yuv420_reference
from stylecam.kernels.yuv420_to_rgb import yuv420_to_rgb, yuv420_to_rgb_reference
from stylecam.realtime.colour import Colour
from torch import Tensor

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"

# What a kernel's RGB may differ from the reference's: sums in another order; half a step of the
# type at 1.0, or a whole one where that tips the rounding.
RGB_TOLERANCE = {torch.float32: 2e-6, torch.float16: 2**-11}
# Samples may differ by one where float32 leaves a value on the border of two.
SHARE_OFF_BY_ONE = 1e-3


class Case(NamedTuple):
    """A picture of (height, width) that enters a network of (padded_height, padded_width)."""

    height: int
    width: int
    padded_height: int
    padded_width: int
    kind: Kind
    matrix: int
    full_range: bool
    dtype: torch.dtype = torch.float16

    @property
    def layout(self) -> Layout:
        return Layout(self.height, self.width, self.kind, self.matrix, self.full_range)


CASES = [
    # Every kind with every parity, every matrix and range; one program, several, and much padding.
    Case(16, 24, 16, 24, "i420", 1, False),
    Case(17, 24, 24, 24, "nv12", 6, True),
    Case(16, 23, 16, 24, "p010", 9, False),
    Case(11, 135, 16, 136, "i420", 9, True, torch.float32),
    Case(10, 262, 16, 264, "nv12", 1, False, torch.float32),
    Case(7, 9, 64, 64, "p010", 5, True, torch.float32),
    Case(1, 1, 8, 8, "i420", 6, False),
]


def _samples(layout: Layout, seed: int = 0) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    codes = torch.randint(0, 1 << layout.bits, (layout.samples,), generator=random)
    if layout.bits == 8:
        return codes.to(torch.uint8).to(DEVICE)
    return (codes << 6).to(torch.int16).to(DEVICE)


def _codes(samples: Tensor) -> Tensor:
    codes = samples.int().cpu()
    return codes if samples.dtype == torch.uint8 else (codes & 0xFFFF) >> 6


def _rgb(case: Case, *, seed: int = 1) -> Tensor:
    """Return RGB, some of it outside 0..1."""
    random = torch.Generator().manual_seed(seed)
    x = torch.rand(1, 3, case.padded_height, case.padded_width, generator=random) * 1.2 - 0.1
    return x.to(DEVICE, case.dtype)


def _id(case: Case) -> str:
    range_ = "full" if case.full_range else "limited"
    return f"{case.width}x{case.height}-{case.kind}-{case.matrix}-{range_}"


def test_the_kernels_are_what_is_tested() -> None:
    assert launch.problem(torch.device(DEVICE)) == ""


@pytest.mark.parametrize("case", CASES, ids=_id)
def test_yuv420_to_rgb_is_its_reference(case: Case) -> None:
    frame = _samples(case.layout)
    shape = (1, 3, case.padded_height, case.padded_width)
    expected = torch.empty(shape, dtype=case.dtype, device=DEVICE)
    # Channels last, inside a larger tensor that nobody may touch.
    around = torch.full((1, shape[2] + 2, shape[3] + 2, 3), 7.0, dtype=case.dtype, device=DEVICE)
    got = around[:, 1:-1, 1:-1].permute(0, 3, 1, 2)
    yuv420_to_rgb_reference(frame, expected, case.layout)
    yuv420_to_rgb(frame, got, case.layout)
    assert (got - expected).abs().max() <= RGB_TOLERANCE[case.dtype]
    assert (around == 7).sum() == 3 * 2 * (shape[2] + shape[3] + 2)


@pytest.mark.parametrize("how", ["plain", "mixed", "dithered"])
@pytest.mark.parametrize("case", CASES, ids=_id)
def test_rgb_to_yuv420_is_its_reference(case: Case, how: str) -> None:
    layout, rgb = case.layout, _rgb(case)
    options: dict[str, Any] = {"dither": how == "dithered"}
    if how == "mixed":
        options |= {"original": _samples(layout), "strength": torch.full((1,), 0.3, device=DEVICE)}
    around = torch.full_like(_samples(layout).repeat(3), 85)
    got = around[layout.samples : 2 * layout.samples]
    expected = torch.empty_like(got)
    rgb_to_yuv420_reference(rgb, expected, layout, **options)
    rgb_to_yuv420(rgb.contiguous(memory_format=torch.channels_last), got, layout, **options)
    difference = (_codes(got) - _codes(expected)).abs()
    assert difference.max() <= 1
    assert difference.sum() <= SHARE_OFF_BY_ONE * difference.numel()
    assert (around == 85).sum() >= 2 * layout.samples


def test_the_strength_is_read_anew() -> None:
    case = CASES[0]
    strength = torch.zeros(1, device=DEVICE)
    photo, out = _samples(case.layout), _samples(case.layout, 5)
    rgb_to_yuv420(_rgb(case), out, case.layout, original=photo, strength=strength)
    assert torch.equal(out, photo)
    strength.fill_(1)
    rgb_to_yuv420(_rgb(case), out, case.layout, original=photo, strength=strength)
    painted = torch.empty_like(out)
    rgb_to_yuv420_reference(_rgb(case), painted, case.layout)
    assert (_codes(out) - _codes(painted)).abs().max() <= 1


@pytest.mark.needs_cuda
def test_a_graph_holds_both_ways() -> None:
    case = CASES[0]
    layout, shape = case.layout, (1, 3, case.padded_height, case.padded_width)
    frame, out = _samples(layout), _samples(layout, 5)
    rgb = torch.zeros(shape, dtype=torch.float16, device="cuda")
    strength = torch.ones(1, device="cuda")

    def both() -> None:
        yuv420_to_rgb(frame, rgb, layout)
        rgb_to_yuv420(rgb, out, layout, original=frame, strength=strength)

    both()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        both()
    for seed, share in ((2, 1.0), (3, 0.25)):
        frame.copy_(_samples(layout, seed))
        strength.fill_(share)
        graph.replay()
        replayed = out.clone()
        both()
        assert torch.equal(out, replayed)


# Against swscale, with the flags that this project uses. It rounds RGB to 8 bits, so half a step
# and what its fixed point adds; into full range its chroma is half a step low, and out of ten bits
# at full range RGB a third of one.
EVERY = list(itertools.product(("i420", "nv12", "p010"), (1, 6, 9), (False, True)))
NAMES = {"i420": "yuv420p", "nv12": "nv12", "p010": "p010le"}


@pytest.mark.parametrize(("kind", "matrix", "full_range"), EVERY)
def test_yuv420_to_rgb_agrees_with_swscale(kind: Kind, matrix: int, full_range: bool) -> None:
    layout = Layout(96, 128, kind, matrix, full_range)
    samples = _swscale_to_yuv(_photo(96, 128), layout)
    ours = torch.empty(1, 3, 96, 128)
    yuv420_to_rgb_reference(torch.from_numpy(samples), ours, layout)
    theirs = _swscale_to_rgb(samples, layout).astype(np.float32)
    difference = ours[0].permute(1, 2, 0).numpy() * 255 - theirs
    bias = 0.35 if kind == "p010" and full_range else 0
    assert np.abs(difference).max() <= 0.55 + 2 * bias
    assert abs(difference.mean()) <= 0.1 + bias


@pytest.mark.parametrize(("kind", "matrix", "full_range"), EVERY)
@pytest.mark.parametrize(("height", "width"), [(96, 128), (95, 127)])
def test_rgb_to_yuv420_agrees_with_swscale(
    kind: Kind, matrix: int, full_range: bool, height: int, width: int
) -> None:
    photo = _photo(height, width)
    layout = Layout(height, width, kind, matrix, full_range)
    rgb = torch.from_numpy(photo).permute(2, 0, 1)[None].float() / 255
    ours = torch.empty(layout.samples, dtype=torch.uint8 if layout.bits == 8 else torch.int16)
    rgb_to_yuv420_reference(rgb, ours, layout)
    # swscale stretches the chroma of an odd size; repeating the last row and column first, as every
    # encoder does, gives it the grid of 2x2 cells that decoders have.
    even = Layout(96, 128, kind, matrix, full_range)
    padded = np.pad(photo, [(0, 96 - height), (0, 128 - width), (0, 0)], "edge")
    theirs = even.planes(torch.from_numpy(_swscale_to_yuv(padded, even)))
    pairs = zip(layout.planes(ours), (theirs[0][:height, :width], *theirs[1:]), strict=True)
    for index, (our_HW, their_HW) in enumerate(pairs):
        difference = _codes(our_HW) - _codes(their_HW)
        bias = 0.6 if full_range and index > 0 else 0
        assert difference.abs().max() <= 1
        assert abs(difference.float().mean()) <= 0.1 + bias


@pytest.mark.parametrize("size", [(20, 30), (61, 43), (64, 64), (1, 2)])
def test_padding_mirrors_as_fit_does(size: tuple[int, int]) -> None:
    layout = Layout(*size)
    frame = _samples(layout).cpu()
    bare, padded = torch.empty(1, 3, *size), torch.empty(1, 3, 64, 64)
    yuv420_to_rgb_reference(frame, bare, layout)
    yuv420_to_rgb_reference(frame, padded, layout)
    wanted = cv2.copyMakeBorder(
        bare[0].permute(1, 2, 0).numpy(),
        *(0, 64 - size[0], 0, 64 - size[1], cv2.BORDER_REFLECT_101),
    )
    assert np.array_equal(padded[0].permute(1, 2, 0).numpy(), wanted)


def test_dither_keeps_what_rounding_loses() -> None:
    layout = Layout(64, 64, full_range=True)
    out = torch.empty(layout.samples, dtype=torch.uint8)
    for value in (100.1, 100.5, 100.8):
        rgb_to_yuv420_reference(torch.full((1, 3, 64, 64), value / 255), out, layout, dither=True)
        cells = layout.planes(out).y_HW.float().view(8, 8, 8, 8).mean((1, 3))
        assert (cells - value).abs().max() <= 1 / 64
        assert out.unique().numel() == 3  # grey 100, 101 and chroma's 128


def _layout_errors() -> list[tuple[str, Callable[[], None]]]:
    layout, rgb = Layout(8, 8), torch.zeros(1, 3, 8, 8)
    row, small = torch.zeros(layout.samples, dtype=torch.uint8), torch.zeros(1, 3, 4, 8)
    share = torch.ones(1)
    return [
        ("96 samples", lambda: yuv420_to_rgb(row[1:], rgb, layout)),
        ("16 bits", lambda: yuv420_to_rgb(row, rgb, layout._replace(kind="p010"))),
        ("contiguous", lambda: yuv420_to_rgb(row.repeat(2)[::2], rgb, layout)),
        ("does not go into", lambda: yuv420_to_rgb(row, small, layout)),
        ("float16 or float32", lambda: yuv420_to_rgb(row, rgb.double(), layout)),
        ("does not hold", lambda: rgb_to_yuv420(small, row, layout)),
        ("float16 or float32", lambda: rgb_to_yuv420(rgb.int(), row, layout)),
        ("both", lambda: rgb_to_yuv420(rgb, row, layout, strength=share)),
        ("one float32", lambda: rgb_to_yuv420(rgb, row, layout, original=row, strength=rgb)),
    ]


@pytest.mark.parametrize(("message", "call"), _layout_errors())
def test_what_does_not_fit_is_refused(message: str, call: Callable[[], None]) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_kernels_compile_without_a_gpu() -> None:
    """For a GPU that is not there: no float64, nothing spilled, planes written in vectors."""
    script = Path(__file__).with_name("compile_kernels.py")
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    done = subprocess.run(
        [sys.executable, script], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    compiled = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(compiled) == 5
    for kernel in compiled:
        assert kernel["cubin_bytes"] > 0
        assert kernel["float64"] == kernel["spilled"] == 0, kernel
        if kernel["name"].startswith("yuv420_to_rgb"):
            assert kernel["stores"] == {"st.global.v2.b32": 3}, kernel


def _photo(height: int, width: int) -> npt.NDArray[np.uint8]:
    """Return smooth colour, edges and noise."""
    y, x = np.mgrid[0:height, 0:width]
    random = np.random.default_rng(3)
    picture = np.stack([x * 255 // width, y * 255 // height, 255 - x * 255 // width], -1)
    picture[height // 2 :, : width // 2] = random.integers(0, 256, (3,))
    picture[: height // 4, width // 2 :] = random.integers(
        0, 256, (height // 4, width - width // 2, 3)
    )
    return picture.astype(np.uint8)


def _swscale_to_yuv(rgb: npt.NDArray[np.uint8], layout: Layout) -> npt.NDArray[Any]:
    """Return samples as the project has swscale make them."""
    pytest.importorskip("av")
    from stylecam.realtime.pictures import Converter, rgb_frame

    frame = Converter().convert(
        rgb_frame(np.ascontiguousarray(rgb)), NAMES[layout.kind], target=_colour(layout)
    )
    rows = [
        np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, :wide].ravel()
        for plane, (_, wide) in zip(frame.planes, _byte_planes(layout), strict=True)
    ]
    return np.concatenate(rows).view(np.uint8 if layout.bits == 8 else np.int16)


def _swscale_to_rgb(samples: npt.NDArray[Any], layout: Layout) -> npt.NDArray[np.uint8]:
    """Return RGB as the project has swscale make it of samples."""
    av = pytest.importorskip("av")
    from stylecam.realtime.pictures import Converter

    frame = av.VideoFrame(layout.width, layout.height, NAMES[layout.kind])
    rest = samples.view(np.uint8)
    for plane, (high, wide) in zip(frame.planes, _byte_planes(layout), strict=True):
        rows = np.zeros((plane.height, plane.line_size), np.uint8)
        rows[:high, :wide] = rest[: high * wide].reshape(high, wide)
        plane.update(rows.tobytes())
        rest = rest[high * wide :]
    return Converter().convert(frame, "rgb24", source=_colour(layout)).to_ndarray()


def _colour(layout: Layout) -> Colour:
    return Colour(layout.matrix, 1 + layout.full_range, 1, 1)


def _byte_planes(layout: Layout) -> list[tuple[int, int]]:
    """Rows and bytes a row of the planes as FFmpeg has them."""
    (high, wide), size = layout.chroma, (layout.bits + 7) // 8
    chroma = [(high, wide)] * 2 if layout.kind == "i420" else [(high, 2 * wide * size)]
    return [(layout.height, layout.width * size), *chroma]
