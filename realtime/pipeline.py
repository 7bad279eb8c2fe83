"""The way of a frame, as generators that know no threads; `run` puts them in a row.

    Source -> prepare -> [1] -> submit -> [depth - 2] -> collect -> Sinks

A live source drops frames in one place, the first queue, where the newest wins; a file loses
none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from .colour import Colour, engine_colour
from .engines import Engine, Pending
from .errors import WindowClosed
from .fit import Fit
from .frame import Frame
from .pictures import Converter, Picture, mix
from .sinks import Idling, Showing, Sink, Waiting, end_all
from .sources import Source
from .stats import Stats
from .threads import Threads


class Prepared(NamedTuple):
    """A frame, and its picture as the engine takes it."""

    frame: Frame
    picture: Picture


class Submitted(NamedTuple):
    """A frame whose painting is under way."""

    frame: Frame
    pending: Pending


class Limit:
    """How long a run may go on: `seconds` of video, or without end."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self.over = False
        """Whether the source has given all of it."""

    def take(self, source: Iterable[Frame]) -> Iterator[Frame]:
        """Pass on the frames of the first `seconds`, or all."""
        first_s: float | None = None
        for frame in source:
            now_s = float(frame.pts * frame.time_base)
            first_s = now_s if first_s is None else first_s
            if self._seconds is not None and now_s - first_s >= self._seconds:
                break
            yield frame
        self.over = self._seconds is not None

    def passed(self, since_s: float) -> bool:
        """Whether so much time has passed on the clock, and no frame came that could tell."""
        if self._seconds is None or self.over:
            return False
        return time.perf_counter() - since_s >= self._seconds


def prepare(
    source: Iterable[Frame], fit: Fit, stats: Stats, *, planes: Colour | None = None
) -> Iterator[Prepared]:
    """Scale and pad each frame to the engine's size; for a planar engine in planes coded so."""
    converter = None if planes is None else Converter()
    for frame in source:
        stats.taken()
        with stats.stage("fit"):
            if converter is None or planes is None:
                picture = fit.to_network(frame.image)
            else:
                picture = fit.to_network(converter.to_planes(frame.picture, planes))
        yield Prepared(frame, picture)


def submit(
    prepared: Iterator[Prepared],
    engine: Engine,
    stats: Stats,
    *,
    live: bool,
    strength: Callable[[], float] | None = None,
) -> Iterator[Submitted]:
    """Start the engine on each frame; with `strength`, the engine mixes. Live, the next frame is
    not chosen before the last one is done: until then a newer one may come.
    """
    last: Pending | None = None
    begun_s = 0.0
    while True:
        if live and last is not None:
            last.wait()
            stats.record("engine", time.perf_counter() - begun_s)
        item = next(prepared, None)
        if item is None:
            return
        begun_s = time.perf_counter()
        if strength is None:
            last = engine.submit(item.picture)
        else:
            last = engine.submit(item.picture, strength())
        yield Submitted(item.frame, last)


def collect(
    submitted: Iterable[Submitted],
    fit: Fit,
    stats: Stats,
    *,
    strength: Callable[[], float] | None,
) -> Iterator[Frame]:
    """Take each painting at the frame's own size, mixed with the photo if `strength()` < 1."""
    converter = Converter()
    for frame, pending in submitted:
        with stats.stage("engine wait"):
            painting = pending.result()
        with stats.stage("finish"):
            painting = fit.from_network(painting)
            if strength is not None:
                painting = mix(frame.picture, painting, strength(), converter)
        yield frame.painted(painting)


def run(
    source: Source,
    engine: Engine,
    sinks: Sequence[Sink],
    *,
    fit: Fit,
    threads: Threads,
    stats: Stats,
    strength: float | Callable[[], float] = 1.0,
    seconds: float | None = None,
) -> None:
    """Carry every frame from the source through the engine to the sinks, until the source ends
    (after `seconds` of video at the latest), a window is closed or `threads.stop()`. `strength` is
    asked anew for every frame if it can be called.

    Afterwards the sinks are closed, and the good frames kept. On an error they are aborted and
    the error raised; of a live source they are closed all the same, and no second signal breaks
    that off. The source and the engine stay open: whoever opened them closes them, after `threads`
    has been left.

    A sink that waits for another program is told when the run is to end: after `threads.stop()`, or
    when the source has given its `seconds`.
    """
    live = source.info.live
    source.planar = engine.planar
    planes = engine_colour(source.info.colour) if engine.planar else None
    # Scaled, the engine has not the photo at the size at which they are mixed.
    on_device = engine.planar and fit.work == fit.frame
    wanted = strength if callable(strength) else lambda: strength
    limit, begun_s = Limit(seconds), time.perf_counter()

    def drop(_: Prepared) -> None:
        stats.dropped += 1

    def idle() -> None:
        if live and limit.passed(stats.first_s or begun_s):
            raise WindowClosed
        for sink in sinks:
            if isinstance(sink, Idling):
                sink.idle()

    for sink in sinks:
        if isinstance(sink, Waiting):
            sink.ending = lambda: limit.over or threads.stopping
        if isinstance(sink, Showing):
            sink.sample_aspect_ratio = source.info.sample_aspect_ratio

    try:
        prepared = threads.ahead(
            prepare(limit.take(source), fit, stats, planes=planes), newest=live, on_drop=drop
        )
        submitted = threads.ahead(
            submit(prepared, engine, stats, live=live, strength=wanted if on_device else None),
            capacity=max(1, engine.depth - 2),
            on_wait=idle,
        )
        try:
            for frame in collect(submitted, fit, stats, strength=None if on_device else wanted):
                with stats.stage("sink"):
                    for sink in sinks:
                        sink.write(frame)
                stats.shown(frame.captured_s)
                if live and threads.stopping:
                    break
        except WindowClosed:
            threads.stop()
        threads.finishing = live
        end_all(sinks, lambda sink: sink.close())
    except BaseException:
        threads.finishing = live
        with suppress(Exception):  # the error that ended the run is the one to tell
            end_all(sinks, lambda sink: sink.close() if live else sink.abort())
        raise
    finally:
        threads.finishing = False
