"""Streams, time and geometry: what comes out against what went in, field by field."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from media import decode, packets, psnr, times
from media.clips import CHAPTERS, QUARTERS, Film
from media.probe import ffprobe, frame_times, needs_ffprobe, streams, table
from media.running import echo
from stylecam.realtime.job import FileOptions
from stylecam.realtime.section import Section
from stylecam.realtime.sinks import carry, workfolder
from stylecam.realtime.sources import Reading
from stylecam.realtime.sources.pattern import PatternSource

EVERYTHING = {
    "all.mkv": Film(
        audio=("aac", "ac3"),
        subtitles="subrip",
        chapters=True,
        attachment=True,
        cover=True,
        metadata={"title": "Home", "artist": "Ann"},
    ),
    "all.mp4": Film(
        audio=("aac", "ac3"),
        subtitles="mov_text",
        chapters=True,
        cover=True,
        data=True,
        metadata={"title": "Home", "artist": "Ann", "creation_time": "2020-02-02T02:02:02Z"},
    ),
    "all.mov": Film(audio=("pcm_s16le",), chapters=True, metadata={"title": "Home"}),
    "all.webm": Film(codec="libvpx-vp9", options={"cpu-used": "8"}, audio=("libopus",)),
}
FIELDS = [
    *("codec_name", "codec_tag_string", "profile", "sample_rate", "channels", "channel_layout"),
    *("time_base", "start_pts", "duration_ts", "nb_read_packets", "bits_per_raw_sample"),
]


@needs_ffprobe
@pytest.mark.parametrize("name", EVERYTHING)
def test_every_stream_is_carried(name: str, tmp_path: Path) -> None:
    clip = EVERYTHING[name].build(tmp_path / name)
    output = tmp_path / f"out{clip.suffix}"
    outcome = echo(clip, output)
    assert outcome.notes == []
    fields = FIELDS
    before, after = table(clip, fields), table(output, fields)
    for row_before, row_after in zip(before, after, strict=True):
        if row_before["kind"] in ("video", "cover"):  # coded anew; a cover lasts as long as all
            for field in ("profile", "duration_ts", "bits_per_raw_sample"):
                row_before.pop(field), row_after.pop(field)
        if row_before["codec_name"] == "mov_text":  # FFmpeg fills gaps with empty lines
            row_before.pop("nb_read_packets"), row_after.pop("nb_read_packets")
        assert row_after == row_before
    picture = streams(clip, "video")[0], streams(output, "video")[0]
    for field in ("width", "height", "avg_frame_rate", "start_time", "pix_fmt", "disposition"):
        assert picture[1].get(field) == picture[0].get(field), field
    for kind in ("audio", "subtitle", "data"):
        for index in range(len(streams(clip, kind))):
            assert _payload(output, kind, index) == _payload(clip, kind, index)
    one, other = ffprobe(clip), ffprobe(output)
    own = ("encoder", "major_brand", "minor_version", "compatible_brands")
    tags = [
        {k.lower(): v for k, v in probe["format"].get("tags", {}).items() if k.lower() not in own}
        for probe in (one, other)
    ]
    assert tags[0] == tags[1]
    chapters = [
        [(c["start_time"], c["end_time"], c["tags"]) for c in probe["chapters"]]
        for probe in (one, other)
    ]
    assert chapters[0] == chapters[1]
    assert len(chapters[1]) == (len(CHAPTERS) if EVERYTHING[name].chapters else 0)
    assert abs(float(one["format"]["duration"]) - float(other["format"]["duration"])) < 0.002


def _payload(path: Path, kind: str, index: int) -> list[tuple[Fraction, bytes]]:
    with av.open(str(path)) as container:
        stream = [s for s in container.streams if s.type == kind][index]
        return [
            (packet.pts * packet.time_base, bytes(packet))
            for packet in container.demux(stream)
            if packet.size > 2  # not an empty line of text
        ]


@pytest.mark.parametrize(
    ("name", "suffix", "says"),
    [
        ("all.mkv", ".mp4", ["subtitles left out: mp4 cannot hold srt", "attachment left out"]),
        ("all.mp4", ".mkv", ["subtitles left out: matroska", "data left out: matroska"]),
        ("all.mp4", ".mov", ["cover or attachment left out: mov"]),
        ("all.mp4", ".webm", ["sound re-encoded as Opus", "subtitles left out: webm"]),
        ("all.mkv", ".gif", ["sound left out: gif", "chapters left out", "metadata left out"]),
    ],
)
def test_what_a_container_cannot_hold_is_said(
    name: str, suffix: str, says: list[str], tmp_path: Path
) -> None:
    clip = EVERYTHING[name].build(tmp_path / name)
    notes = "\n".join(echo(clip, tmp_path / f"out{suffix}").notes)
    for line in says:
        assert line in notes


def test_metadata_a_container_cannot_hold_is_said(tmp_path: Path) -> None:
    clip = Film(metadata={"TITLE": "Home", "SCANNER": "x7"}).build(tmp_path / "a.mkv")
    assert "metadata left out: mp4 cannot hold SCANNER" in echo(clip, tmp_path / "out.mp4").notes


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_tags_that_are_not_utf8_are_carried(suffix: str, tmp_path: Path) -> None:
    clip = Film(metadata={"title": "Grosse"}).build(tmp_path / f"a{suffix}")
    clip.write_bytes(clip.read_bytes().replace(b"Grosse", b"Gr\xf6\xdfe!"))
    assert echo(clip, tmp_path / f"out{suffix}").notes == []
    assert b"Gr\xf6\xdfe!" in (tmp_path / f"out{suffix}").read_bytes()


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("before", [".mp4", ".mov", ".mkv"])
def test_the_title_of_a_track_is_kept(before: str, suffix: str, tmp_path: Path) -> None:
    clip = Film(audio_title="Commentary").build(tmp_path / f"a{before}")
    echo(clip, tmp_path / f"out{suffix}")
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        metadata = container.streams.audio[0].metadata
    assert metadata["title" if suffix == ".mkv" else "name"] == "Commentary"


def test_no_audio(tmp_path: Path) -> None:
    clip = EVERYTHING["all.mkv"].build(tmp_path / "all.mkv")
    outcome = echo(clip, tmp_path / "out.mkv", FileOptions(audio=False))
    assert outcome.notes == []
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert not container.streams.audio
        assert container.streams.subtitles


def test_a_second_picture_is_left_out_and_said(tmp_path: Path) -> None:
    clip = tmp_path / "two.mkv"
    with av.open(str(clip), "w") as container:
        tracks = [container.add_stream("libx264", rate=30) for _ in range(2)]
        for size, track in zip((64, 32), tracks, strict=True):
            track.width, track.height, track.pix_fmt = size, size, "yuv420p"
        for track in tracks:
            frame = av.VideoFrame(track.width, track.height, "yuv420p")
            frame.pts = 0
            container.mux([*track.encode(frame), *track.encode(None)])
    assert "second video" in echo(clip, tmp_path / "out.mkv").notes[0]
    assert decode(tmp_path / "out.mkv")[0].shape == (64, 64, 3)


@pytest.mark.parametrize("first", ["mp4", "mkv"])
def test_a_cover_is_not_taken_for_the_film(first: str, tmp_path: Path) -> None:
    clip = Film(cover=True).build(tmp_path / f"a.{first}")
    echo(clip, tmp_path / "out.mkv")
    assert decode(tmp_path / "out.mkv")[0].shape == (96, 128, 3)


TIMES = {
    "constant.mp4": Film(),
    "ntsc.mp4": Film(
        pts=range(0, 12 * 1001, 1001), time_base=Fraction(1, 30_000), rate=Fraction(30_000, 1001)
    ),
    "variable.mp4": Film(pts=[0, 40, 45, 200, 201, 500, 503], time_base=Fraction(1, 1000)),
    "variable no b-frames.mp4": Film(
        pts=[0, 40, 45, 200, 201, 500], time_base=Fraction(1, 1000), options={"bf": "0"}
    ),
    "late picture.mp4": Film(pts=range(90, 102)),
    "late sound.mp4": Film(audio_start=9600),
    "both late.mp4": Film(pts=range(31, 43), audio_start=40_001),
    "fine offset.mp4": Film(
        pts=range(31, 43), audio_start=40_001, muxer_options={"movie_timescale": "240000"}
    ),
    "gap after a segment.mp4": Film(
        pts=[0, 1, 2, 3, 4, 10, 1000, 2000, 3000, 3001],
        time_base=Fraction(1, 1000),
        options={"bf": "3", "b-adapt": "0"},
    ),
    "edit list.mp4": Film(pts=range(-5, 12)),
    "no edit list.mp4": Film(muxer_options={"use_editlist": "0"}),
    "fragments.mp4": Film(muxer_options={"movflags": "frag_keyframe+empty_moov"}),
    "many b-frames.mp4": Film(options={"bf": "8", "b-adapt": "0", "refs": "4"}, pts=range(30)),
    "quicktime.mov": Film(time_base=Fraction(1, 600), pts=range(0, 240, 20)),
    "odd clock.mp4": Film(pts=[0, 512, 1100, 5000, 5020, 9999], time_base=Fraction(1, 12_800)),
    "late.mkv": Film(pts=[90, 130, 135, 290, 291, 590], time_base=Fraction(1, 1000)),
    "b-frames.mkv": Film(options={"bf": "3", "b-adapt": "0"}),
    "one frame.mp4": Film(pts=[7]),
    "transport.ts": Film(options={"bf": "2"}),
    "program.mpg": Film(
        codec="mpeg2video", options={"bf": "2"}, audio=("mp2",), rate=Fraction(25),
        time_base=Fraction(1, 25),
    ),
    "avi.avi": Film(audio=("mp3",)),
}  # fmt: skip


@needs_ffprobe
@pytest.mark.parametrize("segment", [5, 128], ids=["segments", "whole"])
@pytest.mark.parametrize("name", TIMES)
def test_every_time_is_kept(
    name: str, segment: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pictures and sound to the tick, whether or not the picture is coded in pieces."""
    monkeypatch.setattr(workfolder, "SEGMENT_FRAMES", segment)
    clip = TIMES[name].build(tmp_path / name)
    suffix = clip.suffix if clip.suffix in (".mp4", ".mov", ".mkv") else ".mp4"
    outcome = echo(clip, tmp_path / f"out{suffix}")
    output = tmp_path / f"out{suffix}"
    assert outcome.notes in ([], ["metadata left out: mp4 cannot hold software"])
    expected, found, origin = frame_times(clip), frame_times(output), Fraction(0)
    if name in ("transport.ts", "program.mpg"):  # whose clock begins anywhere
        origin = Fraction(round(float(ffprobe(clip)["format"]["start_time"]) * 90_000), 90_000)
        assert origin > 0
        expected = [time - origin for time in expected]
    if name == "avi.avi":  # it has decoding times only
        expected = [Fraction(index, 30) for index in range(12)]
    assert found == expected
    assert times(output) == expected
    if clip.suffix == suffix:
        assert _last_duration(output) == _last_duration(clip) > 0
    assert len(found) == len(TIMES[name].pts) - (5 if name == "edit list.mp4" else 0)
    before, after = streams(clip, "audio")[0], streams(output, "audio")[0]
    tick = Fraction(after["time_base"])
    before_s = before["start_pts"] * Fraction(before["time_base"]) - origin
    shift = after["start_pts"] * tick - before_s
    assert abs(shift) < tick
    assert after["nb_read_packets"] == before["nb_read_packets"]
    if clip.suffix == suffix:
        lengths = [float(ffprobe(path)["format"]["duration"]) for path in (clip, output)]
        assert lengths[1] == pytest.approx(lengths[0], abs=0.0021)


