"""The live job: a camera into a window, a virtual camera, a recording, or any of them at once."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from contextlib import ExitStack, closing
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .colour import engine_colour
from .controls import Controls
from .engines import Engine, open_engine
from .engines.report import Report
from .engines.switching import SwitchingEngine
from .errors import SourceError
from .fit import SMALLEST, Fit, fit
from .frame import Expected, VideoInfo
from .job import Look, Outcome
from .pacing import fine_waits
from .pipeline import run
from .recordings import Recordings
from .signals import stop_on_signals
from .sinks import Sink, abort_on_error
from .sinks.dashboard import LiveSink, describe
from .sources import CameraMode, Source, open_live
from .sources.capture import prepare_opencv
from .sources.devices import devices, find
from .stats import Stats
from .styles import Style, built_in
from .threads import Threads

if TYPE_CHECKING:
    from rich.console import Console

    from .sinks.formats import Coding


_ENOUGH_FRAMES: Final = 45
"""Frames after which the speed is known."""


@dataclasses.dataclass(frozen=True)
class Input:
    """Where a live picture comes from, and what is done to it before it is painted."""

    name: str
    """As `open_live` takes it."""
    mode: CameraMode = dataclasses.field(default_factory=CameraMode)
    mirror: bool = False
    denoise: bool = False


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
    wanted: Input, look: Look, outputs: Outputs, *, console: Console, seconds: float | None = None
) -> Outcome:
    """Stylize a camera, or a file as if live, for as long as it goes on.

    Ends with the source, after `seconds`, when the window is closed, or on Ctrl-C. Raises
    StylecamError with the remedy.
    """
    from .sinks.window import WindowSink

    prepare_opencv()
    stats, threads = Stats(), Threads()
    say = partial(console.print, highlight=False, soft_wrap=True)
    no_window = reason_for_no_window(outputs)
    with abort_on_error([]) as sinks, ExitStack() as stack:
        # First of all: once PyAV is loaded, its libxcb beside Qt's, opening a window hangs.
        shown = WindowSink() if outputs.window and not no_window else None
        if shown is not None:
            sinks.append(shown)
        where = _open_virtual_camera(outputs.virtual_camera, sinks, stats, source=wanted.name)
        source = stack.enter_context(closing(_open_source(wanted, stats, threads)))
        recordings = Recordings(
            outputs.file, source.info, coding=outputs.coding, force=outputs.force
        )
        sinks.extend(recordings.sinks)
        into = fit(source.info.height, source.info.width, size=look.size)
        load = _engine_loader(look, into, source.info, console)
        engine = stack.enter_context(closing(SwitchingEngine(look.style, load)))
        controls = Controls(
            engine,
            built_in(),
            recordings.parts,
            stats,
            strength=look.strength,
            folder=recordings.folder,
            tell=say,
        )
        stack.callback(controls.finish)
        if shown is not None:
            shown.attach(controls.lines, controls.command)
        sinks.append(
            LiveSink(
                console,
                stats,
                title=lambda: " | ".join([source.info.description, *where]),
                engine=lambda: f"{engine.style.name} | {engine.description}",
                advice=lambda: size_advice(stats, into),
            )
        )
        with recordings.named(say), stop_on_signals(threads), fine_waits(), threads:
            run(
                source,
                engine,
                sinks,
                fit=into,
                threads=threads,
                stats=stats,
                strength=controls.strength,
                seconds=seconds,
            )
            told = [no_window, *recordings.notes(), size_advice(stats, into)]
            for path in recordings.parts.saved:
                say(f"saved {path}")
            notes = [note for note in told if note]
            outcome = Outcome(outputs.file, stats, engine.description, threads.stopping, notes)
    say(f"{source.info.description}: {describe(stats)}")
    return outcome


def size_advice(stats: Stats, into: Fit) -> str:
    """Return advice on a working size that keeps up with the source, or "" if this one does.

    The time for a frame is taken as proportional to its pixels, unless it goes into the outputs.
    """
    wanted, reached = stats.fps_in, stats.fps_now
    if stats.frames < _ENOUGH_FRAMES or reached >= 0.9 * wanted:
        return ""
    if stats.share("sink") > 0.5:
        return (
            f"{reached:.0f} of {wanted:.0f} fps: the outputs are too slow (a pipe that is not "
            "read, a slow disk or screen, a recording of large pictures)"
        )
    side = int(min(into.work) * math.sqrt(0.9 * reached / wanted)) // 8 * 8
    return f"{reached:.0f} of {wanted:.0f} fps: --size {max(side, SMALLEST)} would keep up"


def reason_for_no_window(outputs: Outputs) -> str:
    """Return why the window that is wanted cannot be shown, and what goes on without it; "" where
    it can, or where it would be the only output: opening it then tells what is wrong.
    """
    from .sinks.display import display_problem

    wanted = {"recording": outputs.file, "virtual camera": outputs.virtual_camera}
    others = [name for name, output in wanted.items() if output]
    if not (outputs.window and others and (problem := display_problem())):
        return ""
    return f"no window: {problem}; {' and '.join(others)} only"


def _open_source(wanted: Input, stats: Stats, threads: Threads) -> Source:
    source = open_live(
        wanted.name,
        stats=stats,
        sleep=threads.sleep,
        stopped=lambda: threads.stopping,
        wanted=wanted.mode,
    )
    if wanted.mirror:
        from .sources.mirror import MirrorSource

        source = MirrorSource(source)
    if wanted.denoise:
        from .sources.denoise import DenoisedSource

        source = DenoisedSource(source)
    return source


def _engine_loader(
    look: Look, into: Fit, info: VideoInfo, console: Console
) -> Callable[[Style], Engine]:
    """Return what opens the engine of any style for the source's pictures."""
    height, width = into.padded
    return partial(
        open_engine,
        look.engine,
        height=height,
        width=width,
        live=True,
        report=Report(console, spinner=False),  # the table is drawn there when styles change
        expected=Expected(*into.work, engine_colour(info.colour)),
    )


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
    shot = find(source, devices())
    if shot is not None and camera.device in (shot.use, shot.name):
        raise SourceError(
            f"{camera.device} cannot be both the camera and the virtual camera",
            hint="name another with --webcam; stylecam cameras lists them",
        )
    return [description]
