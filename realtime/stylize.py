"""A video or photo into a file."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from .colour import engine_colour
from .engines import open_engine
from .engines.report import Report
from .engines.snapshotting import SnapshottingEngine
from .errors import SinkError, SourceError
from .ffmpeg import PIPE
from .fit import fit
from .frame import Expected
from .job import FileOptions, Look, Outcome, describe_job
from .outputs import open_output
from .pipeline import run
from .signals import stop_on_signals
from .sinks import Sink, abort_on_error
from .sinks.dashboard import ProgressSink
from .sinks.sequence import existing
from .snapshots import Snapshots
from .sources import Source, open_file
from .sources.kinds import painting_suffix
from .stats import Stats
from .styles import Style
from .threads import Threads

if TYPE_CHECKING:
    from rich.console import Console


def default_output(path: Path, style: Style) -> Path:
    """Return the name of the result when none is given: clip.mov becomes clip.great-wave.mp4."""
    if suffix := painting_suffix(path):
        return path.with_name(f"{path.stem}.{style.name}{suffix}")
    keeps = {".mp4", ".mkv", ".webm", ".mov", ".m4v"}
    suffix = path.suffix.lower() if path.suffix.lower() in keeps else ".mp4"
    return path.with_name(f"{path.stem}.{style.name}{suffix}")


def stylize_file(
    path: Path,
    output: Path,
    look: Look,
    *,
    console: Console,
    force: bool = False,
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
        closing(
            open_file(
                path,
                stats=stats,
                allow_truncated=options.allow_truncated,
                section=options.section,
                keep_hdr=options.keep_hdr,
                hardware=options.decoder == "auto",
            )
        ) as source,
        abort_on_error([]) as sinks,
    ):
        sink = open_output(
            output,
            source,
            options=options,
            job=partial(describe_job, path, look, options),
            force=force,
            stopped=lambda: threads.cut_short,
            whole_only=whole_only,
        )
        sinks.append(sink)
        earlier, total = sink.resumes_after, source.info.frames
        sinks.append(ProgressSink(console, stats, title=path.name, total=total, done=earlier))
        try:
            outcome = _go(
                source,
                sinks,
                look,
                stats=stats,
                console=console,
                threads=threads,
                snapshots=sink.snapshots,
            )
        except SourceError as error:
            if sink.resumes_after:
                painted = f"the {sink.resumes_after} frames already painted"
                error.hint += f" (it resumes after {painted})"
            raise
        except KeyboardInterrupt as stop:
            if sink.resumes_after:
                stop.args = (f"the same command resumes after {sink.resumes_after} frames",)
            raise
    return dataclasses.replace(
        outcome,
        output=output,
        notes=[*source.notes, *sink.notes],
        earlier_frames=earlier,
        kept=sink.resumes_after if whole_only and outcome.interrupted else None,
    )


def _go(
    source: Source,
    sinks: list[Sink],
    look: Look,
    *,
    stats: Stats,
    console: Console,
    threads: Threads,
    snapshots: Snapshots | None = None,
) -> Outcome:
    """Open the engine for the source's size and run the pipeline."""
    info = source.info
    into = fit(info.height, info.width, size=look.size)
    height, width = into.padded
    options = look.engine
    if info.still:
        options = dataclasses.replace(options, statistics="frame")
    with (
        closing(
            open_engine(
                options,
                look.style,
                height=height,
                width=width,
                live=info.live or info.still,  # a picture that nothing follows takes all cores
                report=Report(console),
                expected=Expected(*into.work, engine_colour(info.colour)),
            )
        ) as engine,
        stop_on_signals(threads) as signals,
        threads,
    ):
        line = f"{info.description} | {look.style.name} | {engine.description}"
        console.print(line, highlight=False, soft_wrap=True)
        run(
            source,
            engine if snapshots is None else SnapshottingEngine(engine, snapshots),
            sinks,
            fit=into,
            threads=threads,
            stats=stats,
            strength=look.strength,
        )
        interrupted = threads.cut_short
    asked = signals[0] if signals else 0
    return Outcome(None, stats, engine.description, interrupted, [], stopped_by=asked)
