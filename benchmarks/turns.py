"""Taking turns, so that a machine whose speed drifts treats all alike, and what to keep of it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from stylecam.realtime.stats import percentiles

T = TypeVar("T")
BIN_MS: Final = 0.5
"""Width of a histogram's bins."""


def in_turns(
    cases: Sequence[Callable[[], T]],
    *,
    rounds: int,
    most: Sequence[int] | None = None,
    warm_up: bool = True,
    report: Callable[[str], None] = lambda text: None,
) -> list[list[T]]:
    """Call every case once a round and return what each gave, round by round.

    A round more is run than asked for: the first warms up and is thrown away, unless all was warmed
    up before. Every other round goes backwards, so that a steady drift favours none: `rounds`
    should be even. Slow cases may take part in the first few only: case i in `most[i]` rounds.
    """
    given: list[list[T]] = [[] for _ in cases]
    for turn in range(0 if warm_up else 1, rounds + 1):
        report("warming up" if turn == 0 else f"round {turn} of {rounds}")
        order = range(len(cases)) if turn % 2 == 0 else reversed(range(len(cases)))
        for index in order:
            if most is not None and turn > most[index]:
                continue
            value = cases[index]()
            if turn > 0:
                given[index].append(value)
    return given


def seconds(run: Callable[[], object]) -> float:
    """Return how long a call takes."""
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


def burst_length(one_s: float, *, budget_s: float = 0.6, most: int = 20) -> int:
    """Return how many pictures of `one_s` seconds make a burst worth timing."""
    return max(1, min(most, round(budget_s / max(one_s, 1e-6))))


def rounds_within(budget_s: float, burst_s: float, *, rounds: int) -> int:
    """Return how many rounds of `burst_s` a case may take: two at least, an even number, and no
    more than `rounds`.
    """
    return min(rounds, max(2, 2 * int(budget_s / max(burst_s, 1e-6) / 2)))


def ratios(theirs_s: Sequence[float], ours_s: Sequence[float]) -> dict[str, Any]:
    """Return how many times as long theirs took, round by round: the median, and the range."""
    found = [theirs / ours for theirs, ours in zip(theirs_s, ours_s, strict=False)]
    return {
        "ratio": round(statistics.median(found), 2),
        "ratio_range": [round(min(found), 2), round(max(found), 2)],
    }


def spread(durations_s: Sequence[float]) -> dict[str, float]:
    """Return the percentiles of durations, in milliseconds."""
    return {key: round(value, 2) for key, value in percentiles([*durations_s])._asdict().items()}


def in_ms(durations_s: Sequence[float]) -> list[float]:
    """Return durations in milliseconds, rounded for a row."""
    return [round(1000 * duration, 6) for duration in durations_s]


def chunk_medians(durations_s: Sequence[float], chunks: int = 5) -> list[float]:
    """Return the median of each of `chunks` parts of one long run, in order: its rounds."""
    length = max(1, len(durations_s) // chunks)
    parts = [durations_s[at : at + length] for at in range(0, length * chunks, length)]
    return [statistics.median(part) for part in parts if part]


def histogram(durations_s: Sequence[float]) -> list[tuple[float, int]]:
    """Return (lower edge in ms, count) of each bin of BIN_MS that holds anything."""
    counts: dict[float, int] = {}
    for duration in durations_s:
        edge = BIN_MS * int(1000 * duration / BIN_MS)
        counts[edge] = counts.get(edge, 0) + 1
    return sorted(counts.items())
