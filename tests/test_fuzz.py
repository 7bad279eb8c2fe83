"""Damaged files: none crashes, hangs, or leaves a wrong output without a word."""

from __future__ import annotations

import os
import queue
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from media import ANIMATION
from media.clips import Film

FULL = bool(os.environ.get("STYLECAM_FULL"))
FILES = 300 if FULL else 48
# The same files each time, unless more of them are asked for: those are new ones.
SEED = int(os.environ.get("STYLECAM_SEED", "0")) or (random.randrange(1 << 32) if FULL else 1)
LIMIT_S = 10.0

WORKER = '''
"""Stylize each file named on standard input; say what became of it, and what a plain reader
makes of the same file."""
import sys
from pathlib import Path
import av
from rich.console import Console
from stylecam.realtime.job import Look
from stylecam.realtime.engines import EngineOptions
from stylecam.realtime.errors import StylecamError
from stylecam.realtime.styles import DEFAULT, find
from stylecam.realtime.stylize import stylize_file

LOOK = Look(find(DEFAULT), engine=EngineOptions("echo"))


def shown(path):
    """Times of all pictures a plain reader gets, in order, and the number of its errors."""
    times, errors = [], 0
    try:
        with av.open(str(path), metadata_errors="replace") as container:
            stream = next(s for s in container.streams.video if not s.disposition & 1024)
            packets = container.demux(stream)
            while errors < 50:
                try:
                    packet = next(packets)
                except StopIteration:
                    break
                except (av.FFmpegError, ValueError):
                    errors += 1
                    packets = container.demux(stream)
                    continue
                try:
                    for frame in packet.decode():
                        times.append(None if frame.pts is None else frame.pts * frame.time_base)
                except (av.FFmpegError, ValueError):
                    errors += 1
    except (av.FFmpegError, OSError, ValueError, StopIteration):
        errors += 1
    return times, errors


def judge(path, output):
    try:
        outcome = stylize_file(path, output, LOOK, console=Console(quiet=True))
    except StylecamError as error:
        assert error.hint, error.message
        left = [p.name for p in output.parent.iterdir() if p != path]
        return "refused" if not left else f"WRONG refused but left {left}"
    finally:
        before, errors = shown(path)
    after, _ = shown(output)
    if outcome.notes:
        return "told"
    step = 0.0011 if output.suffix == ".mkv" else 0
    if errors or len(before) != len(after):
        return f"WRONG {len(after)} of {len(before)} pictures, {errors} errors, not a word"
    off = [abs(a - b) for a, b in zip(after, before) if b is not None]
    return "same" if max(off, default=0) <= step else f"WRONG times off by {max(off)}"


for line in sys.stdin:
    path = Path(line.strip())
    output = path.parent / f"out{path.suffix}"
    try:
        verdict = judge(path, output)
    except BaseException as error:
        import traceback
        verdict = f"WRONG {type(error).__name__}: " + traceback.format_exc().replace("\\n", " | ")
    for other in path.parent.iterdir():
        if other != path and other.is_file():
            other.unlink()
    print(verdict, flush=True)
'''


def damage(data: bytes, chance: random.Random) -> tuple[str, bytes]:
    """Flip bits, cut, swap or drop a piece, or fill one with zeros."""
    way = chance.choice(["flip", "flip few", "flip header", "cut", "swap", "drop", "zeros"])
    made = bytearray(data)
    if way == "flip":
        for _ in range(chance.randint(20, 400)):
            made[chance.randrange(len(made))] ^= 1 << chance.randrange(8)
    elif way == "flip few":
        for _ in range(chance.randint(1, 5)):
            made[chance.randrange(len(made))] ^= 1 << chance.randrange(8)
    elif way == "flip header":
        for _ in range(chance.randint(1, 8)):
            end = chance.choice([min(2000, len(made)), len(made)])
            made[chance.randrange(max(0, end - 2000), end)] ^= 1 << chance.randrange(8)
    elif way == "cut":
        del made[chance.randrange(1, len(made)) :]
    else:
        size = chance.randint(16, max(17, len(made) // 8))
        one, other = sorted(chance.randrange(len(made) - size) for _ in range(2))
        if way == "swap" and other - one >= size:
            made[one : one + size], made[other : other + size] = (
                made[other : other + size],
                made[one : one + size],
            )
        elif way == "drop":
            del made[one : one + size]
        else:
            made[one : one + size] = bytes(size)
    return way, bytes(made)


class Worker:
    """A process that judges file after file, and is watched."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line.strip())
        self._lines.put("")

    def judge(self, path: Path, limit_s: float) -> str:
        """Return the verdict; "" when it crashed or took too long, and then it is gone."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()
        try:
            return self._lines.get(timeout=limit_s)
        except queue.Empty:
            return ""

    def end(self) -> int | None:
        """Kill it; return how it had ended by itself, None if it had not."""
        try:
            code: int | None = self._process.wait(0.5)
        except subprocess.TimeoutExpired:
            code = None
        self._process.kill()
        self._process.communicate()
        return code


@pytest.mark.timeout(3000 if FULL else 300)
def test_damaged_files(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    good = [
        Film(audio=("aac", "ac3"), subtitles="subrip", chapters=True, attachment=True),
        Film(audio=("aac",), data=True, cover=True, options={"bf": "3"}),
        Film(audio=("libopus",), codec="libvpx-vp9", options={"cpu-used": "8"}),
        Film(audio=("mp2",), codec="mpeg2video"),
        Film(audio=("mp3",), codec="mpeg4", options={}),
        Film(audio=("aac",)),
    ]
    names = ["a.mkv", "b.mp4", "c.webm", "d.ts", "e.avi", "f.mov"]
    clips = [film.build(tmp_path / name) for film, name in zip(good, names, strict=True)]
    (tmp_path / "work").mkdir()
    verdicts: dict[str, int] = {}
    wrong: list[str] = []
    worker, fresh = Worker(), True
    for number in range(FILES):
        clip = ANIMATION if number % 25 == 24 else chance.choice(clips)
        way, data = damage(clip.read_bytes(), chance)
        path = tmp_path / "work" / f"{number:03d}{clip.suffix}"
        path.write_bytes(data)
        # A fresh process has seconds of imports before it.
        verdict = worker.judge(path, LIMIT_S + (20 if fresh else 0))
        fresh = False
        if not verdict:
            code = worker.end()
            verdict = "WRONG hangs" if code is None else f"WRONG crashes ({code})"
            worker, fresh = Worker(), True
        verdicts[verdict.split()[0]] = verdicts.get(verdict.split()[0], 0) + 1
        if verdict.startswith("WRONG"):
            wrong.append(f"file {number} ({clip.name}, {way}): {verdict}")
            (Path(os.environ.get("STYLECAM_KEEP", tmp_path)) / path.name).write_bytes(data)
        path.unlink()
    worker.end()
    print(f"seed {SEED}: {verdicts}")
    assert not wrong, f"seed {SEED}:\n" + "\n".join(wrong)
    assert verdicts.get("told", 0) + verdicts.get("refused", 0) > FILES // 4  # it does damage
