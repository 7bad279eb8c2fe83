"""What every test shares: clips made by PyAV, and what must hold after each test."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch

os.environ.setdefault("OMP_NUM_THREADS", "2")
if not torch.cuda.is_available():
    # Read once, when a kernel is defined: Triton then computes on the CPU, slowly, with NumPy.
    os.environ.setdefault("TRITON_INTERPRET", "1")

from media import ClipMaker
from media.clips import Film
from stylecam.realtime.sinks.display import display_problem
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.training.vgg import VGG19, load_vgg19

SLOW = {
    *("test_batch", "test_benchmarks", "test_compare", "test_int8", "test_interrupted"),
    *("test_peers", "test_piped", "test_pipes", "test_quality", "test_refusals", "test_resume"),
    *("test_sequences", "test_signals", "test_soak", "test_statistics", "test_streams"),
    *("test_tensorrt", "test_train_command", "test_train_ends", "test_train_resume"),
    *("test_train_stages", "test_train_steps"),
}
"""Those that train, measure, build engines or run the command in processes of their own."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: a quarter of the tests, most of the time")
    config.addinivalue_line("markers", "needs_cuda: runs on an NVIDIA GPU only")
    config.addinivalue_line("markers", "needs_display: opens a real window; xvfb-run gives one")
    config.addinivalue_line("markers", "needs_camera: runs with a camera only")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Decide in one place what cannot run here; STYLECAM_REQUIRE_CUDA=1 makes that a failure."""
    lacks = {
        "needs_cuda": not torch.cuda.is_available() and "STYLECAM_REQUIRE_CUDA" not in os.environ,
        "needs_camera": not Path("/dev/video0").exists(),
        "needs_display": bool(display_problem()),
    }
    for item in items:
        if item.path.stem in SLOW:
            item.add_marker("slow")
        for marker, lacking in lacks.items():
            if lacking and item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=f"{marker}: there is none"))


@pytest.fixture(autouse=True)
def clean_afterwards(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> Iterator[None]:
    """After every test: no thread of ours lives, no error was logged, no partial file is left."""
    yield
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline and _our_threads():
        time.sleep(0.01)
    assert not _our_threads()
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert not list(tmp_path.rglob("*.part*"))


def _our_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("stylecam-")]


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a painting and two photos to train on."""
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    for index in range(2):
        cv2.imwrite(f"photos/{index}.png", PatternSource(90, 120).image(40 * index))
    cv2.imwrite("painting.png", PatternSource(150, 230).image(5))
    return tmp_path


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Five seconds with sound and chapters."""
    made = Film(
        *(180, 320, range(150)),
        audio=("aac", "ac3"),
        seconds=5,
        chapters=True,
        muxer_options={"movflags": "faststart"},
    )
    return made.build(tmp_path / "film.mp4")


@pytest.fixture
def make_clip(tmp_path: Path) -> ClipMaker:
    """Return a function that writes a clip of the test pattern."""

    def make(
        name: str = "clip.mp4",
        frames: int = 12,
        height: int = 96,
        width: int = 128,
        *,
        codec: str = "libx264",
        pts: list[int] | None = None,
        time_base: Fraction = Fraction(1, 30),
        audio: str | None = None,
        picture: bool = True,
    ) -> Path:
        path = tmp_path / name
        pattern = PatternSource(height, width)
        with av.open(str(path), "w") as container:
            if picture:
                video = container.add_stream(codec, rate=30)
                video.width, video.height, video.pix_fmt = width, height, "yuv420p"
                video.codec_context.time_base = video.time_base = time_base
            sound = container.add_stream(audio, rate=48_000) if audio else None
            for index in range(frames if picture else 0):
                frame = av.VideoFrame.from_ndarray(pattern.image(index), format="rgb24")
                frame.pts = pts[index] if pts else index
                frame.time_base = time_base
                container.mux(video.encode(frame))
            if picture:
                container.mux(video.encode(None))
            if sound is not None:
                for index in range(20):
                    tone = np.sin(np.arange(1024) * (0.02 + index / 500))[None].repeat(2, 0)
                    chunk = av.AudioFrame.from_ndarray(
                        (tone * 0.3).astype(np.float32), format="fltp", layout="stereo"
                    )
                    chunk.sample_rate, chunk.pts = 48_000, index * 1024
                    container.mux(sound.encode(chunk))
                container.mux(sound.encode(None))
        return path

    return make


@pytest.fixture(scope="session")
def vgg() -> VGG19:
    return load_vgg19()
