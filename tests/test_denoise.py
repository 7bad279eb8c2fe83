"""Noise over time: kernel and reference agree, the twin for cameras too, and it helps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from media import decode
from stylecam.kernels.temporal_blend import temporal_blend, temporal_blend_reference
from stylecam.realtime.cli import main
from stylecam.realtime.pictures import Image
from stylecam.realtime.sources.denoise import DenoisedSource, TemporalDenoiser
from stylecam.realtime.sources.pattern import PatternSource
from torch import Tensor

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def _noisy(frames: int, *, sigma: float = 2.0, speed: int = 0) -> Iterator[tuple[Image, Image]]:
    """Yield pictures without and with noise; the scene moves `speed` pixels a frame."""
    random = np.random.default_rng(4)
    scene = PatternSource(96, 256).image(3)
    for index in range(frames):
        clean = np.ascontiguousarray(np.roll(scene, speed * index, axis=1)[:, :128])
        noise = random.normal(0, sigma, clean.shape)
        yield clean, (clean + noise).round().clip(0, 255).astype(np.uint8)


def _planes(image: Image) -> Tensor:
    return torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize(("height", "width"), [(8, 16), (9, 131), (1, 1)])
def test_temporal_blend_is_its_reference(height: int, width: int, dtype: torch.dtype) -> None:
    random = torch.Generator().manual_seed(0)
    before = torch.rand(1, 3, height, width, generator=random)
    photo = before + 0.02 * torch.randn(before.shape, generator=random)
    before, photo = before.to(DEVICE, dtype), photo.to(DEVICE, dtype)
    expected = torch.empty_like(photo)
    got = torch.empty_like(photo).contiguous(memory_format=torch.channels_last)
    temporal_blend_reference(photo, before, expected)
    temporal_blend(photo, before.contiguous(memory_format=torch.channels_last), got)
    tolerance = 2e-6 if dtype == torch.float32 else 2**-11
    assert (got - expected).abs().max() <= tolerance
    assert not torch.equal(expected, photo)


def test_what_does_not_fit_is_refused() -> None:
    x = torch.zeros(1, 3, 8, 8)
    for arguments, message in [
        ((x, x[..., :4], x.clone()), "one size"),
        ((x, x.double(), x.clone()), "float16 or float32"),
        ((x, x.clone(), None), "written over"),
    ]:
        photo, before, out = arguments
        with pytest.raises(ValueError, match=message):
            temporal_blend(photo, before, before if out is None else out)


def test_the_twin_does_the_same() -> None:
    denoise = TemporalDenoiser()
    before: Tensor | None = None
    for _, noisy in _noisy(6, speed=1):
        if before is None:
            before, expected = _planes(noisy), noisy
        else:
            out = torch.empty_like(before)
            temporal_blend_reference(_planes(noisy), before, out)
            before, expected = out, (out[0].permute(1, 2, 0) * 255).round().numpy()
        difference = np.abs(denoise(noisy) - expected.astype(np.float32))
        assert difference.max() <= 1
        assert (difference > 0).mean() < 5e-3  # halves, rounded either way


def test_noise_goes_and_the_scene_stays() -> None:
    denoise = TemporalDenoiser()
    frames = [(clean, noisy, denoise(noisy)) for clean, noisy in _noisy(30)]
    clean, noisy, quietened = (
        np.stack(x[15:]).astype(np.float32) for x in zip(*frames, strict=True)
    )
    assert quietened.var(0).mean() < 0.15 * noisy.var(0).mean()
    assert np.square(quietened - clean).mean() < 0.3 * np.square(noisy - clean).mean()


def test_what_moves_is_not_smeared() -> None:
    denoise = TemporalDenoiser()
    frames = [(clean, noisy, denoise(noisy)) for clean, noisy in _noisy(12, speed=4)]
    clean, noisy, quietened = (
        np.stack(x[4:]).astype(np.float32) for x in zip(*frames, strict=True)
    )
    assert np.square(quietened - clean).mean() < 1.1 * np.square(noisy - clean).mean()
    cut = 255 - frames[-1][0]
    assert np.array_equal(denoise(cut), cut)
    other_size = cut[:-2]
    assert denoise(other_size) is other_size


def test_a_source_made_quiet() -> None:
    source = DenoisedSource(PatternSource(96, 128, frames=3))
    frames = list(source)
    source.close()
    assert [frame.pts for frame in frames] == [0, 1, 2]
    assert np.array_equal(frames[0].image, PatternSource(96, 128).image(0))


def test_the_flag(tmp_path: Path) -> None:
    out = tmp_path / "out.mkv"
    arguments = ["--webcam", "pattern", "--denoise", "--mirror", "--no-window", "--engine", "echo"]
    assert main([*arguments, "-o", str(out), "--seconds", "0.5"]) == 0
    first = decode(out)[0].astype(np.float32)
    height, width = first.shape[:2]
    expected = PatternSource(height, width).image(0)[:, ::-1]
    assert np.abs(first - expected).mean() < 4
