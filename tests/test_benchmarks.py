"""The benchmarks measure something, refuse nonsense, and go on after a failure."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path

import pytest
from media import ClipMaker
from stylecam.benchmarks import latency, rows
from stylecam.benchmarks.benchmark import parse_size
from stylecam.benchmarks.command import main, run_all
from stylecam.benchmarks.machine import commit_of
from stylecam.benchmarks.memory import in_new_process, peak_memory_mb
from stylecam.benchmarks.suite import SUITE, load
from stylecam.benchmarks.turns import (
    burst_length,
    chunk_medians,
    histogram,
    in_turns,
    rounds_within,
)
from stylecam.realtime.errors import UsageError
from stylecam.realtime.release import release
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.realtime.styles import built_in


def test_engine_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["engine", "--sizes", "64x64", "--engines", "openvino,torch"]
    arguments += ["--precisions", "f32", "--rounds", "1"]
    assert main([*arguments, "--json", "--results", str(tmp_path)]) == 0
    printed = json.loads(capsys.readouterr().out)
    kept = rows.read("engine", folder=tmp_path)
    assert [row["engine"] for row in printed] == ["openvino", "torch"]
    assert kept[1]["difference_mean"] < 0.5
    assert kept[0]["latency_ms"]["p50"] <= kept[0]["latency_ms"]["p99"]
    assert {"commit", "cpu", "cpu_features", "cores", "date", "versions"} <= set(kept[0])
    assert [len(values) for values in kept[0]["by_round"].values()] == [1, 1]
    main([*arguments, "--results", str(tmp_path)])
    assert len(rows.read("engine", folder=tmp_path)) == 4  # appended


def test_rows_say_what_was_changed_but_rows(tmp_path: Path) -> None:
    """Or all that is measured after a first benchmark would seem to be of changed code."""

    def git(*arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True, capture_output=True)

    kept, code = tmp_path / "benchmarks" / "results" / "a.jsonl", tmp_path / "benchmarks" / "a.py"
    kept.parent.mkdir(parents=True)
    for path in (kept, code):
        path.write_text("1\n")
    git("init", "-q")
    git("add", ".")
    git("-c", "user.name=n", "-c", "user.email=e@example.org", "commit", "-q", "-m", "x")
    commit = commit_of(code.parent)
    assert len(commit) >= 7
    kept.write_text("1\n2\n")
    assert commit_of(code.parent) == commit
    code.write_text("2\n")
    assert commit_of(code.parent) == f"{commit}+"
    assert commit_of(tmp_path.parent).startswith("release ")


def test_a_copy_that_is_neither_installed_nor_a_checkout_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a machine that was sent the files alone, or where Git refuses another user's."""

    def version(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert commit_of(tmp_path) == "release unknown"
    assert release() == "unknown"  # which a training run notes


def test_a_busy_machine_is_noted_before_measuring(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spin = "import time; end = time.time() + 20\nwhile time.time() < end: pass"
    busy = subprocess.Popen([sys.executable, "-c", spin])
    try:
        main(["graphs", "--results", str(tmp_path)])
    finally:
        busy.kill()
        busy.wait()
    assert "cores are busy before anything is measured" in capsys.readouterr().err
    assert all(row["busy_cores"] > 0.5 for row in rows.read("graphs", folder=tmp_path))


def test_pipeline_rows(
    tmp_path: Path, make_clip: ClipMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = str(make_clip())
    arguments = ["pipeline", clip, "--rounds", "1", "--seconds", "0.5"]
    arguments += ["--live-sizes", "64x64"]
    assert main([*arguments, "--results", str(tmp_path)]) == 0
    file, live = rows.read("pipeline", folder=tmp_path)
    assert (file["frames"], file["dropped"]) == (12, 0)
    assert live["frames"] >= 1
    assert live["stages_ms"]["latency"]["p50"] > 0
    assert "file to file" in capsys.readouterr().out


def test_sizes_that_cannot_be_measured() -> None:
    for size in ("big", "641x360", "0x0"):
        with pytest.raises(UsageError):
            main(["engine", "--sizes", size, "--no-save"])


@pytest.mark.parametrize(
    "line",
    [
        *("engine --rounds 0", "engine --rounds few", "floor --rounds -1", "peers --rounds 0"),
        *("pipeline --rounds 0", "pipeline --seconds 0", "latency --seconds 0"),
        *("latency --seconds nan", "latency --seconds inf", "engine --against HEAD --turns 0"),
        *("quality --one-of foo", "quality --one-of style:12:12", "quality --one-of style:x:0"),
        *("quality --long-side 0", "kernels --seconds 0", "gpu --seconds -1"),
    ],
)
def test_counts_and_seconds_that_are_none(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(line.split())
    assert ended.value.code == 2
    option, value = line.split()[-2:]
    assert f"argument {option}: '{value}' is not a" in capsys.readouterr().err


def test_the_shortest_runs(tmp_path: Path) -> None:
    kept = ["--results", str(tmp_path), "--seconds", "0.001"]
    assert main(["latency", "--sizes", "64x64", *kept]) == 0
    (row,) = rows.read("latency", folder=tmp_path)  # of one picture
    added = row["latency_ms"]["p99"] - row["engine_ms"]["p99"]
    assert row["added_ms"]["p99"] == pytest.approx(added, abs=0.02)
    with pytest.raises(UsageError, match="than durations are kept for"):
        main(["latency", "--seconds", "131"])


@pytest.mark.parametrize(
    ("what", "lacking"),
    [("graphs", "onnx"), ("quality", "torch"), ("kernels", "torch"), ("gpu", "torch")],
)
def test_what_a_plain_install_lacks_is_said_with_the_remedy(what: str, lacking: str) -> None:
    code = (
        f"import sys; sys.modules.update({{name: None for name in ('onnx', 'torch')}});"
        f"from stylecam.realtime.cli import main; sys.exit(main(['bench', '{what}', '--no-save']))"
    )
    code = code.replace(", '--no-save'", "") if what == "gpu" else code
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-2:] == [
        f"error: stylecam bench {what} needs {lacking}, which is not installed",
        '  hint: pip install "stylecam[quality]"',
    ]


def test_all_goes_on_after_one_that_fails(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    kept = ["--results", str(tmp_path)]
    assert run_all({"engine": ["--sizes", "nonsense", *kept], "graphs": kept}) == 1
    said = capfd.readouterr()
    assert said.err.splitlines()[-1] == "failed: engine"
    assert "'nonsense' is not a size" in said.err
    assert len(rows.read("graphs", folder=tmp_path)) == len(built_in())


@pytest.mark.parametrize("words", ["engine --sizes", "floor --sizes", "latency --sizes",
                                   "peers --sizes", "pipeline --live-sizes"])  # fmt: skip
def test_a_wrong_size_is_refused_before_anything_is_measured(
    words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Or what was measured of those before it would be lost."""
    with pytest.raises(UsageError, match="'foo' is not a size"):
        main([*words.split(), "640x360,foo", "--no-save"])
    assert capsys.readouterr().err == ""  # what it is at would be told there


@pytest.mark.parametrize("name", ["engine", "peers"])
def test_what_takes_turns_takes_an_even_number(name: str) -> None:
    """Every other round goes backwards."""
    parser = argparse.ArgumentParser()
    load(name).arguments(parser)
    assert parser.parse_args([]).rounds % 2 == 0


@pytest.mark.parametrize("name", [*SUITE])
def test_every_benchmark_has_arguments_and_columns(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert SUITE[name].help.split(";", 1)[0][:20] in capsys.readouterr().out
    assert load(name).keys
    assert load(name).columns


def test_the_help_names_every_benchmark(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["-h"])
    shown = capsys.readouterr().out
    assert all(
        f"  {name} " in shown for name in (*SUITE, "all", "tables", "gpu", "kernels", "gallery")
    )


def test_rounds_go_back_and_forth_after_a_warm_up() -> None:
    called: list[str] = []
    cases = [lambda: called.append("a") or len(called), lambda: called.append("b") or len(called)]
    assert in_turns(cases, rounds=2) == [[4, 5], [3, 6]]
    assert "".join(called) == "abbaab"
    assert in_turns(cases, rounds=1, warm_up=False) == [[8], [7]]
    assert in_turns(cases, rounds=2, most=[2, 1]) == [[12, 13], [11]]
    assert [rounds_within(8, burst_s, rounds=8) for burst_s in (0, 0.6, 1.5, 3, 12)] == [
        *(8, 8, 4, 2, 2)
    ]


def test_what_is_kept_of_durations() -> None:
    durations = [0.0101, 0.0102, 0.0201, 0.0101, 0.0102, 0.0301, 0.0101, 0.0102, 0.0301, 0.5]
    assert histogram(durations) == [(10.0, 6), (20.0, 1), (30.0, 2), (500.0, 1)]
    assert chunk_medians(durations, chunks=3) == [0.0102, 0.0102, 0.0102]
    assert burst_length(0.1, budget_s=0.6) == 6
    assert (burst_length(10), burst_length(0)) == (1, 20)


@pytest.mark.parametrize("style", ["great-wave", "starry-night"])
def test_latency_is_read_off_the_pictures(style: str, tmp_path: Path) -> None:
    arguments = ["latency", "--seconds", "2", "--style", style, "--sizes", "640x360"]
    arguments += ["--results", str(tmp_path)]
    assert main(arguments) == 0
    (row,) = rows.read("latency", folder=tmp_path)
    assert row["frames"] >= 8
    assert row["unreadable"] <= row["frames"] // 50
    a_tick_ms = 0.1 + 0.1  # of the painted clock, and what rounding takes
    assert 0 < row["engine_ms"]["p50"] < 2000
    assert 0 < row["latency_ms"]["p50"] < 2000
    # Each picture's own, as medians may be of other pictures where one was unreadable: what its
    # engine took is never more than its age.
    assert -a_tick_ms <= row["added_ms"]["p50"] <= row["latency_ms"]["p50"]


def test_memory_is_that_of_the_case_alone() -> None:
    held = bytearray(600_000_000)
    held[::4096] = b"x" * len(held[::4096])  # all of it is touched
    ours, its_own = peak_memory_mb(), in_new_process(peak_memory_mb)
    assert ours is not None
    assert its_own is not None
    assert its_own < 500
    assert ours >= 600
    with pytest.raises(UsageError) as caught:  # what fails there fails here
        in_new_process(parse_size, "nonsense")
    assert caught.value.hint == "WxH, as in 640x360"


def test_the_painted_clock_is_a_number() -> None:
    for ticks in (0, 1, 0xABCDE, (1 << latency.BITS) - 1):
        image = PatternSource(360, 640).image(3)
        latency.paint(image, ticks)
        assert latency.read(image) == ticks
