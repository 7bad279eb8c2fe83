"""An engine whose state, the statistics of instance norm, is kept with the segments of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..snapshots import Snapshots, decode
from . import Engine, Pending

if TYPE_CHECKING:
    from .statistics import SmoothedStatistics


class SnapshottingEngine:
    """`engine`, begun with the state that `snapshots` start with; each submission adds the state
    after it.
    """

    def __init__(self, engine: Engine, snapshots: Snapshots) -> None:
        self._engine, self._snapshots = engine, snapshots
        self.depth, self.description = engine.depth, engine.description
        self.planar = engine.planar
        self.statistics: SmoothedStatistics | None = engine.statistics
        if snapshots.start and self.statistics is not None:
            self.statistics.load(decode(snapshots.start))

    def submit(self, picture: Any, strength: float = 1.0) -> Pending:
        """Start on the picture."""
        pending = self._engine.submit(picture, strength)
        self._snapshots.add({} if self.statistics is None else self.statistics.state())
        return pending

    def close(self) -> None:
        """Close the engine."""
        self._engine.close()
