"""Playing at the right speed, as a pure function."""

from __future__ import annotations

from typing import Final

MAX_LEAD_S: Final = 1.0
"""A jump in the time stamps longer than this is a cut in the recording, not a wait."""


def wait_s(pts_s: float, now_s: float, origin_s: float) -> float:
    """Seconds to wait until a picture is due.

    `pts_s` is its time in the video, `now_s` the clock's and `origin_s` the clock's at time 0 of
    the video. 0 when it is due or late.
    """
    due = pts_s - (now_s - origin_s)
    return due if 0 < due <= MAX_LEAD_S else 0.0
