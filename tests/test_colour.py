"""Colours: what comes out of the echo engine against what went in, as coded and as tagged."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from media import decode, psnr
from media.clips import Film
from media.probe import needs_ffprobe, streams
from media.running import ECHO
from rich.console import Console
from stylecam.realtime.cli import main
from stylecam.realtime.colour import BT709
from stylecam.realtime.errors import SinkError
from stylecam.realtime.job import FileOptions, Outcome
from stylecam.realtime.pictures import Converter, as_rgb, from_frame, rgb_frame
from stylecam.realtime.sinks.codecs import CONTAINERS
from stylecam.realtime.sinks.formats import Coding, Settings, configure
from stylecam.realtime.sources import Reading
from stylecam.realtime.sources.convert import FrameConverter
from stylecam.realtime.sources.hdr import nits_to_pq, pq_to_nits, roll_off, tone_map
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.realtime.stylize import stylize_file

LIMITED, FULL_RANGE = 1, 2
WEIGHTS = {1: (0.2126, 0.0722), 6: (0.299, 0.114), 5: (0.299, 0.114), 9: (0.2627, 0.0593)}


def echo(
    path: Path, output: Path, coding: Coding | None = None, *, keep_hdr: bool = False
) -> Outcome:
    options = FileOptions(reading=Reading(keep_hdr=keep_hdr), coding=coding or Coding())
    return stylize_file(path, output, ECHO, console=Console(quiet=True), options=options)


def bars(height: int = 96, width: int = 160) -> np.ndarray:
    """Eight bars at 75 and 100 %, and a grey ramp below them."""
    image = np.zeros((height, width, 3), np.uint8)
    for index in range(8):
        column = np.s_[index * width // 8 : (index + 1) * width // 8]
        on = [index >> 2 & 1, index >> 1 & 1, index & 1]
        image[: height // 4, column] = [255 * bit for bit in on]
        image[height // 4 : height // 2, column] = [191 * bit for bit in on]
    image[height // 2 :] = (np.arange(width) * 255 // (width - 1))[None, :, None]
    return image


def coded(image: np.ndarray, matrix: int, full: bool, bits: int = 8) -> list[np.ndarray]:
    """Return Y, Cb, Cr of an RGB picture by the book (ITU-T H.273), rounded."""
    kr, kb = WEIGHTS[matrix]
    r, g, b = np.moveaxis(image.astype(float) / 255, -1, 0)
    y = kr * r + (1 - kr - kb) * g + kb * b
    cb, cr = (b - y) / (2 * (1 - kb)), (r - y) / (2 * (1 - kr))
    scale = 1 << (bits - 8)
    if full:
        top = (1 << bits) - 1
        values = [y * top, cb * top + 128 * scale, cr * top + 128 * scale]
        return [np.clip(np.round(v), 0, top) for v in values]
    return [
        np.round(value * scale) for value in (y * 219 + 16, cb * 224 + 128, cr * 224 + 128)
    ]  # fmt: skip


def write_planes(path: Path, planes: list[np.ndarray], pix_fmt: str, **tags: int) -> Path:
    """Write three lossless frames of given sample values; 4:2:0 takes every second colour."""
    height, width = planes[0].shape
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25, options={"strict": "-2"})
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        for name, value in tags.items():
            setattr(stream.codec_context, name, value)
        for index in range(3):
            frame = av.VideoFrame(width, height, pix_fmt)
            for plane, values in zip(frame.planes, planes, strict=True):
                step = width // plane.width
                kind = np.dtype("<u2" if "10" in pix_fmt else "u1")
                rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
                shown = np.ascontiguousarray(values[::step, ::step].astype(kind))
                rows[:, : plane.width * kind.itemsize] = shown.view(np.uint8)
            frame.pts = index
            for name, value in tags.items():
                if hasattr(frame, name):
                    setattr(frame, name, value)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def read_planes(path: Path) -> tuple[list[np.ndarray], av.VideoFrame]:
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        planes = []
        for plane in frame.planes:
            kind = np.dtype("<u2" if frame.format.components[0].bits > 8 else "u1")
            rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
            planes.append(rows[:, : plane.width * kind.itemsize].copy().view(kind).astype(float))
        return planes, frame


@pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("matrix", [1, 6], ids=["709", "601"])
@pytest.mark.parametrize("pix_fmt", ["yuv444p", "yuv420p"])
def test_bars_and_ramp_come_back_within_one(
    pix_fmt: str, matrix: int, full: bool, tmp_path: Path
) -> None:
    """Sample by sample as coded, lossless in and out; and RGB as any player shows it."""
    image = bars()
    tags = {
        "colorspace": matrix,
        "color_range": FULL_RANGE if full else LIMITED,
        "color_primaries": matrix,
        "color_trc": matrix,
    }
    planes = coded(image, matrix, full)
    clip = write_planes(tmp_path / "a.mkv", planes, pix_fmt, **tags)
    echo(clip, tmp_path / "out.mkv", Coding("ffv1", pix_fmt=pix_fmt))
    after, frame = read_planes(tmp_path / "out.mkv")
    for name, value in tags.items():
        assert int(getattr(frame, name)) == value
    step = 2 if pix_fmt == "yuv420p" else 1
    inside = np.ones(image.shape[:2], bool)  # not where two bars share a colour sample
    if step == 2:
        inside[:, [c for n in range(9) for c in range(20 * n - 4, 20 * n + 4) if 0 <= c < 160]] = 0
        inside[[r for edge in (24, 48) for r in range(edge - 4, edge + 4)]] = 0
    for index, (want, found) in enumerate(zip(planes, after, strict=True)):
        by = step if index else 1
        assert np.abs(found - want[::by, ::by])[inside[::by, ::by]].max() <= 1
    # What a player makes of it, by the book.
    y, cb, cr = (np.repeat(np.repeat(p, step, 0), step, 1) if n else p for n, p in enumerate(after))
    kr, kb = WEIGHTS[matrix]
    luma, cb, cr = (
        (y / 255, (cb - 128) / 255, (cr - 128) / 255)
        if full
        else ((y - 16) / 219, (cb - 128) / 224, (cr - 128) / 224)
    )
    red, blue = luma + 2 * (1 - kr) * cr, luma + 2 * (1 - kb) * cb
    green = (luma - kr * red - kb * blue) / (1 - kr - kb)
    shown = np.clip(np.stack([red, green, blue], -1) * 255, 0, 255)
    off = np.abs(shown - image)[inside]
    grey = np.abs(shown - image)[48:][inside[48:]]
    assert grey.max() <= (1.7 if not full else 1.01)  # half a step of 219 is 0.6 of 255, twice
    assert off.mean() <= 1


@pytest.mark.parametrize("planar", [False, True], ids=["rgb", "planes"])
@pytest.mark.parametrize("pix_fmt", ["gray", "ya8", "gray10le", "gray12le", "gray16le"])
@pytest.mark.parametrize("said", [LIMITED, FULL_RANGE, 0], ids=["limited", "full", "unsaid"])
def test_grey_is_as_light_as_it_says(said: int, pix_fmt: str, planar: bool, tmp_path: Path) -> None:
    bits = int(pix_fmt[4:-2] or 8) if pix_fmt.startswith("gray") and pix_fmt != "gray" else 8
    frame = av.VideoFrame(64, 16, pix_fmt)
    (plane,) = frame.planes
    row = np.zeros((64, 2 if pix_fmt == "ya8" else 1), np.uint16 if bits > 8 else np.uint8)
    ramp = (16 + np.arange(64) * 219 / 63).round().astype(int)  # 16 to 235
    row[:, 0] = ramp << (bits - 8)
    rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
    rows[:, : row.nbytes] = np.frombuffer(row.tobytes(), np.uint8)
    frame.color_range = said
    want = (ramp - 16) * 255 / 219 if said == LIMITED else ramp
    converter = FrameConverter(frame)
    shown = as_rgb(converter.planes(frame) if planar else converter.rgb(frame))
    assert np.abs(shown.astype(float) - want[None, :, None]).max() <= 1


def test_limited_grey_is_not_washed_out(tmp_path: Path) -> None:
    grey = np.repeat((16 + np.arange(160) * 219 // 159)[None], 96, 0)
    clip = write_planes(tmp_path / "a.mkv", [grey], "gray", color_range=LIMITED)
    echo(clip, tmp_path / "out.mkv", Coding("ffv1", pix_fmt="yuv444p"))
    after, frame = read_planes(tmp_path / "out.mkv")
    assert int(frame.color_range) == LIMITED
    assert np.abs(after[0] - grey).max() <= 1
    assert all(np.abs(chroma - 128).max() <= 1 for chroma in after[1:])


@needs_ffprobe
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
@pytest.mark.parametrize(
    ("numbers", "names"),
    [
        ((1, 1, 1), ("bt709", "bt709", "bt709")),
        ((6, 6, 6), ("smpte170m", "smpte170m", "smpte170m")),
        ((5, 5, 6), ("bt470bg", "bt470bg", "smpte170m")),
        ((9, 9, 14), ("bt2020nc", "bt2020", "bt2020-10")),
    ],
)
def test_tags_are_carried(
    numbers: tuple[int, int, int], names: tuple[str, str, str], suffix: str, tmp_path: Path
) -> None:
    tags = dict(zip(("colorspace", "color_primaries", "color_trc"), numbers, strict=True))
    for word, number in (("tv", LIMITED), ("pc", FULL_RANGE)):
        film = Film(colour={**tags, "color_range": number}, audio=())
        clip = film.build(tmp_path / f"{word}.mkv")
        output = tmp_path / f"{word}-out{suffix}"
        echo(clip, output)
        stream = streams(output, "video")[0]
        assert stream["color_range"] == word
        found = stream["color_space"], stream["color_primaries"], stream["color_transfer"]
        assert found == names
        assert psnr(decode(output)[0], decode(clip)[0]) > 28


@pytest.mark.parametrize("suffix", [".mov", ".mkv"])
def test_prores_says_its_colours_and_has_no_full_range(suffix: str, tmp_path: Path) -> None:
    tags = {"colorspace": 1, "color_primaries": 1, "color_trc": 1, "color_range": FULL_RANGE}
    clip = Film(colour=tags, options={"qp": "0"}, audio=()).build(tmp_path / "a.mp4")
    output = tmp_path / f"out{suffix}"
    echo(clip, output, Coding("prores"))
    with av.open(str(output)) as container:
        frame = next(container.decode(video=0))
    assert (frame.colorspace, frame.color_primaries, frame.color_trc) == (1, 1, 1)
    assert frame.color_range in (0, LIMITED)  # as decoders take it
    assert psnr(decode(output)[0], decode(clip)[0]) > 38


def test_the_size_as_coded_decides_what_is_left_open(tmp_path: Path) -> None:
    """A phone's 854x480 held upright is 854 lines high, and BT.601 all the same."""
    film = Film(48, 860, range(2), rotation=(90, False, False), audio=())
    echo(film.build(tmp_path / "a.mp4"), tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert next(container.decode(video=0)).colorspace == 6


def test_ten_bits_are_kept_where_the_codec_can(tmp_path: Path) -> None:
    quiet = {"x265-params": "log-level=error"}
    film = Film(codec="libx265", pix_fmt="yuv420p10le", audio=(), options=quiet)
    clip = film.build(tmp_path / "a.mkv")
    for codec, kept in (("hevc", True), ("av1", True), ("ffv1", True), ("h264", False)):
        output = tmp_path / f"{codec}.mkv"
        outcome = echo(clip, output, Coding(codec))
        planes, frame = read_planes(output)
        assert (frame.format.components[0].bits > 8) == kept, codec
        assert any("became 8" in note for note in outcome.notes) != kept
        assert len(planes) == 3
        assert psnr(decode(output)[0], decode(clip)[0]) > 30
    for name, remedy in (("a.gif", "-o out.mp4 --codec hevc"), ("a%03d.png", "-o out.mp4 --codec")):
        notes = echo(clip, tmp_path / name).notes
        assert any("became 8" in note and remedy in note for note in notes), name
    echo(clip, tmp_path / "asked.mkv", Coding("h264", pix_fmt="yuv420p10le"))
    assert read_planes(tmp_path / "asked.mkv")[1].format.name == "yuv420p10le"


HDR = {"colorspace": 9, "color_primaries": 9, "color_range": 1}


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_hdr_is_tone_mapped_and_said(transfer: int, name: str, tmp_path: Path) -> None:
    planes = coded(bars(), 9, False, bits=10)
    clip = write_planes(tmp_path / "a.mkv", planes, "yuv420p10le", **HDR, color_trc=transfer)
    outcome = echo(clip, tmp_path / "out.mp4")
    assert f"HDR ({name}) tone-mapped to SDR" in "\n".join(outcome.notes)
    assert "--keep-hdr --codec hevc keeps it" in "\n".join(outcome.notes)
    _, frame = read_planes(tmp_path / "out.mp4")
    tags = frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range
    assert tuple(map(int, tags)) == (1, 1, 1, 1)
    found = decode(tmp_path / "out.mp4")[0].astype(float)
    want = tone_map(bars() / 255.0, transfer) * 255
    middle = np.s_[54:90, 4:-4]  # the ramp; x264 and 4:2:0 between
    assert np.abs(found[middle] - want[middle]).mean() < 1.5
    assert np.diff(found[72, 4:-4].mean(-1)).min() >= -2  # brighter stays brighter


@pytest.mark.parametrize("transfer", [16, 18])
def test_hdr_colours_are_tone_mapped_from_row_to_row(transfer: int, tmp_path: Path) -> None:
    """Bars alone do not tell: where all rows are alike, swscale's rgb48le is right."""
    across, down = np.meshgrid(np.linspace(60, 190, 128), np.linspace(70, 180, 96))
    image = np.stack([across, down, across[:, ::-1]], -1)
    planes = coded(image, 9, False, bits=10)
    clip = write_planes(tmp_path / "a.mkv", planes, "yuv420p10le", **HDR, color_trc=transfer)
    echo(clip, tmp_path / "out.mp4")
    found = decode(tmp_path / "out.mp4")[0].astype(float)
    assert np.abs(found - tone_map(image / 255, transfer) * 255).mean() < 4


def test_the_tone_curve() -> None:
    nits = np.array([0.0, 0.1, 1, 10, 50, 100, 203, 500, 1000, 10_000])
    assert pq_to_nits(nits_to_pq(nits)) == pytest.approx(nits, rel=1e-6, abs=1e-6)
    assert nits_to_pq(np.array([100.0]))[0] == pytest.approx(0.5081, abs=1e-4)  # ST 2084
    mapped = roll_off(nits)
    assert mapped[:4] == pytest.approx(nits[:4], rel=1e-3, abs=1e-6)  # dark tones left alone
    assert mapped[-2:] == pytest.approx([203, 203])
    assert (np.diff(mapped) >= 0).all()
    grey = tone_map(np.full((1, 3), 0.4), 16)
    assert np.ptp(grey) < 0.002  # grey stays grey


def test_hdr_is_kept_when_asked(tmp_path: Path) -> None:
    planes = coded(bars(), 9, False, bits=10)
    clip = write_planes(tmp_path / "a.mkv", planes, "yuv420p10le", **HDR, color_trc=16)
    outcome = echo(clip, tmp_path / "out.mkv", Coding("hevc"), keep_hdr=True)
    assert "HDR (PQ) kept" in outcome.notes[0]
    after, frame = read_planes(tmp_path / "out.mkv")
    assert (int(frame.colorspace), int(frame.color_primaries), int(frame.color_trc)) == (9, 9, 16)
    assert frame.format.name == "yuv420p10le"
    assert np.abs(after[0][60:] - planes[0][60:]).mean() < 4  # of 1023
    for coding in (Coding("h264"), Coding("ffv1", pix_fmt="yuv410p")):
        with pytest.raises(SinkError, match="10 bits"):
            echo(clip, tmp_path / "flat.mkv", coding, keep_hdr=True)
    with pytest.raises(SinkError) as caught:
        echo(clip, tmp_path / "out.webm", Coding(), keep_hdr=True)
    assert "--codec av1" in caught.value.hint
    with pytest.raises(SinkError) as caught:
        echo(clip, tmp_path / "out.gif", Coding(), keep_hdr=True)
    assert "-o out.mp4 --codec hevc" in caught.value.hint  # --codec alone is refused there
    deeper = Coding("ffv1", pix_fmt="yuv420p12le")
    assert echo(clip, tmp_path / "deeper.mkv", deeper, keep_hdr=True).notes == outcome.notes
    with pytest.raises(SinkError, match="yuv420p11le"):
        echo(clip, tmp_path / "none.mkv", Coding("ffv1", pix_fmt="yuv420p11le"), keep_hdr=True)


def test_semi_planar_pixels_have_chroma_where_planar_ones_have(tmp_path: Path) -> None:
    """The encoder is given the same samples, and x264 says the same of chroma's place. What it
    codes is not compared: with AVX-512 that may differ from run to run.
    """
    clip = Film(audio=()).build(tmp_path / "a.mp4")
    image, converter = PatternSource(96, 128).image(0), Converter()
    heads, given = [], []
    for pix_fmt in ("yuv420p", "nv12"):
        frame = converter.convert(rgb_frame(image), pix_fmt, target=BT709)
        given.append(from_frame(frame, BT709).data)
        echo(clip, tmp_path / f"{pix_fmt}.mkv", Coding(pix_fmt=pix_fmt))
        with av.open(tmp_path / f"{pix_fmt}.mkv") as container:
            heads.append(container.streams.video[0].codec_context.extradata)
    assert np.array_equal(*given)
    assert heads[0] == heads[1]


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv420p10le", "nv12", "p010le"])
def test_encoders_are_told_where_chroma_lies(pix_fmt: str) -> None:
    codec = av.CodecContext.create("libx265", "w")
    assert isinstance(codec, av.VideoCodecContext)
    settings = Settings(CONTAINERS[".mkv"], "hevc", "libx265", {}, pix_fmt)
    configure(codec, settings, PatternSource(48, 64).info)
    assert codec.options["chroma_sample_location"] == "left"


def test_colours_that_cannot_be_converted_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = tmp_path / "ycgco.mkv"
    with av.open(clip, "w") as container:
        stream = container.add_stream("libx264", 10, width=64, height=48, pix_fmt="yuv420p")
        assert isinstance(stream, av.VideoStream)
        frame = av.VideoFrame(64, 48, "yuv420p")
        frame.colorspace = stream.codec_context.colorspace = 8
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert main([str(clip), "-o", str(tmp_path / "out.mp4"), "--engine", "echo"]) == 1
    said = capsys.readouterr().err
    assert "YCgCo" in said
    assert "zscale=matrix=709" in said
    assert not (tmp_path / "out.mp4").exists()
