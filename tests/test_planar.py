"""Pictures in planes, and the pipeline that carries them."""

from __future__ import annotations

from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from media.clips import Film
from stylecam.realtime.colour import BT601, BT709, Colour
from stylecam.realtime.engines import Engine
from stylecam.realtime.engines.echo import EchoEngine
from stylecam.realtime.engines.snapshotting import SnapshottingEngine
from stylecam.realtime.errors import EngineError
from stylecam.realtime.fit import fit
from stylecam.realtime.frame import Frame
from stylecam.realtime.job import FileOptions
from stylecam.realtime.outputs import open_output
from stylecam.realtime.pictures import Converter, Picture, Yuv420, as_rgb, from_frame, mix, to_frame
from stylecam.realtime.pipeline import run
from stylecam.realtime.sinks import NullSink, workfolder
from stylecam.realtime.sinks.formats import Coding
from stylecam.realtime.sources import open_file
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.realtime.stats import Stats
from stylecam.realtime.threads import Threads

SIZES = [(96, 128), (97, 131), (35, 64), (17, 17)]
FULL_709 = BT709._replace(range=2)
BT2020 = Colour(matrix=9, range=1, primaries=9, transfer=14)


def noise(height: int, width: int, colour: Colour = BT709, seed: int = 0) -> Yuv420:
    made = Yuv420.empty(height, width, colour)
    made.data[:] = np.random.default_rng(seed).integers(16, 236, made.data.shape)
    return made


def test_pictures_and_frames_are_equal_to_themselves_only() -> None:
    one, other = noise(16, 16), noise(16, 16)
    frames = [Frame(picture, 0, Fraction(1), 0.0) for picture in (one, other)]
    assert one in (other, one)
    assert one != other
    assert frames[0] in frames
    assert frames[0] != frames[1]


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_frame_shares_and_gives_back_every_sample(height: int, width: int) -> None:
    picture = noise(height, width)
    frame = to_frame(picture)
    assert (frame.height, frame.width, frame.format.name) == (height, width, "yuv420p")
    assert np.array_equal(from_frame(frame, BT709).data, picture.data)
    picture.planes[2][-1, -1] ^= 255
    shared = np.array_equal(from_frame(frame, BT709).data, picture.data)
    assert shared == (height % 2 == width % 2 == 0)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_nv12_is_the_same_picture(height: int, width: int) -> None:
    picture = noise(height, width)
    luma, blue, red = picture.planes
    frame = av.VideoFrame(width, height, "nv12")
    for plane, samples in zip(frame.planes, (luma, np.dstack([blue, red])), strict=True):
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        rows[: samples.shape[0], : samples[0].size] = samples.reshape(samples.shape[0], -1)
    assert np.array_equal(from_frame(frame, BT709).data, picture.data)


