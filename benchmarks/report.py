"""The README's table of figures, made from the rows: no figure without a row."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any, Final

from stylecam.realtime.errors import StylecamError
from stylecam.realtime.styles import built_in

from . import rows

README: Final = Path(__file__).parent.parent / "README.md"
BEGIN: Final = "<!-- figures: made by `stylecam bench tables` -->"
QUALITY: Final = {
    "coverage": "coverage",
    "st_lpips": "st-LPIPS",
    "mean_shimmer": "shimmer",
    "noise_gain": "noise gain",
    "far_change": "far change",
    "border": "border",
}
END: Final = "<!-- end of figures -->"


def renew_readme(*, folder: Path = rows.RESULTS, readme: Path = README) -> str:
    """Replace the table in `readme` and return the new one. Raises StylecamError as `renew`."""
    table = figures(folder)
    renew(readme, BEGIN, END, table)
    return table


def renew(path: Path, begin: str, end: str, text: str) -> None:
    """Replace what stands between two marks in a file.

    Raises StylecamError when the file or the marks are not there.
    """
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    if begin not in before or end not in before:
        raise StylecamError(
            f"{path} has no place for the figures", hint="run it in a clone of the project"
        )
    head, rest = before.split(begin, 1)
    tail = rest.split(end, 1)[1]
    path.write_text(f"{head}{begin}\n{text}\n{end}{tail}", encoding="utf-8")


def figures(folder: Path = rows.RESULTS) -> str:
    """Return the newest row of each case as a Markdown table."""
    lines = ["| what | speed | latency p50 / p99 | more |", "| --- | --- | --- | --- |"]
    for row in _newest("engine", ("engine", "precision", "height", "width"), folder):
        latency = row["latency_ms"]
        lines.append(
            f"| network alone, {row['width']}×{row['height']}, "
            f"{row['description'].split(' on ')[0]}"
            f" | {row['fps']:.0f} fps | {latency['p50']:.0f} / {latency['p99']:.0f} ms"
            f" | {row['difference_mean']:.2f}/255 from the first engine |"
        )
    for row in _newest("pipeline", ("case", "clip", "size", "height"), folder):
        latency = row["stages_ms"]["latency"]
        memory = f", {row['peak_memory_mb']} MB at most" if "peak_memory_mb" in row else ""
        what = f"{row['case']}, {row.get('clip') or 'test pattern'}"
        lines.append(
            f"| {what} | {row['fps']:.0f} fps | {latency['p50']:.0f} / {latency['p99']:.0f} ms"
            f" | {row['frames']} frames, {row['dropped']} dropped{memory} |"
        )
    for row in _newest("peers", ("peer", "clip"), folder):
        lines.append(
            f"| whole command, against {row['peer']} | {row['our_fps']:.0f} fps to its "
            f"{row['peer_fps']:.0f} | | {row['ratio']:.1f} times its speed |"
        )
    lines += quality_table(folder)
    taken = rows.read("pipeline", folder=folder) or rows.read("engine", folder=folder)
    if taken:
        last = taken[-1]
        lines += ["", f"{last['cores']} cores of {last['cpu']}, {last['date'][:10]}."]
    return "\n".join(lines)


def quality_table(folder: Path = rows.RESULTS) -> list[str]:
    """Return the newest quality rows as lines of a Markdown table: ours, their mean, others."""
    found = [
        row
        for row in _newest("quality", ("style", "statistics"), folder)
        if row["statistics"] == "smoothed"
    ]
    if not found:
        return []
    names = {style.name for style in built_in()}
    ours = [row for row in found if row["style"] in names]
    lines = ["", f"| style | {' | '.join(QUALITY.values())} |", "| --- " * (len(QUALITY) + 1) + "|"]
    lines += [_quality_line(row) for row in sorted(ours, key=lambda row: str(row["style"]))]
    if len(ours) > 1:
        kept = {key: [row[key] for row in ours if key in row] for key in QUALITY}
        mean = {key: statistics.mean(values) for key, values in kept.items() if values}
        lines.append(_quality_line({"style": f"mean of these {len(ours)}"} | mean))
    return lines + [_quality_line(row) for row in found if row["style"] not in names]


def _quality_line(row: dict[str, Any]) -> str:
    cells = [f"{row[key]:.2f}" if key in row else "" for key in QUALITY]
    return f"| {row['style']} | {' | '.join(cells)} |"


def _newest(name: str, keys: tuple[str, ...], folder: Path) -> list[dict[str, Any]]:
    newest = {tuple(row.get(key) for key in keys): row for row in rows.read(name, folder=folder)}
    return list(newest.values())
