"""What other systems do differently, as far as it can be tried on this one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest
from av.codec.context import Flags
from media import times
from media.clips import Film
from rich.console import Console
from stylecam.realtime.atomic import put_in_place
from stylecam.realtime.background import BackgroundCall
from stylecam.realtime.engines import EngineOptions, open_engine, openvino
from stylecam.realtime.engines.echo import EchoEngine
from stylecam.realtime.engines.openvino_library import load
from stylecam.realtime.fit import fit
from stylecam.realtime.job import Look
from stylecam.realtime.pipeline import run
from stylecam.realtime.signals import stop_on_signals
from stylecam.realtime.sinks import resumable
from stylecam.realtime.sinks.codecs import CODECS
from stylecam.realtime.sinks.file import FileSink
from stylecam.realtime.sinks.formats import encoder_options
from stylecam.realtime.sinks.window import is_open
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.realtime.stats import Stats
from stylecam.realtime.styles import DEFAULT, Style, find
from stylecam.realtime.stylize import stylize_file
from stylecam.realtime.threads import Threads
from stylecam.realtime.windows_console import held_open


class Held(type(Path())):  # type: ignore[misc]
    """A file that another program lets go of after so many tries, as Windows tells of it."""

    left = 0
    says = 32

    def replace(self, target: Any) -> Any:
        if self.left:
            self.left -= 1
            error = PermissionError(13, "the process cannot access the file")
            error.winerror = self.says  # type: ignore[attr-defined]
            raise error
        return Path(self).replace(target)


def test_a_file_that_a_scanner_reads_gets_its_name_when_it_is_let_go(tmp_path: Path) -> None:
    made, final, pauses = Held(tmp_path / "made"), tmp_path / "final", list[float]()
    final.write_text("old")
    made.write_text("new")
    made.left = 3
    put_in_place(made, final, pauses.append)
    assert final.read_text() == "new"
    assert not made.exists()
    assert pauses == [0.05, 0.1, 0.2]


@pytest.mark.parametrize(("says", "tries"), [(32, 7), (112, 1)])
def test_a_file_that_stays_held_or_fails_otherwise_is_an_error(
    says: int, tries: int, tmp_path: Path
) -> None:
    made, pauses = Held(tmp_path / "made"), list[float]()
    made.write_text("new")
    made.left, made.says = 100, says
    with pytest.raises(OSError, match="cannot access"):
        put_in_place(made, tmp_path / "final", pauses.append)
    assert 100 - made.left == tries
    assert sum(pauses) == pytest.approx(2.55 if tries > 1 else 0)


@pytest.mark.parametrize("links", [True, False])
def test_a_name_that_is_taken_stays(
    links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")  # as FAT does

    if not links:
        monkeypatch.setattr(Path, "hardlink_to", refuse)
    made, final = tmp_path / "made", tmp_path / "final"
    made.write_text("new")
    final.write_text("old")
    with pytest.raises(FileExistsError):
        put_in_place(made, final, replace=False)
    assert (made.read_text(), final.read_text()) == ("new", "old")
    final.unlink()
    put_in_place(made, final, replace=False)
    assert final.read_text() == "new"
    assert not made.exists()


def test_recipes_and_rows_are_utf_8_whatever_the_system_writes_in(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
from stylecam.benchmarks import rows
from stylecam.training.recipe import read_recipe
folder = Path(sys.argv[1])
(folder / "x.toml").write_bytes('name = "x"\\npainting = "x.png"\\ntitle = "Caf\\u00e9"'.encode())
assert read_recipe(folder / "x.toml").title == "Caf\\u00e9"
(folder / "r.jsonl").write_bytes('{"style": "Caf\\u00e9"}\\n'.encode())
assert rows.read("r", folder=folder) == [{"style": "Caf\\u00e9"}]
"""
    ascii_only = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        env=os.environ | ascii_only,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_a_long_name_stands_once_in_the_path_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows takes 260 characters in all."""
    made: list[Path] = []

    def note(path: Path, final: Path, **how: bool) -> None:
        made.append(path)
        put_in_place(path, final, **how)

    monkeypatch.setattr(resumable, "put_in_place", note)
    film, output = Film(96, 128).build(tmp_path / "film.mp4"), tmp_path / f"{'x' * 200}.mp4"
    look = Look(find(DEFAULT), engine=EngineOptions("echo"))
    stylize_file(film, output, look, console=Console(quiet=True))
    assert output.exists()
    assert [len(str(path.relative_to(tmp_path))) < 230 for path in made] == [True]


def test_hardware_is_asked_for_its_own_constant_quality() -> None:
    h264, av1 = CODECS["h264"], CODECS["av1"]
    assert encoder_options(h264, "h264_nvenc", 100) == {"cq": "11"}
    assert encoder_options(h264, "h264_qsv", 0) == {"global_quality": "46"}
    assert encoder_options(h264, "h264_amf", 100) == {"rc": "cqp", "qp_i": "11", "qp_p": "11"}
    assert encoder_options(av1, "av1_amf", 0) == {"rc": "cqp", "qp_i": "230", "qp_p": "230"}
    apple = encoder_options(h264, "h264_videotoolbox", 50)
    assert apple == {"flags": "+qscale", "global_quality": "5959"}
    codec = av.CodecContext.create("mpeg4", "w")  # these are FFmpeg's, whichever encoder it is
    assert isinstance(codec, av.VideoCodecContext)
    codec.width, codec.height, codec.pix_fmt, codec.framerate = 64, 64, "yuv420p", 30
    codec.options = apple
    codec.flags |= Flags.global_header
    codec.open()
    assert codec.flags & Flags.qscale
    assert codec.flags & Flags.global_header


def test_a_cache_that_cannot_be_used_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As OpenVINO fails on Windows in a user's folder that is not of ASCII."""
    (tmp_path / "file").touch()
    monkeypatch.setattr(openvino, "_cached", lambda: {"CACHE_DIR": str(tmp_path / "file" / "x")})
    options = EngineOptions("openvino", precision="f32")
    engine = open_engine(options, find(DEFAULT), height=64, width=96, live=True)
    assert engine.submit(PatternSource(64, 96).image(3)).result().shape == (64, 96, 3)
    engine.close()