@pytest.mark.parametrize("colour", [BT601, BT709, FULL_709, BT2020])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_grey_and_smooth_colours_come_back_from_rgb(
    height: int, width: int, colour: Colour
) -> None:
    rows, columns = np.mgrid[0:height, 0:width]
    image = np.dstack([rows * 200 // height, columns * 200 // width, (rows + columns) // 2 % 200])
    image = (image // 8 * 8).astype(np.uint8)
    grey = image[..., :1].repeat(3, 2)
    back = Converter().to_planes(grey, colour).rgb
    assert np.abs(back.astype(int) - grey).max() <= 1
    smooth = PatternSource(height, width).image(0) // 16 + 100
    back = Converter().to_planes(smooth, colour).rgb
    assert np.abs(back.astype(int) - smooth).mean() < 2


def test_rgb_is_made_once() -> None:
    picture = noise(32, 32)
    assert picture.rgb is picture.rgb


def test_mixing_is_per_sample() -> None:
    photo, painting = noise(33, 35, seed=1), noise(33, 35, seed=2)
    mixed = mix(photo, painting, 0.3, Converter())
    wanted = 0.3 * painting.data + 0.7 * photo.data
    assert np.abs(mixed.data - wanted).max() <= 0.51
    assert mix(photo, painting, 1.0, Converter()) is painting


@pytest.mark.parametrize(("height", "width"), [(48, 64), (200, 300), (49, 65)])
def test_scaling_planes_is_scaling_the_picture(height: int, width: int) -> None:
    import cv2

    flat = PatternSource(96, 128).image(3) // 4 + 96
    picture = Converter().to_planes(flat, BT709)
    how = cv2.INTER_AREA if height < 96 else cv2.INTER_CUBIC
    wanted = cv2.resize(picture.rgb, (width, height), interpolation=how).astype(int)
    scaled = fit(96, 128, size=f"{width}x{height}").to_network(picture)
    assert np.abs(as_rgb(scaled) - wanted).mean() < 1.5


def run_planar(
    clip: Path, output: Path, engine: Engine, *, size: str | None = None, strength: float = 1.0
) -> list[str]:
    """Carry a clip through `engine` as the command does; return the sink's notes."""
    stats = Stats()
    with closing(open_file(clip, stats=stats)) as source, Threads() as threads:
        sink = open_output(
            output,
            source,
            options=FileOptions(force=True, coding=Coding(codec="ffv1", pix_fmt="yuv420p")),
            job=lambda: {"clip": str(clip)},
            stopped=lambda: False,
        )
        into = fit(source.info.height, source.info.width, size=size)
        engine = engine if sink.snapshots is None else SnapshottingEngine(engine, sink.snapshots)
        run(source, engine, [sink], fit=into, threads=threads, stats=stats, strength=strength)
    return sink.notes


def samples(path: Path) -> list[np.ndarray]:
    """Decode to planes, without any conversion."""
    with av.open(str(path)) as container:
        return [from_frame(f, BT709).data for f in container.decode(video=0)]


def coded(path: Path, codec: str = "ffv1", **options: Any) -> Path:
    """Write a clip of noise."""
    pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    height, width = options.pop("size", (96, 128))
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=30)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        for name, value in options.items():
            setattr(stream.codec_context, name, value)
        for index in range(7):
            frame = to_frame(noise(height, width, seed=index))
            frame = frame if pix_fmt == "yuv420p" else frame.reformat(format=pix_fmt)
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("size", [(96, 128), (98, 130)])
@pytest.mark.parametrize("colour_range", [1, 2])
def test_planes_go_through_to_the_bit(
    tmp_path: Path, size: tuple[int, int], colour_range: int
) -> None:
    clip = coded(tmp_path / "in.mkv", size=size, color_range=colour_range, colorspace=9)
    run_planar(clip, tmp_path / "out.mkv", EchoEngine(planar=True))
    given, got = samples(clip), samples(tmp_path / "out.mkv")
    assert len(given) == len(got) == 7
    assert all(np.array_equal(a, b) for a, b in zip(given, got, strict=True))
    with av.open(str(tmp_path / "out.mkv")) as container:
        context = container.streams.video[0].codec_context
        assert (context.colorspace, context.color_range) == (9, colour_range)


def test_full_range_jpeg_planes_go_through_to_the_bit(tmp_path: Path) -> None:
    clip = coded(tmp_path / "in.mkv", "mjpeg")
    run_planar(clip, tmp_path / "out.mkv", EchoEngine(planar=True))
    assert all(map(np.array_equal, samples(clip), samples(tmp_path / "out.mkv")))


def test_rgb_engines_still_get_rgb(tmp_path: Path) -> None:
    clip = coded(tmp_path / "in.mkv")
    run_planar(clip, tmp_path / "out.mkv", EchoEngine())
    assert not all(map(np.array_equal, samples(clip), samples(tmp_path / "out.mkv")))
    assert len(samples(tmp_path / "out.mkv")) == 7


class Inverting(EchoEngine):
    """A planar engine that does something: turns light to dark, and mixes as it is told to."""

    def __init__(self) -> None:
        super().__init__(planar=True)
        self.seen: list[tuple[tuple[int, int], float]] = []
        self.converter = Converter()

    def submit(self, picture: Picture, strength: float = 1.0) -> Any:
        assert isinstance(picture, Yuv420)
        self.seen.append(((picture.height, picture.width), strength))
        inverse = Yuv420(255 - picture.data, picture.height, picture.width, picture.colour)
        return super().submit(mix(picture, inverse, strength, self.converter))


def test_strength_is_the_engine_s_at_full_size(tmp_path: Path) -> None:
    clip, engine = coded(tmp_path / "in.mkv", size=(90, 126)), Inverting()
    run_planar(clip, tmp_path / "out.mkv", engine, strength=0.25)
    assert set(engine.seen) == {((90, 126), 0.25)}
    for before, after in zip(samples(clip), samples(tmp_path / "out.mkv"), strict=True):
        assert np.abs(0.75 * before + 0.25 * (255.0 - before) - after).max() <= 1


def test_scaled_the_photo_is_mixed_in_at_its_own_size(tmp_path: Path) -> None:
    clip, engine = coded(tmp_path / "in.mkv"), Inverting()
    run_planar(clip, tmp_path / "out.mkv", engine, size="64x48", strength=0.0)
    assert set(engine.seen) == {((48, 64), 1.0)}
    assert all(map(np.array_equal, samples(clip), samples(tmp_path / "out.mkv")))


def test_a_killed_planar_run_goes_on_to_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workfolder, "SEGMENT_FRAMES", 3)
    clip = coded(tmp_path / "in.mkv")

    class Failing(Inverting):
        def submit(self, picture: Picture, strength: float = 1.0) -> Any:
            if len(self.seen) == 5:
                raise EngineError("the device is gone")
            return super().submit(picture, strength)

    with pytest.raises(EngineError):
        run_planar(clip, tmp_path / "out.mkv", Failing())
    engine = Inverting()
    notes = run_planar(clip, tmp_path / "out.mkv", engine)
    assert "resumed after 3 frames of an earlier run" in notes
    assert len(engine.seen) == 4
    whole = samples(tmp_path / "out.mkv")
    assert all(np.array_equal(a, 255 - b) for a, b in zip(whole, samples(clip), strict=True))


@pytest.mark.parametrize("rotation", [None, (0, True, False), (90, False, False)])
def test_planes_show_the_same_picture(
    rotation: tuple[int, bool, bool] | None, tmp_path: Path
) -> None:
    """Turned, chroma would lie where no decoder looks for it: then RGB comes."""
    clip = Film(rotation=rotation, audio=(), pts=range(3)).build(tmp_path / "in.mp4")
    with closing(open_file(clip, stats=Stats())) as source:
        wanted = [frame.image for frame in source]
    with closing(open_file(clip, stats=Stats())) as source:
        source.planar = True
        got = list(source)
    assert all(isinstance(frame.picture, Yuv420) == (rotation is None) for frame in got)
    assert all(np.array_equal(a, b.image) for a, b in zip(wanted, got, strict=True))


class Keeping(NullSink):
    def __init__(self) -> None:
        self.frames: list[Frame] = []

    def write(self, frame: Frame) -> None:
        self.frames.append(frame)


def test_planes_of_odd_size_go_through_to_the_bit(tmp_path: Path) -> None:
    clip, sink = coded(tmp_path / "in.webm", "libvpx-vp9", size=(97, 131)), Keeping()
    engine, into = EchoEngine(planar=True), fit(97, 131)
    with closing(open_file(clip, stats=Stats())) as source, Threads() as threads:
        run(source, engine, [sink], fit=into, threads=threads, stats=Stats())
    pictures = [frame.picture for frame in sink.frames]
    assert all((picture.height, picture.width) == (97, 131) for picture in pictures)
    assert all(map(np.array_equal, samples(clip), [picture.data for picture in pictures]))


def test_pictures_in_rgb_reach_a_planar_engine_in_planes() -> None:
    engine, source, sink = Inverting(), PatternSource(50, 70, frames=4), Keeping()
    with Threads() as threads:
        run(source, engine, [sink], fit=fit(50, 70), threads=threads, stats=Stats())
    kept = sink.frames
    assert [size for size, _ in engine.seen] == [(50, 70)] * 4
    assert all(isinstance(frame.picture, Yuv420) for frame in kept)
    assert kept[0].photo is not None
    assert np.array_equal(kept[0].photo, source.image(0))
    assert np.abs(kept[0].image.mean() + kept[0].photo.mean() - 255) < 25


def test_converters_are_kept_from_picture_to_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Converter] = []
    begin = Converter.__init__

    def count(converter: Converter) -> None:
        made.append(converter)
        begin(converter)

    monkeypatch.setattr(Converter, "__init__", count)
    source, sink = PatternSource(48, 64, frames=20), Keeping()
    engine, into = EchoEngine(planar=True), fit(48, 64, size="32x24")
    with Threads() as threads:
        run(source, engine, [sink], fit=into, threads=threads, stats=Stats(), strength=0.5)
    assert all(frame.image.shape == (48, 64, 3) for frame in sink.frames)
    assert len(sink.frames) == 20
    assert len(made) <= 3  # into planes before the engine, mixing after it, RGB for the sink


def test_other_matrices_fall_back_to_rgb(tmp_path: Path) -> None:
    odd = coded(tmp_path / "smpte240m.mkv", colorspace=7)
    with closing(open_file(odd, stats=Stats())) as source:
        source.planar = True
        assert not isinstance(next(iter(source)).picture, Yuv420)
    run_planar(odd, tmp_path / "out.mkv", EchoEngine(planar=True))
    assert len(samples(tmp_path / "out.mkv")) == 7
