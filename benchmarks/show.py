"""Rows as a table, on the terminal and in Markdown; and what is being done."""

from __future__ import annotations

import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from .benchmark import Row


def show(rows: list[Row], columns: tuple[str, ...]) -> None:
    """Print the columns that have anything in them."""
    shown = _filled(rows, columns)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in shown:
        table.add_column(column.replace("_", " "), no_wrap=True)
    for row in rows:
        table.add_row(*(cell(row, column) for column in shown))
    # Wider than the terminal, which then wraps whole lines: no cell is cut short.
    Console(width=400).print(table)


def markdown(rows: list[Row], columns: tuple[str, ...]) -> list[str]:
    """Return the lines of a Markdown table of the columns that have anything in them."""
    shown = _filled(rows, columns)
    lines = [f"| {' | '.join(column.replace('_', ' ') for column in shown)} |"]
    lines.append("| --- " * len(shown) + "|")
    return lines + [f"| {' | '.join(cell(row, column) for column in shown)} |" for row in rows]


def cell(row: Row, column: str) -> str:
    """Return what a table shows of a row in that column; percentiles are p50 / p95 / p99, and
    "picture" is its size, a list its bounds.
    """
    value = row.get(column)
    if column == "picture" and "width" in row:
        value = f"{row['width']}×{row['height']}"
    if value is None and column == "latency":
        value = row.get("stages_ms", {}).get("latency")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return " / ".join(f"{number:.1f}" for number in value.values()) + " ms"
    if isinstance(value, list):
        return "–".join(_number(bound) for bound in value)
    if isinstance(value, float):
        return _number(value)
    return "" if value is None else str(value)


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def _filled(rows: list[Row], columns: tuple[str, ...]) -> list[str]:
    return [name for name in columns if any(cell(row, name) for row in rows)]


class Reporting:
    """A line on the terminal that says what is being done; nothing when there is no terminal."""

    def __init__(self) -> None:
        self._status = Console(stderr=True, quiet=not sys.stderr.isatty()).status("")

    def __enter__(self) -> Any:
        self._status.start()
        return self._status.update

    def __exit__(self, *about: object) -> None:
        self._status.stop()
