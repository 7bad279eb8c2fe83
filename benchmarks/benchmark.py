"""What a benchmark is to the command, to the tables and to the comparison."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable
from typing import Any

from stylecam.realtime.errors import UsageError

Row = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """One thing that can be measured. A module that measures declares one under `BENCHMARK`."""

    arguments: Callable[[argparse.ArgumentParser], object]
    """Adds the arguments that are this benchmark's own."""
    measure: Callable[[argparse.Namespace], list[Row]]
    """Measures here and returns rows; under "by_round" what each round gave, in ms."""
    keys: tuple[str, ...]
    """What says that two rows are of one case."""
    columns: tuple[str, ...]
    """What a table shows of a row."""
    judged: tuple[str, ...] = ()
    """What of "by_round" is compared with another revision's; without any it can't be."""

    def case(self, row: Row) -> tuple[Any, ...]:
        """Return what two rows of one case have in common."""
        return tuple(row.get(key) for key in self.keys)


def parse_size(text: str) -> tuple[int, int]:
    """Return (height, width) of "640x360". Raises UsageError; engines need multiples of 8."""
    try:
        width, height = (int(side) for side in text.lower().split("x"))
    except ValueError as error:
        raise UsageError(f"{text!r} is no size", hint="WxH, as in 640x360") from error
    if width % 8 or height % 8 or min(width, height) <= 0:
        raise UsageError(f"{text} cannot be measured", hint="sides must be multiples of 8")
    return height, width
