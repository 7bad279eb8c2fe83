"""Many inputs, one after another, and one summary."""

from __future__ import annotations

import dataclasses
import glob
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .containers import PIPE
from .errors import SinkError, StylecamError, UsageError
from .outputs import FileOptions
from .stats import Stats
from .styles import Style
from .stylize import Look, Outcome, default_output, stylize_file

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
    names; None puts each beside its input. Raises UsageError when two outputs would be one, or
    one would replace another input.
    """
    inputs = [path for given in inputs for path in _matching(given)]
    target = None if output is None else Path(output)
    folder = target is not None and (str(output).endswith(("/", "\\")) or target.is_dir())
    if target is not None and not folder and len(inputs) > 1:
        raise UsageError(
            f"{len(inputs)} inputs cannot all become {output}", hint=f"name a folder: -o {output}/"
        )
    if target is None and PIPE in inputs:
        raise UsageError("standard input has no name to derive one from", hint="add -o out.mp4")
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


def _matching(path: Path) -> list[Path]:
    """Return the files that a name like *.mp4 stands for: shells on Windows leave it as it is."""
    if path.exists() or not glob.has_magic(str(path)):
        return [path]
    return [Path(name) for name in sorted(glob.glob(str(path)))] or [path]  # noqa: PTH207 - absolute, too


@dataclasses.dataclass
class Report:
    """What became of each job, in order; those not begun before Ctrl-C are left out."""

    done: list[Outcome]
    failed: list[tuple[Path, StylecamError]]
    planned: int

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended it, in a job or between two."""
        left = len(self.done) + len(self.failed) < self.planned
        return left or any(outcome.interrupted for outcome in self.done)

    def raise_single(self) -> None:
        """Raise the error of an only job, which then speaks for itself."""
        if self.planned == 1 and self.failed:
            raise self.failed[0][1]

    def as_json(self) -> Any:
        """Return it as plain values: the outcome of an only job, else all and their failures."""
        if self.planned == 1:
            return self.done[0].as_json() if self.done else {}
        return {
            "done": [outcome.as_json() for outcome in self.done],
            "failed": [
                {"input": str(path), "error": error.message, "hint": error.hint}
                for path, error in self.failed
            ],
        }

    def lines(self) -> list[str]:
        """Return it as text."""
        lines: list[str] = []
        for outcome in self.done:
            lines += [f"note: {note}" for note in outcome.notes]
            frames = outcome.earlier_frames + outcome.stats.frames
            if not frames:
                lines.append(
                    f"{outcome.output}: interrupted before the first frame: nothing was written"
                )
                continue
            speed = _speed(outcome.stats)
            lines.append(f"{outcome.output}: {frames} frame{'s' * (frames != 1)}{speed}")
            if outcome.interrupted:
                lines.append("interrupted: the file ends with the last frame that was done")
        if self.planned > 1:
            lines.append(f"{len(self.done)} of {self.planned} done, {len(self.failed)} failed")
            for path, error in self.failed:
                lines.append(f"failed: {path}: {error.message}")
                lines += [f"  try: {error.hint}"] if error.hint else []
        return lines


def _speed(stats: Stats) -> str:
    if not stats.frames:  # all were painted by earlier runs
        return ""
    fps = f", {stats.fps:.1f} fps" if stats.frames > 1 else ""
    latency = stats.latency
    return f"{fps}, latency {latency.p50:.0f} ms (p99 {latency.p99:.0f})"


def run_all(
    jobs: list[Job],
    look: Look,
    *,
    console: Console,
    force: bool = False,
    options: FileOptions | None = None,
) -> Report:
    """Do the jobs in order. One that fails does not keep the others from being done; Ctrl-C ends
    the one under way, and all. Raises KeyboardInterrupt when it comes before there is anything to
    report.
    """
    report = Report([], [], len(jobs))
    for job in jobs:
        try:
            if job.folder and (job.input == PIPE or job.input.exists()):
                _make(job.output.parent)
            outcome = stylize_file(
                job.input, job.output, look, console=console, force=force, options=options
            )
        except StylecamError as error:
            report.failed.append((job.input, error))
            continue
        except KeyboardInterrupt:  # while it opens its file or engine, or a second one
            if not report.done and not report.failed:
                raise
            break
        report.done.append(outcome)
        if outcome.last:
            break
    return report


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(
            f"the folder {folder} cannot be made: {error.strerror}",
            hint="name another with -o",
        ) from error
