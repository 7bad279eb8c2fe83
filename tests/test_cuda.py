"""What the GPU's engines ask of PyTorch, as far as a CPU can show it: streams that nobody shares,
one capture at a time, and a PyTorch that is built without CUDA.
"""

from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from stylecam.realtime.engines import EngineOptions, checks, cuda_streams
from stylecam.realtime.engines.choice import choose
from stylecam.realtime.engines.cuda import CudaDevice, need_gpu
from stylecam.realtime.engines.environment import Environment, torch_cuda
from stylecam.realtime.engines.tensorrt_library import find
from stylecam.realtime.errors import EngineError

GPU = torch.device("cuda", 0)


class Stream:
    """PyTorch's: 32 of each priority, handed out by turns; each time another object."""

    turns: dict[int, Iterator[int]]

    def __init__(self, device: torch.device, priority: int = 0) -> None:
        turn = self.turns.setdefault(priority, itertools.cycle(range(32)))
        self.handle = (priority, next(turn))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream) and self.handle == other.handle

    def __hash__(self) -> int:
        return hash(self.handle)

    def wait_stream(self, other: object) -> None:
        pass

    def synchronize(self) -> None:
        pass


@pytest.fixture(autouse=True)
def streams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stream, "turns", {}, raising=False)
    monkeypatch.setattr(torch.cuda, "Stream", Stream)


def test_streams_in_use_are_never_handed_out_again() -> None:
    device = CudaDevice(GPU)
    running = [device.stream(urgent=True) for _ in range(3)]
    for _ in range(20):  # loads that are given up, as when styles are tried quickly
        loaded = [device.stream(urgent=True) for _ in range(3)]
        assert not set(loaded) & set(running)
        device.free(*loaded)
    assert {stream.handle[0] for stream in running} == {-1}
    assert device.stream(urgent=False).handle[0] == 0
    device.free(*running)


def test_a_stream_that_is_forgotten_is_free_again_and_no_more_than_there_are() -> None:
    device = CudaDevice(GPU)
    for _ in range(2):
        lent = [device.stream(urgent=True) for _ in range(cuda_streams.POOL)]
        assert len(set(lent)) == cuda_streams.POOL
        with pytest.raises(EngineError, match="all 32 streams") as caught:
            device.stream(urgent=True)
        assert caught.value.hint
        lent.clear()


class Cuda:
    """As much of torch.cuda as a capture uses. `fails`: the capture cannot be ended."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, fails: bool = False) -> None:
        self.current, self.under_way, self.most = "default", 0, 0
        self._fails = fails
        for name, value in {
            "device": lambda _: nullcontext(),
            "current_stream": lambda: self.current,
            "stream": self._stream,
            "CUDAGraph": object,
            "graph": self._graph,
        }.items():
            monkeypatch.setattr(torch.cuda, name, value)

    @contextmanager
    def _stream(self, stream: Any) -> Iterator[None]:
        before, self.current = self.current, stream
        try:
            yield
        finally:
            self.current = before

    @contextmanager
    def _graph(self, graph: object, *, stream: Any, capture_error_mode: str) -> Iterator[None]:
        assert capture_error_mode == "thread_local"
        before, self.current = self.current, stream
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        yield
        self.under_way -= 1
        if self._fails:  # as torch/cuda/graphs.py: the stream stays the current one
            raise RuntimeError("CUDA error: operation failed due to a previous error")
        self.current = before


def test_a_capture_that_fails_leaves_the_thread_s_stream_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cuda, device = Cuda(monkeypatch, fails=True), CudaDevice(GPU)
    source, stream = torch.zeros(1), device.stream(urgent=True)
    with pytest.raises(EngineError, match="could not prepare the network: CUDA error"):
        device.capture(lambda *_: None, source, source, stream)
    assert cuda.current == "default"


def test_a_process_captures_one_graph_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = Cuda(monkeypatch)
    first_is_in, release = threading.Event(), threading.Event()
    second_is_in = threading.Event()

    def capture(work: Any) -> threading.Thread:
        device, source = CudaDevice(GPU), torch.zeros(1)
        stream = device.stream(urgent=True)
        thread = threading.Thread(target=device.capture, args=(work, source, source, stream))
        thread.start()
        return thread

    def first(*_: object) -> None:
        first_is_in.set()
        assert release.wait(10)

    slow = capture(first)
    assert first_is_in.wait(10)
    waiting = capture(lambda *_: second_is_in.set())
    assert not second_is_in.wait(0.1)
    release.set()
    slow.join(10)
    waiting.join(10)
    assert second_is_in.is_set()
    assert cuda.most == 1


VERSION = """from typing import Optional
__version__ = '2.11.0'
debug = False
cuda: Optional[str] = {}
hip: Optional[str] = None
"""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (VERSION.format("None"), ""),
        (VERSION.format("'13.0'"), "13.0"),
        ("cuda = '12.8'\n", "12.8"),
        ('cuda = "12.8"\n', "12.8"),
        ("__version__ = '2.11.0'\n", "unknown"),
        (None, "unknown"),
    ],
)
def test_what_pytorch_is_built_for_is_read_without_loading_it(
    text: str | None, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise ImportError('it was loaded')")
    if text is not None:
        (tmp_path / "torch" / "version.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "torch")
    assert torch_cuda() == says


# The wheel that a plain pip install takes on Windows.
PLAIN = Environment("found", {"torch": "2.11.0", "onnx": "1"}, frozenset({"tensorrt_rtx"}), "")


def test_a_pytorch_without_cuda_that_does_not_say_so_is_seen_through() -> None:
    assert not PLAIN.cuda
    assert PLAIN._replace(torch_cuda="13.0").cuda == (sys.platform != "darwin")
    choice = choose(PLAIN, EngineOptions(), native=True)
    assert choice.engines == ["openvino"]
    assert "PyTorch 2.11.0 has no CUDA: pip install" in choice.notes[0]
    with pytest.raises(EngineError, match=r"PyTorch 2\.11\.0 is built without") as caught:
        find(PLAIN)
    assert "pytorch.org" in caught.value.hint


def test_doctor_says_how_to_get_a_pytorch_with_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for built_for in ("", "unknown"):
        found = PLAIN._replace(torch_cuda=built_for)
        monkeypatch.setattr(checks, "detect_environment", lambda found=found: found)
        (check,) = checks.check_gpu()
        assert not check.ok
        assert "None" not in check.remedy
        assert "pytorch.org" in check.remedy
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    (check,) = checks.check_gpu()
    assert "a driver for CUDA 13.0 or newer" in check.remedy


def test_what_is_missing_for_a_gpu_is_told_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", None)
    with pytest.raises(EngineError, match="is built without CUDA") as caught:
        need_gpu()
    assert f"torch=={torch.__version__.split('+', maxsplit=1)[0]}" in caught.value.hint
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    with pytest.raises(EngineError, match="finds no NVIDIA GPU") as caught:
        need_gpu()
    assert "doctor" in caught.value.hint
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    need_gpu()
