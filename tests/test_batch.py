"""Many inputs, pipes, parts and photos, as the command does them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from media import ANIMATION, SIGNING, decode, packets, psnr, times
from media.clips import Film
from rich.console import Console
from stylecam.realtime import engines, stylize
from stylecam.realtime.batch import plan, run_all
from stylecam.realtime.engines import Engine, EngineOptions
from stylecam.realtime.errors import UsageError
from stylecam.realtime.section import parse_time
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.realtime.stats import Stats
from stylecam.realtime.styles import find
from stylecam.realtime.summary import Report

STYLECAM = [sys.executable, "-m", "stylecam.realtime.cli"]


def stylecam(
    *arguments: object, cwd: Path, code: int = 0, stdin: bytes | None = None
) -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run(
        [*STYLECAM, *map(str, arguments), "--engine", "echo"],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == code, done.stderr.decode()
    assert b"Traceback" not in done.stderr
    return done


def test_many_inputs_and_one_that_fails(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mkv", "c.mov"):
        Film().build(tmp_path / name)
    (tmp_path / "bad.mp4").write_bytes(b"dear diary\n" * 50)
    done = stylecam(
        *("a.mp4", "bad.mp4", "b.mkv", "missing.mp4", "c.mov", "-o", "out/"), cwd=tmp_path, code=1
    )
    text = done.stdout.decode()
    assert "3 of 5 done, 2 failed" in text
    assert "failed: bad.mp4: bad.mp4 is not a video" in text
    assert "failed: missing.mp4" in text
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.mp4", "b.mkv", "c.mov"]
    assert len(decode(tmp_path / "out" / "c.mov")) == 12
    report = json.loads(
        stylecam("a.mp4", "bad.mp4", "-o", "two/", "--json", cwd=tmp_path, code=1).stdout
    )
    assert [row["output"] for row in report["done"]] == ["two/a.mp4"]
    assert report["failed"][0]["input"] == "bad.mp4"


def test_a_batch_that_was_done_before_is_done(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mkv"):
        Film().build(tmp_path / name)
    stylecam("a.mp4", "b.mkv", "-o", "out/", cwd=tmp_path)
    cv2.imwrite(str(tmp_path / "c.png"), PatternSource(64, 80).image(0))
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    words = ("a.mp4", "b.mkv", "c.png", "-o", "out/")
    text = stylecam(*words, cwd=tmp_path).stdout.decode()
    assert "out/a.mp4: already there; --force paints it again" in text
    assert "3 of 3 done (2 before), 0 failed" in text
    assert made == {path: path.stat().st_mtime_ns for path in made}
    report = json.loads(stylecam(*words, "--json", cwd=tmp_path).stdout)
    assert report["already_done"] == ["out/a.mp4", "out/b.mkv", "out/c.png"]
    assert not report["done"] + report["failed"] + report["interrupted"]
    assert "3 of 3 done, 0 failed" in stylecam(*words, "--force", cwd=tmp_path).stdout.decode()
    stylecam("a.mp4", "-o", "out/", cwd=tmp_path, code=1)  # one alone is asked about


def test_one_that_fails_is_told_to_programs(tmp_path: Path) -> None:
    done = stylecam("missing.mp4", "-o", "out.mp4", "--json", cwd=tmp_path, code=1)
    assert json.loads(done.stdout)["error"] == "missing.mp4: no such file"
    assert b"error: missing.mp4: no such file" in done.stderr


@pytest.mark.parametrize("words", [["."], [""], ["/"], [".", "-o", "out/"]])
def test_a_folder_is_no_input(words: list[str], tmp_path: Path) -> None:
    assert b" is a folder\n" in stylecam(*words, cwd=tmp_path, code=1).stderr
    assert not list(tmp_path.iterdir())


def test_a_folder_takes_one_input_too(tmp_path: Path) -> None:
    Film().build(tmp_path / "a.mp4")
    (tmp_path / "out").mkdir()
    stylecam("a.mp4", "-o", "out", cwd=tmp_path)
    stylecam("a.mp4", "-o", ".", cwd=tmp_path)  # beside itself: under another name
    assert (tmp_path / "out" / "a.mp4").exists()
    assert (tmp_path / "a.great-wave.mp4").exists()


def test_outputs_that_would_meet_are_refused(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        Film().build(tmp_path / folder / "a.mp4")
    done = stylecam("one/a.mp4", "two/a.mp4", "-o", "out/", cwd=tmp_path, code=2)
    assert b"would both become" in done.stderr
    done = stylecam("one/a.mp4", "two/a.mp4", "-o", "out.mp4", cwd=tmp_path, code=2)
    assert b"name a folder: -o out.mp4/" in done.stderr


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
    stylecam("a.mp4", "-o", "out/", cwd=tmp_path)
    assert (tmp_path / "out" / "a.mp4").exists()
    for words in (["-"], ["a.mp4", "-"]):
        done = stylecam(*words, "-o", "piped/", cwd=tmp_path, code=2)
        assert b"needs a name for its output" in done.stderr
    assert not (tmp_path / "piped").exists()
    stylecam("x.mp4", "y.mp4", "-o", "none/", cwd=tmp_path, code=1)
    assert not (tmp_path / "none").exists()
    (tmp_path / "file").touch()
    done = stylecam("a.mp4", "-o", "file/", cwd=tmp_path, code=1)
    assert b"the folder file cannot be made" in done.stderr


def test_no_input_is_replaced_before_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    Film().build(tmp_path / "a.mp4")
    before = Film().build(tmp_path / "sub" / "a.mp4").read_bytes()
    done = stylecam("a.mp4", "sub/a.mp4", "-o", "sub/", "--force", cwd=tmp_path, code=2)
    assert b"is an input too" in done.stderr
    assert (tmp_path / "sub" / "a.mp4").read_bytes() == before


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names, nor such pipes")
def test_names_that_ffmpeg_takes_for_something_else(tmp_path: Path) -> None:
    Film().build(tmp_path / "a.mp4").rename(tmp_path / "12:30.mp4")
    stylecam("12:30.mp4", "-o", "12:31.mkv", cwd=tmp_path)
    assert (tmp_path / "12:31.mkv").exists()
    stylecam("12:30.mp4", "-o", "12:%03d.png", cwd=tmp_path)
    assert (tmp_path / "12:001.png").exists()
    os.mkfifo(tmp_path / "pipe.mp4")
    done = stylecam("pipe.mp4", "-o", "out.mp4", cwd=tmp_path, code=1)
    assert b"can be read only once" in done.stderr


def test_numbered_pictures_are_not_lost_or_misplaced(tmp_path: Path) -> None:
    Film().build(tmp_path / "a.mp4")
    (tmp_path / "f_0005.png").write_bytes(b"mine")
    done = stylecam("a.mp4", "-o", "f_%04d.png", cwd=tmp_path, code=1)
    assert b"f_0005.png exists" in done.stderr
    assert (tmp_path / "f_0005.png").read_bytes() == b"mine"
    live = ("--webcam", "pattern", "--no-window", "--seconds", "0.2")
    done = stylecam(*live, "-o", "g_%04d.png", cwd=tmp_path, code=1)
    assert b"made of files only" in done.stderr
    (tmp_path / "50%d").mkdir()
    done = stylecam("a.mp4", "-o", "50%d/h_%04d.png", cwd=tmp_path, code=1)
    assert b"use a folder without %" in done.stderr
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"a.mp4", "f_0005.png", "50%d"}


def test_numbered_pictures_replace_a_longer_sequence(tmp_path: Path) -> None:
    Film().build(tmp_path / "a.mp4")
    for name in ("f_001.png", "f_013.png", "f_1000.png", "f_0013.png", "f_13.png", "f_013.jpg"):
        (tmp_path / name).write_bytes(b"old")
    stylecam("a.mp4", "-o", "f_%03d.png", "--force", cwd=tmp_path)
    others = {"a.mp4", "f_0013.png", "f_13.png", "f_013.jpg"}
    made = {f"f_{number:03d}.png" for number in range(1, 13)}
    assert {path.name for path in tmp_path.iterdir()} == others | made


def test_numbered_pictures_that_break_off_end(tmp_path: Path) -> None:
    """PNG's threads and Python's lock once waited for each other."""
    data = SIGNING.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) * 3 // 4])
    for _ in range(3):
        done = stylecam("cut.mp4", "-o", "f_%05d.png", cwd=tmp_path, code=1)
        assert b"cut short" in done.stderr


def test_matroska_through_pipes(tmp_path: Path) -> None:
    """Sound and times go through standard input and output."""
    clip = Film(seconds=1, audio=("aac",)).build(tmp_path / "a.mkv")
    done = stylecam("-", "-o", "-", cwd=tmp_path, stdin=clip.read_bytes())
    assert b"12 frames" in done.stderr
    output = tmp_path / "out.mkv"
    output.write_bytes(done.stdout)
    assert times(output) == times(clip)
    assert packets(output) == packets(clip)
    assert psnr(decode(output)[5], decode(clip)[5]) > 28
    stylecam("-", "-o", "out.mp4", cwd=tmp_path, stdin=clip.read_bytes())
    assert [data for _, data in packets(tmp_path / "out.mp4")] == [d for _, d in packets(clip)]


@pytest.mark.parametrize("late", [0, 2], ids=["at once", "late"])
@pytest.mark.parametrize("piped", [False, True], ids=["file", "pipe"])
def test_sound_that_only_its_packets_describe_goes_into_a_pipe(
    piped: bool, late: int, tmp_path: Path
) -> None:
    """MPEG-TS has AAC so, and a pipe's header cannot be mended afterwards."""
    clip = Film(pts=range(90), seconds=1, audio_start=48_000 * late).build(tmp_path / "a.ts")
    stylecam(clip, "-o", "file.mkv", cwd=tmp_path)
    given = clip.read_bytes() if piped else None
    done = stylecam("-" if piped else clip, "-o", "-", cwd=tmp_path, stdin=given)
    assert b"sound" not in done.stderr
    (output := tmp_path / "out.mkv").write_bytes(done.stdout)
    assert len(times(output)) == 90
    assert times(output) == times(tmp_path / "file.mkv")
    found = packets(output)
    assert found == packets(tmp_path / "file.mkv")
    assert len(found) == len(packets(clip))
    with av.open(str(output)) as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) == 1024 * len(found)


