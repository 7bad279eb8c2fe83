"""The `stylecam` command: parse, open, run, report.

Imports are late: `stylecam --help` must not wait for OpenCV.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, TextIO

from .errors import StylecamError, UsageError

if TYPE_CHECKING:
    from .outputs import FileOptions
    from .stylize import Look

EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130
DEMO: Final = Path(__file__).parent / "assets" / "signing_640x360.mp4"

EXAMPLES: Final = """\
examples:
  stylecam --demo                               try it on the clip that comes with it
  stylecam clip.mp4                             makes clip.great-wave.mp4, sound kept
  stylecam clip.mp4 -o out.mkv --style starry-night
  stylecam clip.mp4 --style great-wave:0.6,starry-night:0.4    a blend of two
  stylecam photo.jpg -o painted.jpg --strength 0.7
  stylecam *.mp4 -o out/                        one after another; the same command goes on
  stylecam clip.mp4 --size 360                  work at 360 lines: faster; the output keeps its size
  stylecam --webcam                             your camera in a window; q quits
  stylecam --webcam 1 -o call.mp4               the second camera, shown and recorded
  stylecam --webcam clip.mp4                    a file played as if it were a camera
  stylecam --webcam --virtual-camera            choose "stylecam" as the camera in a call
  stylecam clip.mp4 --style path/to/model.onnx  anyone's ONNX style network

more commands:
  stylecam cameras     the cameras here, by name, with what they can send
  stylecam styles      the built-in styles, their artists and licences
  stylecam train -h    a style of your own from any painting
  stylecam doctor      what this machine has, and what to do about what it lacks
  stylecam bench -h    measure speed and latency here
"""


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


def parser() -> argparse.ArgumentParser:
    """Return the parser of the main command."""
    made = argparse.ArgumentParser(
        prog="stylecam",
        description="Turn a webcam, a video or a photo into a moving painting, in real time.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(
        "inputs", nargs="*", type=Path, metavar="INPUT", help="videos or photos; - is stdin"
    )
    made.add_argument(
        "-o",
        "--output",
        help="where to; the suffix decides the format; - is stdout, NAME/ a folder",
    )
    made.add_argument("--demo", action="store_true", help="stylize the bundled clip")
    made.add_argument(
        "--webcam",
        nargs="?",
        const="auto",
        metavar="CAMERA",
        help="live from an index or name [the first], /dev/videoN, URL, a video file, or 'pattern'",
    )
    live = made.add_argument_group("live")
    live.add_argument(
        "--virtual-camera",
        nargs="?",
        const="",
        metavar="DEVICE",
        help="be a camera that calls can choose [the one called stylecam, or the first]",
    )
    live.add_argument(
        "--virtual-camera-size", default="1280x720", metavar="WxH", help="[%(default)s]"
    )
    live.add_argument("--virtual-camera-fps", type=float, default=30.0, metavar="FPS", help="[30]")
    live.add_argument("--camera-size", metavar="WxH", help="size to ask the camera for [640x480]")
    live.add_argument("--camera-fps", type=float, metavar="FPS", help="rate to ask it for [30]")
    live.add_argument("--mirror", action="store_true", help="exchange left and right")
    live.add_argument(
        "--no-window", action="store_true", help="show nothing (needs -o or --virtual-camera)"
    )
    live.add_argument("--seconds", type=float, help="stop after so many seconds")
    look = made.add_argument_group("look")
    look.add_argument("--style", help="a built-in style [great-wave], an .onnx file, or a blend")
    look.add_argument("--strength", type=float, default=1.0, help="0 (photo) to 1 (painting) [1]")
    look.add_argument("--size", help="size to work at: short side or WxH [the input's own]")
    file = made.add_argument_group("files")
    file.add_argument("--start", metavar="TIME", help="begin there: seconds, or h:mm:ss")
    file.add_argument("--duration", metavar="TIME", help="only so much")
    file.add_argument("--no-audio", action="store_true", help="leave the sound out")
    file.add_argument("--codec", help="h264, hevc, av1, vp9, prores or ffv1 [the container's]")
    file.add_argument("--quality", type=int, help="0 (smallest) to 100 (best) [75; photos 95]")
    file.add_argument("--pix-fmt", metavar="FORMAT", help="as FFmpeg names it: yuv420p10le, ...")
    file.add_argument(
        "--encoder",
        default="software",
        help="software, auto (hardware that works, else software) or a name [software]",
    )
    file.add_argument("--keep-hdr", action="store_true", help="do not tone-map PQ and HLG to SDR")
    file.add_argument(
        "--format", choices=("matroska", "y4m"), default="matroska", help="of -o - [matroska]"
    )
    how = made.add_argument_group("how")
    how.add_argument("--force", action="store_true", help="overwrite an existing output")
    how.add_argument("--allow-truncated", action="store_true", help="take what a cut file holds")
    how.add_argument("--engine", default="auto", help="auto, openvino, torch or echo [auto]")
    how.add_argument("--device", help="openvino: CPU, GPU, NPU; torch: cuda, mps, cpu")
    how.add_argument("--precision", choices=("f32", "bf16", "f16"), help="[the device's own]")
    how.add_argument(
        "--style-range",
        metavar="RANGE",
        help="values an .onnx style takes: 0-1, 0-255 or -1-1 [detected]",
    )
    how.add_argument("--json", action="store_true", help="report as JSON")
    how.add_argument("--version", action=_Version, nargs=0, help="print the version")
    return made


class _Version(argparse.Action):
    """Looks the version up only when it is asked for: reading metadata takes 30 ms."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        import importlib.metadata

        print(f"stylecam {importlib.metadata.version('stylecam')}")
        parser.exit()


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
        _print_json(report.as_json(), to)
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
            _size("--virtual-camera-size", options.virtual_camera_size),
            Fraction(_rate("--virtual-camera-fps", options.virtual_camera_fps)),
        )
    asked, rate = options.camera_size, options.camera_fps
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
            _size("--camera-size", asked) if asked else None,
            None if rate is None else _rate("--camera-fps", rate),
        ),
        mirror=options.mirror,
        seconds=options.seconds,
    )
    if options.json:
        _print_json(outcome.as_json())
    else:
        for note in outcome.notes:
            print(f"note: {note}")
        if outcome.output is not None:
            print(f"{outcome.output}: {outcome.stats.frames} frames")
    return 0


