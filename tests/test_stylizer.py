"""stylecam as a function of pictures, for programs of one's own."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import traceback
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stylecam.realtime import stylizer
from stylecam.realtime.engines import Engine, EngineOptions, open_engine
from stylecam.realtime.engines.echo import EchoEngine
from stylecam.realtime.engines.statistics import ARRIVES_AFTER, MEASURE_EVERY
from stylecam.realtime.errors import StyleError, UsageError
from stylecam.realtime.pictures import Image
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.realtime.styles import find
from stylecam.realtime.stylizer import Stylizer


def pictures(count: int, height: int = 96, width: int = 128) -> list[Image]:
    pattern = PatternSource(height, width)
    return [pattern.image(index) for index in range(count)]


def by_the_engine(frames: list[Image]) -> list[Image]:
    height, width = frames[0].shape[:2]
    engine = open_engine(EngineOptions(), find("comic"), height=height, width=width, live=True)
    paintings = [engine.submit(frame).result() for frame in frames]
    engine.close()
    return paintings


def test_calls_are_the_frames_of_a_clip() -> None:
    frames = pictures(3)
    with Stylizer("comic") as paint:
        painted = [paint(frame) for frame in frames]
        for ours, theirs in zip(painted, by_the_engine(frames), strict=True):
            assert np.array_equal(ours, theirs)
        paint.restart()
        assert np.array_equal(paint(frames[0]), painted[0])
        darker = (frames[0] * 0.85).astype(np.uint8)  # no cut, but other statistics
        for _ in range(MEASURE_EVERY + ARRIVES_AFTER):
            paint(darker)
        assert not np.array_equal(paint(frames[0]), painted[0])
        paint.restart()
        assert np.array_equal(paint(frames[0]), painted[0])


def test_without_a_clip_every_picture_stands_for_itself() -> None:
    frames = pictures(2)
    with Stylizer("comic", clip=False) as paint:
        alone = paint(frames[0])
        paint(frames[1])
        assert np.array_equal(paint(frames[0]), alone)


def test_a_stream_gives_what_calls_give_in_order_and_sizes_may_change() -> None:
    frames = [*pictures(5), *pictures(2, 75, 101), *pictures(1)]
    with Stylizer("comic", engine="openvino") as paint:
        streamed = list(paint.stream(frames))
        assert [x.shape for x in streamed] == [x.shape for x in frames]
    with Stylizer("comic", engine="openvino") as paint:
        for ours, frame in zip(streamed, frames, strict=True):
            assert np.abs(ours.astype(int) - paint(frame)).max() <= 1


def test_a_stream_is_a_clip_of_its_own() -> None:
    frames = pictures(3)
    darker = [(frames[0] * 0.85).astype(np.uint8)] * (MEASURE_EVERY + ARRIVES_AFTER)
    with Stylizer("comic") as paint:
        first = list(paint.stream(frames))
        list(paint.stream([*frames, *darker]))  # no cut, but other statistics
        for ours, theirs in zip(paint.stream(frames), first, strict=True):
            assert np.array_equal(ours, theirs)


def test_of_two_streams_at_once_the_first_ends_with_the_remedy() -> None:
    frames = pictures(8)
    with Stylizer("comic") as paint:
        one, other = paint.stream(frames), paint.stream(frames)
        next(one)
        next(other)
        with pytest.raises(UsageError, match="had another stream") as caught:
            next(one)
        assert "before another" in caught.value.hint
        assert len(list(other)) == 7


def test_threads_may_begin_at_once_with_one_each() -> None:
    """In a fresh process: what OpenVINO does at its first use is done once."""
    program = (
        "import threading, numpy\n"
        "from stylecam.realtime.stylizer import Stylizer\n"
        "start = threading.Barrier(4)\n"
        "def work():\n"
        "    with Stylizer() as paint:\n"
        "        start.wait()\n"
        "        paint(numpy.zeros((64, 64, 3), 'uint8'))\n"
        "        print('painted')\n"
        "threads = [threading.Thread(target=work) for _ in range(4)]\n"
        "[thread.start() for thread in threads]\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, timeout=60, capture_output=True
    )
    assert done.stdout.count(b"painted") == 4  # a word and its newline are written apart


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_is_told_to_make_one_of_its_own() -> None:
    program = (
        "import multiprocessing, numpy\n"
        "from stylecam.realtime.stylizer import Stylizer\n"
        "picture = numpy.zeros((64, 64, 3), 'uint8')\n"
        "paint = Stylizer()\n"
        "paint(picture)\n"
        "multiprocessing.get_context('fork').Process(target=paint, args=(picture,)).start()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, timeout=60, capture_output=True, text=True
    )
    assert "hint: make a Stylizer in each process" in done.stderr


def test_a_stream_that_is_left_early_leaves_the_rest_working() -> None:
    frames = pictures(8)
    with Stylizer("comic") as paint:
        unfinished = paint.stream(frames)
        next(unfinished)
        unfinished.close()
        assert len(list(paint.stream(frames))) == 8

        def failing() -> Iterator[Image]:
            yield from frames[:2]
            raise OSError("the camera is gone")

        with pytest.raises(OSError, match="gone"):
            list(paint.stream(failing()))
        assert paint(frames[0]).shape == frames[0].shape


@pytest.mark.parametrize("way", ["called", "streamed"])
def test_after_ctrl_c_it_paints_on(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a notebook, in which it lives on."""
    from stylecam.realtime.engines.openvino_requests import Measuring

    frame = pictures(1)[0]
    with Stylizer("comic") as paint:

        def painted() -> Image:
            return paint(frame) if way == "called" else next(paint.stream([frame]))

        def interrupted(_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(Measuring, "_result", interrupted)
            with pytest.raises(KeyboardInterrupt):
                painted()
        assert np.abs(painted().astype(int) - by_the_engine([frame])[0]).max() <= 1


def test_a_second_thread_is_told_to_take_one_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()

    class Slow(EchoEngine):
        def submit(self, picture: Any, strength: float = 1.0) -> Any:
            begun.set()
            assert go_on.wait(20)
            return super().submit(picture, strength)

    monkeypatch.setattr(stylizer, "open_engine", lambda *_, **__: Slow())
    frame = pictures(1)[0]
    with Stylizer() as paint:
        thread = threading.Thread(target=paint, args=(frame,))
        thread.start()
        assert begun.wait(20)
        with pytest.raises(UsageError, match="one thread at a time"):
            paint(frame)
        go_on.set()
        thread.join()
        assert paint(frame).shape == frame.shape


def test_a_stream_ends_with_its_stylizer(recwarn: pytest.WarningsRecorder) -> None:
    paint = Stylizer("comic", engine="echo")
    streams = [paint.stream(pictures(8)) for _ in range(2)]
    for stream in streams:
        next(stream)
        paint.close()
    with pytest.raises(UsageError, match="was closed"):
        next(streams[0])
    del stream, streams  # what a generator raises as it is collected is a warning
    assert not recwarn.list
    assert len(list(paint.stream(pictures(4)))) == 4
    paint.close()


def test_channels_may_lie_as_opencv_has_them() -> None:
    frame = pictures(1)[0]
    with Stylizer("comic") as rgb, Stylizer("comic", order="bgr") as bgr:
        assert np.array_equal(rgb(frame), bgr(frame[..., ::-1])[..., ::-1])
        assert bgr(frame).flags.c_contiguous


def test_a_read_only_picture_is_painted_as_another() -> None:
    frame = pictures(1)[0]
    with Stylizer("comic", clip=False) as paint:
        painting = paint(frame)
        frame.setflags(write=False)  # as np.asarray of a Pillow image is
        assert np.array_equal(paint(frame), painting)


def test_strength_mixes_and_may_change_between_pictures() -> None:
    frame = pictures(1)[0]
    with Stylizer("comic", strength=0) as paint:
        assert np.array_equal(paint(frame), frame)
        paint.strength = 1
        whole = paint(frame)
        paint.strength = 0.5
        half = paint(frame)
    assert np.abs(half - (whole.astype(int) + frame) / 2).max() <= 2


@pytest.mark.parametrize("size", [(96, 128), (33, 47)])
def test_an_engine_that_takes_planes_gets_planes(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stylizer, "open_engine", lambda *_, **__: EchoEngine(planar=True))
    grey = np.full((*size, 3), 90, np.uint8)
    with Stylizer() as paint:
        painting = paint(grey)
    assert painting.shape == grey.shape
    assert np.abs(painting.astype(int) - 90).max() <= 1


@pytest.mark.parametrize(
    "wrong", [np.zeros((8, 8, 3)), np.zeros((8, 8), np.uint8), np.zeros((0, 8, 3), np.uint8), None]
)
def test_what_is_no_picture_is_said(wrong: Image) -> None:
    with Stylizer() as paint, pytest.raises(UsageError, match="uint8 array"):
        paint(wrong)


def test_a_traceback_shows_the_remedy() -> None:
    with pytest.raises(UsageError) as caught:
        Stylizer(order="gbr")
    shown = traceback.format_exception(caught.value)
    assert shown[-1] == "hint: one of rgb, bgr\n"


def test_wrong_options_are_said_at_once() -> None:
    with pytest.raises(StyleError):
        Stylizer("grate-wave")
    with pytest.raises(UsageError, match="order='gbr'"):
        Stylizer(order="gbr")
    with pytest.raises(UsageError, match="engine=None is not known"):
        Stylizer(engine=None)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="engine='nope'"):
        Stylizer(engine="nope")
    for size in ("abc", (360, 640), 360.0):
        with pytest.raises(UsageError, match="is not a size to paint at"):
            Stylizer(size=size)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="style=None"):
        Stylizer(None)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="strength='a'"):
        Stylizer(strength="a")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="strength=nan"):
        Stylizer(strength=float("nan"))
    with Stylizer() as paint:
        with pytest.raises(UsageError, match="strength=-3"):
            paint.strength = -3
        with pytest.raises(AttributeError):
            paint.style = find("comic")  # type: ignore[misc]