@pytest.mark.parametrize("piped", [False, True], ids=["file", "pipe"])
def test_sound_that_ends_before_its_picture_waits_for_the_next_recording(
    piped: bool, tmp_path: Path
) -> None:
    """It meets the jump of the clock first, and is written while pictures are still read."""
    one = Film(pts=range(90), seconds=1.5).build(tmp_path / "a.ts")
    two = Film(pts=range(45), seconds=1.5).build(tmp_path / "b.ts")
    clip = tmp_path / "both.ts"
    clip.write_bytes(one.read_bytes() + two.read_bytes())
    stylecam(clip, "-o", "file.mkv", cwd=tmp_path)
    given = clip.read_bytes() if piped else None
    done = stylecam("-" if piped else clip, "-o", "-", cwd=tmp_path, stdin=given)
    (output := tmp_path / "out.mkv").write_bytes(done.stdout)
    assert b"damaged" not in done.stderr
    found = packets(output)
    assert found == packets(tmp_path / "file.mkv")
    assert len(found) == len(packets(one)) + len(packets(two))
    assert times(output)[90] < found[len(packets(one))][0] + Fraction(1, 20)


def test_no_sound_of_an_mp4_is_lost_in_a_pipe(tmp_path: Path) -> None:
    """The packet that an edit list hides comes with the first one that is heard, both before the
    picture's first decoding time."""
    clip = Film(pts=range(30), seconds=1).build(tmp_path / "a.mp4")
    assert packets(clip)[0][0] < 0
    stylecam(clip, "-o", "file.mkv", cwd=tmp_path)
    stylecam("-", "-o", "pipe.mkv", cwd=tmp_path, stdin=clip.read_bytes())
    found = packets(tmp_path / "pipe.mkv")
    assert found == packets(tmp_path / "file.mkv")
    assert [data for _, data in found] == [data for _, data in packets(clip)]


