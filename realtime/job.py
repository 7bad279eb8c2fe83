"""A job: how its pictures are to look, how its files are read and written, and what came of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from .engines import EngineOptions, candidates
from .engines.environment import detect_environment
from .sinks.formats import Coding
from .sources import Reading
from .stats import Stats
from .styles import Style


@dataclasses.dataclass(frozen=True)
class Look:
    """How the result should look."""

    style: Style
    strength: float = 1.0
    size: str | None = None
    engine: EngineOptions = dataclasses.field(default_factory=EngineOptions)


@dataclasses.dataclass(frozen=True)
class FileOptions:
    """What the user may say about reading and writing a file."""

    force: bool = False
    """Whether the output may replace a file."""
    audio: bool = True
    reading: Reading = dataclasses.field(default_factory=Reading)
    coding: Coding = dataclasses.field(default_factory=Coding)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a job did; `interrupted` when it was stopped before the input's end."""

    output: Path | None
    stats: Stats
    engine: str
    interrupted: bool
    notes: list[str]
    earlier_frames: int = 0
    """How many frames earlier runs had painted: `stats` counts the rest."""
    stopped_by: int = 0
    """The signal that asked it to stop, be it too late to cut it short; 0 when none did."""
    kept: int | None = None
    """How many frames are kept for the next run where this one, interrupted, made no file; None
    where it made one."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "output": None if self.output is None else str(self.output),
            "engine": self.engine,
            "interrupted": self.interrupted,
            "notes": self.notes,
            "earlier_frames": self.earlier_frames,
            **({} if self.kept is None else {"kept_frames": self.kept}),
            **self.stats.summary(),
        }


def describe_job(path: Path, look: Look, options: FileOptions) -> dict[str, Any]:
    """Return all that decides what an output's pictures are, as plain values.

    Two runs of equal jobs make equal pictures, so that the second may resume the first.
    """
    from importlib.metadata import version

    import cv2

    engines = candidates(look.engine, look.style).engines
    made: dict[str, Any] = {
        "input": str(path.absolute()),
        "style": look.style.sha256,
        "strength": look.strength,
        "size": look.size,
        "engine": dataclasses.asdict(look.engine),
        "engines": engines,
        "section": [str(part) for part in options.reading.section],
        "keep_hdr": options.reading.keep_hdr,
        "decoder": options.reading.decoder,
        "coding": dataclasses.asdict(options.coding),
        "versions": [version(name) for name in ("stylecam", "av", "openvino")],
        "opencv": cv2.__version__,  # it scales; the package has several names
    }
    if not {"torch", "tensorrt"}.isdisjoint(engines):
        environment = detect_environment()
        made["driver"], made["packages"] = environment.driver, dict(environment.packages)
        made["tensorrt"] = sorted(environment.modules)
    if path.is_file():
        status = path.stat()
        made["bytes"], made["changed_ns"] = status.st_size, status.st_mtime_ns
    return made
