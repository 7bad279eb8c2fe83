"""A style file as a PyTorch module: the ONNX graph, node for node.

Small on purpose: the operators that stylecam's own export writes. So the torch engine runs the
very file that is shipped, with weights under their own names, and needs no training code.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import onnx
import onnx.numpy_helper
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import EngineError

Attributes = dict[str, Any]
_TYPES: Final = {1: torch.float32, 2: torch.uint8, 7: torch.int64, 10: torch.float16}


def _conv(a: Attributes, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    pads = a.get("pads", [0, 0, 0, 0])
    if pads[:2] != pads[2:]:
        x, pads = F.pad(x, (pads[1], pads[3], pads[0], pads[2])), [0, 0]
    return F.conv2d(x, weight, bias, a.get("strides", 1), pads[:2], a.get("dilations", 1))


def _instance_norm(a: Attributes, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    return F.instance_norm(x, weight=scale, bias=bias, eps=a.get("epsilon", 1e-5))


def _pad(a: Attributes, x: Tensor, pads: Tensor, value: Tensor | None = None) -> Tensor:
    if a.get("mode") != b"edge":
        raise EngineError("the torch engine knows padding by repeating the edge only")
    top, left, bottom, right = (int(pads[i]) for i in (2, 3, 6, 7))
    return F.pad(x, (left, right, top, bottom), mode="replicate")


def _resize(a: Attributes, x: Tensor, roi: Tensor | None, scales: Tensor) -> Tensor:
    known = {(b"linear", b"half_pixel"): "bilinear", (b"nearest", b"asymmetric"): "nearest"}
    asked = (a.get("mode", b"nearest"), a.get("coordinate_transformation_mode", b"half_pixel"))
    if asked not in known:
        raise EngineError(f"the torch engine knows no resize of kind {asked}")
    return F.interpolate(x, scale_factor=scales[2:].tolist(), mode=known[asked])


def _clip(a: Attributes, x: Tensor, low: Tensor, high: Tensor) -> Tensor:
    return torch.clamp(x, float(low), float(high))


def _depth_to_space(a: Attributes, x: Tensor) -> Tensor:
    if a.get("mode", b"DCR") != b"CRD":
        raise EngineError("the torch engine knows DepthToSpace in CRD order only")
    return F.pixel_shuffle(x, a["blocksize"])


OPERATORS: Final[dict[str, Callable[..., Tensor]]] = {
    "Add": lambda a, x, y: x + y,
    "Cast": lambda a, x: x.to(_TYPES[a["to"]]),
    "Clip": _clip,
    "Conv": _conv,
    "DepthToSpace": _depth_to_space,
    "Identity": lambda a, x: x,
    "InstanceNormalization": _instance_norm,
    "Mul": lambda a, x, y: x * y,
    "Pad": _pad,
    "Relu": lambda a, x: F.relu(x),
    "Resize": _resize,
    "Sigmoid": lambda a, x: torch.sigmoid(x),
    "Transpose": lambda a, x: x.permute(*a["perm"]),
}


class OnnxModule(nn.Module):
    """Runs an ONNX graph of one input and one output. Raises EngineError for foreign operators."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        graph = onnx.load(path).graph
        unknown = {node.op_type for node in graph.node} - OPERATORS.keys() - {"Constant"}
        if unknown:
            raise EngineError(
                f"the torch engine does not know {', '.join(sorted(unknown))} in {path}",
                hint="use --engine openvino for this style",
            )
        self._constants: dict[str, Tensor] = {}
        self._buffer_names: dict[str, str] = {}
        for tensor in graph.initializer:
            self._keep(tensor.name, tensor)
        self._steps = []
        for node in graph.node:
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            if node.op_type == "Constant":
                self._keep(node.output[0], attributes["value"])
            else:
                self._steps.append((node.op_type, attributes, list(node.input), node.output[0]))
        self.normalised = any(step[0] == "InstanceNormalization" for step in self._steps)
        self._input, self._output = graph.input[0].name, graph.output[0].name

    def _keep(self, name: str, tensor: onnx.TensorProto) -> None:
        value = torch.from_numpy(onnx.numpy_helper.to_array(tensor).copy())
        if value.is_floating_point() and value.ndim > 0 and tensor.name:
            buffer = name.replace(".", "__")  # a buffer's name holds no dots
            self._buffer_names[buffer] = name
            self.register_buffer(buffer, value)
        else:
            self._constants[name] = value

    def forward(self, image: Tensor, statistics: Tensor | None = None) -> Tensor:
        """Run the graph; floating-point work is done in the weights' own type.

        With `statistics`, float32 (2, C), instance norms use those means and variances.
        """
        norm = _instance_norm if statistics is None else _Carried(statistics)
        return self._run(image, norm)

    def measure(self, image: Tensor) -> Tensor:
        """Return the instance norms' statistics for one picture, float32 (2, C)."""
        norm = _Measured()
        self._run(image, norm)
        return torch.cat(norm.rows, dim=1)

    def _run(self, image: Tensor, norm: Callable[..., Tensor]) -> Tensor:
        operators = OPERATORS | {"InstanceNormalization": norm}
        values: dict[str, Tensor | None] = {"": None, self._input: image, **self._constants}
        values |= {self._buffer_names[name]: value for name, value in self.named_buffers()}
        kind = next(self.buffers()).dtype
        for operator, attributes, inputs, output in self._steps:
            value = operators[operator](attributes, *(values[name] for name in inputs))
            values[output] = value.to(kind) if value.dtype == torch.float32 else value
        result = values[self._output]
        assert result is not None
        return result


class _Measured:
    """Instance norm that writes down each layer's statistics."""

    def __init__(self) -> None:
        self.rows: list[Tensor] = []

    def __call__(self, a: Attributes, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
        planes = x[0].float().flatten(1)
        self.rows.append(torch.stack([planes.mean(1), planes.var(1, correction=0)]))
        return _instance_norm(a, x, scale, bias)


class _Carried:
    """Instance norm with statistics from elsewhere, layer by layer."""

    def __init__(self, statistics: Tensor) -> None:
        self._statistics, self._next = statistics, 0

    def __call__(self, a: Attributes, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
        mine = self._statistics[:, self._next : self._next + x.shape[1]]
        self._next += x.shape[1]
        gain = scale.float() / torch.sqrt(mine[1] + a.get("epsilon", 1e-5))
        offset = bias.float() - mine[0] * gain
        return x * gain.to(x.dtype).view(1, -1, 1, 1) + offset.to(x.dtype).view(1, -1, 1, 1)
