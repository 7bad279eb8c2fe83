"""A style file as an ONNX network between float16 planes of one size, for TensorRT's own parser.

The same network as `planes.PlanarStyle`: inputs `photo` (1, 3, H, W) and `affine` (1, 2 C, 1, 1),
output `painting` (1, 3, H, W), all float16, so that a strongly typed engine computes in float16.
Kernels keep their names, by which an engine made of it can be given another style's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from .onnx_module import OnnxModule, Step
from .planes import PlanarStyle

_OPSET: Final = 17
_IR: Final = 9


def half_onnx(path: Path, *, height: int, width: int) -> bytes:
    """Return the model for pictures of (height, width), multiples of 8.

    Raises EngineError when the style is not built as stylecam's own are.
    """
    style = PlanarStyle(OnnxModule(path))
    constants = {t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
    shown = {style.steps[0].inputs[0]: "photo", style.steps[-1].output: "painting"}
    nodes: list[onnx.NodeProto] = []
    tensors: dict[str, npt.NDArray[Any]] = {"axis": np.array([1])}
    channel = 0
    for step in style.steps:
        step = step._replace(  # noqa: PLW2901
            inputs=tuple(shown.get(name, name) for name in step.inputs),
            output=shown.get(step.output, step.output),
        )
        for name in step.inputs:
            if name in constants:
                # The scales of a resize are not part of the arithmetic and stay float32.
                halved = constants[name].dtype == np.float32 and step.operator != "Resize"
                tensors[name] = constants[name].astype(np.float16) if halved else constants[name]
        if step.operator == "ConvNorm":
            after = channel + len(constants[step.inputs[1]])
            nodes += _conv_norm(step, tensors, range(channel, after), style.channels)
            channel = after
        else:
            nodes.append(_node(step.operator, step.inputs, step.output, **step.attributes))
    planes = [1, 3, height, width]
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "style",
            [_value("photo", planes), _value("affine", [1, 2 * style.channels, 1, 1])],
            [_value("painting", planes)],
            [numpy_helper.from_array(tensor, name) for name, tensor in tensors.items()],
        ),
        opset_imports=[helper.make_opsetid("", _OPSET)],
    )
    model.ir_version = _IR
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _conv_norm(
    step: Step, tensors: dict[str, npt.NDArray[Any]], mine: range, channels: int
) -> list[onnx.NodeProto]:
    """Write a convolution, then its gain and offset: channels `mine` of each half of `affine`."""
    out, nodes = step.output, [_node("Conv", step.inputs, f"{step.output} raw", **step.attributes)]
    for name, first in (("gain", 0), ("offset", channels)):
        bounds = [f"{out} {name} from", f"{out} {name} to"]
        tensors[bounds[0]] = np.array([first + mine.start])
        tensors[bounds[1]] = np.array([first + mine.stop])
        nodes.append(_node("Slice", ("affine", *bounds, "axis"), f"{out} {name}"))
    nodes.append(_node("Mul", (f"{out} raw", f"{out} gain"), f"{out} scaled"))
    nodes.append(_node("Add", (f"{out} scaled", f"{out} offset"), out))
    return nodes


def _node(operator: str, inputs: tuple[str, ...], output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(operator, inputs, [output], **attributes)


def _value(name: str, shape: list[int]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT16, shape)
