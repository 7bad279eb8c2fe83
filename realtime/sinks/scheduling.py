"""Keep encoders from taking the machine over.

libsvtav1 run by root, as in a container, makes its threads and its caller's real-time ones for
good: on two cores the rest of the machine then hardly moves.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def normal_scheduling() -> Iterator[None]:
    """Put every thread back to ordinary scheduling if the block has made this one real-time."""
    if sys.platform != "linux":
        yield
        return
    before = os.sched_getscheduler(0)
    try:
        yield
    finally:
        if before == os.SCHED_OTHER != os.sched_getscheduler(0):
            for task in Path("/proc/self/task").iterdir():
                with contextlib.suppress(OSError):  # it may have ended
                    os.sched_setscheduler(int(task.name), os.SCHED_OTHER, os.sched_param(0))
