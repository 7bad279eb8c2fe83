"""Clips to test with, and what is in a file that was written."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

SIGNING = Path(__file__).parents[2] / "realtime" / "assets" / "signing_640x360.mp4"
ANIMATION = Path(__file__).parents[1] / "data" / "bbb_640x360_audio.mp4"
ClipMaker = Callable[..., Path]


def decode(path: Path) -> list[np.ndarray]:
    """Return every picture of a file as RGB."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def times(path: Path) -> list[Fraction]:
    """Return every picture's time in seconds, exactly."""
    with av.open(str(path)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]


def packets(path: Path, kind: str = "audio") -> list[tuple[Fraction, bytes]]:
    """Return the time and the bytes of every packet of the first stream of a kind."""
    with av.open(str(path)) as container:
        stream = next(s for s in container.streams if s.type == kind)
        return [
            (packet.pts * packet.time_base, bytes(packet))
            for packet in container.demux(stream)
            if packet.dts is not None
        ]


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Return the peak signal-to-noise ratio of two uint8 pictures in decibels."""
    error = np.square(a.astype(np.float64) - b).mean()
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def grown(folder: Path, pattern: str) -> bool:
    """Return whether a file of that name has been written to. Others may go while one looks."""
    for path in folder.glob(pattern):
        with suppress(FileNotFoundError):
            if path.stat().st_size > 1_000:
                return True
    return False


def arrive(number: int) -> None:
    """Let a signal arrive. Not by os.kill: what other tests load leaves this process a stack for
    signals that cannot be used, and it would crash.
    """
    handler = signal.getsignal(number)
    assert callable(handler)
    handler(number, None)
