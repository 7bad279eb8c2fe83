"""Recordings of what is live: nothing that a camera gave is lost, and what came of it is said."""

from __future__ import annotations

import errno
import itertools
import os
import signal
import subprocess
import sys
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import av
import pytest
from media import decode, times
from stylecam.realtime.cli.doctor import unfinished
from stylecam.realtime.controls import Controls
from stylecam.realtime.engines import Pending
from stylecam.realtime.engines.echo import EchoEngine
from stylecam.realtime.engines.switching import SwitchingEngine
from stylecam.realtime.errors import EngineError, SinkError, StylecamError
from stylecam.realtime.fit import fit
from stylecam.realtime.frame import Frame
from stylecam.realtime.pictures import Image
from stylecam.realtime.pipeline import run
from stylecam.realtime.recordings import Recordings
from stylecam.realtime.sinks import NullSink
from stylecam.realtime.sinks.file import FileSink
from stylecam.realtime.sinks.formats import Coding
from stylecam.realtime.sinks.recording import RecordingSink
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.realtime.stats import Stats
from stylecam.realtime.styles import built_in, find
from stylecam.realtime.threads import Threads


def test_a_recording_says_what_came_of_it(tmp_path: Path) -> None:
    info = PatternSource(64, 96, live=True).info
    coding = Coding(codec="prores")
    recording = RecordingSink(lambda path: FileSink(path, info, coding=coding), suffix=".mov")
    with closing(SwitchingEngine(find("great-wave"), lambda _: EchoEngine())) as engine:
        controls = Controls(engine, built_in(), recording, Stats(), folder=tmp_path)
        frames = list(itertools.islice(PatternSource(64, 96), 12))
        controls.command("record", frames[0])
        controls.command("record", frames[0])
        assert "nothing was recorded" in controls.lines()[-1]
        assert not list(tmp_path.iterdir())
        controls.command("record", frames[0])
        for frame in frames:
            recording.write(frame)
        controls.command("record", frames[0])
        assert controls.lines()[-1] == f"saved {recording.saved[0]}"
    assert recording.saved == list(tmp_path.glob("*.mov"))


@pytest.mark.parametrize("name", ["o.mp4", "o.webm"])
def test_what_is_live_has_a_key_frame_every_two_seconds(name: str, tmp_path: Path) -> None:
    source = PatternSource(64, 96, fps=Fraction(5), frames=25, live=True, sleep=lambda _: None)
    with closing(FileSink(tmp_path / name, source.info)) as sink:
        for frame in source:
            sink.write(frame)
    with av.open(str(tmp_path / name)) as written:
        keys = [i for i, packet in enumerate(written.demux(video=0)) if packet.is_keyframe]
    assert keys == [0, 10, 20]


def test_a_recording_that_was_interrupted_while_it_closed_is_closed_again(tmp_path: Path) -> None:
    class Interrupted(FileSink):
        closings = 0

        def close(self) -> None:
            self.closings += 1
            if self.closings == 1:
                raise KeyboardInterrupt
            super().close()

    info = PatternSource(64, 96, live=True).info
    recording = RecordingSink(lambda path: Interrupted(path, info))
    recording.start(tmp_path / "r.mp4")
    for frame in itertools.islice(PatternSource(64, 96), 12):
        recording.write(frame)
    with pytest.raises(KeyboardInterrupt):
        recording.stop()
    recording.abort()
    assert len(times(tmp_path / "r.mp4")) == 12


