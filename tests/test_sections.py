"""A part of a file has the pictures that the whole file has there, wherever its key frames are."""

from __future__ import annotations

import dataclasses
import hashlib
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from media import ANIMATION, decode, packets, psnr, times
from media.clips import Film
from media.running import echo, echoed
from stylecam.realtime.errors import UsageError
from stylecam.realtime.job import FileOptions
from stylecam.realtime.section import WHOLE, Section, parse_time
from stylecam.realtime.sources import Reading, open_file
from stylecam.realtime.stats import Stats

GOP: Any = {"g": "20", "bf": "3", "sc_threshold": "0"}
X264: Any = GOP | {"x264-params": "scenecut=0:bframes=3:b-adapt=0"}
FRAMES = 50
KINDS = {
    "index.mp4": Film(options=X264),
    "clusters.mkv": Film(options=X264),
    "fragments.mp4": Film(options=X264, muxer_options={"movflags": "frag_keyframe+empty_moov"}),
    "open gop.mp4": Film(options=GOP | {"x264-params": "open-gop=1:scenecut=0:b-adapt=0"}),
    "intra refresh.mp4": Film(options={"g": "20", "x264-params": "intra-refresh=1"}),
    "transport.ts": Film(options=X264),
    "open gop.ts": Film(options=GOP | {"x264-params": "open-gop=1:scenecut=0:b-adapt=0"}),
    "hevc.ts": Film(
        codec="libx265", options={"preset": "ultrafast", "x265-params": "log-level=0:keyint=20"}
    ),
    "program.mpg": Film(
        codec="mpeg2video", options=GOP, audio=("mp2",), rate=Fraction(25),
        time_base=Fraction(1, 25),
    ),
    "flash.flv": Film(options=X264),
    "raw.h264": Film(options=X264, audio=()),
    "b-frames.avi": Film(codec="mpeg4", options=GOP, audio=("mp3",)),
}  # fmt: skip


def read(path: Path, section: Section = WHOLE) -> tuple[list[Fraction], list[str], list[str]]:
    """Return the times, in the file's own clock, and the hashes of pictures, and what is said."""
    with closing(open_file(path, stats=Stats(), reading=Reading(section=section))) as source:
        frames = list(source)
        times = [frame.pts * frame.time_base + source.cut.shift_s for frame in frames]
        hashes = [hashlib.sha256(frame.image.tobytes()).hexdigest() for frame in frames]
        return times, hashes, source.notes


@pytest.mark.parametrize("name", KINDS)
def test_a_part_has_the_pictures_of_the_whole(name: str, tmp_path: Path) -> None:
    film = dataclasses.replace(KINDS[name], pts=range(FRAMES), seconds=2)
    clip = film.build(tmp_path / name)
    times, pictures, notes = read(clip)
    assert len(pictures) == FRAMES
    with av.open(str(clip)) as container:
        origin = Fraction(container.start_time or 0, 1_000_000)
        tick = container.streams.video[0].time_base
    for first in (1, 17, 18, 19, 20, 21, 45):
        begin = (times[first - 1] + times[first]) / 2
        found, part, said = read(clip, Section(begin - origin))
        assert part == pictures[first:]
        assert said == notes
        assert all(abs(a - b) < tick for a, b in zip(found, times[first:], strict=True))


def test_the_sound_of_a_part_is_moved_as_its_picture(tmp_path: Path) -> None:
    """Where the picture's clock has no finer ticks than frames, as in AVI and MXF."""
    film = Film(rate=Fraction(25), time_base=Fraction(1, 25), options={"bf": "0"})
    scale = {"video_track_timescale": "25"}
    clip = dataclasses.replace(film, muxer_options=scale).build(tmp_path / "a.mp4")
    output = tmp_path / "out.mp4"
    echo(clip, output, FileOptions(reading=Reading(section=Section(Fraction(1, 10)))))
    moved = times(clip)[3] - times(output)[0]
    sound = [t for t, _ in packets(clip) if t >= Fraction(1, 10)]
    assert abs(sound[0] - packets(output)[0][0] - moved) < Fraction(1, 1000)


def test_a_part_by_the_command(tmp_path: Path) -> None:
    echoed(
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
    late = echoed(ANIMATION, "-o", "no.mp4", "--start", "1:00:00", cwd=tmp_path, code=1)
    assert b"--start" in late.stderr
    for option in ("--start", "--duration"):
        assert b"is not a time" in echoed("a", option, "soon", cwd=tmp_path, code=2).stderr


def test_times_as_people_write_them() -> None:
    assert parse_time("--start", "90.25") == Fraction(361, 4)
    assert parse_time("--start", "1:30") == 90
    assert parse_time("--start", "1:00:00.04") == 3600 + Fraction(1, 25)
    assert parse_time("--start", None) is None
    for wrong in ("", "x", "1:2:3:4", "-5", "1/0"):
        with pytest.raises(UsageError):
            parse_time("--start", wrong)
