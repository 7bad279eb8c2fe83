"""Which modules a command loads: what is heavy, or calls home, only where it is needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from media import SIGNING


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    """`stylecam --help` has to come at once; a clock would be noise, the modules are not."""
    loaded = _modules(
        "stylecam.realtime.cli", "try: main(['--help'])\nexcept SystemExit: pass", tmp_path
    )
    assert not loaded & {"numpy", "cv2", "av", "rich", "openvino", "torch", "onnx"}


def test_the_cpu_path_loads_neither_torch_nor_tensorrt(tmp_path: Path) -> None:
    code = f"main([{str(SIGNING)!r}, '-o', 'out.mp4', '--size', '90'])"
    loaded = _modules("stylecam.realtime.cli", code, tmp_path)
    assert "openvino" in loaded
    assert not loaded & {"torch", "tensorrt", "torch_tensorrt", "onnx", "openvino_telemetry"}


@pytest.mark.parametrize("words", [["doctor"], ["bench", "floor", "-h"]])
def test_no_command_loads_telemetry(words: list[str], tmp_path: Path) -> None:
    code = f"try: main({words})\nexcept SystemExit: pass"
    loaded = _modules("stylecam.realtime.cli", code, tmp_path)
    assert "openvino" in loaded
    assert not [name for name in loaded if "telemetry" in name]


@pytest.mark.parametrize(("room", "others"), [("sinks", "sources"), ("sources", "sinks")])
def test_sources_and_sinks_know_nothing_of_each_other(room: str, others: str) -> None:
    script = (
        f"import importlib, pkgutil, sys, stylecam.realtime.{room} as room\n"
        "for found in pkgutil.iter_modules(room.__path__, room.__name__ + '.'):\n"
        "    importlib.import_module(found.name)\n"
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    for stranger in (others, "engines"):
        assert not [m for m in done.stdout.split() if m.startswith(f"stylecam.realtime.{stranger}")]


def _modules(module: str, code: str, cwd: Path) -> set[str]:
    script = f"import sys\nfrom {module} import main\n{code}\nprint('|', *sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=cwd, capture_output=True, text=True, check=True
    )
    return set(done.stdout.rsplit("|", 1)[1].split())