def _last_duration(path: Path) -> Fraction:
    with av.open(str(path)) as container:
        *_, last = container.decode(video=0)
        assert last.time_base is not None
        return last.duration * last.time_base


def test_missing_and_repeating_times_are_mended_and_said(tmp_path: Path) -> None:
    clip = Film(pts=[0, 33, 33, 66, 100], time_base=Fraction(1, 1000)).build(tmp_path / "a.mkv")
    outcome = echo(clip, tmp_path / "out.mkv")
    assert times(tmp_path / "out.mkv") == [Fraction(t, 1000) for t in (0, 33, 34, 66, 100)]
    assert "1 frame had no time stamp" in outcome.notes[0]


@pytest.mark.parametrize("rate", [25, 30])
def test_coded_pictures_without_a_container_keep_their_rate(rate: int, tmp_path: Path) -> None:
    """FFmpeg takes 25 for it, whatever they say themselves."""
    raw = tmp_path / "raw.h264"
    with av.open(str(raw), "w", format="h264") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height = 64, 48
        for index in range(8):
            frame = av.VideoFrame.from_ndarray(PatternSource(48, 64).image(index), format="rgb24")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    outcome = echo(raw, tmp_path / "raw.mp4")
    assert "8 frames had no time stamp" in outcome.notes[0]
    found = times(tmp_path / "raw.mp4")
    assert len(found) == 8
    assert {b - a for a, b in itertools.pairwise(found)} == {Fraction(1, rate)}


