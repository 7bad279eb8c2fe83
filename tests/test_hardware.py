"""Decoding on a GPU: what is said where there is none, and that the trial can do no harm."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from media import ClipMaker
from stylecam.realtime.sources import Reading, hardware, open_file
from stylecam.realtime.stats import Stats


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    hardware.nvdec_problem.cache_clear()
    yield
    hardware.nvdec_problem.cache_clear()


def test_without_a_gpu_the_reason_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert hardware.nvdec_problem()
    none = _trial(monkeypatch, "import sys; sys.exit('Operation not permitted')")
    assert none == "no NVIDIA driver is loaded"


def _trial(monkeypatch: pytest.MonkeyPatch, script: str) -> str:
    monkeypatch.setattr(hardware, "_TRIAL", script)
    hardware.nvdec_problem.cache_clear()
    return hardware.nvdec_problem()


def test_a_trial_that_works_crashes_or_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _trial(monkeypatch, "pass") == ""
    assert _trial(monkeypatch, "import os; os.abort()") == "its trial ended with -6"
    assert _trial(monkeypatch, "import sys; sys.exit('first\\nno card')") == "no card"
    # Tried once for all inputs: another trial would be heard of otherwise.
    monkeypatch.setattr(hardware, "_TRIAL", "pass")
    assert hardware.nvdec_problem() == "no card"
    monkeypatch.setattr(hardware, "_TIMEOUT_S", 0.5)
    assert _trial(monkeypatch, "import time; time.sleep(60)").startswith("no answer")
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert _trial(monkeypatch, "pass").startswith("it cannot be tried")


def test_a_file_falls_back_and_says_so(
    make_clip: ClipMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "_TRIAL", "import sys; sys.exit('no card')")
    clip = make_clip()
    source = open_file(clip, stats=Stats(), reading=Reading(decoder="auto"))
    assert source.notes == ["decoded by the CPU, not NVDEC: no card"]
    plain = open_file(clip, stats=Stats())
    for one, other in zip(source, plain, strict=True):
        assert np.array_equal(one.image, other.image)
    assert plain.notes == []
    source.close()
    plain.close()


def test_the_first_picture_tells_who_decoded_it() -> None:
    """NVDEC knows H.264, and leaves that of 10 bits to the CPU without a word."""
    assert hardware.decoder_note("h264", "nv12", "") == "decoded by NVDEC"
    assert hardware.decoder_note("hevc", "p010le", "") == "decoded by NVDEC"
    left = "decoded by the CPU, not NVDEC: it cannot decode h264 of this kind"
    assert hardware.decoder_note("h264", "yuv420p10le", "") == left
    assert hardware.decoder_note("h264", "nv12", "no card").endswith("not NVDEC: no card")


def test_the_command_says_what_decodes(make_clip: ClipMaker, tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("here NVDEC may work")
    done: Any = subprocess.run(
        [
            *(sys.executable, "-m", "stylecam.realtime.cli", str(make_clip()), "-o", "out.mkv"),
            *("--engine", "echo", "--decoder", "auto", "--encoder", "auto"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "decoded by the CPU, not NVDEC: " in done.stdout
    assert "encoded by " in done.stdout
    assert (tmp_path / "out.mkv").exists()
