"""What an engine remembers from frame to frame, kept with each finished segment.

Statistics of instance norm are carried through a clip, so a run resumed after a kill has to
know them as they were, or its pictures would differ from those of a run left alone.
`engines/followed.py` fills it.
"""

from __future__ import annotations

import base64
import json
from collections import deque
from typing import Any

import numpy as np

from .background import Lazy

Snapshot = dict[str, Any]
"""As `SmoothedStatistics.state` returns it; its arrays are never written to, so none is copied."""


class EngineMemory:
    """What an engine remembered after each frame on its way: `add` once for every frame that is
    submitted, `next` once for every frame that arrives, in the same order, from the thread of the
    sinks. `start` is what it begins with, encoded; empty when it begins anew.
    """

    def __init__(self, start: bytes = b"") -> None:
        self.start = start
        self._snapshots: deque[Snapshot] = deque()

    def add(self, snapshot: Snapshot) -> None:
        """Keep what the engine remembers after the frame that was just submitted."""
        self._snapshots.append(snapshot)

    def next(self) -> Snapshot:
        """Return what the engine remembered after the next frame."""
        return self._snapshots.popleft()


def encode(state: Snapshot) -> bytes:
    """Return a snapshot as bytes, exactly; waits for what is still being measured."""

    def plain(value: Any) -> Any:
        if isinstance(value, Lazy):
            value = value.result()
        array = np.ascontiguousarray(value)
        data = base64.b64encode(array.tobytes()).decode("ascii")
        return {"type": array.dtype.str, "shape": array.shape, "data": data}

    return json.dumps(state, default=plain, sort_keys=True).encode("ascii")


def decode(data: bytes) -> Snapshot:
    """Undo `encode`."""

    def array(value: dict[str, Any]) -> Any:
        if "data" not in value:
            return value
        raw = np.frombuffer(base64.b64decode(value["data"]), np.dtype(value["type"]))
        return raw.reshape(value["shape"])

    state: Snapshot = json.loads(data, object_hook=array)
    return state