def test_a_part_begins_at_zero_with_its_sound(tmp_path: Path) -> None:
    clip = Film(pts=range(60, 120), seconds=4, audio_start=96_000).build(tmp_path / "a.mp4")
    part = FileOptions(reading=Reading(section=Section(Fraction(1, 2), Fraction(1))))
    echo(clip, tmp_path / "out.mp4", part)
    origin = min(times(clip)[0], packets(clip)[0][0])
    wanted = [t for t in times(clip) if origin + Fraction(1, 2) <= t < origin + Fraction(3, 2)]
    found = times(tmp_path / "out.mp4")
    assert len(found) == len(wanted)
    offset = wanted[0] - found[0]
    assert [t - offset for t in wanted] == found
    assert abs(offset - (origin + Fraction(1, 2))) < Fraction(1, 15_360)
    sound = packets(tmp_path / "out.mp4")
    inside = [p for p in packets(clip) if 0 <= p[0] - offset < 1]
    assert [data for _, data in sound] == [data for _, data in inside]
    assert abs(sound[0][0] - (inside[0][0] - offset)) <= Fraction(1, 15_360)
    first = PatternSource(96, 128).image(len([t for t in times(clip) if t < wanted[0]]))
    assert psnr(decode(tmp_path / "out.mp4")[0], first) > 28


