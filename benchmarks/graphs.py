"""What a graph computes, counted from its ONNX file: a guard against weight that needs no clock."""

from __future__ import annotations

import argparse
import json
import math
from collections import Counter
from pathlib import Path
from typing import Any, Final

import onnx
from onnx import shape_inference
from stylecam.realtime.errors import UsageError
from stylecam.realtime.styles import built_in

from .benchmark import Benchmark, Report, Row

BUDGET: Final = Path(__file__).parent / "budget.json"
SIZE: Final = (360, 640)
COUNTED: Final = ("macs", "parameters", "activation_bytes", "nodes")
"""What may not grow unnoticed."""
_MULTIPLYING: Final = ("Conv", "ConvTranspose", "Gemm", "MatMul")


def count(path: Path, *, height: int = SIZE[0], width: int = SIZE[1]) -> Row:
    """Return what one picture costs.

    macs: multiply-adds of convolutions and matrix products. activation_bytes: what all nodes
    write, as the file has it; an engine that fuses nodes writes less. Raises ValueError when a
    shape depends on more than the picture's size.
    """
    model = onnx.load(path)
    _fix_size(model.graph.input[0], height, width)
    graph = shape_inference.infer_shapes(model, check_type=True, data_prop=True).graph
    weights = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    known = {v.name: v for v in (*graph.value_info, *graph.output, *graph.input)}
    kinds = Counter(node.op_type for node in graph.node)
    macs = written = 0
    for node in graph.node:
        shapes = [_shape(known[name]) for name in node.output]
        written += sum(
            math.prod(shape) * _width(known[name])
            for name, shape in zip(node.output, shapes, strict=True)
        )
        if node.op_type in _MULTIPLYING:
            given = [weights.get(name) or _shape(known[name]) for name in node.input[:2]]
            macs += _macs(node, given[0], given[1], shapes[0])
    return {
        "height": height,
        "width": width,
        "macs": macs,
        "parameters": sum(
            math.prod(tensor.dims)
            for tensor in graph.initializer
            if tensor.data_type != onnx.TensorProto.INT64  # paddings and shapes
        ),
        "activation_bytes": written,
        "nodes": len(graph.node),
        "kinds": dict(sorted(kinds.items())),
    }


def over_budget(path: Path, budget: dict[str, Any]) -> list[str]:
    """Return what a graph has more of than its budget allows, as sentences."""
    found = count(path)
    return [
        f"{path.stem}: {found[name]:,} {name.replace('_', ' ')}, budget {budget[name]:,}"
        for name in COUNTED
        if found[name] > budget[name]
    ]


def read_budget(path: Path = BUDGET) -> dict[str, dict[str, Any]]:
    """Return the budget of each built-in style, by name."""
    budget: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return budget


def renew_budget(path: Path = BUDGET) -> None:
    """Write what the built-in styles cost now as their budget."""
    made = {style.name: {name: count(style.path)[name] for name in COUNTED} for style in built_in()}
    path.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


def _macs(node: onnx.NodeProto, first: list[int], second: list[int], out: list[int]) -> int:
    if node.op_type == "ConvTranspose":  # each input value meets the whole kernel
        return math.prod(first) * math.prod(second[1:])
    if node.op_type == "Conv":  # second: (outputs, inputs / groups, kernel...)
        return math.prod(out) * math.prod(second[1:])
    return math.prod(out) * first[-1]


def _fix_size(value: onnx.ValueInfoProto, height: int, width: int) -> None:
    dims = value.type.tensor_type.shape.dim
    spatial = (1, 2) if dims[-1].dim_value == 3 else (2, 3)
    for at, side in ((0, 1), (spatial[0], height), (spatial[1], width)):
        dims[at].dim_value = side


def _shape(value: onnx.ValueInfoProto) -> list[int]:
    dims = value.type.tensor_type.shape.dim
    if any(not dim.HasField("dim_value") for dim in dims):
        raise ValueError(f"the shape of {value.name} does not follow from the picture's size")
    return [int(dim.dim_value) for dim in dims]


def _width(value: onnx.ValueInfoProto) -> int:
    dtype = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
    return int(dtype.itemsize)


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("networks", nargs="*", type=Path, help="ONNX files [the built-in styles]")
    parser.add_argument("--renew-budget", action="store_true", help="allow what they cost now")


def _measure(options: argparse.Namespace, report: Report) -> list[Row]:
    if options.renew_budget:
        renew_budget()
    paths = options.networks or [style.path for style in built_in()]
    try:
        return [{"network": path.stem, **count(path)} for path in paths]
    except (ValueError, OSError, shape_inference.InferenceError) as error:
        raise UsageError("a graph cannot be counted", hint=str(error)) from error


BENCHMARK: Final = Benchmark(
    _arguments,
    _measure,
    keys=("network", "height", "width"),
    columns=("network", "picture", *COUNTED),
)
