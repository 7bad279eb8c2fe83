"""Many inputs, pipes, parts and photos, as the command does them."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import cv2
import pytest
from media import decode
from media.clips import Film
from media.running import echoed
from rich.console import Console
from stylecam.realtime import engines, stylize
from stylecam.realtime.cli.batch import plan, run_all
from stylecam.realtime.cli.summary import Summary
from stylecam.realtime.engines import Engine, EngineOptions
from stylecam.realtime.errors import UsageError
from stylecam.realtime.job import Look, Outcome
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.realtime.stats import Stats
from stylecam.realtime.styles import find


def test_many_inputs_and_one_that_fails(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mkv", "c.mov"):
        Film().build(tmp_path / name)
    (tmp_path / "bad.mp4").write_bytes(b"dear diary\n" * 50)
    done = echoed(
        *("a.mp4", "bad.mp4", "b.mkv", "missing.mp4", "c.mov", "-o", "out/"), cwd=tmp_path, code=1
    )
    text = done.stdout.decode()
    assert "3 of 5 done, 2 failed" in text
    assert "failed: bad.mp4: bad.mp4 is not a video" in text
    assert "failed: missing.mp4" in text
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.mp4", "b.mkv", "c.mov"]
    assert len(decode(tmp_path / "out" / "c.mov")) == 12
    report = json.loads(
        echoed("a.mp4", "bad.mp4", "-o", "two/", "--json", cwd=tmp_path, code=1).stdout
    )
    assert [row["output"] for row in report["done"]] == ["two/a.mp4"]
    assert report["failed"][0]["input"] == "bad.mp4"


def test_a_batch_that_was_done_before_is_done(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mkv"):
        Film().build(tmp_path / name)
    echoed("a.mp4", "b.mkv", "-o", "out/", cwd=tmp_path)
    cv2.imwrite(str(tmp_path / "c.png"), PatternSource(64, 80).image(0))
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    words = ("a.mp4", "b.mkv", "c.png", "-o", "out/")
    text = echoed(*words, cwd=tmp_path).stdout.decode()
    assert "out/a.mp4: already there; --force paints it again" in text
    assert "3 of 3 done (2 before), 0 failed" in text
    assert made == {path: path.stat().st_mtime_ns for path in made}
    report = json.loads(echoed(*words, "--json", cwd=tmp_path).stdout)
    assert report["already_done"] == ["out/a.mp4", "out/b.mkv", "out/c.png"]
    assert not report["done"] + report["failed"] + report["interrupted"]
    assert "3 of 3 done, 0 failed" in echoed(*words, "--force", cwd=tmp_path).stdout.decode()
    echoed("a.mp4", "-o", "out/", cwd=tmp_path, code=1)  # one alone is asked about


@pytest.mark.parametrize("words", [["missing.mp4"], ["--webcam", "missing.mp4", "--no-window"]])
def test_one_that_fails_is_told_to_programs(words: list[str], tmp_path: Path) -> None:
    done = echoed(*words, "-o", "out.mp4", "--json", cwd=tmp_path, code=1)
    assert json.loads(done.stdout)["input"] == "missing.mp4"
    assert json.loads(done.stdout)["error"] == "missing.mp4: no such file"
    assert b"error: missing.mp4: no such file" in done.stderr


@pytest.mark.parametrize("words", [["."], [""], ["/"], [".", "-o", "out/"]])
def test_a_folder_is_no_input(words: list[str], tmp_path: Path) -> None:
    assert b" is a folder\n" in echoed(*words, cwd=tmp_path, code=1).stderr
    assert not list(tmp_path.iterdir())


def test_a_folder_takes_one_input_too(tmp_path: Path) -> None:
    Film().build(tmp_path / "a.mp4")
    (tmp_path / "out").mkdir()
    echoed("a.mp4", "-o", "out", cwd=tmp_path)
    echoed("a.mp4", "-o", ".", cwd=tmp_path)  # beside itself: under another name
    assert (tmp_path / "out" / "a.mp4").exists()
    assert (tmp_path / "a.great-wave.mp4").exists()


def test_outputs_that_would_meet_are_refused(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        Film().build(tmp_path / folder / "a.mp4")
    done = echoed("one/a.mp4", "two/a.mp4", "-o", "out/", cwd=tmp_path, code=2)
    assert b"would both become" in done.stderr
    done = echoed("one/a.mp4", "two/a.mp4", "-o", "out.mp4", cwd=tmp_path, code=2)
    assert b"name a folder: -o out/" in done.stderr
    done = echoed("one/a.mp4", "two/a.mp4", "-o", "-", cwd=tmp_path, code=2)
    assert b"name a folder: -o out/" in done.stderr


@pytest.mark.parametrize(
    ("platform", "meet"), [("linux", False), ("win32", True), ("darwin", True)]
)
def test_outputs_that_differ_in_case_meet_where_names_do(platform: str, meet: bool) -> None:
    inputs = [Path("one/A.mp4"), Path("two/a.mp4")]
    style = find("great-wave")
    if meet:
        with pytest.raises(UsageError, match="would both become"):
            plan(inputs, "out/", style, platform=platform)
    else:
        assert len(plan(inputs, "out/", style, platform=platform)) == 2


def test_one_input_makes_the_folder_and_none_makes_nothing(tmp_path: Path) -> None:
    Film().build(tmp_path / "a.mp4")
    echoed("a.mp4", "-o", "out/", cwd=tmp_path)
    assert (tmp_path / "out" / "a.mp4").exists()
    for words in (["-"], ["a.mp4", "-"]):
        done = echoed(*words, "-o", "piped/", cwd=tmp_path, code=2)
        assert b"needs a name for its output" in done.stderr
    assert not (tmp_path / "piped").exists()
    echoed("x.mp4", "y.mp4", "-o", "none/", cwd=tmp_path, code=1)
    assert not (tmp_path / "none").exists()
    (tmp_path / "file").touch()
    done = echoed("a.mp4", "-o", "file/", cwd=tmp_path, code=1)
    assert b"the folder file cannot be made" in done.stderr


def test_no_input_is_replaced_before_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    Film().build(tmp_path / "a.mp4")
    before = Film().build(tmp_path / "sub" / "a.mp4").read_bytes()
    done = echoed("a.mp4", "sub/a.mp4", "-o", "sub/", "--force", cwd=tmp_path, code=2)
    assert b"is an input too" in done.stderr
    assert (tmp_path / "sub" / "a.mp4").read_bytes() == before


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names, nor such pipes")
def test_names_that_ffmpeg_takes_for_something_else(tmp_path: Path) -> None:
    Film().build(tmp_path / "a.mp4").rename(tmp_path / "12:30.mp4")
    echoed("12:30.mp4", "-o", "12:31.mkv", cwd=tmp_path)
    assert (tmp_path / "12:31.mkv").exists()
    echoed("12:30.mp4", "-o", "12:%03d.png", cwd=tmp_path)
    assert (tmp_path / "12:001.png").exists()
    os.mkfifo(tmp_path / "pipe.mp4")
    done = echoed("pipe.mp4", "-o", "out.mp4", cwd=tmp_path, code=1)
    assert b"can be read only once" in done.stderr


def test_nothing_is_left_in_the_folder(tmp_path: Path) -> None:
    Film().build(tmp_path / "a.mp4")
    echoed("a.mp4", "-o", "out.mp4", cwd=tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"a.mp4", "out.mp4"}


def test_a_pattern_that_no_shell_expanded_is_expanded(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4", "c[1].mp4"):
        Film().build(tmp_path / name)
    assert "3 of 3 done" in echoed("*.mp4", "-o", "out/", cwd=tmp_path).stdout.decode()
    echoed("c[1].mp4", "-o", "one.mp4", cwd=tmp_path)  # a name, not a pattern
    assert b"*.avi" in echoed("*.avi", "-o", "none/", cwd=tmp_path, code=1).stderr


def test_ctrl_c_between_two_inputs_tells_what_was_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the next opens its engine, where no run is under way that a signal could end."""
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        Film().build(tmp_path / name)
    opened: list[int] = []

    def open_engine(*arguments: Any, **options: Any) -> Engine:
        opened.append(1)
        if len(opened) == interrupt_at:
            raise KeyboardInterrupt
        return engines.open_engine(*arguments, **options)

    monkeypatch.setattr(stylize, "open_engine", open_engine)
    style = find("great-wave")
    look = Look(style, engine=EngineOptions("echo"))
    jobs = plan(sorted(tmp_path.iterdir()), f"{tmp_path}/out/", style)
    interrupt_at = 2
    report = run_all(jobs, look, console=Console(quiet=True))
    assert report.interrupted
    assert "1 of 3 done, 0 failed" in report.lines()
    assert [row["output"] for row in report.as_json()["done"]] == [str(tmp_path / "out" / "a.mp4")]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.mp4"]
    interrupt_at = 3
    with pytest.raises(KeyboardInterrupt):
        run_all(jobs[1:2], look, console=Console(quiet=True))


def test_ctrl_c_before_the_first_frame_says_that_there_is_no_file() -> None:
    outcome = Outcome(Path("z.mp4"), Stats(), "echo", interrupted=True, notes=["n"])
    assert Summary([outcome], [], 1).lines() == [
        "note: n",
        "z.mp4: interrupted before the first frame: nothing was written",
    ]
