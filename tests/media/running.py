"""The command in a process of its own, and a file carried through without being painted."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from stylecam.realtime.engines import EngineOptions
from stylecam.realtime.job import FileOptions, Look, Outcome
from stylecam.realtime.styles import DEFAULT, find
from stylecam.realtime.stylize import stylize_file

STYLECAM = [sys.executable, "-m", "stylecam.realtime.cli"]
NO_DISPLAY = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
ECHO = Look(find(DEFAULT), engine=EngineOptions("echo"))


def stylecam(*arguments: object, cwd: Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run it where there is no display, whatever its exit code is."""
    done: subprocess.CompletedProcess[str] = subprocess.run(
        [*STYLECAM, *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env=NO_DISPLAY,
        **options,
    )
    return done


def echoed(
    *arguments: object, cwd: Path, code: int = 0, stdin: bytes | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run it with the engine that paints nothing; it ends with `code`."""
    done = subprocess.run(
        [*STYLECAM, *map(str, arguments), "--engine", "echo"],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == code, done.stderr.decode()
    assert b"Traceback" not in done.stderr
    return done


def echo(path: Path, output: Path, options: FileOptions | None = None) -> Outcome:
    """Carry a file through in this process, painting nothing."""
    return stylize_file(path, output, ECHO, console=Console(quiet=True), options=options)


def refused(done: subprocess.CompletedProcess[str], says: str, *, code: int = 1) -> None:
    """Demand one message with a remedy, no traceback, no word more."""
    assert done.returncode == code, done.stderr
    assert re.search(says, done.stderr), done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("error:") == 1
    assert "  hint: " in done.stderr
