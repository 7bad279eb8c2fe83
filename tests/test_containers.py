"""What containers do each in their own way, and what becomes of it in another."""

from __future__ import annotations

import dataclasses
import io
import itertools
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import av
import numpy as np
import pytest
from av.container import InputContainer
from media import decode, packets, times
from media.clips import Film
from media.running import ECHO
from rich.console import Console
from stylecam.realtime.errors import SinkError
from stylecam.realtime.frame import Frame, VideoInfo
from stylecam.realtime.job import FileOptions, Outcome
from stylecam.realtime.pictures import Converter
from stylecam.realtime.sinks import carry
from stylecam.realtime.sinks.codecs import CONTAINERS
from stylecam.realtime.sinks.encode import Encoder
from stylecam.realtime.sinks.formats import Coding, configure, settings_for
from stylecam.realtime.sinks.mux import Muxer
from stylecam.realtime.sinks.original import Original
from stylecam.realtime.sinks.packet_times import PacketTimes
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.realtime.stylize import stylize_file

if TYPE_CHECKING:
    from av.video.codeccontext import VideoCodecContext


class Counted(Original):
    """Notes what was opened."""

    opened: list[InputContainer]

    def open(self) -> InputContainer:
        container = super().open()
        self.opened.append(container)
        return container


def is_open(container: InputContainer) -> bool:
    try:
        return next(container.decode(video=0)) is not None
    except AssertionError:  # what PyAV says of one that is closed
        return False


def muxer_of(clip: Path, output: Path, opened: list[InputContainer]) -> Muxer:
    info = PatternSource(96, 128).info
    original = Counted(clip, 0)
    object.__setattr__(original, "opened", opened)
    return Muxer(str(output), settings_for(output, Coding(), info), info, original)


def echo(path: Path, output: Path, coding: Coding | None = None) -> Outcome:
    options = FileOptions(coding=coding or Coding())
    return stylize_file(path, output, ECHO, console=Console(quiet=True), options=options)


def test_the_input_is_opened_once_and_closed_however_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip, opened = Film().build(tmp_path / "a.mp4"), list[InputContainer]()
    muxer = muxer_of(clip, tmp_path / "out.mkv", opened)
    assert [is_open(container) for container in opened] == [True]
    muxer.abort()

    def fail(_: object) -> None:
        raise av.FFmpegError(22, "of its tags")

    monkeypatch.setattr(carry, "wanted_metadata", fail)
    with pytest.raises(av.FFmpegError, match="of its tags"):
        muxer_of(clip, tmp_path / "out.mkv", opened)
    assert [is_open(container) for container in opened] == [False, False]


@pytest.mark.parametrize("suffix", [".mov", ".mp4"])
def test_a_timecode_track_is_made_anew(suffix: str, tmp_path: Path) -> None:
    clip = Film(timecode="01:00:00:00").build(tmp_path / "a.mov")
    assert echo(clip, tmp_path / f"out{suffix}").notes == []
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        kinds = {s.type: s.metadata.get("timecode") for s in container.streams}
    assert kinds == {"video": "01:00:00:00", "audio": None, "data": "01:00:00:00"}
    assert times(tmp_path / f"out{suffix}") == times(clip)