def _size(flag: str, text: str) -> tuple[int, int]:
    """(height, width) of an option's WxH."""
    try:
        width, height = (int(side) for side in text.lower().split("x"))
    except ValueError:
        width = height = 0
    if not (16 <= width <= 8192 and 16 <= height <= 8192):
        raise UsageError(f"{flag} {text!r} is no size", hint="WxH, as in 1280x720")
    return height, width


def _rate(flag: str, fps: float) -> float:
    if not 1 <= fps <= 240:
        raise UsageError(f"{flag} {fps:g} is no rate", hint="between 1 and 240, as in 30")
    return fps


def _cameras(argv: list[str]) -> int:
    made = argparse.ArgumentParser(
        prog="stylecam cameras", description="List the cameras, and what they can send."
    )
    made.add_argument("--json", action="store_true", help="machine-readable")
    options = made.parse_args(argv)
    from .sources.listing import cameras

    found = cameras()
    if options.json:
        _print_json([camera.as_json() for camera in found])
    elif not found:
        print("no cameras; without one: stylecam --webcam pattern, or --webcam clip.mp4")
    for camera in () if options.json else found:
        print(f"{camera.use:14} {camera.name}{f'  [{camera.note}]' if camera.note else ''}")
        for line in camera.summary():
            print(f"{'':14} {line}")
    return 0


def _styles(argv: list[str]) -> int:
    made = argparse.ArgumentParser(prog="stylecam styles", description="List the built-in styles.")
    made.add_argument("--json", action="store_true", help="machine-readable")
    options = made.parse_args(argv)
    from .styles import built_in

    rows = [
        {
            "name": style.name,
            "title": style.card.get("title", ""),
            "artist": style.card.get("artist", ""),
            "licence": style.card.get("licence", ""),
            "size": style.card.get("size", ""),
            "kilobytes": round(style.path.stat().st_size / 1000),
        }
        for style in built_in()
    ]
    if options.json:
        _print_json(rows)
    else:
        _print_table(rows)
    return 0


def _doctor(argv: list[str]) -> int:
    made = argparse.ArgumentParser(
        prog="stylecam doctor", description="Tell what this machine has and lacks."
    )
    made.add_argument("--json", action="store_true", help="machine-readable")
    options = made.parse_args(argv)
    from .doctor import examine

    checks = examine()
    if options.json:
        _print_json([check._asdict() for check in checks])
        return 0
    for check in checks:
        print(f"{'ok  ' if check.ok else 'lack'} {check.name:16} {check.found}")
        if check.remedy:
            print(f"     {'':16} try: {check.remedy}")
    return 0


def _bench(argv: list[str]) -> int:
    from stylecam.benchmarks.command import main as bench

    return bench(argv)


def _train(argv: list[str]) -> int:
    try:
        from stylecam.training.command import main as train

        return train(argv)
    except ModuleNotFoundError as error:
        raise StylecamError(
            f"training needs {error.name}, which is not installed",
            hint="pip install 'stylecam[train]'",
        ) from error


COMMANDS: Final[dict[str, Callable[[list[str]], int]]] = {
    "styles": _styles,
    "cameras": _cameras,
    "doctor": _doctor,
    "train": _train,
    "bench": _bench,
}


def _print_json(value: Any, to: TextIO | None = None) -> None:
    import json

    print(json.dumps(value, indent=2, ensure_ascii=False), file=to)


def _print_table(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for key in rows[0]:
        table.add_column(key, overflow="fold")
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
