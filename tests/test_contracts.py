"""One suite over every source, every engine and every sink."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from media import SIGNING, ClipMaker, decode, psnr
from stylecam.realtime.colour import BT709
from stylecam.realtime.engines import Engine, EngineOptions, open_engine, openvino
from stylecam.realtime.engines.switching import SwitchingEngine
from stylecam.realtime.errors import EngineError, SinkError, SourceError
from stylecam.realtime.frame import Frame, VideoInfo
from stylecam.realtime.sinks import NullSink, Sink
from stylecam.realtime.sinks.file import FileSink
from stylecam.realtime.sinks.image import ImageSink
from stylecam.realtime.sources import Source, open_file, open_live
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.realtime.sources.playback import PlaybackSource
from stylecam.realtime.stats import Stats
from stylecam.realtime.styles import DEFAULT, Style, find


@pytest.fixture(params=["video", "photo", "pattern", "playback", "live pattern", "camera file"])
def source(request: pytest.FixtureRequest, make_clip: ClipMaker, tmp_path: Path) -> Source:
    def photo() -> Source:
        path = tmp_path / "photo.png"
        cv2.imwrite(str(path), PatternSource(50, 70).image(3)[..., ::-1])
        return open_file(path, stats=Stats())

    def camera_file() -> Source:
        # OpenCV's camera path, fed by a file through a file:// URL.
        return open_live(f"file://{make_clip(frames=5)}", stats=Stats(), sleep=lambda _: None)

    makers: dict[str, Callable[[], Source]] = {
        "video": lambda: open_file(make_clip(), stats=Stats()),
        "photo": photo,
        "pattern": lambda: PatternSource(48, 64, frames=5),
        "playback": lambda: PlaybackSource(PatternSource(48, 64, frames=5), sleep=lambda _: None),
        "live pattern": lambda: PatternSource(48, 64, frames=5, live=True, sleep=lambda _: None),
        "camera file": camera_file,
    }
    return makers[request.param]()


def test_source(source: Source) -> None:
    info, seen = source.info, []
    try:
        for frame in source:
            assert frame.image.shape == (info.height, info.width, 3)
            assert frame.image.dtype == np.uint8
            assert isinstance(frame.pts, int)
            assert frame.time_base == info.time_base
            assert abs(frame.captured_s - time.perf_counter()) < 5
            seen.append(frame)
            if len(seen) == 12:
                break
    except SourceError:
        if not info.live:  # a camera never ends but by an error
            raise
    finally:
        source.close()
        source.close()
    assert seen
    if info.frames is not None and info.frames <= 12:
        assert len(seen) == info.frames
    times = [frame.pts for frame in seen]
    assert times == sorted(times)
    assert info.description
    frozen = [frame.image.copy() for frame in seen]
    assert all(np.array_equal(a.image, b) for a, b in zip(seen, frozen, strict=True))
    if len(seen) > 1:
        assert not np.array_equal(seen[0].image, seen[-1].image)


ENGINES = ["openvino", "torch", "echo"]


@pytest.mark.parametrize(
    ("name", "live", "cores"),
    [*itertools.product(ENGINES, [False, True], [2]), ("openvino", False, 16)],
)
def test_engine_keeps_slots_apart(
    name: str, live: bool, cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One by one or all at once, the same clip gives the same paintings."""
    monkeypatch.setattr(openvino, "usable_cores", lambda: cores)

    def opened() -> Engine:
        return open_engine(EngineOptions(name), find(DEFAULT), height=64, width=96, live=live)

    engine = opened()
    pattern = PatternSource(64, 96)
    pictures = [pattern.image(9 * n) for n in range(9)]
    kept = [picture.copy() for picture in pictures]
    alone = [engine.submit(picture).result() for picture in pictures]
    engine.close()
    engine = opened()
    under_way, together = [], []
    for picture in pictures:
        under_way.append(engine.submit(picture))
        if len(under_way) == engine.depth:
            pending = under_way.pop(0)
            pending.wait()
            together.append(pending.result())
    together += [pending.result() for pending in under_way]
    engine.close()
    # Main, queue and submit hold one each; at most four are painted at once.
    assert engine.depth == (5 if cores == 16 else 3)
    assert engine.description
    for a, b, picture, before in zip(alone, together, pictures, kept, strict=True):
        assert a.shape == picture.shape
        assert a.dtype == np.uint8
        assert np.array_equal(a, b)
        assert np.array_equal(picture, before)
    assert not np.array_equal(alone[0], alone[1])


