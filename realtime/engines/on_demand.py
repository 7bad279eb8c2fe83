"""An engine that is built when it is first needed."""

from __future__ import annotations

import os
from collections.abc import Callable

from ..errors import UsageError
from ..fit import Fit
from . import Engine


class OnDemandEngine:
    """What `build` makes for the size of a picture; another is made when the size changes. Closed,
    it is built again for the next picture.
    """

    def __init__(self, build: Callable[[Fit], Engine]) -> None:
        self._build = build
        self._size, self._process = (0, 0), 0
        self._engine: Engine | None = None

    def fitting(self, into: Fit) -> Engine:
        """Return the engine for pictures that enter it so. Raises UsageError in a process that was
        forked meanwhile: the engine's threads are not there, and it would wait for them for ever.
        """
        if self._engine is not None and self._process != os.getpid():
            raise UsageError(
                "the engine was built before this process was forked, and does not work here",
                hint="make a Stylizer in each process",
            )
        if self._engine is None or self._size != into.padded:
            self.close()
            self._engine, self._size = self._build(into), into.padded
            self._process = os.getpid()
        return self._engine

    def is_now(self, engine: Engine) -> bool:
        """Whether it still is this engine: neither closed since nor another."""
        return self._engine is engine

    def restart(self) -> None:
        """Forget the clip so far."""
        if self._engine is not None and self._engine.statistics is not None:
            self._engine.statistics.forget()

    def close(self) -> None:
        """Give back the engine, if there is one."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()
