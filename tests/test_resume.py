"""Runs that are killed, run out of disk or meet one another: nothing lost, and the same result."""

from __future__ import annotations

import hashlib
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import pytest
from media import decode, packets, psnr, times
from media.clips import Film
from rich.console import Console
from stylecam.realtime import engines, job, stylize
from stylecam.realtime.atomic import put_in_place
from stylecam.realtime.cli.batch import Job, run_all
from stylecam.realtime.engines import EngineOptions
from stylecam.realtime.engines.environment import Environment
from stylecam.realtime.errors import SinkError
from stylecam.realtime.frame import Frame
from stylecam.realtime.job import FileOptions, Look, describe_job
from stylecam.realtime.sinks import resumable, workfolder
from stylecam.realtime.sinks.resumable import ResumableSink
from stylecam.realtime.sinks.segments import CodedPicture
from stylecam.realtime.sinks.workfolder import WorkFolder, unfinished, work_folder
from stylecam.realtime.styles import DEFAULT, find
from stylecam.realtime.stylize import stylize_file

FULL = bool(os.environ.get("STYLECAM_FULL"))
KILLS = 20 if FULL else 4
SEGMENT = 12
PROGRAM = f"""
import faulthandler, sys
faulthandler.dump_traceback_later(200, exit=True)  # a hang tells where
from stylecam.realtime.sinks import workfolder
workfolder.SEGMENT_FRAMES = {SEGMENT}
from stylecam.realtime.cli import main
sys.exit(main(sys.argv[1:]))
"""
ECHO = Look(find(DEFAULT), engine=EngineOptions("echo"))


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-c", PROGRAM, *map(str, arguments)]


def pictures(path: Path) -> list[str]:
    return [hashlib.sha256(image.tobytes()).hexdigest() for image in decode(path)]


