"""What an engine remembers from frame to frame, kept with each finished segment.

Statistics of instance norm are carried through a clip, so a run resumed after a kill has to
know them as they were, or its pictures would differ from those of a run left alone.
"""

from __future__ import annotations

import base64
import json
from collections import deque
from typing import Any

import numpy as np

from .engines import Engine, Pending
from .threads import Once

Snapshot = dict[str, Any]
"""As `SmoothedStatistics.state` returns it; its arrays are never written to, so none is copied."""


class EngineMemory:
    """Follows an engine through a clip. `attach` first; then `next` once for every frame that
    arrives, in the order of submission, from the thread of the sinks.
    """

    def __init__(self, start: bytes = b"") -> None:
        self._start = start
        self._snapshots: deque[Snapshot] = deque()

    def attach(self, engine: Engine) -> Engine:
        """Return `engine`, remembering what `start` says."""
        if self._start and engine.statistics is not None:
            engine.statistics.load(decode(self._start))
        return _Followed(engine, self._snapshots)

    def next(self) -> Snapshot:
        """Return what the engine remembered after the next frame."""
        return self._snapshots.popleft()


class _Followed:
    """The same engine; each submission adds a snapshot."""

    def __init__(self, engine: Engine, snapshots: deque[Snapshot]) -> None:
        self._engine, self._snapshots = engine, snapshots
        self.depth, self.description = engine.depth, engine.description
        self.planar, self.statistics = engine.planar, engine.statistics

    def submit(self, picture: Any, strength: float = 1.0) -> Pending:
        pending = self._engine.submit(picture, strength)
        self._snapshots.append({} if self.statistics is None else self.statistics.state())
        return pending

    def close(self) -> None:
        self._engine.close()


def encode(state: Snapshot) -> bytes:
    """Return a snapshot as bytes, exactly; waits for what is still being measured."""

    def plain(value: Any) -> Any:
        if isinstance(value, Once):
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
