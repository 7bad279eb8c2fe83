"""The pipeline with things going wrong, and live: what is dropped, and what is shown."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from fractions import Fraction

import pytest
from stylecam.realtime.engines import Engine
from stylecam.realtime.engines.echo import EchoEngine
from stylecam.realtime.errors import EngineError, SinkError, SourceError, WindowClosed
from stylecam.realtime.fit import fit
from stylecam.realtime.frame import Frame
from stylecam.realtime.pictures import Image
from stylecam.realtime.pipeline import run
from stylecam.realtime.sinks import NullSink
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.realtime.stats import Stats
from stylecam.realtime.threads import Threads


class ListSink(NullSink):
    """Keeps what it gets, and how it ended."""

    def __init__(self, fail_at: int | None = None, error: type[Exception] = SinkError) -> None:
        self.frames: list[Frame] = []
        self.shown = threading.Semaphore(0)
        self.ended, self._fail_at, self._error = "", fail_at, error

    def write(self, frame: Frame) -> None:
        if len(self.frames) == self._fail_at:
            raise self._error("the disk is full") if self._error is SinkError else self._error
        self.frames.append(frame)
        self.shown.release()

    def close(self) -> None:
        self.ended = self.ended or "closed"

    def abort(self) -> None:
        self.ended = self.ended or "aborted"


class FailingSource(PatternSource):
    """Breaks after five frames."""

    def __iter__(self) -> Iterator[Frame]:
        for index, frame in enumerate(super().__iter__()):
            if index == 5:
                raise SourceError("unplugged")
            yield frame


class AwaitedSource(PatternSource):
    """Live, but in step with what it goes to."""

    def __init__(self, sink: ListSink) -> None:
        super().__init__(64, 64, live=True, sleep=lambda _: None)
        self._sink = sink

    def __iter__(self) -> Iterator[Frame]:
        for frame in super().__iter__():
            yield frame
            assert self._sink.shown.acquire(timeout=30)


class SlowEngine(EchoEngine):
    """Computes in the background, one picture at a time, as a device does."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._lock = seconds, threading.Lock()

    def submit(self, image: Image) -> SlowEngine.Pending:  # type: ignore[override]
        return SlowEngine.Pending(self, image)

    class Pending:
        def __init__(self, engine: SlowEngine, image: Image) -> None:
            self._engine, self._image, self._done = engine, image, False
            self._guard = threading.Lock()

        def wait(self) -> None:
            with self._guard:
                if not self._done:
                    with self._engine._lock:
                        time.sleep(self._engine._seconds)
                    self._done = True

        def result(self) -> Image:
            self.wait()
            return self._image


class FailingEngine(EchoEngine):
    def submit(self, image: Image) -> object:  # type: ignore[override]
        raise EngineError("out of memory")


def go(source: PatternSource, engine: Engine, sink: ListSink, **options: float) -> Stats:
    stats, threads = Stats(), Threads()
    into = fit(source.info.height, source.info.width)
    with threads:
        run(source, engine, [sink], fit=into, threads=threads, stats=stats, **options)
    return stats


def test_a_file_loses_no_frame_however_slow_the_engine() -> None:
    sink = ListSink()
    stats = go(PatternSource(64, 64, frames=40), SlowEngine(0.005), sink)
    assert [frame.pts for frame in sink.frames] == list(range(40))
    assert (stats.frames, stats.dropped, sink.ended) == (40, 0, "closed")


@pytest.mark.parametrize("live", [False, True])
def test_a_failing_source(live: bool) -> None:
    """A file's half is thrown away, a recording of a camera is kept."""
    sink = ListSink()
    with pytest.raises(SourceError, match="unplugged"):
        go(FailingSource(64, 64, live=live, sleep=lambda _: None), EchoEngine(), sink)
    assert sink.ended == ("closed" if live else "aborted")
    if not live:
        assert len(sink.frames) == 5


def test_a_stage_is_timed_once_a_frame_however_many_sinks() -> None:
    stats, source = Stats(), PatternSource(64, 64, frames=40)
    with Threads() as threads:
        sinks = [NullSink(), ListSink(), NullSink()]
        run(source, EchoEngine(), sinks, fit=fit(64, 64), threads=threads, stats=stats)
    assert {name: len(kept) for name, kept in stats.stages.items()} == dict.fromkeys(
        ("fit", "engine wait", "finish", "sink", "latency"), 40
    )


def test_a_failing_engine() -> None:
    sink = ListSink()
    with pytest.raises(EngineError, match="out of memory"):
        go(PatternSource(64, 64), FailingEngine(), sink)
    assert sink.ended == "aborted"


def test_a_failing_sink() -> None:
    sink = ListSink(fail_at=3)
    with pytest.raises(SinkError, match="disk"):
        go(PatternSource(64, 64), EchoEngine(), sink)
    assert (len(sink.frames), sink.ended) == (3, "aborted")


def test_a_closed_window_is_a_normal_end() -> None:
    sink = ListSink(fail_at=3, error=WindowClosed)
    go(PatternSource(64, 64, live=True), EchoEngine(), sink)
    assert (len(sink.frames), sink.ended) == (3, "closed")


def test_seconds_count_the_video_not_the_clock() -> None:
    sink = ListSink()
    go(PatternSource(64, 64, fps=Fraction(10)), EchoEngine(), sink, seconds=2.0)
    assert len(sink.frames) == 20


def test_live_and_too_slow_drops_the_oldest_and_shows_the_newest() -> None:
    """Pictures come as fast as they can be made: nearly all are dropped, never the last, and each
    is shown or dropped, once, in order."""
    sink, source = ListSink(), PatternSource(64, 64, live=True, sleep=lambda _: None)
    stats = go(source, SlowEngine(0.060), sink, seconds=2.0)
    order = [frame.pts for frame in sink.frames]
    assert order == sorted(set(order))
    assert order[-1] == 59
    assert stats.frames + stats.dropped == 60
    assert stats.dropped > stats.frames


def test_live_and_fast_enough_drops_nothing() -> None:
    """Each picture comes when the one before has been shown."""
    sink = ListSink()
    stats = go(AwaitedSource(sink), EchoEngine(), sink, seconds=2.0)
    assert [frame.pts for frame in sink.frames] == list(range(60))
    assert stats.dropped == 0


def test_stop_from_another_thread_ends_an_endless_run() -> None:
    stats, threads, sink = Stats(), Threads(), ListSink()
    source = PatternSource(64, 64)
    timer = threading.Timer(0.3, threads.stop)
    timer.start()
    with threads:
        run(source, EchoEngine(), [sink], fit=fit(64, 64), threads=threads, stats=stats)
    assert sink.ended == "closed"
    assert stats.frames > 0
