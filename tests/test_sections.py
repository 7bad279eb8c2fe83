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
from media.clips import Film
from stylecam.realtime.section import WHOLE, Section
from stylecam.realtime.sources import open_file
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
    with closing(open_file(path, stats=Stats(), section=section)) as source:
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
