"""Where no window can be shown: said before Qt would end the process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from stylecam.realtime.live import Outputs, VirtualCamera, reason_for_no_window
from stylecam.realtime.sinks import display
from stylecam.realtime.sinks.display import display_problem

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="X and Wayland")


@pytest.mark.parametrize(
    ("display", "wayland", "says"),
    [
        (":7777", "", "the display :7777 cannot be opened"),
        (":7777", "wayland-0", "the display :7777 cannot be opened"),
        ("", "wayland-0", "OpenCV's windows need X"),
        ("", "", "there is no display"),
    ],
)
def test_a_display_is_really_tried(
    display: str, wayland: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.setenv("WAYLAND_DISPLAY", wayland)
    assert says in display_problem()


def test_a_display_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(display, "_CONNECT", "import time; time.sleep(60)")
    monkeypatch.setattr(display, "_ANSWER_S", 0.2)
    monkeypatch.setenv("DISPLAY", ":78")
    assert display_problem() == "the display :78 does not answer"


def test_a_run_without_a_window_goes_on_where_it_has_other_outputs(tmp_path: Path) -> None:
    words = ["--webcam", "pattern", "--engine", "echo", "-o", "o.mkv", "--seconds", "0.5"]
    command = [sys.executable, "-m", "stylecam.realtime.cli", *words]
    env = {**os.environ, "DISPLAY": ":7777"}
    done = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, check=True
    )
    assert "note: no window: the display :7777 cannot be opened; recording only" in done.stdout
    assert (tmp_path / "o.mkv").exists()


@pytest.mark.parametrize(
    ("outputs", "says"),
    [
        (Outputs(file=Path("o.mkv")), "recording only"),
        (Outputs(virtual_camera=VirtualCamera()), "virtual camera only"),
        (
            Outputs(file=Path("o.mkv"), virtual_camera=VirtualCamera()),
            "recording and virtual camera only",
        ),
        (Outputs(), ""),
        (Outputs(window=False, file=Path("o.mkv")), ""),
    ],
)
def test_what_goes_on_without_a_window_is_all_named(
    outputs: Outputs, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(display, "display_problem", lambda: "it is dark")
    expected = says and f"no window: it is dark; {says}"
    assert reason_for_no_window(outputs) == expected
    monkeypatch.setattr(display, "display_problem", str)
    assert not reason_for_no_window(outputs)
