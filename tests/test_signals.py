"""What a signal leaves behind, whenever it comes."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from media import ClipMaker, decode, grown, times
from media.running import NO_DISPLAY, STYLECAM, refused


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
        if grown(cwd, after):
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
