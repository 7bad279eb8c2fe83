"""What cannot be read, meant or written: one message with a remedy, and nothing left behind."""

from __future__ import annotations

import functools
import resource
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from media import ANIMATION, SIGNING, ClipMaker, decode
from media.running import NO_DISPLAY, STYLECAM, refused, stylecam


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("missing.mp4", None, "no such file"),
        ("text.mp4", b"dear diary\n" * 50, "not a video"),
        ("empty.mp4", b"", "empty"),
        ("text.jpg", b"dear diary\n" * 50, "not a picture"),
        ("folder.mp4", "folder", "is a folder"),
    ],
)
def test_bad_input(name: str, content: object, says: str, tmp_path: Path) -> None:
    if content == "folder":
        (tmp_path / name).mkdir()
    elif isinstance(content, bytes):
        (tmp_path / name).write_bytes(content)
    before = set(tmp_path.iterdir())
    refused(stylecam(name, "-o", f"out{Path(name).suffix}", cwd=tmp_path), says)
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize("suffix", [".tif", ".png", ".avif"])
def test_a_truncated_photo_is_told_of_in_two_lines(suffix: str, tmp_path: Path) -> None:
    """OpenCV has a log, with its own files and lines in it."""
    if not cv2.haveImageWriter(f"a{suffix}"):
        pytest.skip(f"this OpenCV writes no {suffix}")
    noise = np.random.default_rng(0).integers(0, 256, (64, 80, 3), np.uint8)
    data = cv2.imencode(suffix, noise)[1].tobytes()
    (tmp_path / f"cut{suffix}").write_bytes(data[: len(data) // 2])
    done = stylecam(f"cut{suffix}", "-o", "out.jpg", cwd=tmp_path)
    refused(done, "not a picture that can be read")
    assert done.stderr.count("\n") == 2, done.stderr


@pytest.mark.parametrize("share", [0.02, 0.6])
def test_truncated_input(share: float, tmp_path: Path) -> None:
    data = ANIMATION.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: int(share * len(data))])
    refused(stylecam("cut.mp4", "-o", "out.mp4", cwd=tmp_path), "cut short|no frame|not a video")
    assert not (tmp_path / "out.mp4").exists()


def test_truncated_input_is_taken_when_allowed(tmp_path: Path) -> None:
    data = ANIMATION.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) * 6 // 10])
    done = stylecam(
        "cut.mp4", "-o", "out.mp4", "--allow-truncated", "--engine", "echo", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert 40 < len(decode(tmp_path / "out.mp4")) < 60


def test_truncated_matroska(tmp_path: Path) -> None:
    whole = tmp_path / "whole.mkv"
    assert stylecam(ANIMATION, "-o", whole, "--engine", "echo", cwd=tmp_path).returncode == 0
    data = whole.read_bytes()
    (tmp_path / "cut.mkv").write_bytes(data[: len(data) // 2])
    refused(stylecam("cut.mkv", "-o", "out.mkv", cwd=tmp_path), "cut short")


def test_audio_only_input(make_clip: ClipMaker, tmp_path: Path) -> None:
    sound = make_clip("sound.mp4", audio="aac", picture=False)
    refused(stylecam(sound, "-o", "out.mp4", cwd=tmp_path), "only sound")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-o", "nowhere/out.mp4"], "mkdir -p nowhere"),
        (["-o", "no where/out.mp4"], "mkdir -p 'no where'"),
        (["-o", "/proc/out.mp4"], r"cannot be written(.|\n)*may not write there"),
        (["-o", "out.xyz"], r"cannot be written as \.xyz"),
        (["-o", "out.jpg"], "is a picture"),
        (["-o", "out_%03d.jpg"], "number the pictures, as PNG"),
        (["-o", "clip.mp4", "--force"], "the input itself"),
        (["--style", "great-wafe"], "did you mean great-wave"),
        (["--style", "missing.onnx"], "no such style file"),
        (["--style", "clip.mp4.onnx"], "as an ONNX model"),
        (["--engine", "tensorrt"], "TensorRT"),
        (["--engine", "openvino", "--device", "GPU"], "GPU"),
        (["-o", "o" * 300 + ".mp4"], "File name too long"),
    ],
)
def test_bad_wish(arguments: list[str], says: str, make_clip: ClipMaker, tmp_path: Path) -> None:
    clip = make_clip()
    (tmp_path / "clip.mp4.onnx").write_bytes(clip.read_bytes())
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    refused(stylecam("clip.mp4", *arguments, cwd=tmp_path), says)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["clip.mp4", "--size", "huge"],
        ["clip.mp4", "--strength", "1.5"],
        ["clip.mp4", "--webcam"],
        ["--webcam", "pattern", "--no-window"],
        ["--webcam", "pattern", "--camera-size", "big", "-o", "out.mp4"],
        ["--webcam", "pattern", "--camera-fps", "0", "-o", "out.mp4"],
        ["--webcam", "pattern", "--virtual-camera", "--virtual-camera-size", "720"],
        ["--webcam", "pattern", "--virtual-camera", "--virtual-camera-fps", "1000"],
        ["clip.mp4", "--style-range", "0-7"],
        ["clip.mp4", "--style-range", "0-1"],
        ["clip.mp4", "--style", ""],
        ["clip.mp4", "-o", ""],
        ["clip.mp4", "--device", "cuda"],
        ["clip.mp4", "--strength", "50%"],
        ["clip.mp4", "--quality", "abc"],
        ["clip.mp4", "--format", "avi"],
        ["-dash.jpg"],
        ["style"],
        ["doctr", "--json"],
        ["help"],
        ["webcam", "-o", "out.mp4"],
        ["clip.mp4", "--seconds", "1"],
        ["clip.mp4", "--mirror"],
        ["--webcam", "pattern", "--start", "3", "-o", "out.mp4"],
        ["--webcam", "pattern", "--no-window", "-o", "out.mp4", "--seconds", "0"],
        ["--webcam", "pattern", "--no-window", "-o", "out.mp4", "--seconds", "nan"],
    ],
)
def test_wrong_usage(arguments: list[str], make_clip: ClipMaker, tmp_path: Path) -> None:
    make_clip()
    (tmp_path / "-dash.jpg").touch()
    done = stylecam(*arguments, cwd=tmp_path)
    refused(done, "error", code=2)
    assert done.stderr.count("\n") == 2
    hints = {
        "-dash.jpg": "./-dash.jpg",
        "style": "stylecam styles?",
        "doctr": "stylecam doctor?",
        "help": "stylecam --help?",
        "webcam": "stylecam --webcam?",
    }
    assert hints.get(arguments[0], "") in done.stderr


