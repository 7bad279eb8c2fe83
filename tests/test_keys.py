"""The window's keys, without a window: tests/test_window.py presses real ones."""

from __future__ import annotations

import numpy as np
import pytest
from stylecam.realtime.sinks.keys import Keys, meaning


def test_keys_have_meanings() -> None:
    named = {ord("q"): "quit", 27: "quit", ord("N"): "next style", 0xFF51: "previous style"}
    named |= {0x270000: "next style", ord("="): "stronger", 0x100000 | ord("s"): "snapshot"}
    for code, command in named.items():
        assert meaning(code) == command
    assert meaning(ord("z")) == meaning(0xFFE1) == ""


@pytest.mark.parametrize(
    ("events_s", "acted"),
    [
        ([0.0], 1),
        ([0.0, 0.3], 2),  # r by mistake, and again at once
        ([0.0, 0.3, 0.6, 0.9], 4),
        ([0.0, 2.0], 2),
        ([0.0, 0.66, *np.arange(0.70, 3.0, 0.04)], 1),  # held, as X repeats
        ([0.0, 0.25, *np.arange(0.28, 3.0, 0.03)], 1),  # as Windows does at the shortest
    ],
)
@pytest.mark.parametrize("fps", [60, 20])
def test_a_key_that_is_held_acts_once_and_pressed_twice_twice(
    events_s: list[float], acted: int, fps: int
) -> None:
    now_s, waiting, count = 0.0, list(events_s), 0
    keys = Keys(lambda: now_s)
    while now_s < 6:
        is_due = bool(waiting) and waiting[0] <= now_s
        if is_due:
            waiting.pop(0)
        count += keys.commands(ord("r") if is_due else -1).count("record")
        now_s += 1 / fps
    assert count == acted


class Hand:
    """Keys under a hand, 30 pictures a second."""

    def __init__(self) -> None:
        self.now_s, self.asked = 100.0, list[str]()
        self._keys = Keys(lambda: self.now_s)

    def pictures(self, count: int, key: str = "") -> None:
        for _ in range(count):
            self.asked += self._keys.commands(ord(key) if key else -1)
            self.now_s += 1 / 30

    def hold(self, key: str, seconds: float) -> None:
        self.pictures(1, key)
        self.pictures(14)
        self.pictures(round((seconds - 0.5) * 30), key)


def test_a_key_that_is_held_asks_once() -> None:
    hand = Hand()
    for key in "sro":
        hand.hold(key, 3)
    assert hand.asked == ["snapshot", "record", "overlay"]
    hand.hold("+", 1)
    assert hand.asked.count("stronger") > 10
    hand.pictures(30)
    hand.pictures(1, "r")
    assert hand.asked.count("record") == 2
