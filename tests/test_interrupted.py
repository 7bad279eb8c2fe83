"""Runs that are stopped by Ctrl-C: what is there is whole, or can be resumed."""

from __future__ import annotations

import importlib
import itertools
import signal
import sys
from collections.abc import Callable
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from media import arrive, decode, packets, times
from rich.console import Console
from stylecam.realtime import cli
from stylecam.realtime.cli import doctor
from stylecam.realtime.cli.batch import Job, run_all
from stylecam.realtime.engines import EngineOptions, open_engine
from stylecam.realtime.engines.checks import check_openvino, check_torch
from stylecam.realtime.engines.echo import EchoEngine
from stylecam.realtime.engines.snapshotting import SnapshottingEngine
from stylecam.realtime.engines.tensorrt_library import Library
from stylecam.realtime.engines.tensorrt_library import load as load_tensorrt
from stylecam.realtime.errors import Stopped
from stylecam.realtime.frame import Frame
from stylecam.realtime.job import FileOptions, Look
from stylecam.realtime.sinks import resumable, workfolder
from stylecam.realtime.sinks.file import FileSink
from stylecam.realtime.sinks.formats import Coding
from stylecam.realtime.sinks.original import Original
from stylecam.realtime.sinks.resumable import ResumableSink
from stylecam.realtime.sinks.virtual_camera import open_camera
from stylecam.realtime.sinks.workfolder import unfinished
from stylecam.realtime.sources import open_file
from stylecam.realtime.sources.devices import devices
from stylecam.realtime.stats import Stats
from stylecam.realtime.styles import DEFAULT, find

SEGMENT = 12
ECHO = Look(find(DEFAULT), engine=EngineOptions("echo"))
FORCED = FileOptions(force=True)


def test_a_run_stopped_early_ends_its_sound_with_its_picture(film: Path, tmp_path: Path) -> None:
    output, source = tmp_path / "out.mp4", open_file(film, stats=Stats())
    sink = ResumableSink(
        output,
        source.info,
        original=Original(film, 0),
        coding=Coding(),
        job={},
        stopped=lambda: True,
    )
    engine = SnapshottingEngine(EchoEngine(), sink.snapshots)
    for frame in itertools.islice(source, 30):
        engine.submit(frame.image)
        sink.write(frame)
    sink.close()
    source.close()
    assert len(decode(output)) == 30
    assert 0 <= 1 - packets(output)[-1][0] < 1024 / 48_000  # to its last packet