def test_a_name_that_cannot_be_printed_is_no_error(make_clip: ClipMaker, tmp_path: Path) -> None:
    clip = make_clip().rename(tmp_path / "\u6620\u753b [1].mp4")
    command = [*STYLECAM, clip.name, "--engine", "echo"]
    env = NO_DISPLAY | {"PYTHONIOENCODING": "cp1252"}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, check=True)
    assert b"[1].great-wave.mp4: " in done.stdout
    assert b"[1].mp4: " in done.stderr  # what is in brackets is no markup


def test_a_cache_that_cannot_be_is_said_where_it_is_needed(
    make_clip: ClipMaker, tmp_path: Path
) -> None:
    make_clip()
    (tmp_path / "file").touch()
    env = NO_DISPLAY | {"STYLECAM_CACHE": "file/cache"}
    words = [*STYLECAM, "clip.mp4", "-o", "out.mp4", "--size", "64"]
    run = functools.partial(
        subprocess.run, cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    refused(run([*words, "--style", "great-wave,comic"]), "STYLECAM_CACHE")
    assert run(words).returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="file size limits as Linux has them")
def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

    done = stylecam(SIGNING, "-o", "out.mp4", "--engine", "echo", cwd=tmp_path, preexec_fn=limit)
    refused(done, "out.mp4 cannot be written")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="file size limits as Linux has them")
def test_a_full_disk_ends_a_live_run_and_keeps_what_fits(tmp_path: Path) -> None:
    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

    arguments = ("--webcam", SIGNING, "-o", "out.mkv", "--engine", "echo", "--no-window")
    done = stylecam(*arguments, cwd=tmp_path, preexec_fn=limit)
    refused(done, "out.mkv cannot be written")
    assert "what was recorded is kept in out.mkv" in done.stderr
    assert list(tmp_path.iterdir()) == [tmp_path / "out.mkv"]
    assert decode(tmp_path / "out.mkv")


@pytest.mark.skipif(sys.platform != "linux", reason="Linux device names")
def test_missing_camera_and_display(tmp_path: Path) -> None:
    done = stylecam("--webcam", "77", "-o", "out.mp4", cwd=tmp_path)
    refused(done, "no camera /dev/video77")
    refused(stylecam("--webcam", "pattern", cwd=tmp_path), "no display")
    assert not list(tmp_path.iterdir())
