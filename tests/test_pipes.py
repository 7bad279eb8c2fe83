"""Standard output into a pipe: whole for a slow reader, and not held up by one that stops."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from media.clips import Film
from stylecam.realtime.errors import SinkError
from stylecam.realtime.ffmpeg import PIPE
from stylecam.realtime.sinks.partial import write_error
from stylecam.realtime.sinks.pipe import Pipe

if sys.platform == "win32":
    pytest.skip("there FFmpeg writes by itself", allow_module_level=True)
import fcntl
import termios

STYLECAM = [sys.executable, "-m", "stylecam.realtime.cli", "--engine", "echo"]
LIVE = ["--webcam", "pattern", "--no-window"]
UNREAD = "error: the program that reads standard output does not read"


@pytest.fixture
def ends() -> Iterator[tuple[int, int]]:
    """Return a pipe's reading and writing ends."""
    read, write = os.pipe()
    yield read, write
    for end in (read, write):
        os.close(end)


def test_a_slow_reader_gets_every_byte(ends: tuple[int, int]) -> None:
    read, write = ends
    data, got = random.Random(1).randbytes(1_000_003), bytearray()

    def take() -> None:
        while len(got) < len(data):
            got.extend(os.read(read, 7_777))

    reader = threading.Thread(target=take)
    reader.start()
    pipe = Pipe(write, lambda: True)
    for at in range(0, len(data), 300_000):
        pipe.write(data[at : at + 300_000])
        pipe.drain()
    reader.join(30)
    assert got == data
    assert os.get_blocking(write)


def test_a_reader_that_stops_is_given_up_when_the_run_is_to_end(ends: tuple[int, int]) -> None:
    asked = iter([False] * 3)
    pipe = Pipe(ends[1], lambda: next(asked, True))
    pipe.write(bytes(1_000_000))
    with pytest.raises(SinkError, match="does not read"):
        pipe.drain()
    assert next(asked, None) is None
    assert os.get_blocking(ends[1])
    pipe.write(bytes(1_000_000))
    pipe.drain()  # nobody waits again


def test_a_signal_breaks_the_waiting_off(ends: tuple[int, int]) -> None:
    def interrupted() -> bool:
        raise KeyboardInterrupt

    pipe = Pipe(ends[1], interrupted)
    pipe.write(bytes(1_000_000))
    with pytest.raises(KeyboardInterrupt):
        pipe.drain()
    pipe.write(bytes(1_000_000))
    pipe.drain()


def test_a_reader_that_is_gone_is_an_error() -> None:
    read, write = os.pipe()
    os.close(read)
    pipe = Pipe(write, lambda: False)
    pipe.write(b"a")
    with pytest.raises(BrokenPipeError):
        pipe.drain()
    os.close(write)


def test_an_error_of_standard_output_names_it() -> None:
    error = write_error(PIPE, OSError(errno.EINVAL, "Invalid argument"))
    assert str(error) == "standard output cannot be written: Invalid argument"
    assert error.hint == "write a file instead: -o out.mkv"


def wait_until_full(descriptor: int) -> None:
    """Wait until what is written into a pipe of a process holds that process up."""
    end = time.monotonic() + 30
    before, held = 0, waiting_bytes(descriptor)
    while held < 32_768 or held != before:
        assert time.monotonic() < end
        time.sleep(0.5)
        before, held = held, waiting_bytes(descriptor)


def waiting_bytes(descriptor: int) -> int:
    return int.from_bytes(fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)), sys.byteorder)


@pytest.mark.parametrize(
    ("numbers", "code", "says"),
    [
        ([signal.SIGINT], 1, UNREAD),
        ([signal.SIGTERM], 1, UNREAD),
        ([signal.SIGINT, signal.SIGTERM], 143, "interrupted"),
    ],
)
@pytest.mark.parametrize("what", ["live y4m", "live matroska", "file"])
def test_a_reader_that_stops_reading_does_not_hold_signals_back(
    what: str, numbers: list[signal.Signals], code: int, says: str, tmp_path: Path
) -> None:
    words = [*LIVE, "--format", "y4m"] if what == "live y4m" else [*LIVE, "--codec", "ffv1"]
    if what == "file":
        words = [str(Film(360, 640, range(40), audio=()).build(tmp_path / "a.mp4"))]
        words += ["--codec", "ffv1"]
    command = [*STYLECAM, *words, "-o", "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            wait_until_full(process.stdout.fileno())
            for number in numbers:
                process.send_signal(number)
                time.sleep(0.2)  # two at once may be heard in any order, in a thread each
            assert process.wait(20) == code
            assert says in process.stderr.read().decode().splitlines()
        finally:
            process.kill()


def test_a_reader_that_stops_reading_does_not_outlast_the_seconds() -> None:
    command = [*STYLECAM, *LIVE, "-o", "-", "--format", "y4m", "--seconds", "0.5"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            assert process.wait(30) == 1
            assert process.stderr is not None
            assert UNREAD in process.stderr.read().decode().splitlines()
        finally:
            process.kill()


def test_matroska_is_sent_as_it_comes() -> None:
    """By clusters, each of which is sent when it is whole."""
    command = [*STYLECAM, *LIVE, "-o", "-", "--seconds", "2"]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert done.stdout.count(b"\x1f\x43\xb6\x75") >= 10
