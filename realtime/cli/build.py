"""`stylecam build`: make TensorRT engines before they are needed."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, Final

from ..errors import EngineError, UsageError
from ..fit import fit
from ..styles import DEFAULT, Style, find
from .terminal import print_json
from .validate import size

EXAMPLES: Final = """\
examples:
  stylecam build                                       for 1280x720
  stylecam build --style great-wave --size 1920x1080 --size 640x360

All built-in styles share an engine, so one is enough. Engines that are missing are built when a
run needs them.
"""

Prepare = Callable[[Style, tuple[int, int]], Any]
"""From a style and a padded (height, width) to an `engines.tensorrt.Prepared`."""


def main(argv: list[str], prepare: Callable[[], Prepare] | None = None) -> int:
    """Run the command; returns the exit code."""
    made = argparse.ArgumentParser(
        prog="stylecam build",
        description="Build TensorRT engines in advance for this NVIDIA GPU, and cache them.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument("--style", action="append", help=f"[{DEFAULT}]; may be given again")
    made.add_argument(
        "--size", action="append", metavar="WxH", help="of the video [1280x720]; may be given again"
    )
    made.add_argument("--json", action="store_true", help="machine-readable")
    options = made.parse_args(argv)
    styles = [find(name) for name in options.style or [DEFAULT]]
    for style in styles:
        if not style.native:
            raise UsageError(
                f"{style.path} is not a stylecam style: TensorRT engines are built of those only",
                hint="stylecam styles lists them",
            )
    sizes = [size("--size", text) for text in options.size or ["1280x720"]]
    make = (prepare or _tensorrt(quiet=options.json))()
    rows = []
    for style in styles:
        for height, width in sizes:
            ready = make(style, fit(height, width).padded)
            if ready.path is None:
                raise EngineError(
                    f"the engine for {width}x{height} was built but cannot be kept",
                    hint="STYLECAM_CACHE names a folder that can be written to",
                )
            rows.append(
                {
                    "style": style.name,
                    "size": f"{width}x{height}",
                    "tensorrt": ready.library,
                    "file": str(ready.path),
                }
            )
            if not options.json:
                print(f"{style.name} at {width}x{height} is ready: {ready.path}")
    if options.json:
        print_json(rows)
    return 0


def _tensorrt(*, quiet: bool) -> Callable[[], Prepare]:
    def load() -> Prepare:
        from rich.console import Console

        from ..engines import need_torch
        from ..engines.environment import detect_environment
        from ..engines.report import Report
        from ..engines.tensorrt_library import find as find_library

        library = find_library(detect_environment())
        report = Report(Console(stderr=True, quiet=quiet, markup=False))
        with need_torch("tensorrt"):
            from ..engines.tensorrt import prepare

        return lambda style, padded: prepare(library, style, size=padded, report=report)

    return load
