"""An engine whose memory is kept: statistics of instance norm, with the segments of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..memory import EngineMemory, decode
from . import Engine, Pending

if TYPE_CHECKING:
    from .statistics import SmoothedStatistics


class FollowedEngine:
    """`engine`, remembering what `memory` begins with; each submission adds what it remembers
    then.
    """

    def __init__(self, engine: Engine, memory: EngineMemory) -> None:
        self._engine, self._memory = engine, memory
        self.depth, self.description = engine.depth, engine.description
        self.planar = engine.planar
        self.statistics: SmoothedStatistics | None = engine.statistics
        if memory.start and self.statistics is not None:
            self.statistics.load(decode(memory.start))

    def submit(self, picture: Any, strength: float = 1.0) -> Pending:
        """Start on the picture."""
        pending = self._engine.submit(picture, strength)
        self._memory.add({} if self.statistics is None else self.statistics.state())
        return pending

    def close(self) -> None:
        """Close the engine."""
        self._engine.close()
