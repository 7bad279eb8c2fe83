"""The window's keys: what each asks for, and whether it was pressed again or is held down."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

_KEYS: Final = {
    "q": "quit",
    "\x1b": "quit",
    "n": "next style",
    "p": "previous style",
    "+": "stronger",
    "=": "stronger",
    "-": "weaker",
    " ": "compare",
    "m": "split",
    "s": "snapshot",
    "r": "record",
    "f": "full screen",
    "o": "overlay",
    "h": "help",
}
_ARROWS: Final = {  # codes of X11, Windows and macOS
    **dict.fromkeys((0xFF53, 0x270000, 0xF703), "next style"),
    **dict.fromkeys((0xFF51, 0x250000, 0xF702), "previous style"),
}
HELP: Final = (
    "n p  or arrows\tnext, previous style",
    "+ -\tstronger, weaker",
    "hold space\tshow the original",
    "m\tsplit view: original left, painting right",
    "s\tsave a snapshot",
    "r\tstart or stop recording",
    "f\tfull screen",
    "o\thide or show the status text (for window capture)",
    "h\tthis help",
    "q or Esc\tquit",
)
_ONCE: Final = frozenset({"snapshot", "record", "split", "help", "full screen", "overlay"})
"""What a key that is held down asks for only once."""
HOLD_S: Final = 0.75
"""A key that is held repeats, at first after up to 0.66 s."""
_REPEAT_S: Final = 0.15
"""A key that is held repeats in less than this, after the first time."""


def meaning(code: int) -> str:
    """What a key asks for by OpenCV's code of it; "" for keys that mean nothing."""
    if code in _ARROWS:
        return _ARROWS[code]
    low = code & 0xFFFF  # above are the states of Shift, Num Lock and their like
    return _ARROWS.get(low, "") if low > 0xFF else _KEYS.get(chr(low).lower(), "")


class Keys:
    """Turns key codes, one a picture, into commands. `clock` gives seconds.

    OpenCV does not tell when a key is let go: held, it looks as if pressed again and again.
    Commands that act once a press need the difference. A code soon after the same one is a
    repetition if yet another follows at once, and a press of its own if none does, which is known
    a little later.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last_s: dict[str, float] = {}
        self._doubtful, self._doubtful_s = "", 0.0
        self._asked_s, self._between_s = clock(), 0.0

    def commands(self, code: int) -> list[str]:
        """Return what the key of OpenCV's `code` (-1: none) asks for, and an earlier one in
        doubt until now. Call once a picture.
        """
        command = "" if code == -1 else meaning(code)
        is_new = command not in _ONCE or self._is_new(command)
        found = [command if is_new else "", self._settled()]
        return [command for command in found if command]

    def _is_new(self, command: str) -> bool:
        """Whether it is a press for certain; `_settled` gives it later if it was one after all."""
        now_s = self._clock()
        gap_s = now_s - self._last_s.get(command, -HOLD_S)
        self._last_s[command] = now_s
        if gap_s >= HOLD_S:
            return True
        is_held = gap_s < max(_REPEAT_S, 2 * self._between_s)
        self._doubtful, self._doubtful_s = ("" if is_held else command), now_s
        return False

    def _settled(self) -> str:
        """Return the command of a press that was doubtful and was one, else ""."""
        now_s = self._clock()
        self._between_s, self._asked_s = now_s - self._asked_s, now_s
        if not self._doubtful or now_s - self._doubtful_s < max(_REPEAT_S, 2 * self._between_s):
            return ""
        command, self._doubtful = self._doubtful, ""
        return command
