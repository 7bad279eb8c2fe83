"""A video through standard input and output, whole and in time."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from media import decode, packets, psnr, times
from media.clips import Film
from media.running import STYLECAM, echoed


def test_matroska_through_pipes(tmp_path: Path) -> None:
    """Sound and times go through standard input and output."""
    clip = Film(seconds=1, audio=("aac",)).build(tmp_path / "a.mkv")
    done = echoed("-", "-o", "-", cwd=tmp_path, stdin=clip.read_bytes())
    assert b"12 frames" in done.stderr
    output = tmp_path / "out.mkv"
    output.write_bytes(done.stdout)
    assert times(output) == times(clip)
    assert packets(output) == packets(clip)
    assert psnr(decode(output)[5], decode(clip)[5]) > 28
    echoed("-", "-o", "out.mp4", cwd=tmp_path, stdin=clip.read_bytes())
    assert [data for _, data in packets(tmp_path / "out.mp4")] == [d for _, d in packets(clip)]


@pytest.mark.parametrize("late", [0, 2], ids=["at once", "late"])
@pytest.mark.parametrize("piped", [False, True], ids=["file", "pipe"])
def test_sound_that_only_its_packets_describe_goes_into_a_pipe(
    piped: bool, late: int, tmp_path: Path
) -> None:
    """MPEG-TS has AAC so, and a pipe's header cannot be mended afterwards."""
    clip = Film(pts=range(90), seconds=1, audio_start=48_000 * late).build(tmp_path / "a.ts")
    echoed(clip, "-o", "file.mkv", cwd=tmp_path)
    given = clip.read_bytes() if piped else None
    done = echoed("-" if piped else clip, "-o", "-", cwd=tmp_path, stdin=given)
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
    echoed(clip, "-o", "file.mkv", cwd=tmp_path)
    given = clip.read_bytes() if piped else None
    done = echoed("-" if piped else clip, "-o", "-", cwd=tmp_path, stdin=given)
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
    echoed(clip, "-o", "file.mkv", cwd=tmp_path)
    echoed("-", "-o", "pipe.mkv", cwd=tmp_path, stdin=clip.read_bytes())
    found = packets(tmp_path / "pipe.mkv")
    assert found == packets(tmp_path / "file.mkv")
    assert [data for _, data in found] == [data for _, data in packets(clip)]


def test_y4m_through_pipes(tmp_path: Path) -> None:
    clip = Film(audio=()).build(tmp_path / "a.mp4")
    done = echoed(clip, "-o", "-", "--format", "y4m", cwd=tmp_path)
    assert b"frames numbered at 30 fps" in done.stderr
    raw = done.stdout
    assert raw.startswith(b"YUV4MPEG2 W128 H96 F30:1")
    again = echoed("-", "-o", "-", "--format", "y4m", cwd=tmp_path, stdin=raw).stdout
    (tmp_path / "out.y4m").write_bytes(again)
    frames = decode(tmp_path / "out.y4m")
    assert len(frames) == 12
    assert psnr(frames[7], decode(clip)[7]) > 40


def test_ten_bits_go_through_a_pipe_as_y4m(tmp_path: Path) -> None:
    """FFmpeg writes them only when told that y4m may be more than it once was."""
    quiet = {"x265-params": "log-level=error"}
    film = Film(codec="libx265", pix_fmt="yuv420p10le", audio=(), options=quiet)
    done = echoed(film.build(tmp_path / "a.mkv"), "-o", "-", "--format", "y4m", cwd=tmp_path)
    assert b"C420p10" in done.stdout[:80]
    assert done.stdout.count(b"FRAME\n") == 12


def test_y4m_says_that_pixels_were_not_square(tmp_path: Path) -> None:
    clip = Film(audio=(), aspect=Fraction(16, 11)).build(tmp_path / "a.mp4")
    done = echoed(clip, "-o", "-", "--format", "y4m", cwd=tmp_path)
    assert b"note: pixel aspect ratio 16/11 left out of y4m" in done.stderr


def test_what_cannot_come_through_a_pipe_is_told_as_that(tmp_path: Path) -> None:
    """An MP4 whose index is at its end is no broken file, and nothing at all is none either."""
    clip = Film(pts=range(900), audio=()).build(tmp_path / "a.mp4")
    data = clip.read_bytes()
    assert data.index(b"mdat") < data.index(b"moov")
    for given in (data, b"", b"dear diary"):
        done = echoed("-", "-o", "out.mp4", cwd=tmp_path, stdin=given, code=1)
        assert b"hint: name the file if there is one: most MP4s" in done.stderr
    done = echoed("-", "-o", "out.jpg", cwd=tmp_path, stdin=photo(), code=1)
    assert b"hint: standard input is read as a video: give a photo by its name" in done.stderr
    assert list(tmp_path.iterdir()) == [clip]


def photo() -> bytes:
    return cv2.imencode(".jpg", np.zeros((48, 64, 3), np.uint8))[1].tobytes()


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
