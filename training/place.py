"""Give a finished file its name; as in `realtime/place.py`, of which this room imports nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

_HELD: Final = (5, 32, 33)
"""Windows' errors while a virus scanner or an indexer reads a fresh file."""
_PAUSES_S: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 1.0)


def put_in_place(made: Path, final: Path, sleep: Callable[[float], None] = time.sleep) -> None:
    """Rename `made` to `final`, which is replaced, however long it takes up to 2.5 seconds: hours
    of training are not lost to a scanner. Raises OSError.
    """
    for pause_s in _PAUSES_S:
        try:
            made.replace(final)
        except OSError as error:
            if getattr(error, "winerror", None) not in _HELD:
                raise
            sleep(pause_s)
        else:
            return
    made.replace(final)
