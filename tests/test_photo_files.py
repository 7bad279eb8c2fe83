"""Photos as the command reads and writes them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from media import psnr
from media.clips import Film
from media.running import echoed
from stylecam.realtime.sources.pattern import PatternSource

ORIENTATIONS = range(1, 9)


@pytest.mark.parametrize("number", ORIENTATIONS)
def test_photos_are_turned_by_exif(number: int, tmp_path: Path) -> None:
    """All eight orientations, against what the numbers mean."""
    stored = PatternSource(96, 128).image(0)
    ok, data = cv2.imencode(".jpg", stored[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 97])
    assert ok
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1" + bytes([0, number, 0, 0, 0, 0, 0, 0])
    app1 = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    jpeg = data.tobytes()
    (tmp_path / "a.jpg").write_bytes(jpeg[:2] + app1 + jpeg[2:])
    echoed("a.jpg", "-o", "out.png", cwd=tmp_path)
    upright = {
        1: stored, 2: stored[:, ::-1], 3: stored[::-1, ::-1], 4: stored[::-1],
        5: stored.swapaxes(0, 1), 6: np.rot90(stored, -1),
        7: stored[::-1, ::-1].swapaxes(0, 1), 8: np.rot90(stored),
    }[number]  # fmt: skip
    found = cv2.imread(str(tmp_path / "out.png"))
    assert psnr(found[..., ::-1], np.ascontiguousarray(upright)) > 30


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif", ".avif"])
def test_transparency_goes_around_the_network(suffix: str, tmp_path: Path) -> None:
    if not cv2.haveImageWriter(f"a{suffix}"):
        pytest.skip(f"this OpenCV writes no {suffix}")
    image = np.dstack([PatternSource(64, 80).image(0), np.zeros((64, 80), np.uint8)])
    image[10:40, 20:60, 3] = 255
    image[40:50, :, 3] = 128
    cv2.imwrite(str(tmp_path / "a.png"), image)
    echoed("a.png", "-o", f"out{suffix}", "--quality", "100", cwd=tmp_path)
    found = cv2.imread(str(tmp_path / f"out{suffix}"), cv2.IMREAD_UNCHANGED)
    assert found.shape == (64, 80, 4)
    assert np.abs(found[..., 3].astype(int) - image[..., 3]).max() <= (
        4 if suffix == ".avif" else 0
    )
    done = echoed("a.png", "-o", "flat.jpg", cwd=tmp_path)
    assert b"transparency left out: .jpg cannot hold it" in done.stdout
    done = echoed("a.png", "-o", f"{suffix[1:]}.mp4", cwd=tmp_path)
    assert b"transparency left out: a video holds none" in done.stdout


def test_sixteen_bits_and_grey(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 128).astype(np.uint16)[None].repeat(64, 0)
    cv2.imwrite(str(tmp_path / "grey.png"), ramp)
    cv2.imwrite(str(tmp_path / "colour.png"), np.dstack([ramp, ramp // 2, ramp[:, ::-1]]))
    done = echoed("grey.png", "-o", "grey_out.png", cwd=tmp_path)
    assert b"16 bits a channel became 8" in done.stdout
    found = cv2.imread(str(tmp_path / "grey_out.png"))
    assert np.abs(found[..., 0] - np.round(ramp / 257)).max() <= 1
    echoed("colour.png", "-o", "colour_out.png", cwd=tmp_path)
    found = cv2.imread(str(tmp_path / "colour_out.png"))
    assert np.abs(found[..., 2] - np.round(ramp[:, ::-1] / 257)).max() <= 1


@pytest.mark.parametrize("suffix", [".webp", ".avif", ".jpg", ".bmp", ".tif"])
def test_photo_formats(suffix: str, tmp_path: Path) -> None:
    if not cv2.haveImageWriter(f"a{suffix}"):
        pytest.skip(f"this OpenCV writes no {suffix}")
    image = PatternSource(96, 128).image(0)
    cv2.imwrite(str(tmp_path / f"a{suffix}"), image[..., ::-1])
    echoed(f"a{suffix}", "-o", f"out{suffix}", cwd=tmp_path)
    echoed(f"a{suffix}", "-o", "out.png", cwd=tmp_path)
    for name in (f"out{suffix}", "out.png"):
        assert psnr(cv2.imread(str(tmp_path / name))[..., ::-1], image) > 30


def test_a_photo_that_is_none_is_refused(tmp_path: Path) -> None:
    for name in ("a.heic", "a.avif", "a.png"):
        (tmp_path / name).write_bytes(b"dear diary\n" * 50)
        done = echoed(name, "-o", "out.png", cwd=tmp_path, code=1)
        assert b"is not a picture that can be read" in done.stderr
        assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize(
    ("output", "says", "hint"),
    [
        ("out.avi", "pictures cannot be written as .avi", "use .jpg, .png"),
        ("out.jxl", "pictures cannot be written as .jxl", "use .jpg, .png"),
        ("out", "pictures cannot be written as a file without suffix", "use .jpg, .png"),
        ("out%03d.png", "out%03d.png stands for numbered pictures", "-o out.png"),
    ],
)
def test_a_photo_becomes_a_photo(output: str, says: str, hint: str, tmp_path: Path) -> None:
    if output.endswith(".jxl") and cv2.haveImageWriter(output):
        pytest.skip("this OpenCV writes such pictures")
    cv2.imwrite(str(tmp_path / "a.jpg"), PatternSource(64, 80).image(0))
    done = echoed("a.jpg", "-o", output, cwd=tmp_path, code=1)
    assert says in done.stderr.decode()
    assert hint in done.stderr.decode()


def test_what_changes_nothing_of_a_photo_is_said(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.jpg"), PatternSource(64, 80).image(0))
    flags = ("--codec", "H264", "--pix-fmt", "gray", "--start", "3", "--keep-hdr", "--no-audio")
    done = echoed("a.jpg", "-o", "out.jpg", *flags, cwd=tmp_path)
    said = "--start, --no-audio, --keep-hdr, --codec, --pix-fmt changed nothing: the input is a"
    assert said in done.stdout.decode()
    assert b"latency" not in done.stdout
    done = echoed("a.jpg", "-o", "out.mp4", "--codec", "H264", "--no-audio", cwd=tmp_path)
    assert b"note: --no-audio changed nothing" in done.stdout


def test_a_video_named_as_a_photo_is_said(tmp_path: Path) -> None:
    Film().build(tmp_path / "a.mp4").rename(tmp_path / "a.jpg")
    done = echoed("a.jpg", "-o", "out.mp4", cwd=tmp_path)
    assert b"it is a video, whose first picture is painted" in done.stdout