@pytest.mark.parametrize(
    ("extras", "most"), [({"cover": True}, 40), ({"subtitles": "mov_text"}, 510)]
)
def test_a_part_is_all_that_is_read(
    extras: dict[str, Any], most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever says nothing after the part, as a cover: of subtitles ten seconds more are read, as
    they may come late."""
    read: list[Any] = []
    demux = carry.Carried._demux

    def counted(self: carry.Carried) -> Iterator[Any]:
        for packet in demux(self):
            read.append(packet)
            yield packet

    monkeypatch.setattr(carry.Carried, "_demux", counted)
    clip = Film(seconds=15, **extras).build(tmp_path / "a.mp4")
    assert len(packets(clip)) > 700
    part = FileOptions(reading=Reading(section=Section(duration_s=Fraction(3, 10))))
    assert echo(clip, tmp_path / "out.mp4", part).notes == []
    assert len(read) < most
    assert packets(tmp_path / "out.mp4")[-1][0] < Fraction(3, 10)
    kinds = [stream.type for stream in av.open(str(tmp_path / "out.mp4")).streams]
    assert kinds == (["video", "audio", "video"] if "cover" in extras else [*kinds[:2], "subtitle"])


@given(
    height=st.integers(16, 90),
    width=st.integers(16, 90),
    steps=st.lists(st.integers(1, 400), min_size=1, max_size=9),
    start=st.integers(0, 5000),
    base=st.sampled_from([Fraction(1, n) for n in (24, 25, 30, 600, 1000, 12_800, 30_000, 90_000)]),
    rotation=st.sampled_from(QUARTERS),
    segment=st.integers(1, 6),
    bframes=st.integers(0, 4),
)
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_film_keeps_its_times_and_shape(
    *,
    height: int,
    width: int,
    steps: list[int],
    start: int,
    base: Fraction,
    rotation: tuple[int, bool, bool],
    segment: int,
    bframes: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("film")
    pts = list(np.cumsum([start, *steps]).tolist())
    film = Film(
        height - height % 2, width - width % 2, pts, base, Fraction(25),
        options={"bf": str(bframes)}, rotation=rotation, seconds=0.1,
    )  # fmt: skip
    clip = film.build(folder / "a.mp4")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workfolder, "SEGMENT_FRAMES", segment)
        echo(clip, folder / "out.mp4")
    assert times(folder / "out.mp4") == times(clip)
    shape = decode(folder / "out.mp4")[0].shape[:2]
    turned = rotation[0] % 180 != 0
    assert shape == ((film.width, film.height) if turned else (film.height, film.width))
    assert [t for t, _ in packets(folder / "out.mp4")] == [t for t, _ in packets(clip)]
