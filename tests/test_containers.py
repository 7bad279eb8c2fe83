"""What containers do each in their own way, and what becomes of it in another."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
from media import times
from media.clips import Film
from rich.console import Console
from stylecam.realtime.engines import EngineOptions
from stylecam.realtime.styles import DEFAULT, find
from stylecam.realtime.stylize import Look, Outcome, stylize_file

ECHO = Look(find(DEFAULT), engine=EngineOptions("echo"))


def echo(path: Path, output: Path) -> Outcome:
    return stylize_file(path, output, ECHO, console=Console(quiet=True))


@pytest.mark.parametrize("suffix", [".mov", ".mp4"])
def test_a_timecode_track_is_made_anew(suffix: str, tmp_path: Path) -> None:
    clip = Film(timecode="01:00:00:00").build(tmp_path / "a.mov")
    assert echo(clip, tmp_path / f"out{suffix}").notes == []
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        kinds = {s.type: s.metadata.get("timecode") for s in container.streams}
    assert kinds == {"video": "01:00:00:00", "audio": None, "data": "01:00:00:00"}
    assert times(tmp_path / f"out{suffix}") == times(clip)
