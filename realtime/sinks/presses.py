"""Presses of a key, told from its repeating while it is held."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

HOLD_S: Final = 0.75
"""No event tells that a key was let go: held, it repeats, at first after up to 0.66 s."""
_REPEAT_S: Final = 0.15
"""A key that is held repeats in less than this, after the first time."""


class Presses:
    """Of the same key, what comes soon after the last time is a repetition if yet more comes at
    once, and a press of its own if not. `clock` gives seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last_s: dict[str, float] = {}
        self._doubtful, self._doubtful_s = "", 0.0
        self._asked_s, self._between_s = clock(), 0.0

    def is_new(self, command: str) -> bool:
        """Whether it is a press for certain; `settled` gives it later if it was one after all."""
        now_s = self._clock()
        gap_s = now_s - self._last_s.get(command, -HOLD_S)
        self._last_s[command] = now_s
        if gap_s >= HOLD_S:
            return True
        is_held = gap_s < max(_REPEAT_S, 2 * self._between_s)
        self._doubtful, self._doubtful_s = ("" if is_held else command), now_s
        return False

    def settled(self) -> str:
        """Return the command of a press that was doubtful and was one, else "". To be asked once a
        picture, after its keys.
        """
        now_s = self._clock()
        self._between_s, self._asked_s = now_s - self._asked_s, now_s
        if not self._doubtful or now_s - self._doubtful_s < max(_REPEAT_S, 2 * self._between_s):
            return ""
        command, self._doubtful = self._doubtful, ""
        return command
