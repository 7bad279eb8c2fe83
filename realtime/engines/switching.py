"""An engine whose style can be changed while it runs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..background import BackgroundCall
from ..errors import EngineError, StylecamError
from ..pictures import Picture
from ..styles import Style
from ..threads import JOIN_TIMEOUT_S
from . import Engine, Pending

if TYPE_CHECKING:
    from .statistics import SmoothedStatistics


class SwitchingEngine:
    """Runs one style's engine; the next is loaded and warmed up in the background, and takes over
    between two pictures. `switch` and `poll` are called by one thread, `submit` by another.
    """

    def __init__(self, style: Style, load: Callable[[Style], Engine]) -> None:
        self._load, self._current = load, load(style)
        self.style, self.depth = style, self._current.depth
        self.description, self.planar = self._current.description, self._current.planar
        self._wanted = style
        self._loading: tuple[Style, BackgroundCall[Engine]] | None = None
        self._next: Engine | None = None
        self._old: Engine | None = None
        self._old_for = 0
        self._last: Picture | None = None

    def submit(self, picture: Picture, strength: float = 1.0) -> Pending:
        """Start on the picture with the newest style that is ready."""
        if self._next is not None and self._old is None:
            self._old, self._old_for = self._current, self.depth
            self._current, self._next = self._next, None
            self.description = self._current.description
        elif self._old is not None:
            # `depth` pictures later none of the old engine's can be under way.
            self._old_for -= 1
            if self._old_for <= 0:
                self._old.close()
                self._old = None
        self._last = picture
        return self._current.submit(picture, strength)

    @property
    def statistics(self) -> SmoothedStatistics | None:
        """What the engine at work carries from frame to frame."""
        return self._current.statistics

    def switch(self, style: Style) -> None:
        """Ask for another style; returns at once. Asked again meanwhile, the last one counts."""
        self._wanted = style
        self.poll()

    def poll(self) -> None:
        """Hand over what has been loaded, or load what is wanted. Call now and then.

        Raises StylecamError when the wanted style cannot be loaded; the one at work stays.
        """
        if self._loading is not None and self._loading[1].done:
            (style, later), self._loading = self._loading, None
            try:
                engine = later.result()
            except BaseException:
                if self._wanted is style:
                    self._wanted = self.style
                    raise
            else:
                if self._wanted is style and self._next is None:
                    self._next, self.style = engine, style
                else:
                    engine.close()
        changed = self._wanted.path.resolve() != self.style.path.resolve()
        if self._loading is None and self._next is None and changed:
            wanted = self._wanted
            self._loading = wanted, BackgroundCall(lambda: self._warm(wanted))

    @property
    def loading(self) -> str:
        """Name of the style under way, or ""."""
        return self._loading[0].name if self._loading is not None else ""

    def _warm(self, style: Style) -> Engine:
        """Load, and compute one picture: the first one allocates."""
        engine = self._load(style)
        try:
            if engine.planar != self.planar:
                raise EngineError(
                    f"{style.name} needs another engine than {self.style.name}",
                    hint=f"start again with --style {style.name}",
                )
            if self._last is not None:
                engine.submit(self._last).result()
        except BaseException:
            engine.close()
            raise
        return engine

    def close(self) -> None:
        """Close what is open, and what is still being loaded if that ends soon: an engine for a
        GPU may take minutes.
        """
        for engine in (self._current, self._next, self._old):
            if engine is not None:
                engine.close()
        self._next = self._old = None
        if self._loading is not None:
            later, self._loading = self._loading[1], None
            if later.wait(JOIN_TIMEOUT_S):
                with contextlib.suppress(StylecamError):  # nobody waits for that style any more
                    later.result().close()
