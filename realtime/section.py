"""A part of a video, as --start and --duration ask for it."""

from __future__ import annotations

from fractions import Fraction
from typing import Final, NamedTuple

from .errors import UsageError

JUMP_S: Final = 1
"""Times that go back by more begin anew, as where two recordings were put one behind the other."""


class Cut(NamedTuple):
    """A part in the input's own time: `begin_s` <= time < `end_s`, then moved by -`shift_s`."""

    begin_s: Fraction | None = None
    end_s: Fraction | None = None
    shift_s: Fraction = Fraction(0)


class Section(NamedTuple):
    """A part in seconds from where the input begins; None is its beginning and its end."""

    start_s: Fraction | None = None
    duration_s: Fraction | None = None

    def cut(self, origin_s: Fraction, *, tick_s: Fraction, from_zero: bool = False) -> Cut:
        """Return the part of an input whose first time stamp is `origin_s`.

        With a start, or `from_zero`, the output begins at zero; every stream is moved by the same
        time. After a start that is whole ticks of the picture, which may be as long as a frame is
        shown: else it would be moved by more, or less, than its sound.
        """
        begin_s = None if self.start_s is None else origin_s + self.start_s
        end_s = None
        if self.duration_s is not None:
            end_s = (origin_s if begin_s is None else begin_s) + self.duration_s
        shift_s = origin_s if from_zero else Fraction(0)
        if begin_s is not None:
            shift_s = begin_s // tick_s * tick_s
        return Cut(begin_s, end_s, shift_s)


WHOLE: Final = Section()
EVERYTHING: Final = Cut()


_MOST_S: Final = 10**9
"""Thirty years: FFmpeg counts in microseconds, and not without end."""


def parse_time(option: str, text: str | None) -> Fraction | None:
    """Return the seconds that "90", "1:30" or "0:01:30.5" mean, exactly. Raises UsageError."""
    if text is None:
        return None
    try:
        parts = [Fraction(part) for part in text.split(":")]
    except (ValueError, ZeroDivisionError):
        parts = []
    seconds = sum((part * 60**place for place, part in enumerate(reversed(parts))), Fraction(0))
    if not 1 <= len(parts) <= 3 or any(part < 0 for part in parts) or seconds > _MOST_S:
        raise UsageError(f"{option} {text!r} is not a time", hint="seconds (90.5) or h:mm:ss")
    return seconds
