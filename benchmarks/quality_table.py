"""Tables of quality, here and in the README: of ours, rows of the shipped files alone."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Final

from stylecam.realtime.styles import Style, built_in

from . import rows
from .benchmark import Row
from .cards import network_sha256

COLUMNS: Final = {
    "coverage": "coverage",
    "texture": "texture",
    "st_lpips": "st-LPIPS",
    "mean_shimmer": "shimmer",
    "contrast": "contrast",
    "shift_error": "shift error",
    "noise_gain": "noise gain",
    "far_change": "far change",
    "border": "border",
    "border_error": "border error",
}
"""What is shown of a row, and its heading. Shimmer is of squares: a pale style has less of it."""


def rows_of(folder: Path) -> tuple[list[Row], list[Row]]:
    """Return the newest rows of quality: of the files of the built-in styles, and of others."""
    found = [r for r in rows.read("quality", folder=folder) if r["statistics"] == "smoothed"]
    styles = built_in()
    shipped = [(style, network_sha256(style.path)) for style in styles] if found else []
    ours = [
        [row for row in found if row["style"] == style.name and _is_of(row, style, sha256)]
        for style, sha256 in shipped
    ]
    # A row of a built-in style's name that is not of its file is of a former or a private one.
    names = {style.name for style in styles}
    others = {str(row["style"]): row for row in found if row["style"] not in names}
    return [of_it[-1] for of_it in ours if of_it], [*others.values()]


def table(folder: Path = rows.RESULTS, *, each: bool = False) -> list[str]:
    """Return lines of a Markdown table of quality: the mean of our styles, or each; and others."""
    ours, others = rows_of(folder)
    shown = others if each else [row for row in others if row["style"].startswith("styletransfer")]
    if not ours and not shown:
        return []
    columns = ["style", *COLUMNS.values(), *(("commit", "date") if each else ())]
    lines = ["", f"| {' | '.join(columns)} |", "| --- " * len(columns) + "|"]
    lines += [_line(row, each=each) for row in ours if each]
    if len(ours) > 1 or (ours and not each):
        mean = {
            key: statistics.mean(row[key] for row in ours)
            for key in COLUMNS
            if all(key in row for row in ours)
        }
        row = {"style": f"mean of our {len(ours)}", "commit": "", "date": ""} | mean
        lines.append(_line(row, each=each))
    return lines + [_line(row, each=each) for row in shown]


def _is_of(row: Row, style: Style, sha256: str) -> bool:
    """Whether a row is of the style file as it is, against the painting that it was made of."""
    if "painting" in row or "long_side" in row:
        return False
    if "network_sha256" in row:
        return bool(row["network_sha256"] == sha256)
    figures = style.card.get("quality", {})  # older rows are known by what was put into the card
    return bool(figures) and all(row.get(key) == value for key, value in figures.items())


def _line(row: Row, *, each: bool) -> str:
    cells = [f"{row[key]:.2f}" if key in row else "" for key in COLUMNS]
    cells += [str(row["commit"]), str(row["date"])] if each else []
    return f"| {row['style']} | {' | '.join(cells)} |"
