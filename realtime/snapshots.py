"""Snapshots of an engine's state, one of which is kept with each finished segment.

Statistics of instance norm are carried through a clip, so a run resumed after a kill has to begin
with what they were, or its pictures would differ from those of a run left alone.
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


class Snapshots:
    """The engine's state after each frame under way: `add` is called once for every frame that is
    submitted (`engines/snapshotting.py`), `next` once for every frame that arrives, in the same
    order, by the thread of the sinks. `start` is the state to begin with, encoded; empty for a
    beginning from nothing.
    """

    def __init__(self, start: bytes = b"") -> None:
        self.start = start
        self._snapshots: deque[Snapshot] = deque()

    def add(self, snapshot: Snapshot) -> None:
        """Keep the state after the frame that was just submitted."""
        self._snapshots.append(snapshot)

    def next(self) -> Snapshot:
        """Return the state after the next frame."""
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