def test_a_timecode_of_the_file_is_not_said_to_be_lost(tmp_path: Path) -> None:
    film = Film(codec="mpeg2video", audio=("pcm_s16le",), rate=Fraction(25), options={})
    clip = dataclasses.replace(film, time_base=Fraction(1, 25)).build(tmp_path / "a.mxf")
    notes = "\n".join(echo(clip, tmp_path / "out.mp4").notes)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert [s.metadata["timecode"] for s in container.streams.data] == ["00:00:00:00"]
    assert "product_name" in notes
    assert "timecode" not in notes


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_sound_that_an_edit_list_hides_stays_hidden(suffix: str, tmp_path: Path) -> None:
    clip = Film(audio_start=-40_000, seconds=1.5).build(tmp_path / "a.mp4")
    assert packets(clip)[0][0] < -0.8
    echo(clip, tmp_path / f"out{suffix}")
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        heard = [frame.time for frame in container.decode(audio=0)]
    assert -0.03 < heard[0] <= 0
    assert len(heard) * 1024 / 48_000 == pytest.approx(1.5 - 40_000 / 48_000, abs=0.05)


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [
        ("a.mov", "prores_ks", "yuva444p10le"),
        ("a.webm", "libvpx-vp9", "yuva420p"),
        ("a.apng", "apng", "rgba"),
    ],
)
@pytest.mark.parametrize("opacity", [128, 255])
def test_transparency_is_left_out_and_said(
    name: str, codec: str, pix_fmt: str, opacity: int, tmp_path: Path
) -> None:
    with av.open(str(tmp_path / name), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = 80, 64, pix_fmt
        picture = np.full((64, 80, 4), opacity, np.uint8)
        frame = av.VideoFrame.from_ndarray(picture, format="rgba").reformat(format=pix_fmt)
        frame.pts, frame.time_base = 0, Fraction(1, 10)
        container.mux([*stream.encode(frame), *stream.encode(None)])
    notes = echo(tmp_path / name, tmp_path / "out.webm").notes
    said = "transparency left out: the painting is opaque" in notes
    assert said == (opacity < 255 or name == "a.webm")  # which only tells that it may be
    with av.open(str(tmp_path / "out.webm")) as container:
        assert "alpha_mode" not in container.streams.video[0].metadata


def test_a_360_degree_video_that_becomes_flat_is_said(tmp_path: Path) -> None:
    made = bytearray(Film().build(tmp_path / "a.mp4").read_bytes())
    tags = {"Spherical": "true", "Stitched": "true", "StitchingSoftware": "ours"}
    tags["ProjectionType"] = "equirectangular"
    told = "".join(f"<GSpherical:{tag}>{text}</GSpherical:{tag}>" for tag, text in tags.items())
    document = f"<rdf:SphericalVideo>{told}</rdf:SphericalVideo>"
    kind = bytes.fromhex("ffcc8263f8554a938814587a02521fdd")
    box = (24 + len(document)).to_bytes(4, "big") + b"uuid" + kind + document.encode()
    film, track = made.index(b"moov") - 4, made.index(b"trak") - 4
    assert film > made.index(b"mdat")  # else all offsets would be others
    end = track + int.from_bytes(made[track : track + 4], "big")
    for at in (film, track):
        size = int.from_bytes(made[at : at + 4], "big") + len(box)
        made[at : at + 4] = size.to_bytes(4, "big")
    made[end:end] = box
    (tmp_path / "a.mp4").write_bytes(made)
    notes = echo(tmp_path / "a.mp4", tmp_path / "out.mp4").notes
    assert notes == ["360° projection left out: players show the picture flat"]


def test_a_broadcast_clock_begins_at_zero(tmp_path: Path) -> None:
    clip = Film(muxer_options={"output_ts_offset": "50000"}, audio_start=9600).build(
        tmp_path / "a.ts"
    )
    assert times(clip)[0] >= 50_000
    assert echo(clip, tmp_path / "out.mp4").notes == []
    pictures, sound = times(tmp_path / "out.mp4"), packets(tmp_path / "out.mp4")
    assert min(pictures[0], sound[0][0]) == 0
    gap = packets(clip)[0][0] - times(clip)[0]
    assert sound[0][0] - pictures[0] == pytest.approx(gap, abs=1e-4)


def test_pictures_before_zero_are_shown(tmp_path: Path) -> None:
    clip = Film(
        pts=range(-150, 250, 40),
        time_base=Fraction(1, 1000),
        options={"bf": "0"},
        muxer_options={"avoid_negative_ts": "disabled"},
    ).build(tmp_path / "a.asf")
    assert times(clip)[0] < 0
    assert "began at -0." in echo(clip, tmp_path / "out.mp4").notes[0]
    shift = times(clip)[0]
    assert times(tmp_path / "out.mp4")[:9] == [time - shift for time in times(clip)][:9]
    assert len(decode(tmp_path / "out.mp4")) == 10
    sound = packets(tmp_path / "out.mp4")[1][0], packets(clip)[1][0]
    assert sound[0] + shift == pytest.approx(sound[1], abs=1e-3)


@pytest.mark.parametrize(
    ("name", "rate", "rounded"),
    [
        *(("out.mkv", 10, False), ("out.mkv", 30, True)),
        *(("out.gif", 10, False), ("out.gif", 30, True), ("out.mp4", 30, False)),
    ],
)
def test_rounding_is_said_where_a_stamp_is_rounded(
    name: str, rate: int, rounded: bool, tmp_path: Path
) -> None:
    base = Fraction(1, 3 * rate) if rounded else Fraction(1, rate * 512)
    pts = [round(n / rate / base) for n in range(12)]
    film = Film(pts=pts, time_base=base, rate=Fraction(rate), audio=())
    clip = film.build(tmp_path / "a.mp4")
    notes = echo(clip, output := tmp_path / name).notes
    assert any("time stamps rounded" in note for note in notes) == rounded
    assert (times(output) != times(clip)) == rounded


def test_a_phone_s_tags_are_kept(tmp_path: Path) -> None:
    tags = {
        "com.apple.quicktime.make": "Apple",
        "com.apple.quicktime.location.ISO6709": "+52.5200+013.4050/",
        "title": "Home",
        "creation_time": "2020-02-02T02:02:02.000000Z",
    }
    film = Film(metadata=tags, chapters=True, muxer_options={"movflags": "use_metadata_tags"})
    clip = film.build(tmp_path / "a.mov")
    assert echo(clip, tmp_path / "out.mov").notes == []
    with av.open(str(tmp_path / "out.mov")) as container:
        assert tags.items() <= container.metadata.items()
        assert len(container.chapters()) == 3
    assert (tmp_path / "out.mov").read_bytes().index(b"moov") < 100  # still to be streamed


@pytest.mark.parametrize("codec", ["h264", "hevc"])
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p", "yuv444p"])
def test_coarser_chroma_is_said(codec: str, pix_fmt: str, tmp_path: Path) -> None:
    clip = Film(pix_fmt=pix_fmt, pts=range(3), audio=()).build(tmp_path / "a.mp4")
    notes = echo(clip, tmp_path / "out.mp4", Coding(codec=codec)).notes
    assert notes == [
        f"chroma of 4:{pix_fmt[4]}:{pix_fmt[5]} became 4:2:0, which plays everywhere; "
        f"--pix-fmt {pix_fmt} keeps it"
    ] * (pix_fmt != "yuv420p")
    assert echo(clip, tmp_path / "as.mp4", Coding(codec=codec, pix_fmt=pix_fmt)).notes == []
    with av.open(str(tmp_path / "as.mp4")) as container:
        assert container.streams.video[0].pix_fmt == pix_fmt


def test_a_camcorder_s_dv_has_the_rate_of_its_pictures(tmp_path: Path) -> None:
    """FFmpeg gives 60000 a second, which MP4 and MOV refuse."""
    rate = Fraction(25)
    film = Film(576, 720, range(6), 1 / rate, rate, codec="dvvideo", options={}, audio=())
    clip = film.build(tmp_path / "a.dv")
    echo(clip, tmp_path / "out.mp4")
    assert times(tmp_path / "out.mp4") == times(clip)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].average_rate == rate