@pytest.mark.timeout(1800 if FULL else 600)
def test_killed_at_any_moment_the_same_command_goes_on(film: Path, tmp_path: Path) -> None:
    """SIGKILL at random moments, each time begun again, against a run left alone. Coded by ProRes:
    with AVX-512 x264 codes the same pictures a little differently in some runs of a hundred.
    """
    whole, output = tmp_path / "whole.mov", tmp_path / "out.mov"
    # The engine that ships, with what it carries through a clip.
    options = ["--size", "64", "--codec", "prores"]
    begun = time.monotonic()
    subprocess.run(command(film, "-o", whole, *options), check=True, capture_output=True)
    seconds = time.monotonic() - begun
    seed = random.randrange(1 << 32)
    print(f"seed {seed}, {seconds:.1f} s undisturbed")  # told when it fails
    chance, kills, midway, went_on = random.Random(seed), 0, 0, 0
    while True:
        process = subprocess.Popen(
            command(film, "-o", output, *options), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        if kills < KILLS:
            try:
                process.wait(chance.uniform(0.3, 1.05) * seconds)
            except subprocess.TimeoutExpired:
                process.kill()
        text = process.communicate(timeout=240)[0].decode()
        went_on += "resumed after" in text
        complete = output.exists()  # also if the kill came when all was done
        if complete:
            assert pictures(output) == pictures(whole), text
            assert times(output) == times(whole)
            assert packets(output) == packets(whole)
            assert output.read_bytes() == whole.read_bytes()
        if process.returncode == 0:
            assert complete
            assert not work_folder(output).exists()
            if kills >= KILLS:
                break
        if complete:
            output.unlink()  # once more
        if process.returncode == 0:
            continue
        assert process.returncode == -signal.SIGKILL, text
        kills += 1
        midway += any(work_folder(output).glob("*.segment"))
    print(f"{kills} kills, {midway} with segments done; {went_on} runs went on to the end")
    assert kills == KILLS


def _halt(process: subprocess.Popen[bytes], folder: Path, count: int) -> None:
    """Kill it once so many segments are finished."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if len(list(folder.glob("*.segment"))) >= count:
            break
        time.sleep(0.005)
    process.kill()
    process.communicate()


def test_finished_segments_are_not_painted_again(film: Path, tmp_path: Path) -> None:
    whole, output = tmp_path / "whole.mp4", tmp_path / "out.mp4"
    stylize_file(film, whole, ECHO, console=Console(quiet=True))
    arguments = command(film, "-o", output, "--engine", "echo")
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    _halt(process, work_folder(output), 3)
    assert not output.exists()
    assert unfinished(tmp_path) == [output]
    kept = len(list(work_folder(output).glob("*.segment")))
    assert kept >= 3
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert f"resumed after {SEGMENT * kept} frames" in done.stdout
    assert times(output) == times(whole)
    assert packets(output) == packets(whole)
    assert all(psnr(a, b) > 35 for a, b in zip(decode(output), decode(whole), strict=True))
    assert unfinished(tmp_path) == []


def test_a_resumed_run_counts_what_is_left_and_tells_the_whole(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(ResumableSink):
        written = 0

        def write(self, frame: Frame) -> None:
            super().write(frame)
            self.written += 1
            if self.written == 30:
                raise KeyboardInterrupt

    class Bar(stylize.ProgressSink):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            totals.append((options["total"], options["done"]))
            super().__init__(*arguments, **options)

    totals: list[tuple[int, int]] = []
    monkeypatch.setattr(workfolder, "SEGMENT_FRAMES", SEGMENT)
    monkeypatch.setattr(stylize, "ProgressSink", Bar)
    jobs = [Job(film, tmp_path / "out.mp4")]
    with monkeypatch.context() as patch:
        patch.setattr(resumable, "ResumableSink", Interrupted)
        with pytest.raises(KeyboardInterrupt, match="the same command resumes after 24 frames"):
            run_all(jobs, ECHO, console=Console(quiet=True))
    report = run_all(jobs, ECHO, console=Console(quiet=True))
    assert totals == [(150, 0), (150, 24)]
    assert any("out.mp4: 150 frames" in line for line in report.lines())
    assert (report.as_json()["earlier_frames"], report.as_json()["frames"]) == (24, 126)


PLACING = f"""
import os
from stylecam.realtime.sinks import resumable
place, left = resumable.put_in_place, []
def killed(made, final, **how):
    left.append(final)
    if len(left) == 3:
        os._exit(9)
    place(made, final, **how)
    if final.suffix == ".mp4":
        os._exit(9)
resumable.put_in_place = killed
{PROGRAM}"""


@pytest.mark.parametrize(("name", "placed"), [("out.mp4", 1), ("f_%05d.png", 2)])
def test_killed_while_the_output_gets_its_name_the_same_command_goes_on(
    name: str, placed: int, tmp_path: Path
) -> None:
    Film(pts=range(20)).build(tmp_path / "film.mp4")
    words = ["film.mp4", "-o", name, "--engine", "echo"]
    killed = subprocess.run(
        [sys.executable, "-c", PLACING, *words], cwd=tmp_path, capture_output=True, check=False
    )
    assert killed.returncode == 9, killed.stderr
    assert len(list(tmp_path.glob(name.replace("%05d", "*")))) == placed
    other = subprocess.run(
        command(*words, "--quality", "30"), cwd=tmp_path, capture_output=True, check=False
    )
    assert b"exists" in other.stderr  # what another job made is not its own
    done = subprocess.run(command(*words), cwd=tmp_path, capture_output=True, text=True, check=True)
    assert f"{name}: 20 frames" in done.stdout
    made = {path.name for path in tmp_path.iterdir()} - {"film.mp4"}
    assert made == ({name} if placed == 1 else {name % n for n in range(1, 21)})


def test_a_file_that_came_meanwhile_is_not_replaced(film: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    arguments = command(film, "-o", output, "--engine", "echo")
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    _halt(process, work_folder(output), 2)
    output.write_bytes(b"precious")
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert "out.mp4 exists" in done.stderr
    assert output.read_bytes() == b"precious"


@pytest.mark.parametrize("name", ["out.mp4", "out.gif", "f_%03d.png"])
def test_a_file_that_comes_during_the_run_is_not_replaced(
    name: str, film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    precious = [tmp_path / name.replace("%03d", number) for number in ("140", "999")]

    class Meanwhile(stylize.ProgressSink):
        def write(self, frame: Frame) -> None:
            for path in precious:
                path.write_bytes(b"precious")

    with monkeypatch.context() as patch:
        patch.setattr(stylize, "ProgressSink", Meanwhile)
        report = run_all([Job(film, tmp_path / name)], ECHO, console=Console(quiet=True))
    ((_, error),) = report.failed
    assert "was made by another program meanwhile, and is kept" in error.message
    assert {path.read_bytes() for path in precious} == {b"precious"}
    assert len(list(tmp_path.glob(name.replace("%03d", "*")))) == len(set(precious))
    if name.endswith(".gif"):
        (made,) = tmp_path.glob(".*.part.gif")
        assert error.hint == f"the finished file is {made}; give it another name"
        assert len(decode(made)) == 150
        made.unlink()
        return
    assert "the same command with --force finishes at once" in error.hint
    again = Job(film, tmp_path / name)
    report = run_all([again], ECHO, console=Console(quiet=True))
    assert "exists" in report.failed[0][1].message  # it is still not taken for our own
    report = run_all([again], ECHO, console=Console(quiet=True), options=FileOptions(force=True))
    assert (report.done[0].earlier_frames, report.done[0].stats.frames) == (150, 0)
    assert precious[0].read_bytes() != b"precious"


@pytest.mark.parametrize("moment", [1, 140])
def test_numbered_pictures_get_their_names_all_or_none(
    moment: int, film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that comes at the very last moment, when a look at the names has found none."""

    def late(made: Path, final: Path, **how: Any) -> None:
        if final.name == f"f_{moment:03d}.png":
            final.write_bytes(b"precious")
        put_in_place(made, final, **how)

    monkeypatch.setattr(resumable, "put_in_place", late)
    with pytest.raises(SinkError, match="meanwhile"):
        stylize_file(film, tmp_path / "f_%03d.png", ECHO, console=Console(quiet=True))
    (left,) = tmp_path.glob("f_*.png")
    assert left.read_bytes() == b"precious"


def test_other_options_start_over(film: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    process = subprocess.Popen(
        command(film, "-o", output, "--engine", "echo"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    _halt(process, work_folder(output), 2)
    done = subprocess.run(
        command(film, "-o", output, "--engine", "echo", "--quality", "30"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "started over" in done.stdout
    assert "resumed" not in done.stdout
    assert len(decode(output)) == 150


def test_another_engine_by_itself_is_another_job(
    film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = Look(find(DEFAULT))  # --engine auto
    monkeypatch.setattr(engines, "driver", lambda: "")
    before = describe_job(film, look, FileOptions())
    assert before == describe_job(film, look, FileOptions())
    monkeypatch.setattr(engines, "driver", lambda: "580.65.06")
    packages = {"torch": "2.13.0+cu130", "onnx": "1.19.0"}
    there = Environment("580.65.06", packages, frozenset())
    monkeypatch.setattr(engines, "detect_environment", lambda: there)
    assert describe_job(film, look, FileOptions()) != before


def test_other_versions_of_what_paints_are_another_job(
    film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def described(
        engine: str, torch: str = "2.13.0", opencv: str = cv2.__version__
    ) -> dict[str, Any]:
        there = Environment("", {"torch": torch}, frozenset())
        monkeypatch.setattr(job, "detect_environment", lambda: there)
        monkeypatch.setattr(cv2, "__version__", opencv)
        look = Look(find(DEFAULT), engine=EngineOptions(engine))
        return describe_job(film, look, FileOptions())

    assert described("torch") == described("torch")
    assert described("torch") != described("torch", torch="2.14.0")
    assert described("openvino") == described("openvino", torch="2.14.0")
    assert described("openvino") != described("openvino", opencv="4.10.0")


@pytest.mark.skipif(sys.platform != "linux", reason="file size limits as Linux has them")
def test_a_disk_that_fills_keeps_what_was_done(film: Path, tmp_path: Path) -> None:
    output, before = tmp_path / "out.mp4", film.read_bytes()
    arguments = command(film, "-o", output, "--engine", "echo")
    limit = 60_000

    def full() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = subprocess.run(arguments, capture_output=True, text=True, check=False, preexec_fn=full)
    assert done.returncode == 1, done.stderr
    assert "out.mp4 cannot be written" in done.stderr
    assert "the same command then resumes" in done.stderr
    assert not output.exists()
    assert film.read_bytes() == before
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert "resumed after" in done.stdout
    assert len(decode(output)) == 150


def test_two_runs_do_not_meet(film: Path, tmp_path: Path) -> None:
    work = WorkFolder(tmp_path / "out.mp4", {"job": 1})
    with pytest.raises(SinkError, match="another stylecam"):
        stylize_file(film, tmp_path / "out.mp4", ECHO, console=Console(quiet=True))
    work.leave()
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]


@pytest.mark.parametrize("lost", [1, 5, 33, 40])
def test_a_segment_cut_by_a_power_failure_is_none(lost: int, tmp_path: Path) -> None:
    final = tmp_path / "out.mp4"
    work = WorkFolder(final, {"job": 1})
    for index in range(3):
        work.append(CodedPicture(index, index, 1, True, b"picture %d" % index))
        work.finish_segment(1, b"state %d" % index)
    work.leave()
    last = work_folder(final) / "00001.segment"
    last.write_bytes(last.read_bytes()[:-lost])
    work = WorkFolder(final, {"job": 1})
    assert work.snapshot() == b"state 0"
    assert work.frames == 1  # what comes after the gap does not count either
    assert [picture.data for picture in work.pictures()] == [b"picture 0"]
    work.remove()


def test_what_a_cut_file_gave_is_kept_for_the_next_run(film: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(film.read_bytes()[: film.stat().st_size * 3 // 4])
    arguments = command(cut, "-o", tmp_path / "out.mp4", "--engine", "echo")
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "is cut short" in done.stderr
    assert "frames already painted" in done.stderr
    assert not (tmp_path / "out.mp4").exists()
    arguments.append("--allow-truncated")
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert "resumed after" in done.stdout
    assert 12 < len(decode(tmp_path / "out.mp4")) < 150


def test_a_failed_run_keeps_an_older_output(film: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    output.write_bytes(b"precious")
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    done = subprocess.run(
        command(cut, "-o", output, "--engine", "echo", "--force"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert output.read_bytes() == b"precious"
