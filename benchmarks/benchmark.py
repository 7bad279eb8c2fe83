"""What a benchmark is to the command, to the tables and to the comparison."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable
from typing import Any, Final

from stylecam.realtime.errors import UsageError

Row = dict[str, Any]
Report = Callable[[str], None]
LONGEST_S: Final = 3600.0
"""Of what an argument may ask for."""


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """One thing that can be measured. A module that measures declares one under `BENCHMARK`."""

    arguments: Callable[[argparse.ArgumentParser], object]
    """Adds the arguments that are this benchmark's own."""
    measure: Callable[[argparse.Namespace, Report], list[Row]]
    """Measures here, tells what it is at, and returns rows; under "by_round" what each round gave,
    in ms. A row that is "dry" was made without the device: it is shown and not kept.
    """
    keys: tuple[str, ...]
    """What says that two rows are of one case."""
    columns: tuple[str, ...]
    """What a table shows of a row."""
    judged: tuple[str, ...] = ()
    """What of "by_round" is compared with another revision's; without any it can't be."""

    def case(self, row: Row) -> tuple[Any, ...]:
        """Return what two rows of one case have in common."""
        return tuple(row.get(key) for key in self.keys)


def parse_count(text: str) -> int:
    """Return the whole number above 0 that an argument gives."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a count: a whole number above 0")
    return int(text)


def parse_seconds(text: str) -> float:
    """Return the seconds above 0 that an argument gives."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= LONGEST_S:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a duration: seconds above 0, {LONGEST_S:.0f} at most"
        )
    return seconds


def parse_sizes(text: str) -> list[tuple[int, int]]:
    """Return (height, width) of each of "640x360,1280x720". Raises as `parse_size`."""
    return [parse_size(size) for size in text.split(",")]


def parse_size(text: str) -> tuple[int, int]:
    """Return (height, width) of "640x360". Raises UsageError; engines need multiples of 8."""
    try:
        width, height = (int(side) for side in text.lower().split("x"))
    except ValueError as error:
        raise UsageError(f"{text!r} is not a size", hint="WxH, as in 640x360") from error
    if width % 8 or height % 8 or min(width, height) <= 0:
        raise UsageError(f"{text} cannot be measured", hint="sides must be multiples of 8")
    return height, width
