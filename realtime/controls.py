"""What a viewer can change while the picture runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from .errors import StylecamError
from .frame import Frame
from .sinks.image import ImageSink
from .sinks.recording import RecordingSink
from .stats import Stats
from .styles import Style
from .switch import SwitchingEngine

STEP: Final = 0.1
_MESSAGE_S: Final = 3.0
_FIGURES_EVERY_S: Final = 0.5


class Controls:
    """Style, strength, snapshot and recording, by the name of a wish. Only in the main thread.

    Files are named by the time and written into `folder`.
    """

    def __init__(
        self,
        engine: SwitchingEngine,
        styles: list[Style],
        recording: RecordingSink,
        stats: Stats,
        *,
        strength: float = 1.0,
        folder: Path = Path(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine, self._recording, self._stats = engine, recording, stats
        self._clock = clock
        known = [style.path.resolve() for style in styles]
        self._styles = styles if engine.style.path.resolve() in known else [engine.style, *styles]
        self._index = [s.path.resolve() for s in self._styles].index(engine.style.path.resolve())
        self._folder, self._strength = folder, strength
        self._message, self._until_s = "", 0.0
        self._figures, self._renew_s = "", 0.0
        self._wishes: dict[str, Callable[[Frame], str]] = {
            "next style": lambda _: self._turn(1),
            "previous style": lambda _: self._turn(-1),
            "stronger": lambda _: self._change(STEP),
            "weaker": lambda _: self._change(-STEP),
            "snapshot": self._snapshot,
            "record": lambda _: self._record(),
        }

    def strength(self) -> float:
        """How much painting: 0 (photo) to 1."""
        return self._strength

    def wish(self, name: str, frame: Frame) -> None:
        """Do what the viewer asked for; what fails is said, and the picture goes on."""
        try:
            self._say(self._wishes[name](frame))
        except StylecamError as error:
            self._say(error.message)

    def lines(self) -> list[str]:
        """What to write over the picture: state, what is wrong, what was just done."""
        try:
            self._engine.poll()
        except StylecamError as error:
            self._say(error.message)
        recording = self._recording
        if recording.problem:
            self._say(recording.problem)
            recording.problem = ""
        now = self._clock()
        if now >= self._renew_s:  # ranking thousands of durations takes longer than a look
            stats, self._renew_s = self._stats, now + _FIGURES_EVERY_S
            self._figures = f"{stats.fps_now:.0f} fps  {stats.latency.p50:.0f} ms"
        state = f"{self._figures}  {self._engine.style.name} {100 * self._strength:.0f}%"
        said = self._message if now < self._until_s else ""
        loading = f"loading {self._engine.loading}" if self._engine.loading else ""
        taping = f"recording {recording.path.name}" if recording.path else ""
        rest = (self._engine.description, taping, loading, self._stats.trouble, said)
        return [state, *(line for line in rest if line)]

    def _say(self, message: str) -> None:
        self._message, self._until_s = message, self._clock() + _MESSAGE_S

    def _turn(self, step: int) -> str:
        self._index = (self._index + step) % len(self._styles)
        self._engine.switch(self._styles[self._index])
        return ""

    def _change(self, step: float) -> str:
        self._strength = round(min(1.0, max(0.0, self._strength + step)), 2)
        return f"strength {100 * self._strength:.0f}%"

    def _snapshot(self, frame: Frame) -> str:
        path = self._name(".png")
        sink = ImageSink(path)
        try:
            sink.write(frame)
            sink.close()
        except BaseException:
            sink.abort()
            raise
        return f"saved {path}"

    def _record(self) -> str:
        path = self._recording.path
        if path is not None:
            self._recording.stop()
            return f"saved {path}"
        self._recording.start(self._name(".mp4"))
        return ""

    def _name(self, suffix: str) -> Path:
        stem = time.strftime("stylecam-%Y%m%d-%H%M%S")
        names = (f"{stem}{'' if n == 0 else f'-{n}'}{suffix}" for n in range(1000))
        return next(p for p in (self._folder / name for name in names) if not p.exists())
