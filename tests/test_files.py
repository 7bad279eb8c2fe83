"""Real clips through the whole path: pictures, times, sound, colour."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from media import ANIMATION, SIGNING, ClipMaker, decode, packets, psnr, times
from media.clips import Film
from media.fields import fields
from rich.console import Console
from stylecam.realtime import engines, stylize
from stylecam.realtime.engines import Engine, EngineOptions
from stylecam.realtime.job import Look, Outcome
from stylecam.realtime.sources import open_file
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.realtime.stats import Stats
from stylecam.realtime.styles import DEFAULT, find
from stylecam.realtime.stylize import stylize_file

QUIET = Console(quiet=True)
ECHO = Look(find(DEFAULT), engine=EngineOptions("echo"))


def echo(path: Path, output: Path, look: Look = ECHO) -> Outcome:
    return stylize_file(path, output, look, console=QUIET)


@pytest.mark.parametrize("clip", [SIGNING, ANIMATION], ids=["signing", "animation"])
def test_a_real_clip_is_painted_whole(clip: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    outcome = stylize_file(clip, output, Look(find(DEFAULT), size="180"), console=QUIET)
    assert times(output) == times(clip)
    assert outcome.stats.frames == len(times(clip))
    assert outcome.stats.dropped == 0
    photo, painting = decode(clip)[50], decode(output)[50]
    assert painting.shape == photo.shape
    assert psnr(painting, photo) < 25


def test_sound_is_copied_bit_for_bit(tmp_path: Path) -> None:
    for name in ("out.mp4", "out.mkv"):
        echo(ANIMATION, tmp_path / name)
        before, after = packets(ANIMATION), packets(tmp_path / name)
        assert [data for _, data in after] == [data for _, data in before]
        off = [abs(a - b) for (a, _), (b, _) in zip(after, before, strict=True)]
        assert max(off) <= (0 if name == "out.mp4" else Fraction(1, 1000))  # Matroska: ms


def test_sound_a_container_cannot_hold_is_reencoded_and_said(tmp_path: Path) -> None:
    outcome = echo(ANIMATION, tmp_path / "out.webm")
    assert "sound re-encoded as Opus: webm cannot hold aac" in outcome.notes
    before, after = packets(ANIMATION), packets(tmp_path / "out.webm")
    assert abs(float(after[-1][0] - before[-1][0])) < 0.1
    clip = Film(audio=("libmp3lame",)).build(tmp_path / "a.mp4")
    notes = echo(clip, tmp_path / "mp3.webm").notes
    assert "sound re-encoded as Opus: webm cannot hold mp3" in notes


@pytest.mark.parametrize("codec", ["libopus", "flac"])
def test_sound_that_quicktime_cannot_hold_becomes_aac(codec: str, tmp_path: Path) -> None:
    clip = Film(audio=(codec,)).build(tmp_path / "a.mkv")
    says = f"sound re-encoded as AAC: mov cannot hold {codec.removeprefix('lib')}"
    assert says in echo(clip, tmp_path / "out.mov").notes
    before, after = heard(clip), heard(tmp_path / "out.mov")
    samples = min(before.size, after.size)
    assert samples > 20_000
    assert np.corrcoef(before[:samples], after[:samples])[0, 1] > 0.95  # in time, too


@pytest.mark.parametrize("name", ["a.avi", "a.mkv"])
def test_raw_sound_without_a_layout_goes_into_mp4(name: str, tmp_path: Path) -> None:
    """AVI and Matroska tell how many channels there are, and MP4 has to say where."""
    clip = Film(audio=("pcm_s16le",), options={"bf": "0"}).build(tmp_path / name)
    with av.open(str(clip)) as container:
        assert container.streams.audio[0].layout.name == "2 channels"
    notes = echo(clip, tmp_path / "out.mp4").notes
    assert not any("sound" in note for note in notes)
    before, after = (b"".join(data for _, data in packets(p)) for p in (clip, tmp_path / "out.mp4"))
    assert before == after


@pytest.mark.parametrize("suffix", [".mov", ".mp4"])
def test_sound_with_a_coarse_clock_is_reencoded_in_time(suffix: str, tmp_path: Path) -> None:
    """In AVI the picture's clock ticks 25 times a second, this sound's 23 times."""
    film = Film(codec="mpeg4", options={}, audio=("wmav2",), seconds=2, rate=Fraction(25))
    clip = dataclasses.replace(film, time_base=Fraction(1, 25)).build(tmp_path / "a.avi")
    notes = echo(clip, tmp_path / f"out{suffix}").notes
    assert not any("damaged" in note for note in notes)
    before, after = heard(clip)[10_000:80_000], heard(tmp_path / f"out{suffix}")[10_000:80_000]
    assert np.corrcoef(before, after)[0, 1] > 0.95


def heard(path: Path) -> np.ndarray:
    """Return the sound from time 0 on, at 48 kHz."""
    mono = av.AudioResampler("flt", "mono")
    with av.open(str(path)) as container:
        chunks = [chunk for chunk in container.decode(audio=0) if chunk.pts is not None]
    silence = np.zeros(round(chunks[0].time * 48_000), np.float32)
    sounds = [m.to_ndarray()[0] for chunk in chunks for m in mono.resample(chunk)]
    return np.concatenate([silence, *sounds])


@pytest.mark.parametrize(
    ("codec", "layout", "kept"),
    [
        ("wavpack", "5.1", "5.1"),
        ("wavpack", "5.1(side)", "5.1"),
        ("wavpack", "5.0", "5.0"),
        ("wavpack", "6.1", "6.1"),
        ("wavpack", "mono", "mono"),
        ("wavpack", "4.0", "stereo"),
        ("pcm_f32le", "5.1", "5.1"),  # of which Matroska tells only how many there are
        ("pcm_f32le", "4.0", "stereo"),
    ],
)
def test_sound_all_around_stays_where_it_is(
    codec: str, layout: str, kept: str, make_clip: ClipMaker, tmp_path: Path
) -> None:
    """Each speaker has a pitch of its own."""
    count = av.AudioLayout(layout).nb_channels
    pitches = 200 + 100 * np.arange(count)
    with (
        av.open(str(make_clip())) as plain,
        av.open(str(tmp_path / "a.mkv"), "w") as container,
    ):
        picture = container.add_stream_from_template(plain.streams.video[0])
        sound = container.add_stream(codec, rate=48_000)
        sound.codec_context.layout = layout
        for packet in plain.demux(video=0):
            if packet.dts is not None:
                packet.stream = picture
                container.mux(packet)
        tones = 0.2 * np.sin(2 * np.pi * pitches * np.arange(48_000)[:, None] / 48_000)
        packed = tones.astype(np.float32).reshape(1, -1)
        chunk = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
        chunk.sample_rate, chunk.pts = 48_000, 0
        container.mux([*sound.encode(chunk), *sound.encode(None)])
    notes = echo(tmp_path / "a.mkv", tmp_path / "out.webm").notes
    how = "Opus, mixed to stereo" if kept == "stereo" else "Opus"
    assert f"sound re-encoded as {how}: webm cannot hold {codec}" in notes
    with av.open(str(tmp_path / "out.webm")) as container:
        stream = container.streams.audio[0]
        assert stream.layout.name == kept
        heard = np.concatenate([chunk.to_ndarray() for chunk in container.decode(audio=0)], 1)
    if kept != "stereo":
        loudest = np.abs(np.fft.rfft(heard[:, 4000:44_000])).argmax(1) * 48_000 / 40_000
        low = [c.name == "LFE" for c in av.AudioLayout(kept).channels]  # holds no such pitch
        assert np.where(low, pitches, loudest.round()).tolist() == pitches.tolist()


@pytest.mark.parametrize(
    ("pts", "time_base"),
    [
        ([0, 1, 2, 3, 4, 5], Fraction(1, 30)),
        ([0, 1001, 2002, 3003, 4004, 5005], Fraction(1, 30_000)),
        ([0, 40, 45, 200, 201, 500], Fraction(1, 1000)),
        ([90, 130, 135, 290, 291, 590], Fraction(1, 1000)),
        ([0, 512, 1100, 5000, 5020, 9999], Fraction(1, 12_800)),
    ],
    ids=["constant", "ntsc", "variable", "late start", "odd ticks"],
)
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_every_time_stamp_is_kept(
    suffix: str, pts: list[int], time_base: Fraction, make_clip: ClipMaker, tmp_path: Path
) -> None:
    clip = make_clip(f"clip{suffix}", frames=6, pts=pts, time_base=time_base, audio="aac")
    echo(clip, tmp_path / f"out{suffix}")
    assert times(tmp_path / f"out{suffix}") == times(clip)


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.avi", "mpeg4"), ("a.webm", "libvpx-vp9"), ("a.mkv", "ffv1"), ("a.mov", "libx264")],
)
def test_other_inputs(name: str, codec: str, make_clip: ClipMaker, tmp_path: Path) -> None:
    clip = make_clip(name, codec=codec)
    echo(clip, tmp_path / "out.mp4")
    assert len(decode(tmp_path / "out.mp4")) == 12


def test_a_video_that_claims_one_frame_is_no_photo(
    make_clip: ClipMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or each of its frames would have statistics of its own."""
    clip = make_clip("a.avi", codec="mpeg4")
    data = bytearray(clip.read_bytes())
    length = data.index(b"strh") + 40  # dwLength of the stream's header
    data[length : length + 4] = (1).to_bytes(4, "little")
    clip.write_bytes(data)
    opened = []

    def open_engine(options: EngineOptions, *given: Any, live: bool, **more: Any) -> Engine:
        opened.append((options.statistics, live))
        return engines.open_engine(options, *given, live=live, **more)

    monkeypatch.setattr(stylize, "open_engine", open_engine)
    with closing(open_file(clip, stats=Stats())) as source:
        assert source.info.frames == 1
    assert echo(clip, tmp_path / "out.mp4").stats.frames == 12
    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), PatternSource(48, 64).image(1))
    echo(photo, tmp_path / "painted.png")
    assert opened == [("smoothed", False), ("frame", True)]