def test_no_finer_chroma_is_recommended_for_av1(tmp_path: Path) -> None:
    clip = Film(pix_fmt="yuv444p", pts=range(3), audio=()).build(tmp_path / "a.mp4")
    notes = echo(clip, tmp_path / "out.mp4", Coding("av1")).notes
    assert notes == ["chroma of 4:4:4 became 4:2:0, all that libsvtav1 writes"]


def test_a_header_that_is_refused_costs_no_painting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = CONTAINERS[".mp4"]._replace(options={"movflags": "no_such_flag"})
    monkeypatch.setitem(CONTAINERS, ".mp4", wrong)
    said = io.StringIO()
    clip = Film().build(tmp_path / "a.mp4")
    with pytest.raises(SinkError, match="cannot be written"):
        stylize_file(clip, tmp_path / "out.mp4", ECHO, console=Console(file=said))
    assert said.getvalue() == ""  # no engine was opened
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_recordings_put_one_behind_the_other_go_on(suffix: str, tmp_path: Path) -> None:
    one = Film(pts=range(45), seconds=1.5).build(tmp_path / "a.ts")
    clip = tmp_path / "three.ts"
    clip.write_bytes(3 * one.read_bytes())
    notes = echo(clip, output := tmp_path / f"out{suffix}").notes
    assert "time stamps jump back 2 times: the rest was placed after them" in notes
    assert not any("damaged" in note or "placed right after" in note for note in notes)
    found = times(output)
    assert len(found) == 135
    assert {round(float(b - a), 2) for a, b in itertools.pairwise(found)} == {0.03}
    sound = packets(output)
    assert len(packets(clip)) - len(sound) <= 8  # those that overlap
    gaps = [float(b - a) for (a, _), (b, _) in itertools.pairwise(sound)]
    assert 0 < min(gaps) <= max(gaps) < 0.1
    echo(one, alone := tmp_path / f"alone{suffix}")
    for part in range(3):  # as far from the picture as before
        at = next(n for n, (t, _) in enumerate(sound) if t > found[45 * part] + 1)
        same = [t for t, data in packets(alone) if data == sound[at][1]]
        lead = sound[at][0] - found[45 * part] - (same[0] - times(alone)[0])
        assert abs(float(lead)) < 0.002