class Kernel:
    """Windows', as far as it tells of consoles."""

    def __init__(self) -> None:
        self.routines: list[Callable[[int], bool]] = []

    def SetConsoleCtrlHandler(self, routine: Callable[[int], bool], add: int) -> None:  # noqa: N802
        (self.routines.append if add else self.routines.remove)(routine)


def test_a_console_that_is_closed_waits_until_the_recording_is(tmp_path: Path) -> None:
    kernel, threads, output = Kernel(), Threads(), tmp_path / "o.mkv"
    source = PatternSource(64, 96, live=True, sleep=threads.sleep)
    sink = FileSink(output, source.info)

    def close() -> tuple[bool, bool, int]:
        while sink.frames < 9:
            time.sleep(0.01)
        (told,) = kernel.routines
        assert not told(0)  # Ctrl-C: Python's own
        return threads.stopping, told(2), len(times(output))

    with stop_on_signals(threads, kernel) as came, threads:
        closing = BackgroundCall(close)
        run(source, EchoEngine(), [sink], fit=fit(64, 96), threads=threads, stats=Stats())
    stopping, handled, frames = closing.result()
    assert (stopping, handled) == (False, True)
    assert frames == sink.frames > 8
    assert came == [signal.SIGHUP]
    assert not kernel.routines


def test_windows_is_not_kept_waiting_for_longer_than_it_waits() -> None:
    kernel, calls = Kernel(), list[object]()
    with held_open(lambda: calls.append("stop"), calls.append, kernel):
        assert kernel.routines[0](6)
    assert calls == ["stop", 4.5]


@pytest.mark.parametrize(("machine", "photo"), [("arm64", "f32"), ("AMD64", None)])
def test_photos_and_others_styles_are_painted_in_float_on_arm(
    machine: str, photo: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    core, style, photos = load().Core(), find(DEFAULT), EngineOptions(statistics="frame")
    foreign = Style("foreign", style.path, {})
    assert openvino._precision(photos, style, core) == photo
    assert openvino._precision(EngineOptions(), foreign, core) == photo
    assert openvino._precision(EngineOptions(precision="f16"), foreign, core) == "f16"
    assert openvino._precision(EngineOptions(device="GPU"), foreign, core) is None


def test_an_npu_paints_and_the_cpu_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    """NPUs refuse float32, and variances lose too much in less."""
    asked: list[tuple[str, str | None]] = []

    class Core(load().Core):  # type: ignore[misc]
        def compile_model(self, model: Any, device: str, config: dict[str, Any]) -> Any:
            asked.append((device, config.get("INFERENCE_PRECISION_HINT")))
            return super().compile_model(model, "CPU", {} if device == "NPU" else config)

        def get_property(self, device: str, name: str) -> Any:
            return super().get_property("CPU", name)

    monkeypatch.setattr(load(), "Core", Core)
    options = EngineOptions("openvino", device="NPU")
    engine = open_engine(options, find(DEFAULT), height=64, width=96, live=True)
    assert engine.submit(PatternSource(64, 96).image(3)).result().shape == (64, 96, 3)
    engine.close()
    assert asked == [("CPU", "f32"), ("NPU", None)]


@pytest.mark.parametrize(
    ("visible", "framework", "opened"),
    [
        (1, "QT", True),
        (0, "QT", False),
        (0, "WIN32", False),
        (0, "COCOA", True),
        (-1, "COCOA", False),
    ],
)
def test_a_window_that_cocoa_minimised_is_open(visible: int, framework: str, opened: bool) -> None:
    assert is_open(visible, framework) is opened
