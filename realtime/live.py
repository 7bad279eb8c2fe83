"""The live job: a camera into a window, a virtual camera, a recording, or any of them at once."""

from __future__ import annotations

import dataclasses
import math
from contextlib import ExitStack, closing
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .controls import Controls
from .dashboard import LiveSink, describe
from .engines import Engine, open_engine
from .engines.report import Report
from .errors import SourceError
from .fit import SMALLEST, Fit, fit
from .outputs import open_recording
from .pipeline import run
from .sinks import Sink
from .sinks.recording import RecordingSink
from .sources import Source, Wish, open_live
from .sources.camera import device_path, prepare_opencv
from .stats import Stats
from .styles import Style, built_in
from .stylize import Look, Outcome, opened, stop_on_signals
from .switch import SwitchingEngine
from .threads import Threads

if TYPE_CHECKING:
    from rich.console import Console

    from .sinks.formats import Coding


_ENOUGH_FRAMES: Final = 45
"""Frames after which the speed is known."""


@dataclasses.dataclass(frozen=True)
class VirtualCamera:
    """The virtual camera to fill: `device` None is the system's own; (height, width) and rate are
    held whatever the source does.
    """

    device: str | None = None
    size: tuple[int, int] = (720, 1280)
    fps: Fraction = Fraction(30)


@dataclasses.dataclass(frozen=True)
class Outputs:
    """Where a live picture goes."""

    window: bool = True
    file: Path | None = None
    virtual_camera: VirtualCamera | None = None
    force: bool = False
    coding: Coding | None = None


def stylize_live(
    name: str,
    look: Look,
    outputs: Outputs,
    *,
    console: Console,
    wish: Wish = Wish(),  # noqa: B008 - frozen
    mirror: bool = False,
    denoise: bool = False,
    seconds: float | None = None,
) -> Outcome:
    """Stylize a camera, or a file as if live, for as long as it goes on.

    Ends with the source, after `seconds`, when the window is closed, or on Ctrl-C. Raises
    StylecamError with the remedy.
    """
    from .sinks.window import WindowSink, display_problem

    prepare_opencv()
    stats, threads, notes = Stats(), Threads(), list[str]()
    window = outputs.window
    if window and (outputs.file or outputs.virtual_camera) and display_problem():
        notes.append(f"no window: {display_problem()}; {_without_window(outputs)}")
        window = False
    with opened([]) as sinks, ExitStack() as stack:
        stack.enter_context(stop_on_signals(threads))
        # First of all: once PyAV is loaded, its libxcb beside Qt's, opening a window hangs.
        shown = WindowSink() if window else None
        if shown is not None:
            sinks.append(shown)
        where = _open_virtual_camera(outputs.virtual_camera, sinks, stats, source=name)
        source = open_live(
            name, stats=stats, sleep=threads.sleep, stopped=lambda: threads.stopping, wish=wish
        )
        stack.enter_context(closing(source))
        source = _changed(source, mirror=mirror, denoise=denoise)

        def record(path: Path, *, force: bool = False) -> Sink:
            return open_recording(path, source.info, force=force, coding=outputs.coding)

        if outputs.file is not None:
            sinks.append(record(outputs.file, force=outputs.force))
        into = fit(source.info.height, source.info.width, size=look.size)
        height, width = into.padded

        report = Report(console, spinner=False)  # the table is drawn there when styles change

        def load(style: Style) -> Engine:
            return open_engine(
                look.engine, style, height=height, width=width, live=True, report=report
            )

        engine = stack.enter_context(closing(SwitchingEngine(look.style, load)))
        recording = RecordingSink(record)
        controls = Controls(engine, built_in(), recording, stats, strength=look.strength)
        if shown is not None:
            shown.attach(controls.lines, controls.wish)
            sinks.append(recording)
        status = LiveSink(
            console,
            stats,
            title=lambda: " | ".join([source.info.description, *where]),
            engine=lambda: f"{engine.style.name} | {engine.description}",
            advice=lambda: faster(stats, into),
        )
        sinks.append(status)

        def waiting() -> None:
            if shown is not None:
                shown.idle()
            status.idle()

        stack.enter_context(threads)
        run(
            source,
            engine,
            sinks,
            fit=into,
            threads=threads,
            stats=stats,
            strength=controls.strength,
            seconds=seconds,
            waiting=waiting,
        )
        notes += [advice] if (advice := faster(stats, into)) else []
        outcome = Outcome(outputs.file, stats, engine.description, threads.stopping, notes)
    console.print(f"{source.info.description}: {describe(stats)}", highlight=False)
    return outcome


def faster(stats: Stats, into: Fit) -> str:
    """Return which size to work at would keep up with the source, "" while this one does.

    The time of a picture grows as its pixels.
    """
    wanted, reached = stats.fps_in, stats.fps_now
    if stats.frames < _ENOUGH_FRAMES or reached >= 0.9 * wanted:
        return ""
    side = int(min(into.work) * math.sqrt(0.9 * reached / wanted)) // 8 * 8
    return f"{reached:.0f} of {wanted:.0f} fps: --size {max(side, SMALLEST)} would keep up"


def _changed(source: Source, *, mirror: bool, denoise: bool) -> Source:
    if mirror:
        from .sources.mirror import MirrorSource

        source = MirrorSource(source)
    if denoise:
        from .sources.quiet import QuietSource

        source = QuietSource(source)
    return source


def _open_virtual_camera(
    wanted: VirtualCamera | None, sinks: list[Sink], stats: Stats, *, source: str
) -> list[str]:
    """Open it, if wanted, before the source, so that a call lists it early; say what it is."""
    if wanted is None:
        return []
    from .sinks.virtual_camera import VirtualCameraSink, open_camera

    height, width = wanted.size
    camera, description = open_camera(wanted.device, height=height, width=width, fps=wanted.fps)
    sinks.append(VirtualCameraSink(camera, stats=stats))
    if device_path(source) == camera.device:
        raise SourceError(
            f"{camera.device} cannot be both the camera and the virtual camera",
            hint="name another with --webcam; stylecam cameras lists them",
        )
    return [description]


def _without_window(outputs: Outputs) -> str:
    return "virtual camera only" if outputs.virtual_camera else "recording only"
