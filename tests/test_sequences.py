"""Numbered pictures, in and out."""

from __future__ import annotations

from pathlib import Path

from media import SIGNING
from media.clips import Film
from media.running import echoed


def test_numbered_pictures_are_not_lost_or_misplaced(tmp_path: Path) -> None:
    Film().build(tmp_path / "a.mp4")
    (tmp_path / "f_0005.png").write_bytes(b"mine")
    done = echoed("a.mp4", "-o", "f_%04d.png", cwd=tmp_path, code=1)
    assert b"f_0005.png exists" in done.stderr
    assert (tmp_path / "f_0005.png").read_bytes() == b"mine"
    live = ("--webcam", "pattern", "--no-window", "--seconds", "0.2")
    done = echoed(*live, "-o", "g_%04d.png", cwd=tmp_path, code=1)
    assert b"made of files only" in done.stderr
    (tmp_path / "50%d").mkdir()
    done = echoed("a.mp4", "-o", "50%d/h_%04d.png", cwd=tmp_path, code=1)
    assert b"use a folder without %" in done.stderr
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"a.mp4", "f_0005.png", "50%d"}


def test_numbered_pictures_replace_a_longer_sequence(tmp_path: Path) -> None:
    Film().build(tmp_path / "a.mp4")
    for name in ("f_001.png", "f_013.png", "f_1000.png", "f_0013.png", "f_13.png", "f_013.jpg"):
        (tmp_path / name).write_bytes(b"old")
    echoed("a.mp4", "-o", "f_%03d.png", "--force", cwd=tmp_path)
    others = {"a.mp4", "f_0013.png", "f_13.png", "f_013.jpg"}
    made = {f"f_{number:03d}.png" for number in range(1, 13)}
    assert {path.name for path in tmp_path.iterdir()} == others | made


def test_numbered_pictures_that_break_off_end(tmp_path: Path) -> None:
    """PNG's threads and Python's lock once waited for each other."""
    data = SIGNING.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) * 3 // 4])
    for _ in range(3):
        done = echoed("cut.mp4", "-o", "f_%05d.png", cwd=tmp_path, code=1)
        assert b"cut short" in done.stderr
