"""Results as rows of JSON: appended, never edited, each with the machine it was taken on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def append(name: str, rows: list[dict[str, Any]], *, folder: Path = RESULTS) -> Path:
    """Add `rows`, which hold their machine already, to `<name>.jsonl` and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.jsonl"
    with path.open("a", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")
    return path


def read(name: str, *, folder: Path = RESULTS) -> list[dict[str, Any]]:
    """Return all rows of `<name>.jsonl`, oldest first."""
    path = folder / f"{name}.jsonl"
    return parse(path.read_text(encoding="utf-8")) if path.exists() else []


def parse(text: str) -> list[dict[str, Any]]:
    """Return the rows of a JSONL file's text. Raises ValueError when a line is not one."""
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def machine_of(row: dict[str, Any]) -> str:
    """Return what names the machine of a row: processor, cores, and what it can multiply with.

    The name alone does not tell: a cloud calls processors of three generations by one.
    """
    features = row.get("cpu_features")
    known = "" if features is None else f" ({', '.join(features) or 'no vector extensions'})"
    device = row.get("device")
    beside = "" if device in (None, "cpu") else f" with {device}"
    return f"{row['cores']} cores of {row['cpu']}{known}{beside}"