def test_ctrl_c_while_a_film_is_put_together_cuts_nothing(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(resumable.Muxer):
        def __init__(self, *arguments: Any) -> None:
            arrive(signal.SIGINT)
            super().__init__(*arguments)

    monkeypatch.setattr(resumable, "Muxer", Interrupted)
    outputs = [tmp_path / "out.mp4", tmp_path / "next.mp4"]
    jobs = [Job(film, output) for output in outputs]
    report = run_all(jobs, ECHO, console=Console(quiet=True))
    assert not report.done[0].interrupted
    assert packets(outputs[0]) == packets(film)
    assert report.interrupted  # the second was not begun
    assert not outputs[1].exists()
    assert not run_all([Job(film, outputs[1])], ECHO, console=Console(quiet=True)).interrupted


class Stopping(ResumableSink):
    """Hears Ctrl-C after its thirtieth frame."""

    written = 0

    def write(self, frame: Frame) -> None:
        super().write(frame)
        self.written += 1
        if self.written == 30:
            arrive(signal.SIGINT)


def test_ctrl_c_in_a_batch_leaves_one_to_be_resumed(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workfolder, "SEGMENT_FRAMES", SEGMENT)
    outputs = [tmp_path / "one.mp4", tmp_path / "two.mp4", tmp_path / "three.mp4"]
    jobs = [Job(film, output) for output in outputs]
    whole = run_all(jobs[:1], ECHO, console=Console(quiet=True))
    assert whole.as_json()["frames"] == 150
    with monkeypatch.context() as patch:
        patch.setattr(resumable, "ResumableSink", Stopping)
        report = run_all(jobs, ECHO, console=Console(quiet=True))
    assert report.interrupted
    assert (report.already_done, report.done) == (outputs[:1], [])
    kept = report.cut[0].kept
    assert kept is not None
    assert kept >= 24
    lines = "\n".join(report.lines())
    assert f"two.mp4: interrupted after {report.cut[0].stats.frames} frames; the same" in lines
    assert f"the same command resumes after {kept}" in lines
    assert "1 of 3 done (1 before), 1 interrupted, 0 failed" in lines
    assert "run the same command again" in lines
    assert report.as_json()["interrupted"][0]["kept_frames"] == kept
    assert not outputs[1].exists()
    assert unfinished(tmp_path) == outputs[1:2]
    report = run_all(jobs, ECHO, console=Console(quiet=True))
    assert not report.interrupted
    assert [outcome.earlier_frames for outcome in report.done] == [kept, 0]
    assert [times(output) for output in outputs] == 3 * [times(film)]
    assert packets(outputs[1]) == packets(film)


@pytest.mark.parametrize("name", ["out.mp4", "out.gif", "f_%03d.png"])
def test_ctrl_c_does_not_replace_a_whole_file_by_a_part(
    name: str, film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workfolder, "SEGMENT_FRAMES", SEGMENT)
    old = [tmp_path / ("f_001.png" if "%" in name else name), tmp_path / "f_200.png"]
    for path in old:
        path.write_bytes(b"precious")

    def taken(item: Any, frame: Frame) -> None:
        write(item, frame)
        taken_frames.append(1)
        if len(taken_frames) == 30:
            arrive(signal.SIGINT)

    taken_frames: list[int] = []
    sink = FileSink if name.endswith(".gif") else ResumableSink
    write = sink.write
    jobs = [Job(film, tmp_path / name)]
    with monkeypatch.context() as patch:
        patch.setattr(sink, "write", taken)
        report = run_all(jobs, ECHO, console=Console(quiet=True), options=FORCED)
    assert report.interrupted
    assert [path.read_bytes() for path in old] == 2 * [b"precious"]
    goes_on = "begins it anew" if name.endswith(".gif") else "resumes after"
    assert f"; the same command {goes_on}" in "\n".join(report.lines())
    report = run_all(jobs, ECHO, console=Console(quiet=True), options=FORCED)
    assert (report.done[0].earlier_frames > 0) == (not name.endswith(".gif"))
    assert old[0].read_bytes() != b"precious"


class Loaded(Loader, MetaPathFinder):
    """Modules that hear Ctrl-C while they are imported, as an extension made with pybind11 does."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname in self._names else None

    def exec_module(self, module: ModuleType) -> None:
        try:
            raise Stopped(signal.SIGTERM)
        except KeyboardInterrupt as stop:
            raise ImportError("initialization failed") from stop


def _open_torch() -> None:
    open_engine(EngineOptions("torch"), find(DEFAULT), height=64, width=96, live=True)


@pytest.mark.parametrize(
    ("module", "imports"),
    [
        ("openvino", check_openvino),
        ("torch", check_torch),
        ("cv2", doctor._opencv),
        ("pyvirtualcam", doctor._virtual_camera),
        ("pyvirtualcam", open_camera),
        ("cv2_enumerate_cameras", lambda: devices("win32")),
        ("stylecam.realtime.engines.torch", _open_torch),
        ("tensorrt", lambda: load_tensorrt(Library("tensorrt", ""))),
        ("triton", lambda: importlib.import_module("stylecam.kernels.launch")),
    ],
)
def test_a_signal_during_an_import_is_no_missing_package(
    module: str, imports: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    for known in (module, "stylecam.kernels.launch"):
        monkeypatch.delitem(sys.modules, known, raising=False)
    monkeypatch.setattr(sys, "meta_path", [Loaded(module), *sys.meta_path])
    with pytest.raises(Stopped):
        imports()


def test_a_signal_during_an_import_ends_the_command_as_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "openvino", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Loaded("openvino"), *sys.meta_path])
    assert cli.main(["--webcam", "pattern", "--no-window", "-o", str(tmp_path / "o.mkv")]) == 143
    assert capsys.readouterr().err.splitlines()[-1] == "interrupted"