def test_y4m_through_pipes(tmp_path: Path) -> None:
    clip = Film(audio=()).build(tmp_path / "a.mp4")
    done = stylecam(clip, "-o", "-", "--format", "y4m", cwd=tmp_path)
    assert b"frames numbered at 30 fps" in done.stderr
    raw = done.stdout
    assert raw.startswith(b"YUV4MPEG2 W128 H96 F30:1")
    again = stylecam("-", "-o", "-", "--format", "y4m", cwd=tmp_path, stdin=raw).stdout
    (tmp_path / "out.y4m").write_bytes(again)
    frames = decode(tmp_path / "out.y4m")
    assert len(frames) == 12
    assert psnr(frames[7], decode(clip)[7]) > 40


def test_a_reader_that_goes_away(tmp_path: Path) -> None:
    clip = Film(360, 640, range(200), audio=()).build(tmp_path / "a.mp4")
    process = subprocess.Popen(
        [*STYLECAM, str(clip), "-o", "-", "--engine", "echo", "--codec", "ffv1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.read(1000)
    process.stdout.close()
    assert process.stderr is not None
    error = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(60) == 1
    assert "Traceback" not in error
    assert "the program that was to read it has ended" in error


def test_a_part_by_the_command(tmp_path: Path) -> None:
    stylecam(
        *(ANIMATION, "-o", "out.mp4", "--start", "0:01.5", "--duration", "1", "--no-audio"),
        cwd=tmp_path,
    )
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert not container.streams.audio
    found = times(tmp_path / "out.mp4")
    assert found[0] < Fraction(1, 20)
    assert 0.9 < float(found[-1] - found[0]) < 1
    whole = decode(ANIMATION)
    start = min(times(ANIMATION)) + Fraction(3, 2)
    index = next(n for n, at in enumerate(times(ANIMATION)) if at >= start)
    assert psnr(decode(tmp_path / "out.mp4")[0], whole[index]) > 30
    late = stylecam(ANIMATION, "-o", "no.mp4", "--start", "1:00:00", cwd=tmp_path, code=1)
    assert b"--start" in late.stderr
    for option in ("--start", "--duration"):
        assert b"is not a time" in stylecam("a", option, "soon", cwd=tmp_path, code=2).stderr


def test_times_as_people_write_them() -> None:
    assert parse_time("--start", "90.25") == Fraction(361, 4)
    assert parse_time("--start", "1:30") == 90
    assert parse_time("--start", "1:00:00.04") == 3600 + Fraction(1, 25)
    assert parse_time("--start", None) is None
    for wrong in ("", "x", "1:2:3:4", "-5", "1/0"):
        with pytest.raises(UsageError):
            parse_time("--start", wrong)


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
    stylecam("a.jpg", "-o", "out.png", cwd=tmp_path)
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
    stylecam("a.png", "-o", f"out{suffix}", "--quality", "100", cwd=tmp_path)
    found = cv2.imread(str(tmp_path / f"out{suffix}"), cv2.IMREAD_UNCHANGED)
    assert found.shape == (64, 80, 4)
    assert np.abs(found[..., 3].astype(int) - image[..., 3]).max() <= (
        4 if suffix == ".avif" else 0
    )
    done = stylecam("a.png", "-o", "flat.jpg", cwd=tmp_path)
    assert b"transparency left out: .jpg cannot hold it" in done.stdout


def test_sixteen_bits_and_grey(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 128).astype(np.uint16)[None].repeat(64, 0)
    cv2.imwrite(str(tmp_path / "grey.png"), ramp)
    cv2.imwrite(str(tmp_path / "colour.png"), np.dstack([ramp, ramp // 2, ramp[:, ::-1]]))
    done = stylecam("grey.png", "-o", "grey_out.png", cwd=tmp_path)
    assert b"16 bits a channel became 8" in done.stdout
    found = cv2.imread(str(tmp_path / "grey_out.png"))
    assert np.abs(found[..., 0] - np.round(ramp / 257)).max() <= 1
    stylecam("colour.png", "-o", "colour_out.png", cwd=tmp_path)
    found = cv2.imread(str(tmp_path / "colour_out.png"))
    assert np.abs(found[..., 2] - np.round(ramp[:, ::-1] / 257)).max() <= 1


@pytest.mark.parametrize("suffix", [".webp", ".avif", ".jpg", ".bmp", ".tif"])
def test_photo_formats(suffix: str, tmp_path: Path) -> None:
    if not cv2.haveImageWriter(f"a{suffix}"):
        pytest.skip(f"this OpenCV writes no {suffix}")
    image = PatternSource(96, 128).image(0)
    cv2.imwrite(str(tmp_path / f"a{suffix}"), image[..., ::-1])
    stylecam(f"a{suffix}", "-o", f"out{suffix}", cwd=tmp_path)
    stylecam(f"a{suffix}", "-o", "out.png", cwd=tmp_path)
    for name in (f"out{suffix}", "out.png"):
        assert psnr(cv2.imread(str(tmp_path / name))[..., ::-1], image) > 30


def test_a_photo_that_is_none_is_refused(tmp_path: Path) -> None:
    for name in ("a.heic", "a.avif", "a.png"):
        (tmp_path / name).write_bytes(b"dear diary\n" * 50)
        done = stylecam(name, "-o", "out.png", cwd=tmp_path, code=1)
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
    done = stylecam("a.jpg", "-o", output, cwd=tmp_path, code=1)
    assert says in done.stderr.decode()
    assert hint in done.stderr.decode()


def test_what_changes_nothing_of_a_photo_is_said(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.jpg"), PatternSource(64, 80).image(0))
    flags = ("--codec", "H264", "--pix-fmt", "gray", "--start", "3", "--keep-hdr", "--no-audio")
    done = stylecam("a.jpg", "-o", "out.jpg", *flags, cwd=tmp_path)
    said = "--start, --no-audio, --keep-hdr, --codec, --pix-fmt changed nothing: the input is a"
    assert said in done.stdout.decode()
    assert b"latency" not in done.stdout
    done = stylecam("a.jpg", "-o", "out.mp4", "--codec", "H264", "--no-audio", cwd=tmp_path)
    assert b"note: --no-audio changed nothing" in done.stdout


def test_a_video_named_as_a_photo_is_said(tmp_path: Path) -> None:
    Film().build(tmp_path / "a.mp4").rename(tmp_path / "a.jpg")
    done = stylecam("a.jpg", "-o", "out.mp4", cwd=tmp_path)
    assert b"it is a video, whose first picture is painted" in done.stdout


def test_nothing_is_left_in_the_folder(tmp_path: Path) -> None:
    Film().build(tmp_path / "a.mp4")
    stylecam("a.mp4", "-o", "out.mp4", cwd=tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"a.mp4", "out.mp4"}


def test_a_pattern_that_no_shell_expanded_is_expanded(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4", "c[1].mp4"):
        Film().build(tmp_path / name)
    assert "3 of 3 done" in stylecam("*.mp4", "-o", "out/", cwd=tmp_path).stdout.decode()
    stylecam("c[1].mp4", "-o", "one.mp4", cwd=tmp_path)  # a name, not a pattern
    assert b"*.avi" in stylecam("*.avi", "-o", "none/", cwd=tmp_path, code=1).stderr


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
    look = stylize.Look(style, engine=EngineOptions("echo"))
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
    outcome = stylize.Outcome(Path("z.mp4"), Stats(), "echo", interrupted=True, notes=["n"])
    assert Report([outcome], [], 1).lines() == [
        "note: n",
        "z.mp4: interrupted before the first frame: nothing was written",
    ]
