"""What figures depend on besides the code that is measured: processor, load, versions, commit."""

from __future__ import annotations

import contextlib
import datetime
import importlib.metadata
import os
import platform
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from stylecam.realtime.machine import usable_cores
from stylecam.realtime.release import release

from .rows import RESULTS

_PACKAGES = ("openvino", "av", "opencv-python", "numpy", "torch", "onnxruntime")
_FEATURES = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "amx_int8")


def describe_machine() -> dict[str, Any]:
    """Return what the figures depend on besides the code under test. Call it before measuring:
    later the load is that of the measurement itself.
    """
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M"),
        "commit": commit_of(Path(__file__).parent),
        "cpu": cpu_name(),
        "cpu_features": cpu_features(),
        "cores": usable_cores(),
        "busy_cores": busy_cores(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "versions": versions_here(_PACKAGES),
    }


def cpu_name() -> str:
    """Return the processor's name as the system gives it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def cpu_features() -> list[str] | None:
    """Return the vector extensions that decide a network's speed; None where none can be read."""
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return None
    for line in info.read_text().splitlines():
        if line.startswith("flags"):
            flags = line.split(":", 1)[1].split()
            return [name for name in _FEATURES if name in flags]
    return None


def versions_beside(executable: Path) -> dict[str, str]:
    """Return versions in the environment that a command is installed in: the command's own, and
    those of what does its work.
    """
    environment = executable.resolve().parent.parent
    folders = [*environment.glob("lib/python*/site-packages"), environment / "Lib/site-packages"]
    found = importlib.metadata.distributions(path=[str(folder) for folder in folders])
    named = {one.name.lower().replace("_", "-"): one.version for one in found}
    return {name: named[name] for name in (executable.stem, *_PACKAGES) if name in named}


def versions_here(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of those packages that are installed, by name."""
    found = {}
    for name in packages:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def commit_of(folder: Path) -> str:
    """Return the commit of the checkout that holds `folder`, with "+" if anything but rows was
    changed; of none, or where Git will not say, the release.
    """
    own = f":(top,exclude){RESULTS.parent.name}/{RESULTS.name}"
    try:
        commit = _git(folder, "rev-parse", "--short", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", ":/", own)
    except (OSError, subprocess.CalledProcessError):
        return f"release {release()}"
    return commit + "+" * bool(changed)


def _git(folder: Path, *arguments: str) -> str:
    line = ["git", *arguments]
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def busy_cores(seconds: float = 0.5) -> float | None:
    """Return how many cores are at work just now; None where the system won't say."""
    before = _times()
    time.sleep(seconds)
    idle, all_of_it = (now - then for now, then in zip(_times(), before, strict=True))
    if not all_of_it:
        return None
    return round((os.cpu_count() or 1) * (1 - idle / all_of_it), 2)


def _times() -> tuple[int, int]:
    """Return the ticks that all cores were idle, and all ticks."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return 0, 0
    ticks = [int(word) for word in stat.read_text().split("\n", 1)[0].split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)
