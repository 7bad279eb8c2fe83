"""Many inputs, one after another."""

from __future__ import annotations

import glob
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..errors import OutputExists, SinkError, SourceError, Stopped, StylecamError, UsageError
from ..ffmpeg import PIPE
from ..job import FileOptions, Look
from ..sources.kinds import painting_suffix
from ..styles import Style
from ..stylize import stylize_file
from .summary import Summary

if TYPE_CHECKING:
    from rich.console import Console


class Job(NamedTuple):
    """One input and its output."""

    input: Path
    output: Path
    folder: bool = False
    """Whether the output's folder is to be made if it is not there."""


def plan(
    inputs: list[Path], output: str | None, style: Style, *, platform: str = sys.platform
) -> list[Job]:
    """Say which input becomes which output; patterns like *.mp4 are inputs too.

    `output` is a file for a single input, else a folder, in which outputs have their inputs'
    names; None puts each beside its input. Raises UsageError when two outputs would be one, one
    would replace another input or has no name, and SourceError for a folder that has none.
    """
    inputs = [path for given in inputs for path in _matching(given)]
    target = None if output is None else Path(output)
    folder = target is not None and (str(output).endswith(("/", "\\")) or target.is_dir())
    if target is not None and not folder and len(inputs) > 1:
        place = "out" if target == PIPE else target.with_suffix("")
        raise UsageError(
            f"{len(inputs)} inputs cannot all become {output}", hint=f"name a folder: -o {place}/"
        )
    if PIPE in inputs and (target is None or folder):
        raise UsageError(
            "standard input needs a name for its output",
            hint=f"as the only input: stylecam - -o {(target or Path()) / 'out.mp4'}",
        )
    jobs: list[Job] = []
    for path in inputs:
        usual = default_output(path, style)
        if target is None:
            jobs.append(Job(path, usual))
        elif not folder:
            jobs.append(Job(path, target))
        else:
            own = target / f"{path.stem}{usual.suffix}"
            same = own.exists() and path.exists() and own.samefile(path)
            jobs.append(Job(path, target / usual.name if same else own, folder=True))
    taken: dict[str, Path] = {}
    for job in jobs:
        name = str(job.output.absolute())
        if platform in ("win32", "darwin"):  # where A.mp4 and a.mp4 are one file
            name = name.casefold()
        other = taken.setdefault(name, job.input)
        if other != job.input:
            raise UsageError(
                f"{other} and {job.input} would both become {job.output}",
                hint="rename one, or run them separately",
            )
    sources = {path.resolve(): path for path in inputs if path != PIPE}
    for job in jobs:
        if sources.get(job.output.resolve(), job.input) != job.input:
            raise UsageError(f"{job.output} is an input too", hint="name another folder with -o")
    return list(dict.fromkeys(jobs))


def default_output(path: Path, style: Style) -> Path:
    """Return the name of the result when none is given: clip.mov becomes clip.great-wave.mp4."""
    if suffix := painting_suffix(path):
        return path.with_name(f"{path.stem}.{style.name}{suffix}")
    keeps = {".mp4", ".mkv", ".webm", ".mov", ".m4v"}
    suffix = path.suffix.lower() if path.suffix.lower() in keeps else ".mp4"
    return path.with_name(f"{path.stem}.{style.name}{suffix}")


def _matching(path: Path) -> list[Path]:
    """Return the files that a name like *.mp4 stands for: shells on Windows leave it as it is."""
    if not path.name:
        raise SourceError(f"{path} is a folder", hint="name a video or a photo in it")
    if path.exists() or not glob.has_magic(str(path)):
        return [path]
    return [Path(name) for name in sorted(glob.glob(str(path)))] or [path]  # noqa: PTH207 - absolute, too


def run_all(
    jobs: list[Job],
    look: Look,
    *,
    console: Console,
    options: FileOptions | None = None,
) -> Summary:
    """Do the jobs in order. Of many, one that fails does not keep the others from being done, and
    one whose output is there counts as done, so that the same command does what is left. Ctrl-C
    ends the one under way, and all; of many that one is then left to be resumed. Raises
    KeyboardInterrupt when it comes before there is anything to sum up.
    """
    summary = Summary([], [], len(jobs))
    for job in jobs:
        try:
            if job.folder and job.input.exists():
                _make(job.output.parent)
            outcome = stylize_file(
                job.input,
                job.output,
                look,
                console=console,
                options=options,
                whole_only=len(jobs) > 1,
            )
        except OutputExists as error:
            if len(jobs) > 1:
                summary.already_done.append(job.output)
            else:
                summary.failed.append((job.input, error))
            continue
        except StylecamError as error:
            summary.failed.append((job.input, error))
            continue
        except KeyboardInterrupt as stop:  # while it opens its file or engine, or a second one
            if not summary.ended and not summary.failed and not summary.already_done:
                raise
            summary.stopped_by = stop.number if isinstance(stop, Stopped) else signal.SIGINT
            break
        summary.ended.append(outcome)
        if outcome.stopped_by:
            summary.stopped_by = outcome.stopped_by
            break
    return summary


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(
            f"the folder {folder} cannot be made: {error.strerror}",
            hint="name another with -o",
        ) from error
