"""Playing at the right speed."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

MAX_LEAD_S: Final = 1.0
"""A jump in the time stamps longer than this is a cut in the recording, not a wait."""

LOCKING: Final = 0.02
"""How much of a period `next_due_s` may shorten one period by."""
TARGET_WAIT: Final = 0.15
"""How much of a period a picture should wait to be sent: as much as its arrival may vary."""


def next_due_s(due_s: float, period_s: float, waited_s: float | None) -> float:
    """When the next picture of a fixed rate is due, after the one due at `due_s`.

    `waited_s` is how long the picture sent then had waited, None when it was an old one once
    more. While new pictures come in step, the due times move towards their arrival by at most
    `LOCKING` of a period at a time: pictures then wait for `TARGET_WAIT` of a period, not for up
    to a whole one.
    """
    early_s = 0.0 if waited_s is None else waited_s - TARGET_WAIT * period_s
    limit_s = LOCKING * period_s
    return due_s + period_s - min(limit_s, max(-limit_s, early_s))


def wait_s(pts_s: float, now_s: float, origin_s: float, *, max_lead_s: float = MAX_LEAD_S) -> float:
    """Seconds to wait until a picture is due.

    `pts_s` is its time in the video, `now_s` the clock's and `origin_s` the clock's at time 0 of
    the video. 0 when it is due or late, and when it would be more than `max_lead_s`.
    """
    due = pts_s - (now_s - origin_s)
    return due if 0 < due <= max_lead_s else 0.0


@contextmanager
def fine_waits(timer: Any = None) -> Iterator[None]:
    """Let waits end within a millisecond of their time in the block: on Windows they would within
    15.6, half a picture's period. `timer` is that system's winmm.
    """
    if sys.platform == "win32":
        timer = ctypes.WinDLL("winmm")
    if timer is not None:
        timer.timeBeginPeriod(1)
    try:
        yield
    finally:
        if timer is not None:
            timer.timeEndPeriod(1)