def test_a_clock_that_jumps_for_the_sound_only_is_not_waited_for_long(tmp_path: Path) -> None:
    jumps = list[Fraction]()
    with av.open(str(Film(seconds=2).build(tmp_path / "a.mkv"))) as container:
        first, *_, last = (packet for packet in container.demux(audio=0) if packet.size)
        kept = PacketTimes(Original(tmp_path / "a.mkv", 0, jumps=jumps), [first.stream])
        assert not kept.waits(last, Fraction(0))
        assert kept.move(last)
        end_s = last.pts * last.time_base
        assert kept.waits(first, end_s + 50)
        assert not kept.waits(first, end_s + 70)
        assert not kept.waits(first, None)
        jumps.append(end_s + 1)
        assert not kept.waits(first, end_s)
        assert kept.move(first)
        assert first.pts * first.time_base == pytest.approx(end_s + 1, abs=0.05)


class Unset:
    """An encoder as x265 is where a clip ends before its delay: it gives decoding times that it
    never set.
    """

    is_open = True

    def __init__(self, codec: Any) -> None:
        self._codec = codec

    def encode(self, frame: av.VideoFrame | None) -> list[Any]:
        packets: list[Any] = self._codec.encode(frame)
        for packet in packets:
            packet.dts -= 1 << 62
        return packets


@pytest.mark.parametrize("count", [1, 2])
def test_a_clip_shorter_than_the_delay_has_decoding_times(count: int) -> None:
    info = VideoInfo(height=96, width=128, fps=Fraction(25), time_base=Fraction(1, 50))
    settings = settings_for(Path("out.mp4"), Coding(), info)
    codec = cast("VideoCodecContext", av.CodecContext.create(settings.encoder, "w"))
    configure(codec, settings, info)
    encoder = Encoder(cast("VideoCodecContext", Unset(codec)), settings, info, Converter())
    for index in range(count):
        picture = PatternSource(96, 128).image(index)
        frame = Frame(picture, 2 * index, info.time_base, captured_s=0, duration=2)
        assert encoder.encode(frame) == []
    assert [(packet.pts, packet.dts) for packet in encoder.encode(None)] == [(0, 0), (2, 2)][:count]
