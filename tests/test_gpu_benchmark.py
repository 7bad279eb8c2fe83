"""The one command for a GPU, as far as a CPU can run it: the same code at tiny sizes."""

from __future__ import annotations

import importlib.util
import itertools
import json
import logging
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from stylecam.benchmarks import rows
from stylecam.benchmarks.architectures import ARCHITECTURES
from stylecam.benchmarks.command import main as bench
from stylecam.benchmarks.gpu import command, compare, kernels, overlap
from stylecam.benchmarks.gpu.bench import Bench, Row, Unavailable, psnr_db
from stylecam.benchmarks.gpu.command import Part, main
from stylecam.benchmarks.gpu.networks import carried, half_model, small
from stylecam.benchmarks.gpu.pictures import Scene, moving
from stylecam.benchmarks.gpu.table import markdown
from stylecam.benchmarks.report import newest_gpu
from stylecam.realtime.engines.statistics import SmoothedStatistics, Statistics
from stylecam.realtime.engines.tensorrt_build import build_onnx
from stylecam.realtime.engines.tensorrt_library import Library, load
from stylecam.realtime.pictures import Picture
from stylecam.realtime.styles import DEFAULT, find

MEASURED: Row = {"network": "first", "variant": "x", "fps": 1.0, "height": 16, "width": 24}


