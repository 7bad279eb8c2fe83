"""No shipped graph computes more than its budget; timing has no part in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from stylecam.benchmarks.command import main
from stylecam.benchmarks.graphs import COUNTED, count, over_budget, read_budget
from stylecam.realtime.errors import UsageError
from stylecam.realtime.styles import Style, built_in, find
from stylecam.training.export import export_style
from stylecam.training.network import Generator


@pytest.mark.parametrize("style", built_in(), ids=lambda style: style.name)
def test_a_style_keeps_to_its_budget(style: Style) -> None:
    budget = read_budget()
    assert style.name in budget, "give it one: stylecam bench graphs --renew-budget"
    assert not over_budget(style.path, budget[style.name])


def test_no_budget_outlives_its_style() -> None:
    assert {*read_budget()} == {style.name for style in built_in()}


def test_a_heavier_graph_is_over_budget(tmp_path: Path) -> None:
    budget = read_budget()["great-wave"]
    wider = tmp_path / "wider.onnx"
    export_style(Generator("large"), {}, wider)
    over = over_budget(wider, budget)
    assert len(over) == len(COUNTED)
    assert over[0].startswith("wider: ")
    assert over[0].endswith(f"macs, budget {budget['macs']:,}")
    model = onnx.load(find("great-wave").path)
    last = model.graph.node[-1]
    model.graph.node.append(onnx.helper.make_node("Identity", [last.output[0]], ["again"]))
    model.graph.output[0].name = "again"
    longer = tmp_path / "longer.onnx"
    onnx.save(model, longer)
    assert len(over_budget(longer, budget)) == 2  # one node more, and what it writes


def test_counts_by_hand(tmp_path: Path) -> None:
    """One convolution of 3 to 5 channels, 3x3, stride 2."""
    path = tmp_path / "one.onnx"
    weights = onnx.numpy_helper.from_array(np.zeros((5, 3, 3, 3), np.float32), "weights")
    sides = [1, 3, "height", "width"]
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node(
                "Conv", ["image", "weights"], ["out"], strides=[2, 2], pads=[1, 1, 1, 1]
            )
        ],
        "one",
        [onnx.helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, sides)],
        [onnx.helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, [1, 5, "h", "w"])],
        [weights],
    )
    onnx.save(onnx.helper.make_model(graph), path)
    found = count(path, height=8, width=6)
    assert {name: found[name] for name in COUNTED} == {
        "macs": 5 * 4 * 3 * 27,
        "parameters": 5 * 27,
        "activation_bytes": 5 * 4 * 3 * 4,
        "nodes": 1,
    }


def test_what_cannot_be_counted(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be counted"):
        main(["graphs", str(tmp_path / "nothing.onnx"), "--no-save"])
