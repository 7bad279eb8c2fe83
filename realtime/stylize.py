"""A video or photo into a file."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from .colour import engine_colour
from .engines import Engine, open_engine
from .engines.report import Report
from .engines.snapshotting import SnapshottingEngine
from .errors import SinkError, SourceError
from .ffmpeg import PIPE
from .fit import Fit, fit
from .frame import Expected, VideoInfo
from .job import FileOptions, Look, Outcome, describe_job
from .outputs import open_output
from .pipeline import run
from .signals import stop_on_signals
from .sinks import Output, abort_on_error
from .sinks.dashboard import ProgressSink
from .sinks.sequence import existing
from .sources import open_file
from .stats import Stats
from .threads import Threads

if TYPE_CHECKING:
    from rich.console import Console


def stylize_file(
    path: Path,
    output: Path,
    look: Look,
    *,
    console: Console,
    options: FileOptions | None = None,
    whole_only: bool = False,
) -> Outcome:
    """Stylize every frame of a video, or a photo, into `output`; "-" is standard input, output.

    Raises StylecamError with the remedy; then there is no output, and what was done of a long
    video is kept beside it for the next run. Ctrl-C ends the output where it is; with `whole_only`,
    or where that would replace a file, it leaves no output but what the next run resumes from. A
    second Ctrl-C raises KeyboardInterrupt, with a message if there is anything to resume from.
    """
    if output.exists() and path.exists() and output.samefile(path):
        raise SinkError(f"{output} is the input itself", hint="name another file with -o")
    options = options or FileOptions()
    piped = PIPE in (path, output)
    whole_only = whole_only or (not piped and bool(existing(output)))
    stats, threads = Stats(), Threads()
    with (
        closing(open_file(path, stats=stats, reading=options.reading)) as source,
        abort_on_error([]) as sinks,
    ):
        sink = open_output(
            output,
            source,
            options=options,
            job=partial(describe_job, path, look, options),
            stopped=lambda: threads.cut_short,
            whole_only=whole_only,
        )
        sinks.append(sink)
        earlier, info = sink.resumes_after, source.info
        sinks.append(ProgressSink(console, stats, title=path.name, total=info.frames, done=earlier))
        into = fit(info.height, info.width, size=look.size)
        with (
            _telling_what_is_kept(sink),
            closing(_open_engine(look, into, info, console)) as engine,
            stop_on_signals(threads) as signals,
            threads,
        ):
            line = f"{info.description} | {look.style.name} | {engine.description}"
            console.print(line, highlight=False, soft_wrap=True)
            run(
                source,
                engine if sink.snapshots is None else SnapshottingEngine(engine, sink.snapshots),
                sinks,
                fit=into,
                threads=threads,
                stats=stats,
                strength=look.strength,
            )
            interrupted = threads.cut_short
    return Outcome(
        output,
        stats,
        engine.description,
        interrupted,
        [*source.notes, *sink.notes],
        earlier_frames=earlier,
        stopped_by=signals[0] if signals else 0,
        kept=sink.resumes_after if whole_only and interrupted else None,
    )


def _open_engine(look: Look, into: Fit, info: VideoInfo, console: Console) -> Engine:
    options = look.engine
    if info.still:
        options = dataclasses.replace(options, statistics="frame")
    height, width = into.padded
    return open_engine(
        options,
        look.style,
        height=height,
        width=width,
        live=info.live or info.still,  # a picture that nothing follows takes all cores
        report=Report(console),
        expected=Expected(*into.work, engine_colour(info.colour)),
    )


@contextmanager
def _telling_what_is_kept(sink: Output) -> Iterator[None]:
    """Say what a run that is broken off in the block can be resumed from."""
    try:
        yield
    except SourceError as error:
        if sink.resumes_after:
            error.hint += f" (it resumes after the {sink.resumes_after} frames already painted)"
        raise
    except KeyboardInterrupt as stop:
        if sink.resumes_after:
            stop.args = (f"the same command resumes after {sink.resumes_after} frames",)
        raise
