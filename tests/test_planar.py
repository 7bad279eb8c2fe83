"""Pictures in planes, and the pipeline that carries them."""

from __future__ import annotations

import av
import numpy as np
import pytest
from stylecam.realtime import planar
from stylecam.realtime.frame import BT601, BT709, Colour, Yuv420
from stylecam.realtime.sources.pattern import PatternSource

SIZES = [(96, 128), (97, 131), (35, 64), (17, 17)]
FULL_709 = BT709._replace(range=2)
BT2020 = Colour(matrix=9, range=1, primaries=9, transfer=14)


def noise(height: int, width: int, colour: Colour = BT709, seed: int = 0) -> Yuv420:
    made = planar.empty(height, width, colour)
    made.data[:] = np.random.default_rng(seed).integers(16, 236, made.data.shape)
    return made


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_frame_shares_and_gives_back_every_sample(height: int, width: int) -> None:
    picture = noise(height, width)
    frame = planar.to_frame(picture)
    assert (frame.height, frame.width, frame.format.name) == (height, width, "yuv420p")
    assert np.array_equal(planar.from_frame(frame, BT709).data, picture.data)
    picture.planes[2][-1, -1] ^= 255
    shared = np.array_equal(planar.from_frame(frame, BT709).data, picture.data)
    assert shared == (height % 2 == width % 2 == 0)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_nv12_is_the_same_picture(height: int, width: int) -> None:
    picture = noise(height, width)
    luma, blue, red = picture.planes
    frame = av.VideoFrame(width, height, "nv12")
    for plane, samples in zip(frame.planes, (luma, np.dstack([blue, red])), strict=True):
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        rows[: samples.shape[0], : samples[0].size] = samples.reshape(samples.shape[0], -1)
    assert np.array_equal(planar.from_frame(frame, BT709).data, picture.data)


@pytest.mark.parametrize("colour", [BT601, BT709, FULL_709, BT2020])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_grey_and_smooth_colours_come_back_from_rgb(
    height: int, width: int, colour: Colour
) -> None:
    rows, columns = np.mgrid[0:height, 0:width]
    image = np.dstack([rows * 200 // height, columns * 200 // width, (rows + columns) // 2 % 200])
    image = (image // 8 * 8).astype(np.uint8)
    grey = image[..., :1].repeat(3, 2)
    back = planar.from_rgb(grey, colour).rgb
    assert np.abs(back.astype(int) - grey).max() <= 1
    smooth = PatternSource(height, width).image(0) // 16 + 100
    back = planar.from_rgb(smooth, colour).rgb
    assert np.abs(back.astype(int) - smooth).mean() < 2


def test_rgb_is_made_once() -> None:
    picture = noise(32, 32)
    assert picture.rgb is picture.rgb


def test_mixing_is_per_sample() -> None:
    photo, painting = noise(33, 35, seed=1), noise(33, 35, seed=2)
    mixed = planar.mix(photo, painting, 0.3)
    wanted = 0.3 * painting.data + 0.7 * photo.data
    assert np.abs(mixed.data - wanted).max() <= 0.51
    assert planar.mix(photo, painting, 1.0) is painting


@pytest.mark.parametrize(("height", "width"), [(48, 64), (200, 300), (49, 65)])
def test_scaling_planes_is_scaling_the_picture(height: int, width: int) -> None:
    import cv2

    flat = PatternSource(96, 128).image(3) // 4 + 96
    picture = planar.from_rgb(flat, BT709)
    how = cv2.INTER_AREA if height < 96 else cv2.INTER_CUBIC
    wanted = cv2.resize(picture.rgb, (width, height), interpolation=how).astype(int)
    assert np.abs(planar.resize(picture, height, width).rgb - wanted).mean() < 1.5


def test_cropping_keeps_the_corner() -> None:
    picture = noise(40, 48)
    cropped = planar.crop(picture, 33, 31)
    for small, whole in zip(cropped.planes, picture.planes, strict=True):
        assert np.array_equal(small, whole[: small.shape[0], : small.shape[1]])
