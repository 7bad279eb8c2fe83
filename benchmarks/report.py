"""The README's short table of figures, made from the rows: no figure without a row."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any, Final

from . import peer_table, quality_table, rows
from .benchmark import Row
from .suite import load

SPEED: Final = """\
Speed is from the first frame to the last, without start-up. Latency: network alone, one frame at a
time; file to file, decoder to encoder with several frames in flight; live, test frame to output,
without a camera or a screen. When both cores work on one picture, this machine alternates every few
seconds between two speeds, one twice the other ([why](docs/performance.md)). So live latency can
come out lower than that of the network alone, although live does more.\
"""
GPU_KEYS: Final = ("part", "case", "network", "variant", "engine", "height", "width", "slots")
DEMO_NAME: Final = "signing"
TIMED: Final = ("engine", "pipeline")
"""Benchmarks that make a machine one of those whose speed the README shows: others, run alone
elsewhere, must not empty its tables.
"""
SHOWN: Final = ((360, 640), (720, 1280))
"""Sizes in the README; benchmarks/README.md has all."""


def newest(name: str, folder: Path) -> list[Row]:
    """Return the newest row of each case on each machine, oldest first."""
    benchmark = load(name)
    found: dict[Any, Row] = {}
    for row in rows.read(name, folder=folder):
        key = (rows.machine_of(row), *benchmark.case(row))
        found.pop(key, None)
        found[key] = row
    return list(found.values())


def newest_gpu(folder: Path) -> dict[str, list[Row]]:
    """Return by machine the newest row of each case; one for which there was no time replaces none
    with figures.
    """
    found: dict[str, dict[Any, Row]] = {}
    for row in rows.read("gpu", folder=folder):
        key = tuple(row.get(name) for name in GPU_KEYS)
        kept = found.setdefault(rows.machine_of(row), {})
        if "skipped" not in row or key not in kept:
            kept[key] = row
    return {machine: [*kept.values()] for machine, kept in found.items()}


def machines(folder: Path) -> list[str]:
    """Return the machines whose speed was measured, the one measured last first."""
    last: dict[str, str] = {}
    for name in TIMED:
        for row in rows.read(name, folder=folder):
            machine, date = rows.machine_of(row), str(row["date"])
            last[machine] = max(date, last.get(machine, date))
    return sorted(last, key=last.__getitem__, reverse=True)


def in_short(folder: Path = rows.RESULTS) -> str:
    """Return the list at the README's top: how fast each machine is, and when; "" if unknown."""
    said = {machine: _in_short(_of(machine, "pipeline", folder)) for machine in machines(folder)}
    lines = [f"- on {machine}{speeds}" for machine, speeds in said.items() if speeds]
    wrapped = [
        textwrap.fill(line, 100, subsequent_indent="  ", break_on_hyphens=False) for line in lines
    ]
    return "\n".join(["How fast that is, without a GPU:\n", *wrapped]) if wrapped else ""


def _in_short(of_it: list[Row]) -> str:
    speeds: dict[str, list[str]] = {}
    shown = [row for row in of_it if _is_shown(row)]
    for row in shown:
        speed = f"{row['fps']:.0f} fps at {row['width']}×{row['height']}"
        speeds.setdefault(str(row["case"]).removesuffix(" at 30 fps"), []).append(speed)
    said = "; ".join(f"{case} {' and '.join(those)}" for case, those in speeds.items())
    return f", {max(str(row['date'])[:10] for row in shown)}: {said}" if said else ""


def _of(machine: str, name: str, folder: Path) -> list[Row]:
    return [row for row in newest(name, folder) if rows.machine_of(row) == machine]


def figures(folder: Path = rows.RESULTS) -> str:
    """Return what the README shows: the newest machine's speed, peers beside it, and quality."""
    machine = next(iter(machines(folder)), "")
    names = ("engine", "pipeline", "latency", "peers")
    of_it = {name: _of(machine, name, folder) for name in names}
    lines = _speed(of_it) + peer_table.table(of_it["peers"]) + quality_table.table(folder)
    dates = [str(row["date"])[:10] for found in of_it.values() for row in found]
    if dates:
        lines += ["", f"{machine}, {max(dates)}."]
    return "\n".join([*lines, *_gpu(folder)]).strip()


def _gpu(folder: Path) -> list[str]:
    """Return what was reached on the GPU measured last; nothing without rows of one."""
    measured = newest_gpu(folder)
    if not measured:
        return []
    from .gpu.table import targets

    machine = max(measured, key=lambda name: max(str(row["date"]) for row in measured[name]))
    return ["", f"On {machine}:", "", *(f"- {line}" for line in targets(measured[machine]))]


def _speed(of_it: dict[str, list[Row]]) -> list[str]:
    lines = ["| what | speed | latency p50 / p99 |", "| --- | --- | --- |"]
    for row in of_it["engine"]:
        if row["engine"] == "openvino" and row["precision"] == "default" and _is_shown(row):
            engine = row["description"].split(" on ")[0]
            lines.append(_speed_line(f"network alone, {engine}", row, row["latency_ms"]))
    for row in of_it["pipeline"]:
        if _is_shown(row):
            lines.append(_speed_line(row["case"], row, row["stages_ms"]["latency"]))
    return [*lines, "", SPEED] if len(lines) > 2 else []


def _is_shown(row: Row) -> bool:
    of_ours = row.get("clip", DEMO_NAME).startswith(DEMO_NAME)
    return of_ours and (row.get("height"), row.get("width")) in SHOWN


def _speed_line(what: str, row: Row, spread: dict[str, float]) -> str:
    speed, latency = f"{row['fps']:.0f} fps", f"{spread['p50']:.0f} / {spread['p99']:.0f} ms"
    return f"| {what}, {row['width']}×{row['height']} | {speed} | {latency} |"
