"""Timecodes as cameras count them (SMPTE ST 12-1), for a part of a film that begins later."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Final

_TIMECODE: Final = re.compile(r"(\d\d):(\d\d):(\d\d)([:;.,])(\d{2,3})")
_NTSC: Final = Fraction(1000, 1001)


def move(metadata: dict[str, str], by_s: Fraction, rate: Fraction) -> list[str]:
    """Move the timecode in `metadata`, if there is one, by so many seconds. One that cannot be
    counted on is taken out and said: it would tell of another picture.
    """
    notes = []
    for key in [key for key in metadata if key.lower() == "timecode"]:
        moved = later(metadata[key], by_s, rate)
        if moved is None:
            where = f"{metadata[key]} cannot be counted on at {float(rate):.5g} fps"
            notes.append(f"timecode left out: {where}")
            del metadata[key]
        else:
            metadata[key] = moved
    return notes


def later(timecode: str, by_s: Fraction, rate: Fraction) -> str | None:
    """Return the timecode of the first picture not before `by_s` seconds after that of `timecode`;
    None where `rate` is not one that it is counted at.
    """
    found, nominal = _TIMECODE.fullmatch(timecode), round(rate)
    if found is None or not nominal:
        return None
    hours, minutes, seconds, frames = (int(found[place]) for place in (1, 2, 3, 5))
    # Stored rates are often means, and a little off.
    ntsc = abs(rate / (nominal * _NTSC) - 1) < Fraction(1, 4000)
    if frames >= nominal or not (ntsc or abs(rate / nominal - 1) < Fraction(1, 4000)):
        return None
    skipped = 0
    if found[4] != ":":
        if nominal % 30 or not ntsc:
            return None
        skipped = nominal // 15
    exact = nominal * (_NTSC if ntsc else 1)
    whole_minutes = 60 * hours + minutes
    count = (60 * whole_minutes + seconds) * nominal + frames
    count -= skipped * (whole_minutes - whole_minutes // 10)
    return _written(count + max(0, math.ceil(by_s * exact)), nominal, skipped, found[4])


def _written(count: int, nominal: int, skipped: int, mark: str) -> str:
    """Return the timecode of the picture number `count` since midnight. Drop-frame counting leaves
    out the first numbers of every minute but each tenth: 18 (36 at 60) in ten minutes, as 29.97
    has fewer pictures than 30.
    """
    minute, ten = 60 * nominal - skipped, 600 * nominal - 9 * skipped
    tens, rest = divmod(count % (144 * ten), ten)
    number = count % (144 * ten) + 9 * skipped * tens
    number += skipped * max(0, (rest - skipped) // minute)
    seconds, frames = divmod(number, nominal)
    digits = 2 if nominal <= 100 else 3
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{clock}{mark}{frames:0{digits}}"
