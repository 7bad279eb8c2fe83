"""What `stylecam doctor` tells of runs that were cut short."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from stylecam.realtime.cli.doctor import examine
from stylecam.realtime.cli.doctor import unfinished as look_for_unfinished
from stylecam.realtime.sinks.segments import CodedPicture
from stylecam.realtime.sinks.workfolder import WorkFolder


def test_doctor_lists_what_is_unfinished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = {check.name: check for check in examine()}["unfinished"]
    assert found.ok
    work = WorkFolder(Path("out.mp4"), {"input": "/films/a.mp4"})
    work.append(CodedPicture(0, 0, 1, True, b"x"))
    work.finish_segment(1)
    work.leave()
    found = {check.name: check for check in examine()}["unfinished"]
    assert not found.ok
    assert "out.mp4" in found.found
    assert ".out.mp4.stylecam" in found.remedy


def test_doctor_s_remedies_can_be_pasted(tmp_path: Path) -> None:
    other = tmp_path / "clip.mp4"
    other.touch()
    work = WorkFolder(tmp_path / "my clip.mp4", {})
    work.append(CodedPicture(0, 0, 1, True, b"x"))
    work.finish_segment(1)
    work.leave()
    (tmp_path / ".it's here.99999999999.part.mp4").touch()
    for remedy in look_for_unfinished(tmp_path).remedy.partition("or: ")[2].split("; "):
        subprocess.run(["sh", "-c", remedy], check=True)
    assert list(tmp_path.iterdir()) == [other]
