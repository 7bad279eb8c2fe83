"""The time stamps of a file's frames, made to grow from each frame to the next."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from ..section import JUMP_S

if TYPE_CHECKING:
    from av import VideoFrame


class FrameTimes:
    """Gives each frame, in order, a time in units of `time_base`. `ticks` is how many of them a
    frame lasts where the file does not say.
    """

    def __init__(self, time_base: Fraction, ticks: int) -> None:
        self._time_base, self._ticks = time_base, ticks
        self._last: int | None = None
        self._offset = self._moved = 0
        self.jumps: list[Fraction] = []
        """By how many seconds times are moved since each jump back of the input's clock so far."""

    def place(self, frame: VideoFrame, stamp: int | None) -> Fraction:
        """Set `frame.pts` by what the file says, None where it says nothing; return it in seconds.

        After a jump back the clock goes on one frame after the last; another stamp that is not
        later than the last becomes the next possible one.
        """
        last = self._last
        if stamp is not None:
            if last is not None and (last - stamp - self._offset) * self._time_base > JUMP_S:
                self._offset = last + self._ticks - stamp
                self.jumps.append(self._offset * self._time_base)
            stamp += self._offset
        if stamp is None or (last is not None and stamp <= last):
            self._moved += 1
            stamp = 0 if last is None else last + (self._ticks if stamp is None else 1)
        self._last = frame.pts = stamp
        return stamp * self._time_base

    @property
    def end_s(self) -> Fraction:
        """When the last frame so far ends, at the usual length of a frame."""
        return ((self._last or 0) + self._ticks) * self._time_base

    @property
    def notes(self) -> list[str]:
        """What was changed, a line each."""
        notes = []
        if jumps := len(self.jumps):
            times = f"{jumps} time{'s' * (jumps != 1)}"
            notes.append(f"time stamps jump back {times}: the rest was placed after them")
        if self._moved:
            frames = f"{self._moved} frame{'s' * (self._moved != 1)}"
            notes.append(
                f"{frames} had no time stamp, or one not later than the previous frame's: placed "
                "right after that frame"
            )
        return notes
