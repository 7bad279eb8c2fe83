"""What a viewer can change while the picture runs."""

from __future__ import annotations

import math
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from .background import BackgroundCall
from .engines.switching import SwitchingEngine
from .errors import StylecamError
from .frame import Frame
from .sinks.image import ImageSink
from .sinks.partial import ELSEWHERE
from .sinks.recording import RecordingSink
from .stats import Stats
from .styles import Style

STEP: Final = 0.1
_MESSAGE_S: Final = 3.0
_FIGURES_EVERY_S: Final = 0.5
_WIDTH: Final = 70
"""Characters of a line over the picture: 640 pixels hold so many."""


class Controls:
    """Style, strength, snapshot and recording, by the name of a command. Only in the main thread.

    Files are named by the time and written into `folder`, that of -o's file; without one, into the
    folder that stylecam was started in. An error is shown over the picture until the next command.
    It is given to `tell`, too, which may keep it for longer, as is where a snapshot went.
    """

    def __init__(
        self,
        engine: SwitchingEngine,
        styles: list[Style],
        recording: RecordingSink,
        stats: Stats,
        *,
        strength: float = 1.0,
        folder: Path | None = None,
        clock: Callable[[], float] = time.perf_counter,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._engine, self._recording, self._stats = engine, recording, stats
        self._clock, self._tell, self._saving = clock, tell, list[BackgroundCall[str]]()
        known = [style.path.resolve() for style in styles]
        self._styles = styles if engine.style.path.resolve() in known else [engine.style, *styles]
        self._index = [s.path.resolve() for s in self._styles].index(engine.style.path.resolve())
        self._folder, self._strength = folder or Path(), strength
        self._elsewhere = "start stylecam in another folder" if folder is None else ELSEWHERE
        self._message, self._until_s = "", 0.0
        self._figures, self._renew_s = "", 0.0
        self._commands: dict[str, Callable[[Frame], str]] = {
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

    def command(self, name: str, frame: Frame) -> None:
        """Do what the viewer asked for; what fails is said, and the picture goes on."""
        try:
            self._say(self._commands[name](frame))
        except StylecamError as error:
            self._complain(error)

    def lines(self) -> list[str]:
        """What to write over the picture: state, what is wrong, what was just done."""
        try:
            self._engine.poll()
            if self._saving and self._saving[0].done:
                self._say(self._saved())
        except StylecamError as error:
            self._complain(error)
        recording = self._recording
        if recording.problem is not None:
            self._complain(recording.problem)
            recording.problem = None
        now = self._clock()
        if now >= self._renew_s:  # ranking thousands of durations takes longer than a look
            stats, self._renew_s = self._stats, now + _FIGURES_EVERY_S
            self._figures = f"{stats.fps_now:.0f} fps  {stats.latency.p50:.0f} ms"
        state = f"{self._figures}  {self._engine.style.name} {100 * self._strength:.0f}%"
        said = self._message if now < self._until_s else ""
        loading = f"loading {self._engine.loading}" if self._engine.loading else ""
        taping = f"recording {recording.path.name}" if recording.path else ""
        trouble = self._stats.trouble
        rest = (self._engine.description, taping, loading, trouble, *said.splitlines())
        return [state, *(line for line in rest if line)]

    def finish(self) -> None:
        """Wait for the snapshot that is being written. Raises SinkError when that fails."""
        try:
            while self._saving:
                self._saved()
        except StylecamError as error:
            self._mend(error)
            raise

    def _saved(self) -> str:
        message = self._saving.pop().result()
        self._tell(message)
        return message

    def _say(self, message: str) -> None:
        self._message, self._until_s = message, self._clock() + _MESSAGE_S

    def _mend(self, error: StylecamError) -> None:
        error.hint = error.hint.replace(ELSEWHERE, self._elsewhere)

    def _complain(self, error: StylecamError) -> None:
        self._mend(error)
        parts = [error.message, *([f"hint: {error.hint}"] if error.hint else ())]
        self._message = "\n".join(textwrap.fill(part, _WIDTH) for part in parts)
        self._until_s = math.inf
        self._tell("; ".join(parts))

    def _turn(self, step: int) -> str:
        self._index = (self._index + step) % len(self._styles)
        self._engine.switch(self._styles[self._index])
        return ""

    def _change(self, step: float) -> str:
        self._strength = round(min(1.0, max(0.0, self._strength + step)), 2)
        return f"strength {100 * self._strength:.0f}%"

    def _snapshot(self, frame: Frame) -> str:
        if self._saving:
            return "the last snapshot is being written"
        path = self._name(".png")
        self._saving.append(BackgroundCall(lambda: _save(path, frame)))
        return ""

    def _record(self) -> str:
        if self._recording.path is not None:
            return self._recording.stop()
        self._recording.start(self._name(self._recording.suffix))
        return ""

    def _name(self, suffix: str) -> Path:
        stem = time.strftime("stylecam-%Y%m%d-%H%M%S")
        names = (f"{stem}{'' if n == 0 else f'-{n}'}{suffix}" for n in range(1000))
        return next(p for p in (self._folder / name for name in names) if not p.exists())


def _save(path: Path, frame: Frame) -> str:
    sink = ImageSink(path)
    try:
        sink.write(frame)
        sink.close()
    except BaseException:
        sink.abort()
        raise
    return f"saved {path}"
