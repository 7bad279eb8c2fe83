"""Another revision measured at the same time, alternating with this one, a process each turn."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from stylecam.realtime.errors import StylecamError, UsageError

from .benchmark import Benchmark, Row
from .compare import Verdict, judge, pairs_of, turns_needed

ROOT: Final = Path(__file__).parent.parent
TURNS: Final = 6
"""Of each side, unless more are needed."""
OPTIONS: Final = {"--against": True, "--turns": True, "--results": True, "--json": False}
"""What is not for a single turn, and whether it takes a value."""


def judge_in_turns(
    revision: str,
    name: str,
    benchmark: Benchmark,
    argv: list[str],
    *,
    turns: int | None,
    report: Callable[[str], None],
) -> list[Verdict]:
    """Say what changed since `revision`, measured as `argv` says, `turns` times each or as often as
    it takes to tell.

    Raises UsageError when `turns` are too few, as soon as that is known.
    """

    def wanted(figures: int) -> int:
        needed = turns_needed(figures)
        if turns is not None and turns < needed:
            raise UsageError(
                f"{turns} turns cannot tell a change in {figures} figures from noise",
                hint=f"--turns {needed}, or fewer cases",
            )
        return turns or max(TURNS, needed)

    wanted(1)  # what is too few for one is refused before anything is measured
    there, here = measure_in_turns(
        revision,
        name,
        benchmark,
        _without(argv, OPTIONS),
        turns=lambda there, here: wanted(len(pairs_of(benchmark, there, here))),
        report=report,
    )
    return judge(pairs_of(benchmark, there, here))


def measure_in_turns(
    revision: str,
    name: str,
    benchmark: Benchmark,
    argv: list[str],
    *,
    turns: Callable[[list[Row], list[Row]], int],
    report: Callable[[str], None] = lambda text: None,
) -> tuple[list[Row], list[Row]]:
    """Return rows of `revision` and of this tree; each turn's figure is one of their rounds.

    A process differs from the next more than a round from the next, so each turn is a process.
    `turns` is given what the first one gave, and says how many there are to be, or raises.
    Raises UsageError when git does not know the revision, StylecamError when it cannot measure.
    """
    theirs: list[list[Row]] = []
    ours: list[list[Row]] = []
    with checked_out(revision) as there:
        wanted = 1
        for turn in itertools.count():
            if turn == 1:
                wanted = turns(_gathered(benchmark, theirs), _gathered(benchmark, ours))
            if turn >= wanted:
                break
            order = [(there, theirs), (ROOT, ours)]
            for tree, kept in order if turn % 2 == 0 else order[::-1]:
                of = f" of {wanted}" if turn else ""
                report(f"turn {turn + 1}{of}: {revision if tree == there else 'this tree'}")
                kept.append(_measured(tree, name, argv))
    return _gathered(benchmark, theirs), _gathered(benchmark, ours)


@contextlib.contextmanager
def checked_out(revision: str) -> Iterator[Path]:
    """Give a temporary checkout of a revision of this repository."""
    with tempfile.TemporaryDirectory(prefix="stylecam-") as folder:
        tree = Path(folder) / "tree"
        made = _git("worktree", "add", "--detach", str(tree), revision)
        if made.returncode:
            raise UsageError(
                f"git has no revision {revision!r}", hint=made.stderr.strip().splitlines()[-1]
            )
        try:
            yield tree
        finally:
            _git("worktree", "remove", "--force", str(tree))


def _git(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def _measured(tree: Path, name: str, argv: list[str]) -> list[Row]:
    # A checkout holds .types/stylecam, which leads to its own packages, whatever is installed.
    arguments = ["-m", "stylecam.realtime.cli", "bench", name, *argv, "--no-save", "--json"]
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree / ".types")},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["nothing"]
        raise StylecamError(
            f"{tree} cannot measure {name}",
            hint=f"it may not know an argument of today's; it says: {said[-1]}",
        )
    found: list[Row] = json.loads(done.stdout)
    return found


def _without(argv: list[str], options: dict[str, bool]) -> list[str]:
    """Leave out options, of which it is told whether they take a value."""
    kept: list[str] = []
    words = iter(argv)
    for word in words:
        name, _, value = word.partition("=")
        if name not in options:
            kept.append(word)
        elif options[name] and not value:
            next(words, None)
    return kept


def _gathered(benchmark: Benchmark, turns: list[list[Row]]) -> list[Row]:
    """Return the last turn's rows, with one round a turn: the median of that turn's own."""
    gathered: list[Row] = []
    for last in turns[-1]:
        same = [
            row for rows in turns for row in rows if benchmark.case(row) == benchmark.case(last)
        ]
        by_round: dict[str, list[float]] = {}
        for row in same:
            for measure, value in _figures(row).items():
                by_round.setdefault(measure, []).append(value)
        gathered.append(last | {"by_round": by_round})
    return gathered


def _figures(row: Row) -> dict[str, float]:
    """Return a row's measures; a revision before rounds were kept has its medians."""
    if "by_round" in row:
        return {key: statistics.median(values) for key, values in row["by_round"].items()}
    found: dict[str, float] = {}
    if "ms_per_picture" in row:
        found["ms_per_picture"] = row["ms_per_picture"]
    if "frames" in row and row.get("clip"):
        found["ms_per_frame"] = 1000 / row["fps"]
    if "latency_ms" in row:
        found["latency"] = row["latency_ms"]["p50"]
    return found