@pytest.mark.parametrize("name", [*ENGINES, "switching"])
def test_engine_is_closed_twice(name: str) -> None:
    def opened(_: Style) -> Engine:
        chosen = EngineOptions("openvino" if name == "switching" else name)
        return open_engine(chosen, find(DEFAULT), height=64, width=96, live=True)

    style = find(DEFAULT)
    engine = SwitchingEngine(style, opened) if name == "switching" else opened(style)
    engine.submit(PatternSource(64, 96).image(0)).result()
    engine.close()
    engine.close()


def test_a_slot_is_free_again_after_the_network_failed() -> None:
    engine = open_engine(EngineOptions("openvino"), find(DEFAULT), height=64, width=96, live=True)
    picture = PatternSource(64, 96).image(0)
    under_way = [engine.submit(picture) for _ in range(engine.depth)]

    class Failing:
        def wait(self) -> None:
            request.wait()
            raise RuntimeError("out of memory")

    request = under_way[0]._request
    under_way[0]._request = Failing()
    with pytest.raises(EngineError, match="out of memory"):
        under_way[0].result()
    assert engine._free.pop() is not request
    engine._free.append(request)
    engine.submit(picture).result()
    for pending in under_way[1:]:
        pending.result()
    engine.close()


@pytest.mark.parametrize("style", ["great-wave", "starry-night"])
def test_two_engines_agree(style: str) -> None:
    image = next(iter(open_file(SIGNING, stats=Stats()))).image
    paintings = []
    for name in ("openvino", "torch"):
        engine = open_engine(
            EngineOptions(name, precision="f32"), find(style), height=360, width=640, live=False
        )
        paintings.append(engine.submit(image).result())
        engine.close()
    assert psnr(*paintings) >= 40
    assert psnr(paintings[0], image) < 25  # and it is a painting, not the photo


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (EngineOptions("tensorrt"), "TensorRT"),
        (EngineOptions("nonsense"), "no engine"),
        (EngineOptions("openvino", device="TPU"), "TPU"),
        (EngineOptions("torch", device="cuda"), "no NVIDIA GPU|built without CUDA"),
        (EngineOptions("torch", device="toaster"), "no device 'toaster'"),
    ],
)
def test_an_engine_that_cannot_be_says_why(options: EngineOptions, says: str) -> None:
    import torch

    if options.device == "cuda" and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(EngineError, match=says) as caught:
        open_engine(options, find(DEFAULT), height=64, width=64, live=False)
    assert caught.value.hint


INFO = VideoInfo(height=96, width=128, fps=Fraction(30), time_base=Fraction(1, 30), colour=BT709)
SINKS: dict[str, Callable[[Path], Sink]] = {
    "out.mp4": lambda path: FileSink(path, INFO),
    "out.mkv": lambda path: FileSink(path, INFO),
    "out.mov": lambda path: FileSink(path, INFO),
    "out.webm": lambda path: FileSink(path, INFO),
    "out.png": ImageSink,
    "out.jpg": ImageSink,
    "null": lambda _: NullSink(),
}


def _write(sink: Sink, count: int = 6) -> None:
    pattern = PatternSource(96, 128)
    for index in range(count):
        sink.write(Frame(pattern.image(index), index, INFO.time_base, time.perf_counter()))


@pytest.mark.parametrize("name", SINKS)
def test_sink_appears_only_when_closed(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    sink = SINKS[name](path)
    _write(sink)
    assert not path.exists()
    sink.close()
    sink.close()
    sink.abort()  # nothing after close
    if name != "null":
        assert path.exists()
        assert psnr(decode(path)[0], PatternSource(96, 128).image(0)) > 28


@pytest.mark.parametrize("name", SINKS)
@pytest.mark.parametrize("frames", [0, 6])
def test_sink_aborted_leaves_nothing(name: str, frames: int, tmp_path: Path) -> None:
    sink = SINKS[name](tmp_path / name)
    _write(sink, frames)
    sink.abort()
    sink.abort()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", [name for name in SINKS if name != "null"])
def test_sink_overwrites_only_when_forced(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(b"precious")
    with pytest.raises(SinkError, match="exists") as caught:
        SINKS[name](path)
    assert "--force" in caught.value.hint
    assert path.read_bytes() == b"precious"


def test_sink_without_frames_leaves_nothing(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "out.mp4", INFO)
    sink.close()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["out.mp4", "out.png"])
def test_a_finished_file_that_cannot_get_its_name_is_named(name: str, tmp_path: Path) -> None:
    sink = SINKS[name](tmp_path / name)
    _write(sink)
    (tmp_path / name).mkdir()
    with pytest.raises(SinkError, match="made by another program meanwhile") as caught:
        sink.close()
    finished = next(path for path in tmp_path.iterdir() if path.is_file())
    assert f"the finished file is {finished};" in caught.value.hint
    assert len(decode(finished)) == (6 if name == "out.mp4" else 1)
    finished.unlink()
