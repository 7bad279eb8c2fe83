"""What containers do each in their own way, and what becomes of it in another."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
from media import packets, times
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


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_sound_that_an_edit_list_hides_stays_hidden(suffix: str, tmp_path: Path) -> None:
    clip = Film(audio_start=-40_000, seconds=1.5).build(tmp_path / "a.mp4")
    assert packets(clip)[0][0] < -0.8
    echo(clip, tmp_path / f"out{suffix}")
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        heard = [frame.time for frame in container.decode(audio=0)]
    assert -0.03 < heard[0] <= 0
    assert len(heard) * 1024 / 48_000 == pytest.approx(1.5 - 40_000 / 48_000, abs=0.05)