def test_options_may_be_of_other_kinds() -> None:
    frame = pictures(1)[0]
    path = find("comic").path
    with Stylizer(path, size=64, strength=np.float32(1), engine="echo") as paint:
        assert paint(frame).shape == frame.shape


def test_calls_and_a_stream_do_not_disturb_each_other() -> None:
    frames = pictures(3)
    opened: list[bool] = []

    def counted(*args: Any, live: bool, **size: int) -> Engine:
        opened.append(live)
        return open_engine(*args, live=live, **size)

    with pytest.MonkeyPatch.context() as patch, Stylizer("comic") as paint:
        patch.setattr(stylizer, "open_engine", counted)
        for _ in range(2):
            paint(frames[0])
            list(paint.stream(frames))
        assert opened == [True, False]


@pytest.mark.parametrize("way", ["called", "streamed", "left early"])
def test_what_nobody_closed_is_given_back_with_its_last_name(way: str) -> None:
    """At once: its memory is not Python's, so the collector of cycles would not come for it."""
    frames = pictures(5)
    gc.disable()
    try:
        paint = Stylizer("comic")
        if way == "called":
            paint(frames[0])
        else:
            stream = paint.stream(frames)
            for _ in range(1 if way == "left early" else len(frames)):
                next(stream)
            del stream
        engines = [paint._for_calls._engine, paint._for_streams._engine]
        left = [weakref.ref(each) for each in (paint, *engines) if each is not None]
        del paint, engines
        assert [each() for each in left] == [None] * len(left)
    finally:
        gc.enable()


def test_a_type_checker_takes_the_example_of_the_readme(tmp_path: Path) -> None:
    """OpenCV does not promise uint8 of what a camera gives; a stream is there to be closed."""
    repository = Path(__file__).parents[1]
    words = (repository / "README.md").read_text(encoding="utf-8")
    example = words.split("```python\n")[1].split("```")[0]
    (tmp_path / "example.py").write_text(example + "paint.stream([picture]).close()\n")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--follow-imports=silent", "example.py"],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(repository / ".types")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.needs_display
def test_a_window_opens_after_it_whatever_was_imported_first() -> None:
    program = (
        "from stylecam.realtime.stylizer import Stylizer\n"
        "paint = Stylizer(engine='echo')\n"
        "import cv2, numpy\n"
        "cv2.imshow('it', paint(numpy.zeros((64, 64, 3), 'uint8')))\n"
        "cv2.waitKey(50)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
