"""The commands beside stylizing: what is here, and what measures and trains."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, Final

from ..errors import UsageError, needing_packages
from .terminal import print_json


def _cameras(argv: list[str]) -> int:
    options = _parsed(argv, "cameras", "List the cameras, and what they can send.")
    from ..sources.listing import cameras

    found = cameras()
    if options.json:
        print_json([camera.as_json() for camera in found])
    elif not found:
        print("no cameras; without one: stylecam --webcam pattern, or --webcam clip.mp4")
    for camera in () if options.json else found:
        print(f"{camera.use:14} {camera.name}{f'  [{camera.note}]' if camera.note else ''}")
        for line in camera.summary():
            print(f"{'':14} {line}")
    return 0


def _styles(argv: list[str]) -> int:
    options = _parsed(argv, "styles", "List the built-in styles.")
    from ..styles import built_in

    rows = [
        {
            "name": style.name,
            "title": style.card.get("title", ""),
            "artist": style.card.get("artist", ""),
            "licence": style.card.get("licence", ""),
            "size": style.card.get("size", ""),
            "kilobytes": round(style.path.stat().st_size / 1000),
        }
        for style in built_in()
    ]
    if options.json:
        print_json(rows)
    else:
        _print_table(rows)
    return 0


def _doctor(argv: list[str]) -> int:
    options = _parsed(argv, "doctor", "Check this machine, and say how to fix what is missing.")
    from .doctor import examine

    checks = examine()
    if options.json:
        print_json([check._asdict() for check in checks])
        return 0
    for check in checks:
        print(f"{'ok  ' if check.ok else '!   '} {check.name:16} {check.found}")
        if check.remedy:
            print(f"     {'':16} try: {check.remedy}")
    return 0


def _bench(argv: list[str]) -> int:
    from stylecam.benchmarks.command import main as bench

    return bench(argv)


def _train(argv: list[str]) -> int:
    with needing_packages("training", 'pip install "stylecam[train]"'):
        from stylecam.training.command import main as train

        return train(argv)


def _build(argv: list[str]) -> int:
    from .build import main as build

    return build(argv)


COMMANDS: Final[dict[str, Callable[[list[str]], int]]] = {
    "styles": _styles,
    "cameras": _cameras,
    "doctor": _doctor,
    "build": _build,
    "train": _train,
    "bench": _bench,
}


def refuse_misspelt(argv: list[str]) -> None:
    """Raise UsageError for what was meant to be a command, which is else taken for an input."""
    import difflib
    from pathlib import Path

    word = argv[0] if argv else ""
    if word.isalpha() and not Path(word).exists():
        known = (*COMMANDS, "--demo", "--help", "--version", "--webcam")
        for near in difflib.get_close_matches(word.lower(), known, n=1):
            raise UsageError(
                f"there is no command and no file {word!r}", hint=f"did you mean stylecam {near}?"
            )


def _parsed(argv: list[str], name: str, description: str) -> argparse.Namespace:
    made = argparse.ArgumentParser(
        prog=f"stylecam {name}", description=description, allow_abbrev=False
    )
    made.add_argument("--json", action="store_true", help="machine-readable")
    return made.parse_args(argv)


def _print_table(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for key in rows[0]:
        table.add_column(key, overflow="fold")
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    Console().print(table)
