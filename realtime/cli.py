"""The `stylecam` command: parse, open, run, report.

Imports are late: `stylecam --help` must not wait for OpenCV.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .commands import COMMANDS, print_json
from .errors import StylecamError, UsageError
from .flags import parser, rate, size

if TYPE_CHECKING:
    from .outputs import FileOptions
    from .stylize import Look

EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130
DEMO: Final = Path(__file__).parent / "assets" / "signing_640x360.mp4"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    argv = list(sys.argv[1:] if arguments is None else arguments)
    try:
        command = COMMANDS.get(argv[0]) if argv else None
        return command(argv[1:]) if command else _stylize(argv)
    except UsageError as error:
        return _fail(error, EXIT_USAGE)
    except StylecamError as error:
        return _fail(error, EXIT_FAILED)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return EXIT_FAILED
    except ImportError as error:
        from .doctor import missing_library

        remedy = missing_library(error)
        if not remedy:
            raise
        return _fail(StylecamError(f"a system library is missing: {error}", hint=remedy), 1)


def _fail(error: StylecamError, code: int) -> int:
    print(f"error: {error.message}", file=sys.stderr)
    if error.hint:
        print(f"  try: {error.hint}", file=sys.stderr)
    return code


def _stylize(argv: list[str]) -> int:
    options = parser().parse_args(argv)
    chosen = [bool(options.demo), options.webcam is not None, bool(options.inputs)]
    if sum(chosen) != 1:
        if not any(chosen) and not argv:
            parser().print_help()
            return EXIT_USAGE
        raise UsageError(
            "one of INPUT, --webcam and --demo is needed", hint="stylecam --help has examples"
        )
    if not 0 <= options.strength <= 1:
        raise UsageError("--strength must be between 0 and 1", hint="for example --strength 0.7")
    look = _look(options)
    return _live(options, look) if options.webcam is not None else _files(options, look)


def _look(options: argparse.Namespace) -> Look:
    from .engines import EngineOptions
    from .styles import DEFAULT, find
    from .stylize import Look

    style_range = options.style_range
    if style_range is not None and style_range not in ("0-1", "0-255", "-1-1"):
        raise UsageError(
            f"--style-range {style_range!r} is none", hint="one of 0-1, 0-255, --style-range=-1-1"
        )
    return Look(
        style=find(options.style or DEFAULT),
        strength=options.strength,
        size=options.size,
        engine=EngineOptions(options.engine, options.device, options.precision, style_range),
    )


def _files(options: argparse.Namespace, look: Look) -> int:
    from rich.console import Console

    from .batch import Job, plan, run_all

    if options.demo:
        output = Path(options.output or "stylecam-demo.mp4")
        jobs, force = [Job(DEMO, output)], options.force or options.output is None
    else:
        jobs, force = plan(options.inputs, options.output, look.style), options.force
    report = run_all(
        jobs,
        look,
        console=Console(stderr=True, quiet=options.json),
        force=force,
        options=_file_options(options),
    )
    report.raise_single()
    # Standard output may be the video itself.
    to = sys.stderr if options.output == "-" else sys.stdout
    if options.json:
        print_json(report.as_json(), to)
    else:
        for line in report.lines():
            print(line, file=to)
    return EXIT_INTERRUPTED if report.interrupted else EXIT_FAILED if report.failed else 0


def _file_options(options: argparse.Namespace) -> FileOptions:
    from .outputs import FileOptions
    from .sinks.formats import Coding
    from .sources.section import Section, parse_time

    if options.quality is not None and not 0 <= options.quality <= 100:
        raise UsageError("--quality must be between 0 and 100", hint="for example --quality 80")
    return FileOptions(
        allow_truncated=options.allow_truncated,
        audio=not options.no_audio,
        section=Section(
            parse_time("--start", options.start), parse_time("--duration", options.duration)
        ),
        keep_hdr=options.keep_hdr,
        decoder=options.decoder,
        coding=Coding(
            options.codec, options.encoder, options.quality, options.pix_fmt, options.format
        ),
    )


def _live(options: argparse.Namespace, look: Look) -> int:
    from fractions import Fraction

    from rich.console import Console

    from .live import Outputs, VirtualCamera, stylize_live
    from .sources import Wish

    if options.no_window and options.output is None and options.virtual_camera is None:
        raise UsageError(
            "--no-window shows nothing and records nothing",
            hint="add -o out.mp4 or --virtual-camera",
        )
    fill = None
    if options.virtual_camera is not None:
        fill = VirtualCamera(
            options.virtual_camera or None,
            size("--virtual-camera-size", options.virtual_camera_size),
            Fraction(rate("--virtual-camera-fps", options.virtual_camera_fps)),
        )
    asked, asked_fps = options.camera_size, options.camera_fps
    outcome = stylize_live(
        options.webcam,
        look,
        Outputs(
            not options.no_window,
            None if options.output is None else Path(options.output),
            fill,
            options.force,
        ),
        console=Console(stderr=True, quiet=options.json),
        wish=Wish(
            size("--camera-size", asked) if asked else None,
            None if asked_fps is None else rate("--camera-fps", asked_fps),
        ),
        mirror=options.mirror,
        denoise=options.denoise,
        seconds=options.seconds,
    )
    if options.json:
        print_json(outcome.as_json())
    else:
        for note in outcome.notes:
            print(f"note: {note}")
        if outcome.output is not None:
            print(f"{outcome.output}: {outcome.stats.frames} frames")
    return 0


if __name__ == "__main__":
    sys.exit(main())
