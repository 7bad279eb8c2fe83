"""The README's table of figures, made from the rows: no figure without a row."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from stylecam.realtime.errors import StylecamError

from . import rows

README: Final = Path(__file__).parent.parent / "README.md"
BEGIN: Final = "<!-- figures: made by `stylecam bench tables` -->"
END: Final = "<!-- end of figures -->"


def renew_readme(*, folder: Path = rows.RESULTS, readme: Path = README) -> str:
    """Replace what stands between the two marks in `readme` and return the new table.

    Raises StylecamError when the file or the marks are not there.
    """
    text = readme.read_text(encoding="utf-8") if readme.exists() else ""
    if BEGIN not in text or END not in text:
        raise StylecamError(
            f"{readme} has no place for the figures", hint="run it in a clone of the project"
        )
    table = figures(folder)
    head, rest = text.split(BEGIN, 1)
    tail = rest.split(END, 1)[1]
    readme.write_text(f"{head}{BEGIN}\n{table}\n{END}{tail}", encoding="utf-8")
    return table


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
    taken = rows.read("pipeline", folder=folder) or rows.read("engine", folder=folder)
    if taken:
        last = taken[-1]
        lines += ["", f"{last['cores']} cores of {last['cpu']}, {last['date'][:10]}."]
    return "\n".join(lines)


def _newest(name: str, keys: tuple[str, ...], folder: Path) -> list[dict[str, Any]]:
    newest = {tuple(row.get(key) for key in keys): row for row in rows.read(name, folder=folder)}
    return list(newest.values())