def test_a_recording_on_standard_output_is_the_video_alone(tmp_path: Path) -> None:
    words = ["--webcam", "pattern", "--no-window", "-o", "-", "--seconds", "0.4", "--codec", "ffv1"]
    command = [sys.executable, "-m", "stylecam.realtime.cli", *words, "--engine", "echo"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    assert b"-: " in done.stderr
    assert b" frames" not in done.stdout
    (tmp_path / "out.mkv").write_bytes(done.stdout)
    assert decode(tmp_path / "out.mkv")
    with av.open(tmp_path / "out.mkv") as container:
        assert container.streams.video[0].codec_context.name == "ffv1"


class Full(FileSink):
    """On a disk that is full after the tenth picture."""

    def write(self, frame: Frame) -> None:
        if self.frames == 10:
            self._muxer.add = _full  # type: ignore[method-assign]
        super().write(frame)


def _full(_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("what", ["engine", "another sink", "interrupt", "disk"])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_what_a_camera_gave_is_kept_whatever_fails(what: str, suffix: str, tmp_path: Path) -> None:
    class Late(NullSink):
        count = 0

        def write(self, frame: Frame) -> None:
            self.count += 1
            if self.count == 12 and what != "engine":
                raise KeyboardInterrupt if what == "interrupt" else SinkError("broken")

        def close(self) -> None:
            raise SinkError("broken, too")

    class LateEngine(EchoEngine):
        count = 0

        def submit(self, image: Image, strength: float = 1.0) -> Pending:
            self.count += 1
            if self.count == 40 and what == "engine":
                raise EngineError("broken")
            return super().submit(image)

    stats, threads = Stats(), Threads()
    source = PatternSource(64, 96, live=True, sleep=threads.sleep)
    taped = (Full if what == "disk" else FileSink)(tmp_path / f"o{suffix}", source.info)
    sinks = [taped, *([] if what == "disk" else [Late()])]
    error = KeyboardInterrupt if what == "interrupt" else StylecamError
    with pytest.raises(error) as caught, threads:
        run(source, LateEngine(), sinks, fit=fit(64, 96), threads=threads, stats=stats)
    made = times(tmp_path / f"o{suffix}") if what != "disk" else []
    assert what == "disk" or len(made) == taped.frames >= 10
    if what == "disk":
        assert isinstance(caught.value, SinkError)
        assert "No space left" in caught.value.message
        assert not list(tmp_path.glob(".*"))
    elif what != "interrupt":
        assert str(caught.value) == "broken"


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_a_recording_that_was_killed_plays(suffix: str, tmp_path: Path) -> None:
    script = f"""
import itertools, os, signal
from pathlib import Path
from stylecam.realtime.sinks.file import FileSink
from stylecam.realtime.sinks.formats import Coding
from stylecam.realtime.sources.pattern import PatternSource
sink = FileSink(Path("o{suffix}"), PatternSource(96, 128, live=True).info)
for frame in itertools.islice(PatternSource(96, 128), 40, 190):
    sink.write(frame)
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=False)
    (left,) = tmp_path.iterdir()
    assert len(times(left)) >= 60
    assert times(left)[0] == 0
    found = unfinished(tmp_path)
    assert found.remedy == f"mv {left} {tmp_path / f'o{suffix}'}"
    (tmp_path / f".p.{os.getpid()}.part{suffix}").touch()
    assert unfinished(tmp_path) == found  # not what this process is writing
    (tmp_path / f".p.{os.getpid()}.part{suffix}").unlink()
    left.rename(tmp_path / f"o{suffix}")  # what doctor says; and no partial file is left


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be deleted there")
@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_recording_that_somebody_deleted_is_not_said_to_be_kept(
    suffix: str, live: bool, tmp_path: Path
) -> None:
    sink = FileSink(tmp_path / f"o{suffix}", PatternSource(64, 96, live=live).info)
    for frame in itertools.islice(PatternSource(64, 96), 80):  # the encoder holds some back
        sink.write(frame)
    (temporary,) = tmp_path.iterdir()
    temporary.unlink()
    with pytest.raises(SinkError, match="the file was removed while it was being recorded") as told:
        sink.close()
    assert told.value.hint.startswith(f"leave {temporary.name} alone")
    assert "kept" not in told.value.hint


def test_a_full_disk_and_a_deleted_recording(tmp_path: Path) -> None:
    sink = Full(tmp_path / "o.mkv", PatternSource(64, 96, live=True).info)
    frames = list(itertools.islice(PatternSource(64, 96), 12))
    for frame in frames[:10]:
        sink.write(frame)
    next(tmp_path.iterdir()).unlink()
    with pytest.raises(SinkError, match="was removed") as told:
        sink.write(frames[10])
    assert "kept" not in told.value.hint


def test_a_status_line_never_ends_a_recording(tmp_path: Path) -> None:
    """As in `stylecam ... 2>&1 | head -1`."""
    words = ["--webcam", "pattern", "--no-window", "-o", "o.mkv", "--seconds", "1"]
    command = [sys.executable, "-m", "stylecam.realtime.cli", *words, "--engine", "echo"]
    read, write = os.pipe()
    process = subprocess.Popen(command, cwd=tmp_path, stderr=write, stdout=write)
    os.close(read)
    os.close(write)
    process.wait(30)
    assert len(times(tmp_path / "o.mkv")) > 10


def test_nothing_recorded_is_an_error(tmp_path: Path) -> None:
    words = ["--webcam", "silent", "--no-window", "-o", "o.mp4", "--seconds", "0.3"]
    script = f"""
import sys
from stylecam.realtime import cli, live
from stylecam.realtime.sources.pattern import PatternSource
class Silent(PatternSource):
    def __iter__(self):
        while not self.stopped():
            self.sleep(0.1)
        yield from ()
def silent(name, *, stats, sleep, stopped, wanted):
    source = Silent(64, 64, live=True)
    source.sleep, source.stopped = sleep, stopped
    return source
live.open_live = silent
sys.exit(cli.main({[*words, "--engine", "echo"]!r}))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False,
        timeout=30,
    )  # fmt: skip
    assert "error: o.mp4: nothing was recorded" in done.stderr
    assert done.returncode == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("by", ["-o", "key", "nothing"])
def test_a_recording_says_once_that_it_is_silent(by: str, tmp_path: Path) -> None:
    info = PatternSource(64, 96, live=True).info
    path = tmp_path / "o.mkv" if by == "-o" else None
    recordings = Recordings(path, info, coding=None, force=False)
    if by != "nothing":
        recordings.parts.start(tmp_path / "part.mkv")
    for frame in itertools.islice(PatternSource(64, 96), 3):
        for sink in recordings.sinks:
            sink.write(frame)
    for sink in recordings.sinks:
        sink.close()
    said = [] if by == "nothing" else ["no sound: stylecam records the picture only"]
    assert recordings.notes() == said


@pytest.mark.parametrize(("name", "folder"), [("x/o.mp4", Path("x")), ("-", None), (None, None)])
def test_what_a_key_makes_goes_beside_the_recording_of_all(
    name: str | None, folder: Path | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x").mkdir()
    path, info = name and Path(name), PatternSource(64, 96, live=True).info
    recordings = Recordings(path or None, info, coding=None, force=False)
    assert recordings.folder == folder
    if recordings.whole is not None:
        recordings.whole.abort()


def test_a_recording_begins_at_zero_and_its_notes_are_said(tmp_path: Path) -> None:
    info = PatternSource(64, 96, live=True).info
    sink = FileSink(tmp_path / "o.mp4", info)
    for frame in itertools.islice(PatternSource(64, 96), 5, 17):
        sink.write(frame)
    sink.close()
    assert times(tmp_path / "o.mp4")[0] == 0
    words = ["--webcam", "pattern", "--no-window", "-o", "-", "--seconds", "0.5", "--format", "y4m"]
    command = [sys.executable, "-m", "stylecam.realtime.cli", *words, "--engine", "echo"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    assert b"note: frames numbered at 30 fps: y4m holds no time stamps" in done.stderr


def test_the_first_interrupt_ends_the_loading_of_an_engine(tmp_path: Path) -> None:
    words = ["--webcam", "pattern", "--no-window", "-o", "o.mp4"]
    script = f"""
import os, signal, sys, time
from stylecam.realtime import cli, live
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may ignore it
def slow(*_, **__):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(20)
live.open_engine = slow
sys.exit(cli.main({words!r}))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False,
        timeout=15,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (130, "interrupted\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no SIGHUP")
def test_a_terminal_closed_while_an_engine_is_loaded_leaves_nothing(tmp_path: Path) -> None:
    """It tells so twice, as the terminal and the shell do."""
    words = ["stylecam", "--webcam", "pattern", "--no-window", "-o", "o.mp4"]
    script = f"""
import os, signal, sys, time
from stylecam.realtime import cli, live
from stylecam.realtime.sinks.partial import PartialFile
def slow(*_, **__):
    os.kill(os.getpid(), signal.SIGHUP)
    time.sleep(20)
def drop(file):
    os.kill(os.getpid(), signal.SIGHUP)
    dropped(file)
live.open_engine = slow
PartialFile.drop, dropped = drop, PartialFile.drop
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whoever runs the tests may ignore it
sys.argv = {words!r}
sys.exit(cli.main())
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False,
        timeout=15,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (129, "interrupted\n")
    assert not list(tmp_path.iterdir())
