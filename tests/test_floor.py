"""The floor under the network: what it must compute, and at what rate this processor could."""

from __future__ import annotations

import subprocess
import sys

import openvino as ov
from stylecam.benchmarks import floor
from stylecam.realtime.engines.openvino_border import with_fixed_border
from stylecam.realtime.styles import find


def test_the_work_of_the_small_network() -> None:
    model = ov.Core().read_model(find("great-wave").path)
    model.reshape({0: [1, 360, 640, 3]})
    half, quarter, eighth = 180 * 320, 90 * 160, 45 * 80
    down = 16 * 3 * 16 * half + 32 * 16 * 9 * quarter + 48 * 32 * 9 * eighth
    blocks = 6 * 48 * 48 * 9 * eighth + 2 * 32 * 32 * 9 * quarter
    up = 32 * 48 * eighth + 16 * 32 * quarter + 12 * 16 * 9 * half
    work = floor.count(with_fixed_border(model))
    assert work.macs == down + blocks + up
    head = 12 * half + 16 * 182 * 322 + 12 * 16 * 9
    assert head < work.features < 20 * head


def test_the_peak_of_each_precision_is_found() -> None:
    peaks = [floor.peak(precision, threads=1, rounds=1) for precision in ("f32", "int8")]
    assert all(1e8 < peak < 1e14 for peak in peaks)


def test_each_precision_is_set_against_its_floor() -> None:
    found = floor.measure(find("great-wave"), height=64, width=64, rounds=1, pictures=2)
    assert {"f32", "int8"} <= {row["precision"] for row in found}
    for row in found:
        whole = row["ms_per_picture"] * row["share_of_floor"]
        assert abs(whole - row["floor_ms"]) <= 0.02 + 0.01 * row["floor_ms"]


def test_openvino_is_loaded_without_what_calls_home() -> None:
    code = (
        "import sys; from stylecam.benchmarks import floor, peer_networks, runtimes;"
        "floor.peak('f32', threads=1, rounds=1);"
        "assert not [name for name in sys.modules if 'telemetry' in name]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
