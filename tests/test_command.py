"""The command as a user types it: what it says, its exit codes, what it leaves behind."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from media import SIGNING, ClipMaker, decode, times
from media.running import STYLECAM, refused, stylecam
from stylecam.realtime.sources.pattern import PatternSource


def test_demo(tmp_path: Path) -> None:
    done = stylecam("--demo", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"stylecam-demo\.mp4: 109 frames, [\d.]+ fps, latency \d+ ms", done.stdout)
    assert len(decode(tmp_path / "stylecam-demo.mp4")) == 109
    assert stylecam("--demo", "--engine", "echo", cwd=tmp_path).returncode == 0  # again


def test_output_beside_the_input_by_default(make_clip: ClipMaker, tmp_path: Path) -> None:
    clip = make_clip("holiday.mov")
    assert stylecam(clip, "--engine", "echo", cwd=tmp_path).returncode == 0
    assert (tmp_path / "holiday.great-wave.mov").exists()
    refused(stylecam(clip, "--engine", "echo", cwd=tmp_path), "exists")
    assert stylecam(clip, "--engine", "echo", "--force", cwd=tmp_path).returncode == 0


def test_photo(tmp_path: Path) -> None:
    photo = cv2.VideoCapture(str(SIGNING)).read()[1]
    cv2.imwrite(str(tmp_path / "photo.jpg"), photo)
    done = stylecam("photo.jpg", "-o", "out.jpg", "--style", "starry-night", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    painted = cv2.imread(str(tmp_path / "out.jpg"))
    assert painted.shape == photo.shape
    assert np.abs(painted.astype(int) - photo).mean() > 10
    assert "WARN" not in done.stderr


def test_openvino_loads_without_its_converter_and_hides_it_from_nobody() -> None:
    code = (
        "import sys; from stylecam.realtime.engines.openvino_library import load; load().Core();"
        "assert 'openvino.tools.ovc' not in sys.modules; import openvino.tools.ovc as made;"
        "made.convert_model; import openvino; assert openvino.convert_model is made.convert_model"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_file_as_webcam_plays_at_its_own_rate(tmp_path: Path) -> None:
    begun = time.monotonic()
    done = stylecam(
        "--webcam", SIGNING, "-o", "live.mp4", "--engine", "echo", "--json", cwd=tmp_path
    )
    seconds = time.monotonic() - begun
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["frames"] + report["dropped"] == 109
    assert seconds > 3.4  # the clip lasts 3.6 s
    kept = times(tmp_path / "live.mp4")
    assert len(kept) == report["frames"]
    assert set(kept) <= set(times(SIGNING))


def test_a_photo_as_webcam_is_shown_until_the_run_ends(tmp_path: Path) -> None:
    photo = np.dstack([PatternSource(64, 96).image(3), np.full((64, 96), 99, np.uint8)])
    cv2.imwrite(str(tmp_path / "photo.png"), photo)
    done = stylecam(
        *("--webcam", "photo.png", "--seconds", "0.8", "-o", "out.mkv", "--engine", "echo"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    stamps = times(tmp_path / "out.mkv")
    assert 5 <= len(stamps) <= 24
    assert stamps[-1] - stamps[0] > 0.4
    pictures = decode(tmp_path / "out.mkv")
    assert np.abs(pictures[-1].astype(int) - photo[..., 2::-1]).mean() < 9


def test_seconds_ends_a_live_run(tmp_path: Path) -> None:
    done = stylecam(
        *("--webcam", "pattern", "--seconds", "0.5", "-o", "out.mp4", "--engine", "echo"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert 1 <= len(decode(tmp_path / "out.mp4")) <= 15


@pytest.mark.needs_display
def test_a_window_shows_and_ends(tmp_path: Path) -> None:
    done = subprocess.run(
        [*STYLECAM, "--webcam", "pattern", "--seconds", "1", "-o", "seen.mp4"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "recording only" not in done.stdout
    assert "Qt" not in done.stderr
    assert decode(tmp_path / "seen.mp4")


def test_json_of_the_other_commands(tmp_path: Path) -> None:
    styles = json.loads(stylecam("styles", "--json", cwd=tmp_path).stdout)
    assert {"great-wave", "starry-night"} <= {style["name"] for style in styles}
    for style in styles:
        assert style["artist"]
        assert style["licence"]
        assert style["kilobytes"] < 1000
    checks = json.loads(stylecam("doctor", "--json", cwd=tmp_path).stdout)
    found = {check["name"]: check for check in checks}
    assert {"engine openvino", "cameras", "display", "virtual camera"} <= set(found)
    assert found["engine openvino"]["ok"]
    assert all(check["ok"] or check["remedy"] for check in checks)


def test_json_goes_through_a_pipe_that_takes_ascii_only(capsys: pytest.CaptureFixture[str]) -> None:
    from stylecam.realtime.cli.terminal import print_json

    print_json({"output": "Pariser Café 東京.mp4"})
    text = capsys.readouterr().out
    assert text.isascii()
    assert json.loads(text) == {"output": "Pariser Café 東京.mp4"}


def test_help_and_version(tmp_path: Path) -> None:
    text = stylecam("--help", cwd=tmp_path).stdout
    assert "examples:" in text
    assert "stylecam clip.mp4" in text
    assert re.fullmatch(r"stylecam \d+\.\d+\.\d+\n", stylecam("--version", cwd=tmp_path).stdout)
    assert stylecam(cwd=tmp_path).returncode == 2


@pytest.mark.parametrize(
    "line",
    [
        "clip.mp4 --forc",
        *("styles --js", "cameras --js", "doctor --js", "build --styl x", "train x.jpg --styl 3"),
        *("bench engine --agains HEAD --turns 1", "bench all --pee x", "bench tables --result x"),
    ],
)
def test_flags_are_written_out(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One to come would change what an abbreviation means; --against runs the line again."""
    from stylecam.realtime.cli import main

    try:
        code = main(line.split())
    except SystemExit as ended:
        code = ended.code
    assert code == 2
    assert "unrecognized arguments: --" in capsys.readouterr().err


def test_the_flags_are_frozen() -> None:
    from stylecam.realtime.cli.flags import parser

    flags = {flag for action in parser()._actions for flag in action.option_strings}
    assert flags == {
        *("-h", "--help", "-o", "--output", "--demo", "--webcam", "--style", "--strength"),
        *("--size", "--force", "--allow-truncated", "--no-window", "--seconds"),
        *("--start", "--duration", "--no-audio", "--codec", "--quality", "--pix-fmt", "--encoder"),
        *("--keep-hdr", "--format", "--decoder"),
        *("--camera-size", "--engine", "--device", "--precision", "--style-range", "--json"),
        *("--virtual-camera", "--virtual-camera-size", "--virtual-camera-fps", "--camera-fps"),
        "--mirror",
        "--denoise",
        "--version",
    }


def test_a_missing_system_library_names_its_package() -> None:
    from stylecam.realtime.system_libraries import missing_library

    error = ImportError("libGL.so.1: cannot open shared object file: No such file or directory")
    assert missing_library(error).startswith("sudo apt install libgl1")
    assert missing_library(ImportError("no module named foo")) == ""
    windows = ImportError("DLL load failed while importing cv2: The specified module ...")
    assert "vc_redist" in missing_library(windows)
