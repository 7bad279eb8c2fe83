"""The command: runs the parts one after another, keeps what each gave, prints tables.

On a GPU every part is a process of its own, so that one that crashes, hangs or leaves the device
broken takes nothing with it. Each writes its rows as it gets them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import torch

from .. import rows as results
from ..benchmark import Row, parse_seconds
from ..machine import describe_machine, versions_here
from .bench import Bench
from .table import markdown

TOTAL_S: Final = 540.0
"""All parts together, under 10 minutes."""
_PACKAGES: Final = (
    *("triton", "triton-windows", "torch-tensorrt"),
    *("tensorrt", "tensorrt-cu13", "tensorrt-rtx", "tensorrt-rtx-cu13-libs"),
)
_GRACE_S: Final = 15.0
"""That a part may be late before it is stopped."""


class Part(NamedTuple):
    """How to measure it, and its share of the time."""

    measure: Callable[[Bench], Iterator[Row]]
    share: float


def parts() -> dict[str, Part]:
    """Return the parts in the order in which they run; the modules are loaded here."""
    from . import compare, flow, kernels, overlap

    return {
        "kernels": Part(kernels.measure, 2),
        "engines": Part(compare.engines, 3),
        "overlap": Part(overlap.measure, 1),
        "end-to-end": Part(flow.end_to_end, 3),
        "memory": Part(flow.memory, 2),
        "peers": Part(compare.peers, 4),
    }


def main(argv: list[str]) -> int:
    """Run the parts; 1 when one of them, or a check within one, failed."""
    parser = argparse.ArgumentParser(
        prog="python -m stylecam.benchmarks.gpu",
        description="Check and measure the GPU path, in under 10 minutes.",
        allow_abbrev=False,
    )
    parser.add_argument("--part", help=f"only these: {','.join(parts())}")
    parser.add_argument("--dry-run", action="store_true", help="tiny sizes, on a CPU; keeps no row")
    parser.add_argument(
        "--seconds", type=parse_seconds, default=TOTAL_S, help="for all [%(default)g]"
    )
    parser.add_argument("--results", type=Path, default=results.RESULTS, help="folder of the rows")
    parser.add_argument("--table", type=Path, help="write the Markdown there too")
    # Of a part's own process, which takes seconds to load: when to end, by the clock of both.
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--until", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    chosen = options.part.split(",") if options.part else list(parts())
    for name in chosen:
        if name not in parts():
            parser.error(f"there is no part {name!r}; there are {', '.join(parts())}")
    dry = options.dry_run or not torch.cuda.is_available()
    if options.into is not None:
        if dry and not options.dry_run:
            parser.error("PyTorch finds no GPU any more")  # figures of a CPU would pass for its
        _here(chosen[0], options.until, dry=dry, into=options.into)
        return 0
    here, found = describe_machine(), list[Row]()
    try:
        for measured in _run(chosen, options.seconds, dry=dry):
            devices = [row["device"] for row in measured if "device" in row]
            here |= {"device": devices[0]} if devices else {}  # of parts that write no row as well
            made = [here | row for row in measured]
            found += made
            if not dry:  # at once: what comes later may be broken off
                results.append("gpu", made, folder=options.results)
    finally:
        table = "A dry run on a CPU: no figure means anything.\n\n" if dry else ""
        table += markdown(found)
        print(table)
    if options.table:
        options.table.write_text(table + "\n", encoding="utf-8")
    return int(any("error" in row for row in found))


def _run(names: list[str], seconds: float, *, dry: bool) -> Iterator[list[Row]]:
    """Yield the rows of each part. Time that one leaves over goes to those behind it."""
    end_s = time.monotonic() + seconds
    for index, name in enumerate(names):
        shares = [parts()[other].share for other in names[index:]]
        begin_s = time.monotonic()
        mine_s = (end_s - begin_s) * shares[0] / sum(shares)
        print(f"{name}: {mine_s:.0f} s at most", file=sys.stderr)
        # What a part has started may hold its log, which Windows then does not remove.
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            into = Path(folder) / "rows.jsonl"
            if dry:
                _here(name, begin_s + mine_s, dry=True, into=into)
                failure = ""
            else:
                failure = _apart(name, mine_s, into)
            written = into.read_text(encoding="utf-8") if into.exists() else ""
        found: list[Row] = [json.loads(line) for line in written.splitlines()]
        yield found + ([{"part": name, "error": failure}] if failure else [])


def _here(name: str, end_s: float, *, dry: bool, into: Path) -> None:
    """Run one part in this process, writing each row at once."""
    device = torch.device("cuda" if torch.cuda.is_available() and not dry else "cpu")
    bench = Bench(device, dry, end_s)
    about = {"dry": True} if dry else gpu(device)
    torch.backends.cudnn.benchmark = not dry  # as the engines have it; for everybody alike
    with into.open("a", encoding="utf-8") as file:

        def keep(row: Row) -> None:
            file.write(json.dumps(row | about) + "\n")
            file.flush()

        try:
            for row in parts()[name].measure(bench):
                keep(row)
        except Exception as error:  # the other parts go on, and the row says it
            traceback.print_exc()
            keep({"part": name, "error": f"{type(error).__name__}: {error}"})


def _apart(name: str, seconds: float, into: Path) -> str:
    """Run one part in a process of its own; returns how it failed, or ""."""
    command = [sys.executable, "-m", "stylecam.benchmarks.gpu", "--part", name]
    command += ["--until", str(time.monotonic() + seconds), "--into", str(into)]
    heard = into.with_suffix(".log")
    # No pipe: what a part that crashed has started, such as compilers, would hold it open.
    with heard.open("w", encoding="utf-8") as file:
        try:
            done = subprocess.run(command, timeout=seconds + _GRACE_S, stderr=file, check=False)
            code = done.returncode
        except subprocess.TimeoutExpired:
            code = None
    said = heard.read_text(encoding="utf-8", errors="replace")
    print(said, end="", file=sys.stderr)
    if code is None:
        return f"stopped after {seconds + _GRACE_S:.0f} s"
    last = (said.strip().splitlines() or ["it said nothing"])[-1]
    return f"ended with {code}: {last}" if code else ""


def gpu(device: torch.device) -> Row:
    """Return what figures depend on besides what `describe_machine` knows."""
    return {
        "device": torch.cuda.get_device_name(device),
        "cuda": torch.version.cuda,
        "capability": ".".join(map(str, torch.cuda.get_device_capability(device))),
        "gpu_versions": versions_here(_PACKAGES),
    }
