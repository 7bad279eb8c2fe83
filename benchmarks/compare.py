"""Whether something became slower: two sets of rows, case by case, and a test that knows noise."""

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

ALPHA: Final = 0.05
"""Chance that a comparison in which nothing changed raises an alarm, all its cases together."""
IN_TURNS: Final = 0.02
"""Changes up to this are not worth a word, when both sides were measured in turns."""
DAYS_APART: Final = 0.05
"""The same for rows of another time: rounds of one run don't show how much a machine differs from
day to day, so this is an allowance, not a measurement. `--against` needs none."""
EXACT: Final = 20_000
"""Regroupings up to which all are tried; beyond, that many are drawn."""


class Verdict(NamedTuple):
    """One measure of one case, then and now, in ms; `word` is what to make of it."""

    case: str
    measure: str
    earlier_ms: float
    now_ms: float
    chance: float
    word: str

    @property
    def ratio(self) -> float:
        """Time now over time then."""
        return self.now_ms / self.earlier_ms


def judge(
    benchmark: Benchmark, earlier: list[Row], now: list[Row], *, tolerance: float
) -> list[Verdict]:
    """Compare the newest earlier row of each case with what was measured now.

    A change counts when regrouping the rounds at random seldom gives as large a one (permutation
    test on the logarithms; ALPHA shared among all that is compared, after Bonferroni) and when it
    is larger than `tolerance`. Raises UsageError when there is nothing to compare.
    """
    then = {benchmark.case(row): row for row in earlier}
    pairs = [
        (row, measure, then[benchmark.case(row)]["by_round"][measure], values)
        for row in now
        for measure, values in row.get("by_round", {}).items()
        if measure in then.get(benchmark.case(row), {}).get("by_round", {})
    ]
    if not pairs:
        raise UsageError(
            "no case measured now has earlier rounds to be compared with",
            hint="rows before version 0.2 kept none, and graphs and quality have none",
        )
    alpha = ALPHA / len(pairs)
    return [
        Verdict(
            _title(benchmark, row),
            measure,
            statistics.median(old),
            statistics.median(new),
            chance := chance_of(old, new),
            _word(old, new, chance <= alpha, tolerance)
            if least_chance(old, new) <= alpha
            else "too few rounds",
        )
        for row, measure, old, new in pairs
    ]


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
    """Return the rows of a JSONL file, or those kept in the git revision `given`.

    Raises UsageError when there are none, or none of this machine unless `across_machines`.
    """
    try:
        found = rows.parse(_text(name, given))
    except ValueError as error:
        raise UsageError(f"{given} holds no rows", hint=f"it should be JSONL: {error}") from error
    here = rows.machine_of(rows.machine())
    kept = [row for row in found if across_machines or rows.machine_of(row) == here]
    if not kept:
        others = "; ".join(dict.fromkeys(rows.machine_of(row) for row in found)) or "none"
        raise UsageError(
            f"{given} has no {name} rows of this machine: {here}",
            hint=f"its machines: {others}. --across-machines compares all the same",
        )
    return kept


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


def least_chance(earlier: list[float], now: list[float]) -> float:
    """Return the smallest chance that so many rounds can show."""
    return 2 / math.comb(len(earlier) + len(now), len(now))


def _word(old: list[float], new: list[float], unlikely: bool, tolerance: float) -> str:
    change = math.log(statistics.median(new) / statistics.median(old))
    if not unlikely or abs(change) <= math.log1p(tolerance):
        return "same"
    return "slower" if change > 0 else "faster"
