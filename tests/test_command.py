"""The command as a user types it: what it says, its exit codes, what it leaves behind."""

from __future__ import annotations

import fcntl
import functools
import json
import os
import re
import resource
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from media import ANIMATION, SIGNING, ClipMaker, decode, times
from stylecam.realtime.sources.pattern import PatternSource

STYLECAM = [sys.executable, "-m", "stylecam.realtime.cli"]
NO_DISPLAY = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}


def stylecam(*arguments: object, cwd: Path, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # type: ignore[call-overload,no-any-return]
        [*STYLECAM, *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env=NO_DISPLAY,
        **options,
    )


def refused(done: subprocess.CompletedProcess[str], says: str, *, code: int = 1) -> None:
    """One message with a remedy, no traceback, no word more."""
    assert done.returncode == code, done.stderr
    assert re.search(says, done.stderr), done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("error:") == 1
    assert "  try: " in done.stderr


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
    hints = {"-dash.jpg": "./-dash.jpg", "style": "stylecam styles?", "doctr": "stylecam doctor?"}
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


def _interrupt(
    arguments: list[str], cwd: Path, *, after: str, by: int = signal.SIGINT
) -> tuple[int, str]:
    """Start the command, send Ctrl-C once a file matching `after` has grown, return how it
    ended."""
    process = subprocess.Popen(
        [*STYLECAM, *arguments],
        cwd=cwd,
        env=NO_DISPLAY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if any(path.stat().st_size > 1_000 for path in cwd.glob(after)):
            break
        time.sleep(0.02)
    process.send_signal(by)
    output = process.communicate(timeout=30)[0]
    return process.returncode, output


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_a_playable_file(by: int, make_clip: ClipMaker, tmp_path: Path) -> None:
    clip = make_clip("long.mkv", frames=600, height=360, width=640)
    code, output = _interrupt(
        [str(clip), "-o", "out.mkv", "--style", "great-wave"],
        tmp_path,
        after=".out.mkv.stylecam/*",
        by=by,
    )
    assert code == 128 + by, output
    assert "interrupted" in output
    assert "Traceback" not in output
    kept = times(tmp_path / "out.mkv")
    assert 1 <= len(kept) < 600
    assert kept == times(clip)[: len(kept)]


@pytest.mark.skipif(sys.platform != "linux", reason="how full a pipe is, as Linux tells")
@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_a_silent_standard_input_holds_no_signal_back(by: int, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    command = [*STYLECAM, "-", "-o", "out.mp4"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdin=reading, stderr=subprocess.PIPE, text=True
    )
    os.write(writing, b"\x1a\x45\xdf\xa3")
    while process.poll() is None and any(fcntl.ioctl(reading, termios.FIONREAD, bytes(4))):
        time.sleep(0.05)  # until it has been read, and the next read waits
    process.send_signal(by)
    try:
        error = process.communicate(timeout=20)[1]
    finally:
        process.kill()
        os.close(reading)
        os.close(writing)
    assert process.returncode == 128 + by, error
    assert error == "interrupted\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has such a device")
@pytest.mark.parametrize("words", [["styles"], ["doctor", "--json"], ["a.png", "--engine", "echo"]])
def test_words_that_find_no_room(words: list[str], tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((64, 64, 3), np.uint8))
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*STYLECAM, *words],
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
            env=NO_DISPLAY | {"PYTHONUNBUFFERED": ""},
            text=True,
            check=False,
        )
    refused(done, "standard output cannot be written: No space left")


def test_ctrl_c_is_the_normal_end_when_live(tmp_path: Path) -> None:
    code, output = _interrupt(
        ["--webcam", "pattern", "-o", "out.mkv", "--engine", "echo"],
        tmp_path,
        after=".out*.part.mkv",
    )
    assert code == 0, output
    assert "recording only" in output
    assert decode(tmp_path / "out.mkv")


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
    from stylecam.realtime.commands import print_json

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
    from stylecam.realtime.flags import parser

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
    from stylecam.realtime.doctor import missing_library

    error = ImportError("libGL.so.1: cannot open shared object file: No such file or directory")
    assert missing_library(error).startswith("sudo apt install libgl1")
    assert missing_library(ImportError("no module named foo")) == ""
    windows = ImportError("DLL load failed while importing cv2: The specified module ...")
    assert "vc_redist" in missing_library(windows)
