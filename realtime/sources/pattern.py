"""A moving test pattern: for tests, benchmarks and a first try without a camera."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np

from .. import pacing
from ..frame import Frame, VideoInfo
from ..pictures import Image


class PatternSource:
    """Drifting colour gradients with a bouncing disc; the same every time.

    `frames` None goes on for ever. Live, frames come when they are due by `clock`.
    """

    planar = False

    def __init__(
        self,
        height: int,
        width: int,
        *,
        fps: Fraction = Fraction(30),
        frames: int | None = None,
        live: bool = False,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.info = VideoInfo(
            height=height,
            width=width,
            fps=fps,
            time_base=1 / fps,
            live=live,
            frames=frames,
            description=f"test pattern: {width}x{height}, {float(fps):.4g} fps",
        )
        self._sleep, self._clock = sleep, clock
        rows, columns = np.mgrid[0:height, 0 : 2 * width].astype(np.float32)
        wave = np.sin(columns * (4 * np.pi / width)) * np.cos(rows * (6 / height))
        wide = np.stack([rows / height * 255, 127 + 100 * wave, 255 - rows / height * 200], -1)
        self._wide = wide.astype(np.uint8)
        radius = max(4, height // 8)
        y, x = np.ogrid[-radius:radius, -radius:radius]
        self._disc = (y * y + x * x < radius * radius)[..., None]

    def image(self, index: int) -> Image:
        """Return picture number `index`."""
        height, width = self.info.height, self.info.width
        offset = 2 * index % width
        image = self._wide[:, offset : offset + width].copy()
        size = self._disc.shape[0]
        span = max(1, height - size)
        top = abs((3 * index) % (2 * span) - span)
        left = abs((5 * index) % (2 * max(1, width - size)) - max(1, width - size))
        patch = image[top : top + size, left : left + size]
        disc = self._disc[: patch.shape[0], : patch.shape[1]]
        np.copyto(patch, np.array([250, 240, 60], np.uint8), where=disc)
        return image

    def __iter__(self) -> Iterator[Frame]:
        origin, index = self._clock(), 0
        while self.info.frames is None or index < self.info.frames:
            if self.info.live:
                due = float(index / self.info.fps)
                wait = pacing.wait_s(due, self._clock(), origin)
                if wait > 0:
                    self._sleep(wait)
            yield Frame(self.image(index), index, self.info.time_base, captured_s=self._clock())
            index += 1

    def close(self) -> None:
        """Nothing is held open."""
