"""What every part is given: a device, sizes, a clock that runs out, and how to time."""

from __future__ import annotations

import dataclasses
import itertools
import math
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Final

import torch
from stylecam.realtime.stats import percentiles
from torch import Tensor

from ..benchmark import Row

SIZES: Final = ((1080, 1920), (720, 1280), (360, 640), (2160, 3840))
"""What to measure at, (height, width); first what the targets are set for."""
DRY_SIZES: Final = ((32, 32),)
_WARM_UP_S: Final = 0.1
_SAMPLE_MS: Final = 2.0
"""A sample is as many calls as take this long: an event resolves half a microsecond."""


class Unavailable(Exception):  # noqa: N818 - a finding, not an error
    """What a case needs is not on this machine; no failure."""


@dataclasses.dataclass(frozen=True)
class Bench:
    """One run of a part. `dry` goes through the same code at tiny sizes and measures nothing that
    is worth keeping; without CUDA nothing else is possible.
    """

    device: torch.device
    dry: bool
    deadline_s: float
    """On `time.monotonic`'s clock: no case is begun that would not be done by then."""

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """What to measure at."""
        return DRY_SIZES if self.dry else SIZES

    @property
    def cuda(self) -> bool:
        """Whether there are streams, events and graphs."""
        return self.device.type == "cuda"

    @property
    def figure_s(self) -> float:
        """How long to measure one figure."""
        return 0.001 if self.dry else 0.3

    def case(self, about: Row, measure: Callable[[], Row], *, seconds: float = 3.0) -> Row:
        """Return `about` with what `measure` found; or with why there is nothing, under "error" or
        "skipped". It will take about `seconds`.
        """
        return next(self.cases(about, lambda: iter([measure()]), seconds=seconds))

    def cases(
        self, about: Row, measure: Callable[[], Iterator[Row]], *, seconds: float
    ) -> Iterator[Row]:
        """Yield the same for each row that `measure` gives."""
        if not self.dry and time.monotonic() + seconds > self.deadline_s:
            yield about | {"skipped": "no time left"}
            return
        try:
            for row in measure():
                yield about | row
        except Unavailable as reason:
            yield about | {"skipped": str(reason)}
        except Exception as error:  # whatever it is, the other cases go on, and the row says it
            traceback.print_exc()
            yield about | {"error": f"{type(error).__name__}: {error}"}

    def captured(self, work: Callable[[], Tensor]) -> Callable[[], Tensor]:
        """Return what replays `work` as a CUDA graph; without CUDA, `work` itself."""
        if not self.cuda:
            return work
        stream = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):  # what is compiled, tried and allocated once must not be captured
                work()
        stream.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=stream):
            out = work()
        out.zero_()  # or what was computed to warm up would pass for what is replayed

        def replay(_held: object = work) -> Tensor:  # a graph keeps none of the memory it names
            graph.replay()
            return out

        return replay

    def time(self, work: Callable[[], object]) -> list[float]:
        """Return what a call of `work` takes, in ms, in many samples, with nothing else running."""
        began_s = time.perf_counter()
        calls = 0
        while calls < 1 or (self.cuda and time.perf_counter() - began_s < _WARM_UP_S):
            work()
            calls += 1
            self.wait()
        once_ms = 1000 * (time.perf_counter() - began_s) / calls
        calls = max(1, math.ceil(_SAMPLE_MS / once_ms)) if self.cuda else 1
        least = 1 if self.dry else 5
        samples = max(least, min(500, math.ceil(1000 * self.figure_s / (calls * once_ms))))
        return list(self._samples(work, calls, samples))

    def _samples(self, work: Callable[[], object], calls: int, samples: int) -> Iterator[float]:
        if not self.cuda:
            for _ in range(samples):
                began_s = time.perf_counter()
                work()
                yield 1000 * (time.perf_counter() - began_s)
            return
        marks = [torch.cuda.Event(enable_timing=True) for _ in range(samples + 1)]  # type: ignore[no-untyped-call]
        marks[0].record()
        for mark in marks[1:]:
            for _ in range(calls):
                work()
            mark.record()
        self.wait()
        for before, after in itertools.pairwise(marks):
            yield before.elapsed_time(after) / calls

    def wait(self) -> None:
        """Wait for the device: between figures, never within one."""
        if self.cuda:
            torch.cuda.synchronize(self.device)


def in_ms(samples_ms: list[float]) -> dict[str, float]:
    """Return p50, p95 and p99 in ms."""
    found = percentiles([sample / 1000 for sample in samples_ms])
    return {name: float(f"{value:.4g}") for name, value in found._asdict().items()}


def psnr_db(got: Tensor, expected: Tensor) -> float:
    """Return the peak signal-to-noise ratio, 0 of what is not all numbers; the peak is 255, or of
    floats the range of what is expected, as random weights give any.
    """
    error = float((got.double() - expected.double()).square().mean())
    if not math.isfinite(error):  # `min` would take NaN for the best there is
        return 0.0
    floats = expected.is_floating_point()
    peak = float(expected.max() - expected.min()) if floats else 255.0
    return 99.0 if error == 0 else min(99.0, round(10 * math.log10(peak**2 / error), 1))
