"""Two sets of rows, case by case: side by side, and with a test that knows noise."""

from __future__ import annotations

import itertools
import math
import statistics
import subprocess
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from stylecam.realtime.errors import UsageError

from . import rows
from .benchmark import Benchmark, Row
from .machine import describe_machine

ALPHA: Final = 0.05
"""Chance that a comparison in which nothing changed raises an alarm, all its cases together."""
TOLERANCE: Final = 0.02
"""Changes up to this are not worth a word."""
EXACT: Final = 20_000
"""Regroupings up to which all are tried; beyond, that many are drawn."""


class Pair(NamedTuple):
    """One measure of one case, then and now: what its rounds gave, in ms."""

    case: str
    measure: str
    earlier: list[float]
    now: list[float]

    @property
    def ratio(self) -> float:
        """Time now over time then."""
        return statistics.median(self.now) / statistics.median(self.earlier)

    def shown(self) -> Row:
        """Return it as a row: medians, ranges and ratio."""
        return {
            "case": self.case,
            "measure": self.measure,
            "earlier_ms": statistics.median(self.earlier),
            "earlier_range": [min(self.earlier), max(self.earlier)],
            "now_ms": statistics.median(self.now),
            "now_range": [min(self.now), max(self.now)],
            "ratio": f"{self.ratio:.3f}",
        }


class Verdict(NamedTuple):
    """How probable a difference as large is if nothing changed, and what to make of it."""

    pair: Pair
    chance: float
    word: str

    def shown(self) -> Row:
        """Return it as a row."""
        return self.pair.shown() | {"chance": f"{self.chance:.4f}", "word": self.word}


def pairs_of(benchmark: Benchmark, earlier: list[Row], now: list[Row]) -> list[Pair]:
    """Set the newest earlier row of each case beside what was measured now.

    Raises UsageError when no case has rounds on both sides.
    """
    then = {benchmark.case(row): row.get("by_round", {}) for row in earlier}
    found: dict[tuple[object, ...], Pair] = {}
    for row in now:
        old, new = then.get(benchmark.case(row), {}), row.get("by_round", {})
        for measure in benchmark.judged:
            if measure in old and measure in new:
                pair = Pair(_title(benchmark, row), measure, old[measure], new[measure])
                # Rows of peers share what ours took: one measurement, one comparison.
                found.setdefault((measure, *pair.earlier, *pair.now), pair)
    if not found:
        raise UsageError(
            "no case measured now has earlier rounds to be compared with",
            hint="name sizes and engines that were measured then",
        )
    return [*found.values()]


def judge(pairs: list[Pair], *, tolerance: float = TOLERANCE) -> list[Verdict]:
    """Say of each pair, both sides measured alternately in processes of their own, what changed.

    A change counts when regrouping the rounds at random seldom gives as large a one (permutation
    test on the logarithms; ALPHA shared among all that is compared, after Bonferroni) and when it
    is larger than `tolerance`. Raises UsageError when there are too few rounds for any to count.
    """
    alpha = ALPHA / len(pairs)
    if any(least_chance(len(pair.earlier), len(pair.now)) > alpha for pair in pairs):
        raise UsageError(
            f"too few turns to tell a change in {len(pairs)} figures from noise",
            hint=f"--turns {turns_needed(len(pairs))}, or fewer cases",
        )
    return [
        Verdict(
            pair,
            chance := chance_of(pair.earlier, pair.now),
            _word(pair, chance <= alpha, tolerance),
        )
        for pair in pairs
    ]


def turns_needed(figures: int) -> int:
    """Return how many turns of each side can tell a change in that many figures from noise; even,
    as sides take the first turn alternately.
    """
    enough = (n for n in range(2, 100, 2) if least_chance(n, n) <= ALPHA / figures)
    return next(enough)


def chance_of(earlier: list[float], now: list[float]) -> float:
    """Return how probable a difference as large as theirs is, if both came from one source."""
    pooled = np.log(np.array([*earlier, *now]))
    count, total = len(now), len(pooled)
    found = abs(pooled[-count:].mean() - pooled[:-count].mean())
    if math.comb(total, count) <= EXACT:
        chosen = np.array([*itertools.combinations(range(total), count)])
    else:
        random = np.random.default_rng(0)
        chosen = random.random((EXACT, total)).argsort(axis=1)[:, :count]
        chosen[0] = range(total - count, total)  # what was found is one of them
    sums = pooled[chosen].sum(axis=1)
    differences = np.abs(sums / count - (pooled.sum() - sums) / (total - count))
    return float((differences >= found - 1e-12).mean())


def earlier_rows(name: str, given: str, *, across_machines: bool) -> list[Row]:
    """Return the rows of a JSONL file, or those kept in the git revision `given`, that kept rounds.

    Raises UsageError when there are none, or none of this machine unless `across_machines`.
    """
    try:
        found = rows.parse(_text(name, given))
    except ValueError as error:
        raise UsageError(f"{given} holds no rows", hint=f"it should be JSONL: {error}") from error
    here = rows.machine_of(describe_machine())
    kept = [row for row in found if across_machines or rows.machine_of(row) == here]
    if not kept:
        others = "; ".join(dict.fromkeys(rows.machine_of(row) for row in found)) or "none"
        raise UsageError(
            f"{given} has no {name} rows of this machine: {here}",
            hint=f"its machines: {others}. --across-machines compares all the same",
        )
    timed = [row for row in kept if row.get("by_round")]
    if not timed:
        raise UsageError(
            f"the {name} rows of {given} kept no rounds to be compared with",
            hint="rows before version 0.2 kept none; name a later one",
        )
    return timed


def _text(name: str, given: str) -> str:
    path = Path(given)
    if path.is_file():
        return path.read_text(encoding="utf-8")
    folder = rows.RESULTS
    shown = subprocess.run(
        ["git", "show", f"{given}:./{name}.jsonl"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if shown.returncode:
        raise UsageError(
            f"{given!r} is neither a file nor a revision with {name} rows",
            hint=shown.stderr.strip().splitlines()[-1] if shown.stderr else "see git log",
        )
    return shown.stdout


def _title(benchmark: Benchmark, row: Row) -> str:
    values: list[Any] = [row[key] for key in benchmark.keys if row.get(key) is not None]
    return ", ".join(str(value) for value in values)


def least_chance(earlier: int, now: int) -> float:
    """Return the smallest chance that so many rounds can show: that of one regrouping of all, or of
    two, as sides of equal length can change places.
    """
    alike = 2 if earlier == now else 1
    return max(alike / math.comb(earlier + now, now), 1 / EXACT)


def _word(pair: Pair, unlikely: bool, tolerance: float) -> str:
    change = math.log(pair.ratio)
    if not unlikely or abs(change) <= math.log1p(tolerance):
        return "same"
    return "slower" if change > 0 else "faster"
