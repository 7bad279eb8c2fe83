"""`stylecam INPUT` and `stylecam --webcam`: from the flags to a run, and its report."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import DEMO
from ..errors import StylecamError, UsageError
from . import exit_codes
from .commands import refuse_misspelt
from .flags import parser
from .terminal import print_json, status_console
from .validate import check_mode, rate, size

if TYPE_CHECKING:
    from ..job import FileOptions, Look
    from ..sinks.formats import Coding


def stylize(argv: list[str]) -> int:
    """Do what the words ask for; returns the exit code. Raises StylecamError, KeyboardInterrupt."""
    flags = parser()
    refuse_misspelt(argv)
    options = flags.parse_args(argv)
    chosen = [bool(options.demo), options.webcam is not None, bool(options.inputs)]
    if sum(chosen) != 1:
        if not any(chosen) and not argv:
            flags.print_help()
            return exit_codes.USAGE
        raise UsageError(
            "give exactly one of INPUT, --webcam or --demo", hint="stylecam --help for examples"
        )
    check_mode(options, flags)
    look = _look(options)
    return _live(options, look) if options.webcam is not None else _files(options, look)


def _look(options: argparse.Namespace) -> Look:
    from ..engines import EngineOptions
    from ..engines.foreign import RANGES
    from ..job import Look
    from ..styles import DEFAULT, find

    style_range = options.style_range
    if style_range is not None and style_range not in RANGES:
        raise UsageError(
            f"--style-range {style_range!r} is not known", hint="0-1, 0-255 or --style-range=-1-1"
        )
    style = find(options.style or DEFAULT)
    if style_range is not None and style.native:
        raise UsageError(
            f"--style-range is for .onnx files not made by stylecam; that of {style.name} is known",
            hint="leave it out",
        )
    return Look(
        style=style,
        strength=options.strength,
        size=options.size,
        engine=EngineOptions(options.engine, options.device, options.precision, style_range),
    )


def _files(options: argparse.Namespace, look: Look) -> int:
    from .batch import plan, run_all

    if options.demo:
        jobs = plan([DEMO], options.output or "stylecam-demo.mp4", look.style)
    else:
        jobs = plan(options.inputs, options.output, look.style)
    console = status_console(quiet=options.json)
    summary = run_all(jobs, look, console=console, options=_file_options(options))
    _print_result(options, summary.as_json(), summary.lines())
    summary.raise_single()
    if summary.interrupted:
        return exit_codes.SIGNAL + summary.stopped_by
    return exit_codes.FAILED if summary.failed else 0


def _file_options(options: argparse.Namespace) -> FileOptions:
    from ..job import FileOptions
    from ..section import Section, parse_time
    from ..sources import Reading

    section = Section(
        parse_time("--start", options.start), parse_time("--duration", options.duration)
    )
    return FileOptions(
        force=options.force or (options.demo and options.output is None),
        audio=not options.no_audio,
        reading=Reading(options.allow_truncated, section, options.keep_hdr, options.decoder),
        coding=_coding(options),
    )


def _coding(options: argparse.Namespace) -> Coding:
    from ..sinks.formats import Coding

    return Coding(options.codec, options.encoder, options.quality, options.pix_fmt, options.format)


def _live(options: argparse.Namespace, look: Look) -> int:
    from fractions import Fraction

    from ..live import Input, Outputs, VirtualCamera, stylize_live
    from ..sources import CameraMode

    fill = None
    if options.virtual_camera is not None:
        fps = Fraction(rate("--virtual-camera-fps", options.virtual_camera_fps))
        fill = VirtualCamera(
            options.virtual_camera or None,
            size("--virtual-camera-size", options.virtual_camera_size),
            fps.limit_denominator(1001),  # drivers take 32 bits, of which 29.97 itself has more
        )
    asked, asked_fps = options.camera_size, options.camera_fps
    mode = CameraMode(
        size("--camera-size", asked) if asked else None,
        None if asked_fps is None else rate("--camera-fps", asked_fps),
    )
    try:
        outcome = stylize_live(
            Input(options.webcam, mode, options.mirror, options.denoise),
            look,
            Outputs(
                not options.no_window,
                None if options.output is None else Path(options.output),
                fill,
                options.force,
                _coding(options),
            ),
            console=status_console(quiet=options.json),
            seconds=options.seconds,
        )
    except StylecamError as error:
        failed = {"input": options.webcam, "error": error.message, "hint": error.hint}
        _print_result(options, failed, [])
        raise
    lines = [f"note: {note}" for note in outcome.notes]
    if outcome.output is not None:
        frames = outcome.stats.frames
        lines.append(f"{outcome.output}: {frames} frame{'s' * (frames != 1)}")
    _print_result(options, outcome.as_json(), lines)
    return 0


def _print_result(options: argparse.Namespace, values: Any, lines: Iterable[str]) -> None:
    """Print lines for people, or values for programs; standard output may be the video itself."""
    to = sys.stderr if options.output == "-" else sys.stdout
    if options.json:
        print_json(values, to)
    else:
        for line in lines:
            print(line, file=to)
