"""The `stylecam` command: parse, open, run, report. Nothing outside this folder imports it.

Imports are late: `stylecam --help` must not wait for OpenCV.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import io
import signal
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .. import DEMO
from ..errors import Stopped, StylecamError, UsageError, raise_interrupt
from .commands import COMMANDS, refuse_misspelt
from .flags import parser
from .terminal import print_json, status_console
from .validate import check_mode, rate, size

if TYPE_CHECKING:
    from ..job import FileOptions, Look
    from ..sinks.formats import Coding

_NO_ACCESS: Final = (errno.EACCES, errno.EPERM, errno.ENAMETOOLONG)
_DISK_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
EXIT_FAILED, EXIT_USAGE, EXIT_SIGNAL = 1, 2, 128


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    argv = list(sys.argv[1:] if arguments is None else arguments)
    if arguments is None:
        _prepare_process()
    try:
        return _run(argv)
    except StylecamError as error:
        return _fail(error, EXIT_USAGE if isinstance(error, UsageError) else EXIT_FAILED)
    except KeyboardInterrupt as stop:
        with contextlib.suppress(OSError):  # the terminal may be closed
            print(": ".join(["interrupted", *map(str, stop.args)]), file=sys.stderr)
        return EXIT_SIGNAL + (stop.number if isinstance(stop, Stopped) else signal.SIGINT)
    except BrokenPipeError:
        sys.stderr.close()
        return EXIT_FAILED
    except (OSError, ImportError) as error:
        code = _fail(_explained(error), EXIT_FAILED)
        if getattr(error, "errno", None) in _DISK_FULL and sys.stdout is not None:
            with contextlib.suppress(OSError):  # what it still holds would fail once more at exit
                sys.stdout.close()
        return code


def _run(argv: list[str]) -> int:
    try:
        command = COMMANDS.get(argv[0]) if argv else None
        code = command(argv[1:]) if command else _stylize(argv)
        if sys.stdout is not None:
            sys.stdout.flush()  # what cannot be written is to be told here, not at exit
        return code
    except (ImportError, SystemError) as error:
        raise_interrupt(error)
        raise


def _explained(error: OSError | ImportError) -> StylecamError:
    """Return what a user can do something about; raise the error if that is nothing."""
    from ..system_libraries import missing_library

    if isinstance(error, ImportError):
        if remedy := missing_library(error):
            return StylecamError(f"a system library is missing: {error}", hint=remedy)
    elif error.filename is not None and error.errno in _NO_ACCESS:
        # Wherever a path is looked at: a folder that may not be entered, a name that is too long.
        remedy = "check the name, and the permissions of its folder"
        return StylecamError(f"{error.filename}: {error.strerror}", hint=remedy)
    elif error.filename is None and error.errno in _DISK_FULL:
        remedy = "free some space there, or send the words elsewhere"
        return StylecamError(f"standard output cannot be written: {error.strerror}", hint=remedy)
    raise error


def _prepare_process() -> None:
    """Let signals clean up as Ctrl-C does, and names that a stream cannot print be printed."""
    from ..signals import break_off_on_signals

    break_off_on_signals()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _fail(error: StylecamError, code: int) -> int:
    with contextlib.suppress(OSError):  # nobody may be reading any more
        print(f"error: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"  hint: {error.hint}", file=sys.stderr)
    return code


def _stylize(argv: list[str]) -> int:
    flags = parser()
    refuse_misspelt(argv)
    options = flags.parse_args(argv)
    chosen = [bool(options.demo), options.webcam is not None, bool(options.inputs)]
    if sum(chosen) != 1:
        if not any(chosen) and not argv:
            flags.print_help()
            return EXIT_USAGE
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
        return EXIT_SIGNAL + summary.stopped_by
    return EXIT_FAILED if summary.failed else 0


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