@pytest.mark.parametrize(("height", "width"), [(97, 129), (18, 22), (96, 129)])
def test_odd_sizes_are_kept(height: int, width: int, tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), PatternSource(height, width).image(1))
    stylize_file(photo, tmp_path / "painted.png", Look(find(DEFAULT)), console=QUIET)
    assert cv2.imread(str(tmp_path / "painted.png")).shape == (height, width, 3)
    echo(photo, tmp_path / "still.mp4")
    assert decode(tmp_path / "still.mp4")[0].shape == (height, width, 3)


@pytest.mark.parametrize("height", [480, 720], ids=["601", "709"])
def test_colours_come_back(height: int, tmp_path: Path) -> None:
    """Bars and a ramp, lossless in: what remains is the encoder's loss."""
    bars = np.zeros((height, 640, 3), np.uint8)
    for index in range(8):
        bars[: height // 2, 80 * index : 80 * index + 80] = [
            255 * (index >> 2 & 1), 255 * (index >> 1 & 1), 255 * (index & 1)
        ]  # fmt: skip
    bars[height // 2 :] = (np.arange(640) * 255 // 639)[None, :, None]
    clip = tmp_path / "bars.mkv"
    with av.open(str(clip), "w") as container:
        stream = container.add_stream("ffv1", rate=30)
        stream.width, stream.height, stream.pix_fmt = 640, height, "yuv444p"
        for _ in range(3):
            rgb = av.VideoFrame.from_ndarray(bars, format="rgb24")
            matrix = "ITU709" if height >= 720 else "ITU601"
            container.mux(stream.encode(rgb.reformat(format="yuv444p", dst_colorspace=matrix)))
        container.mux(stream.encode(None))
    read = next(iter(open_file(clip, stats=Stats()))).image
    assert np.abs(read.astype(int) - bars).max() <= 3
    output = tmp_path / "out.mp4"
    echo(clip, output)
    with av.open(str(output)) as container:
        frame = next(container.decode(video=0))
        assert frame.colorspace == (1 if height >= 720 else 6)
        assert frame.color_range == 1
    back = next(iter(open_file(output, stats=Stats()))).image
    inside = np.s_[4 : height // 2 - 4, 40::80]  # the middle of each bar
    assert np.abs(back[inside].astype(int) - bars[inside]).max() <= 8  # x264 at crf 18
    ramp = np.s_[height // 2 + 8 : -8]
    assert np.abs(back[ramp].astype(int) - bars[ramp]).mean() < 1


def test_strength_zero_is_the_photo(make_clip: ClipMaker, tmp_path: Path) -> None:
    clip = make_clip()
    stylize_file(clip, tmp_path / "out.mkv", Look(find(DEFAULT), strength=0.0), console=QUIET)
    for before, after in zip(decode(clip), decode(tmp_path / "out.mkv"), strict=True):
        assert psnr(before, after) > 30


def test_a_corrupt_packet_is_skipped_and_counted(tmp_path: Path) -> None:
    data = bytearray(ANIMATION.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 4000] = b"\x55" * 4000
    clip = tmp_path / "damaged.mp4"
    clip.write_bytes(bytes(data))
    outcome = echo(clip, tmp_path / "out.mp4")
    assert outcome.stats.corrupt >= 1
    assert "damaged.mp4 is damaged" in outcome.notes[-1]
    assert len(decode(tmp_path / "out.mp4")) >= 100


@pytest.mark.parametrize("name", ["a.ts", "a.mkv"])
def test_fields_in_packets_of_their_own_are_no_damage(name: str, tmp_path: Path) -> None:
    """But pictures that are lost are told of."""
    coded = fields(40)
    assert _damage(tmp_path / name, coded) == (40, [])
    coded[40:44] = [b"\0\0\0\1\x41" + b"\xff" * 40] * 4
    said = f"{name} is damaged: 4 frames cannot be decoded"
    assert _damage(tmp_path / name, coded) == (38, [said])


def _damage(clip: Path, coded: list[bytes]) -> tuple[int, list[str]]:
    """Return how many frames come of H.264 fields, and what is said of damage."""
    raw, output = clip.with_suffix(".h264"), clip.with_name("out.mkv")
    raw.write_bytes(coded[0])
    with av.open(str(raw)) as given, av.open(str(clip), "w") as container:
        stream = container.add_stream_from_template(given.streams.video[0])
        for index, data in enumerate(coded):
            packet = av.Packet(data)
            packet.stream, packet.time_base = stream, Fraction(1, 50)
            packet.pts = packet.dts = index
            packet.duration, packet.is_keyframe = 1, index == 0
            container.mux(packet)
    output.unlink(missing_ok=True)
    outcome = echo(clip, output)
    return outcome.stats.frames, [note for note in outcome.notes if "damaged" in note]


def test_a_turned_video_comes_out_upright(make_clip: ClipMaker, tmp_path: Path) -> None:
    """A display matrix as phones write it: a quarter turn, put into the file's header."""
    clip = make_clip("turned.mp4", frames=4)
    data = clip.read_bytes()
    unity = b"".join(n.to_bytes(4, "big") for n in (0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000))
    minus = (-0x10000 & 0xFFFFFFFF).to_bytes(4, "big")
    quarter = (
        bytes(4) + (0x10000).to_bytes(4, "big") + bytes(4) + minus + bytes(4 * 2)
        + (96 << 16).to_bytes(4, "big") + bytes(4) + (0x40000000).to_bytes(4, "big")
    )  # fmt: skip
    header = data.index(b"tkhd")
    at = data.index(unity, header)
    clip.write_bytes(data[:at] + quarter + data[at + len(unity) :])
    source = open_file(clip, stats=Stats())
    image = next(iter(source)).image
    source.close()
    assert image.shape == (128, 96, 3)
    upright = np.rot90(PatternSource(96, 128).image(0), -1)  # the matrix says: a quarter clockwise
    assert psnr(image, np.ascontiguousarray(upright)) > 28