@pytest.fixture(autouse=True)
def plain_references(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Triton's interpreter, which test_kernels.py needs and which takes a second a call."""
    triton = pytest.importorskip("triton")
    monkeypatch.setattr(triton.knobs.runtime, "interpret", False)
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    # Its compiler writes down all that it does, if anybody listens as pytest does.
    monkeypatch.setattr(logging.getLogger("torch.__trace"), "disabled", True)


def test_a_dry_run_goes_through_everything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--dry-run", "--results", str(tmp_path / "results")]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("A dry run on a CPU: no figure means anything.")
    assert "Error" not in printed
    for title in ("Our networks", "Others' networks", "Kernels", "Copies", "From the host"):
        assert f"**{title}" in printed
    for name in ("stylecam large", "fast-neural-style", "ReCoNet", "AnimeGANv2", "torch.compile"):
        assert name in printed
    assert not (tmp_path / "results").exists()


def test_a_part_that_fails_leaves_the_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(bench: Bench) -> Iterator[Row]:
        yield {"part": "engines", "network": "first", "fps": 1.0, "variant": "x"} | size
        raise RuntimeError("the device fell off")

    def whole(bench: Bench) -> Iterator[Row]:
        yield {"part": "peers", "network": "second", "fps": 2.0, "variant": "x"} | size

    size = {"height": 16, "width": 24}
    parts = {"engines": Part(broken, 1), "peers": Part(whole, 1)}
    monkeypatch.setattr(command, "parts", lambda: parts)
    assert main(["--dry-run", "--table", str(tmp_path / "table.md")]) == 1
    table = (tmp_path / "table.md").read_text()
    assert table.strip() == capsys.readouterr().out.strip()
    assert "| first |" in table
    assert "| second |" in table
    assert "- not measured: engines: RuntimeError: the device fell off" in table


def test_what_was_measured_is_kept_when_the_rest_is_broken_off(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken_off(*_: object, **__: object) -> Iterator[list[Row]]:
        yield [{"part": "engines", "network": "first", "fps": 1.0, "variant": "x"} | size]
        raise KeyboardInterrupt

    size = {"height": 16, "width": 24}
    monkeypatch.setattr(command, "_run", broken_off)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(KeyboardInterrupt):
        main(["--results", str(tmp_path)])
    (row,) = map(json.loads, (tmp_path / "gpu.jsonl").read_text().splitlines())
    assert row["network"] == "first"
    assert "| first |" in capsys.readouterr().out


def test_a_part_that_dies_is_told_of_the_machine_of_the_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Else the page would have a section for the same machine without its GPU."""

    def apart(name: str, seconds: float, into: Path) -> str:
        if name == "peers":
            return "ended with -11: it said nothing"
        into.write_text(json.dumps(MEASURED | {"part": name, "device": "H100"}) + "\n")
        return ""

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(command, "_apart", apart)
    assert main(["--part", "engines,peers", "--results", str(tmp_path)]) == 1
    ((machine, found),) = newest_gpu(tmp_path).items()
    assert machine.endswith(" with H100")
    assert [row["part"] for row in found] == ["engines", "peers"]


def test_what_there_was_no_time_for_replaces_no_figure(tmp_path: Path) -> None:
    here = {"cores": 16, "cpu": "Xeon", "device": "H100"}
    about = here | {"part": "engines", "network": "small", "variant": "torch.compile"}
    late, failed = {"skipped": "no time left"}, {"error": "RuntimeError: x"}
    for found, shown in (
        ([late], late),
        ([late, {"fps": 2.0}], {"fps": 2.0}),
        ([{"fps": 2.0}, late], {"fps": 2.0}),
        ([{"fps": 2.0}, failed, late], failed),
    ):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        rows.append("gpu", [about | row for row in found], folder=folder)
        assert [*newest_gpu(folder).values()] == [[about | shown]]


def test_a_part_keeps_its_rows_where_it_is_told(tmp_path: Path) -> None:
    into = tmp_path / "rows.jsonl"
    assert main(["--part", "overlap", "--dry-run", "--into", str(into), "--until", "1"]) == 0
    (row,) = map(json.loads, into.read_text().splitlines())
    assert (row["part"], row["dry"]) == ("overlap", True)


def test_the_time_of_a_part_includes_that_to_load_its_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Seconds, more from a cold disk: else each part ends as much too late, or is stopped."""
    now_s, ends = 5.0, list[float]()

    def measure(bench: Bench) -> Iterator[Row]:
        ends.append(bench.deadline_s)
        yield {"part": "slow to load"}

    def run(line: list[str], **_: object) -> SimpleNamespace:
        nonlocal now_s
        now_s += 8  # as imports do
        return SimpleNamespace(returncode=main([*line[3:], "--dry-run"]))

    monkeypatch.setattr(command, "parts", lambda: {"slow to load": Part(measure, 1)})
    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(command, "time", SimpleNamespace(monotonic=lambda: now_s))
    assert command._apart("slow to load", 100, tmp_path / "rows.jsonl") == ""
    assert ends == [105]


def test_a_part_that_finds_no_gpu_any_more_measures_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a process of its own, as after a part that left the device broken."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    into = tmp_path / "rows.jsonl"
    said = command._apart("overlap", 60, into)
    assert said.startswith("ended with 2: ")
    assert said.endswith("PyTorch finds no GPU any more")
    assert said.removeprefix("ended with 2: ") in capsys.readouterr().err
    assert not into.exists()
    assert command._apart("kernels", 0.1 - command._GRACE_S, into) == "stopped after 0 s"


def test_a_part_that_crashes_is_not_waited_for_by_what_it_has_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import os, signal, subprocess, sys\n"
        "child = [sys.executable, '-S', '-c', 'import time; time.sleep(20)']\n"
        "subprocess.Popen(child)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    assert command._apart("kernels", 0, tmp_path / "rows.jsonl") == "ended with -9: it said nothing"


def test_what_there_is_no_time_for_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    bench = Bench(torch.device("cpu"), dry=False, deadline_s=time.monotonic() + 5)
    assert bench.case({"n": 1}, lambda: {"fps": 2}, seconds=3) == {"n": 1, "fps": 2}
    assert bench.case({"n": 1}, lambda: {"fps": 2}, seconds=9)["skipped"] == "no time left"

    def absent() -> Row:
        raise Unavailable("no TensorRT")

    assert bench.case({}, absent) == {"skipped": "no TensorRT"}
    assert bench.case({}, lambda: {"x": 1 // 0})["error"].startswith("ZeroDivisionError")
    assert "in <lambda>" in capsys.readouterr().err  # where, for who cannot run it again


def test_targets_are_told_from_rows_of_the_same_run() -> None:
    at = {"height": 1080, "width": 1920}
    ours: Row = {"part": "engines", "network": "stylecam small"} | at
    theirs: Row = {"part": "peers", "network": "fast-neural-style"} | at
    flow: Row = ours | {"part": "end-to-end", "engine": "torch", "slots": 3, "fps": 640.0}
    rows = [
        ours | {"variant": "TensorRT", "fps": 1500.0},
        theirs | {"variant": "TensorRT", "fps": 250.0},
        theirs | {"variant": "eager f32", "error": "x"},
        flow | {"latency_ms": {"p50": 1.0, "p95": 2.0, "p99": 3.0}},
    ]
    text = markdown(rows)
    assert "- small network on the device, TensorRT: 1500 fps of 1,000" in text
    assert "- end to end: 640 fps of 500" in text
    assert "- 6.0 times fast-neural-style, TensorRT, of 5" in text
    assert "| stylecam small | torch | 1920×1080 | 3 | 640 | 1 / 3 |" in text


@pytest.mark.parametrize("planar", [True, False])
def test_an_engine_measures_the_pictures_it_is_timed_on(planar: bool) -> None:
    """As often as a clip's: every 15 frames, with no cut between."""
    measured, ages = 0, []

    def measure(_: Picture) -> Callable[[], Statistics]:
        nonlocal measured
        measured += 1
        return lambda: np.zeros((2, 4), np.float32)

    scene = Scene(72, 128)
    clip = moving(scene.picture if planar else scene.image)
    statistics = SmoothedStatistics(measure)
    for _, picture in zip(range(150), itertools.cycle(clip), strict=False):
        statistics.step(picture)
        ages.append(statistics.state()["age"])
    assert measured == 10
    assert ages == list(range(150))


def test_carried_statistics_change_nothing_on_their_own_picture() -> None:
    photo = torch.rand(1, 3, 32, 48, generator=torch.Generator().manual_seed(0))
    generator = small().eval()
    folded = carried(generator, photo)
    with torch.no_grad():
        assert psnr_db(folded(photo), generator(photo)) > 80
        assert psnr_db(folded(photo * 0.5), generator(photo * 0.5)) < 40


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_is_not_a_number_fails_every_check(number: float) -> None:
    """As float16 gives where it overflows: 99 dB would be the best there is."""
    expected = torch.rand(1, 3, 8, 8)
    found = psnr_db(torch.full_like(expected, number), expected)
    assert compare.faithful(found, must=False) == {"psnr_db": 0.0}
    with pytest.raises(AssertionError, match=r"0\.0 dB from float32"):
        compare.faithful(found, must=True)
    bench = Bench(torch.device("cpu"), dry=True, deadline_s=0)
    (case, *_) = kernels._cases(16, 16, bench.device)

    def kernel(out: torch.Tensor) -> None:
        out.fill_(number)

    with pytest.raises(AssertionError, match="differs from its reference"):
        kernels._row(bench, case._replace(kernel=kernel), "no GPU")


def test_a_graph_that_computes_nothing_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Although what was computed before the capture, to warm up, is right."""
    stream = SimpleNamespace(wait_stream=lambda other: None, synchronize=lambda: None)
    for name, value in {
        "Stream": lambda device: stream,
        "current_stream": lambda: stream,
        "stream": lambda stream: nullcontext(),
        "CUDAGraph": lambda: SimpleNamespace(replay=lambda: None),
        "graph": lambda graph, stream: nullcontext(),
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)
    monkeypatch.setattr(Bench, "cuda", True)
    bench = Bench(torch.device("cpu"), dry=True, deadline_s=0)
    with pytest.raises(AssertionError, match="dB from float32"):
        compare._on_device(bench, "stylecam small", find(DEFAULT).path, Scene(32, 32))
    for case in kernels._cases(16, 16, bench.device):
        with pytest.raises(AssertionError, match="differs from its reference"):
            kernels._row(bench, case, "")


def test_a_slot_that_brings_nothing_back_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlap._Slot, "download", lambda self: None)
    bench = Bench(torch.device("cpu"), dry=True, deadline_s=0)
    with pytest.raises(AssertionError, match="dB from float32"):
        overlap._row(bench, Scene(32, 32), find(DEFAULT).path)


def test_no_picture_of_the_kernels_goes_beyond_what_their_tolerance_is_for() -> None:
    """Above 1 a step of float16 is more than is allowed, and one in some 10,000 values tips."""
    for case in kernels._cases(64, 64, torch.device("cpu")):
        case.reference(case.out)
        if case.out.is_floating_point():
            assert 0 <= case.out.min() < case.out.max() <= 1, case.name


RTX = "tensorrt_rtx_bindings"


@pytest.mark.skipif(not importlib.util.find_spec(RTX), reason="pip install '.[tensorrt-test]'")
@pytest.mark.parametrize("name", [*ARCHITECTURES])
def test_tensorrt_builds_the_peers_whole(name: str) -> None:
    """So that they are compared in one engine; without a GPU, of small pictures."""
    trt = load(Library(RTX, ""))
    model = half_model(ARCHITECTURES[name]().half(), torch.zeros(1, 3, 16, 16).half())
    assert len(build_onnx(trt, model, refittable=False)) > 1_000_000


def test_kernels_are_a_benchmark_of_the_suite(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench(["kernels", "--results", str(tmp_path / "results")]) == 0
    said = capsys.readouterr()
    assert "a dry run" in said.err
    assert "temporal_blend" in said.out
    assert not (tmp_path / "results").exists()


def test_an_unknown_part(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--part", "kernel"])
    assert ended.value.code == 2
    assert "there is no part 'kernel'" in capsys.readouterr().err
