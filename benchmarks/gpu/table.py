"""Rows of the GPU benchmark as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from ..benchmark import Row

Cell = Callable[[Row], str]

_PICTURE: Final[Cell] = lambda row: f"{row['width']}×{row['height']}"  # noqa: E731


def _figure(key: str, shape: str = "{:.4g}") -> Cell:
    return lambda row: shape.format(row[key]) if key in row else ""


def _times(key: str) -> Cell:
    return lambda row: f"{row[key]['p50']:.4g} / {row[key]['p99']:.4g}" if key in row else ""


_NETWORK: Final = (
    ("network", _figure("network", "{}")),
    ("picture", _PICTURE),
    ("run as", _figure("variant", "{}")),
    ("fps", _figure("fps", "{:.0f}")),
    ("ms p50 / p99", _times("ms")),
    ("PSNR to float32", _figure("psnr_db", "{:.1f} dB")),
)
_TABLES: Final[dict[str, tuple[str, Sequence[tuple[str, Cell]]]]] = {
    "engines": ("Our networks on the device", _NETWORK),
    "peers": ("Others' networks, random weights", _NETWORK),
    "kernels": (
        "Kernels",
        (
            ("operation", _figure("case", "{}")),
            ("picture", _PICTURE),
            ("kernel µs", _figure("kernel_us")),
            ("PyTorch's operations µs", _figure("unfused_us")),
            ("times faster", _figure("times_faster")),
            ("share of a copy's bandwidth", _figure("of_bandwidth", "{:.0%}")),
        ),
    ),
    "overlap": (
        "Copies behind the network",
        (
            ("picture", _PICTURE),
            ("upload ms", _figure("upload_ms")),
            ("network ms", _figure("network_ms")),
            ("download ms", _figure("download_ms")),
            ("one after another ms", _figure("serial_ms")),
            ("pipelined ms", _figure("pipelined_ms")),
            ("of the ideal", _figure("ideal_of_pipelined", "{:.0%}")),
        ),
    ),
    "end-to-end": (
        "From the host's memory and back",
        (
            ("network", _figure("network", "{}")),
            ("engine", _figure("engine", "{}")),
            ("picture", _PICTURE),
            ("slots", _figure("slots")),
            ("fps", _figure("fps", "{:.0f}")),
            ("latency ms p50 / p99", _times("latency_ms")),
        ),
    ),
    "memory": (
        "Memory of the GPU",
        (
            ("network", _figure("network", "{}")),
            ("engine", _figure("engine", "{}")),
            ("picture", _PICTURE),
            ("allocated MiB", _figure("allocated_mb")),
            ("taken in all MiB", _figure("taken_mb")),
        ),
    ),
}


def markdown(rows: list[Row]) -> str:
    """Return a table for each part that has figures, the targets, and what was not measured."""
    lines: list[str] = []
    for part, (title, columns) in _TABLES.items():
        found = [row for row in rows if row["part"] == part and not _why_not(row)]
        if found:
            heads = [head for head, _ in columns]
            lines += [f"**{title}**", "", f"| {' | '.join(heads)} |", "| --- " * len(heads) + "|"]
            lines += [f"| {' | '.join(cell(row) for _, cell in columns)} |" for row in found]
            lines.append("")
    lines += [f"- {line}" for line in targets(rows)]
    lines += [f"- not measured: {_name(row)}: {_why_not(row)}" for row in rows if _why_not(row)]
    return "\n".join(lines)


def targets(rows: list[Row]) -> list[str]:
    """Return what was reached of what is wanted at 1920×1080, as far as it was measured."""
    full = [row for row in rows if row.get("height") == 1080 and not _why_not(row)]
    lines = []
    ours = _by_variant(full, "stylecam small")
    if ours:
        variant = max(ours, key=lambda name: ours[name])
        lines.append(f"small network on the device, {variant}: {ours[variant]:.0f} fps of 1,000")
    flows = [row for row in full if row["part"] == "end-to-end"]
    flows = [row for row in flows if row["network"] == "stylecam small"]
    if flows:
        lines.append(f"end to end: {max(row['fps'] for row in flows):.0f} fps of 500")
    theirs = _by_variant(full, "fast-neural-style")
    lines += [
        f"{ours[variant] / theirs[variant]:.1f} times fast-neural-style, {variant}, of 5"
        for variant in ours
        if variant in theirs
    ]
    lines += [
        f"overlap: {row['ideal_of_pipelined']:.0%} of the ideal, of 90%"
        for row in full
        if row["part"] == "overlap"
    ]
    return lines


def _by_variant(rows: list[Row], network: str) -> dict[str, float]:
    return {row["variant"]: row["fps"] for row in rows if row.get("network") == network
            and "variant" in row}  # fmt: skip


def _name(row: Row) -> str:
    keys = ("part", "case", "network", "variant", "engine")
    where = f" at {row['width']}×{row['height']}" if "width" in row else ""
    return ", ".join(str(row[key]) for key in keys if key in row) + where


def _why_not(row: Row) -> str:
    return str(row.get("error") or row.get("skipped") or "")
