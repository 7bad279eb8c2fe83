"""Long runs: memory, threads and handles stay as they are.

    STYLECAM_SOAK=50000 pytest -s tests/test_soak.py

runs 50,000 frames through each way instead of 1,500: some minutes, half an hour for the network.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from stylecam.realtime.engines import EngineOptions, open_engine
from stylecam.realtime.engines.echo import EchoEngine
from stylecam.realtime.fit import fit
from stylecam.realtime.frame import Frame
from stylecam.realtime.pipeline import run
from stylecam.realtime.sinks import NullSink, Sink
from stylecam.realtime.sinks.file import FileSink
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.realtime.stats import Stats
from stylecam.realtime.styles import DEFAULT, find
from stylecam.realtime.threads import Threads

FRAMES = int(os.environ.get("STYLECAM_SOAK", "1500"))
pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
    pytest.mark.timeout(max(120, FRAMES)),
]


class Watch(NullSink):
    """Notes (resident bytes, threads, handles) at a tenth of the run and at its end."""

    def __init__(self) -> None:
        self.seen: dict[int, tuple[int, int, int]] = {}
        self.count = 0

    def write(self, frame: Frame) -> None:
        self.count += 1
        if self.count in (FRAMES // 10, FRAMES - 10):
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            handles = len(list(Path("/proc/self/fd").iterdir()))
            page = os.sysconf("SC_PAGE_SIZE")
            self.seen[self.count] = (pages * page, threading.active_count(), handles)

    def check(self) -> None:
        (early, late) = self.seen.values()
        print(f"{early} became {late}")
        assert abs(late[0] - early[0]) <= 0.02 * early[0], f"{early[0]} bytes became {late[0]}"
        assert late[1:] == early[1:]


@pytest.mark.parametrize(
    ("engine", "live", "written"),
    [(engine, live, False) for engine in ("echo", "openvino") for live in (False, True)]
    + [("echo", False, True)],
)
def test_nothing_grows(engine: str, live: bool, written: bool, tmp_path: Path) -> None:
    """At full speed, and into a file. Live, frames come faster than any engine takes them: they are
    dropped, in one place, and none is lost otherwise."""
    stats, threads, watch = Stats(), Threads(), Watch()
    frames = FRAMES if not live else None
    source = PatternSource(96, 128, frames=frames, live=live, sleep=lambda _: None)
    style = find(DEFAULT)
    with closing(
        open_engine(EngineOptions(engine), style, height=96, width=128, live=live)
    ) as opened:

        class Enough(NullSink):
            def write(self, frame: Frame) -> None:
                if live and watch.count >= FRAMES:
                    threads.stop()

        with threads:
            sinks: list[Sink] = [watch, Enough()]
            if written:
                sinks.append(FileSink(tmp_path / "out.mp4", source.info))
            run(source, opened, sinks, fit=fit(96, 128), threads=threads, stats=stats)
    print(f"{engine}, live {live}: {stats.frames}, {stats.dropped} dropped")
    watch.check()
    assert stats.dropped == 0 or live
    assert live or stats.frames == FRAMES


def test_nothing_grows_where_pictures_are_planes() -> None:
    """Scaled, so that the pipeline mixes, and shown, so that planes become RGB."""
    watch, source = Watch(), PatternSource(96, 128, frames=FRAMES)

    class Showing(NullSink):
        def write(self, frame: Frame) -> None:
            assert frame.image.shape == (96, 128, 3)

    with Threads() as threads:
        run(
            source,
            EchoEngine(planar=True),
            [watch, Showing()],
            fit=fit(96, 128, size="64x48"),
            threads=threads,
            stats=Stats(),
            strength=0.5,
        )
    watch.check()
