"""A style file as a PyTorch module: the ONNX graph, node for node.

Small on purpose: the operators that stylecam's own export writes. So the torch engine runs the
very file that is shipped, with weights under their own names, and needs no training code.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import onnx
import onnx.numpy_helper
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import EngineError

Attributes = dict[str, Any]
_TYPES: Final = {1: torch.float32, 2: torch.uint8, 7: torch.int64, 10: torch.float16}


class Step(NamedTuple):
    """One node of the graph: values go by name."""

    operator: str
    attributes: Attributes
    inputs: tuple[str, ...]
    output: str


def _conv(a: Attributes, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    pads = a.get("pads", [0, 0, 0, 0])
    if pads[:2] != pads[2:]:
        x, pads = F.pad(x, (pads[1], pads[3], pads[0], pads[2])), [0, 0]
    return F.conv2d(x, weight, bias, a.get("strides", 1), pads[:2], a.get("dilations", 1))


def _instance_norm(a: Attributes, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    return F.instance_norm(x, weight=scale, bias=bias, eps=a.get("epsilon", 1e-5))


def _pad(a: Attributes, x: Tensor, pads: list[int], value: float | None = None) -> Tensor:
    if a.get("mode") != b"edge":
        raise EngineError("the torch engine pads by repeating the edge only")
    top, left, bottom, right = (pads[i] for i in (2, 3, 6, 7))
    return F.pad(x, (left, right, top, bottom), mode="replicate")


def _resize(a: Attributes, x: Tensor, roi: Tensor | None, scales: list[float]) -> Tensor:
    known = {(b"linear", b"half_pixel"): "bilinear", (b"nearest", b"asymmetric"): "nearest"}
    asked = (a.get("mode", b"nearest"), a.get("coordinate_transformation_mode", b"half_pixel"))
    if asked not in known:
        raise EngineError(f"the torch engine does not support resizing by {asked}")
    return F.interpolate(x, scale_factor=scales[2:], mode=known[asked])


def _depth_to_space(a: Attributes, x: Tensor) -> Tensor:
    if a.get("mode", b"DCR") != b"CRD":
        raise EngineError("the torch engine supports DepthToSpace in CRD order only")
    return F.pixel_shuffle(x, a["blocksize"])


OPERATORS: Final[dict[str, Callable[..., Tensor]]] = {
    "Add": lambda a, x, y: x + y,
    "Cast": lambda a, x: x.to(_TYPES[a["to"]]),
    "Clip": lambda a, x, low, high: torch.clamp(x, low, high),
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
_WEIGHTED: Final = ("Conv", "InstanceNormalization")


class OnnxModule(nn.Module):
    """Runs an ONNX graph of one input and one output. Raises EngineError for foreign operators.

    What layers are made of are buffers; other constants are numbers and lists.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        graph = onnx.load(path).graph
        unknown = {node.op_type for node in graph.node} - OPERATORS.keys() - {"Constant"}
        if unknown:
            raise EngineError(
                f"the torch engine does not know {', '.join(sorted(unknown))} in {path}",
                hint="use --engine openvino for this style",
            )
        self._constants: dict[str, Any] = {}
        self._buffer_names: dict[str, str] = {}
        weights = {n for node in graph.node if node.op_type in _WEIGHTED for n in node.input[1:]}
        tensors = {tensor.name: tensor for tensor in graph.initializer}
        self.steps: list[Step] = []
        for node in graph.node:
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            if node.op_type == "Constant":
                tensors[node.output[0]] = attributes["value"]
            else:
                step = Step(node.op_type, attributes, tuple(node.input), node.output[0])
                self.steps.append(step)
        for name, tensor in tensors.items():
            value = onnx.numpy_helper.to_array(tensor)
            if name in weights:
                buffer = name.replace(".", "__")  # a buffer's name holds no dots
                self._buffer_names[buffer] = name
                self.register_buffer(buffer, torch.from_numpy(value.copy()))
            else:
                self._constants[name] = value.tolist()
        self.normalised = any(step.operator == "InstanceNormalization" for step in self.steps)

    @property
    def architecture(self) -> str:
        """Hash of all but the weights: two styles of one architecture differ in these alone."""
        shapes = {name: tuple(value.shape) for name, value in self.weights().items()}
        text = repr((self.steps, self._constants, shapes))
        return hashlib.sha256(text.encode()).hexdigest()

    def weights(self) -> dict[str, Tensor]:
        """Return the layers' weights under their names in the file."""
        return {self._buffer_names[name]: value for name, value in self.named_buffers()}

    def forward(self, image: Tensor, statistics: Tensor | None = None) -> Tensor:
        """Run the graph; floating-point work is done in the weights' own type.

        With `statistics`, float32 (2, C), instance norms use those means and variances.
        """
        norm = _instance_norm if statistics is None else _Carried(statistics)
        return self.run(image, self.steps, {"InstanceNormalization": norm})

    def measure(self, image: Tensor) -> Tensor:
        """Return the instance norms' statistics for one picture, float32 (2, C)."""
        norm = Measured()
        self.run(image, self.steps, {"InstanceNormalization": norm})
        return norm.statistics()

    def run(
        self, x: Tensor, steps: Sequence[Step], instead: Mapping[str, Callable[..., Tensor]]
    ) -> Tensor:
        """Run `steps` from the first one's input to the last one's output, with some operators
        exchanged.
        """
        operators = {**OPERATORS, **instead}
        values: dict[str, Any] = {"": None, **self._constants, **self.weights()}
        values[steps[0].inputs[0]] = x
        kind = next(self.buffers()).dtype
        for operator, attributes, inputs, output in steps:
            value = operators[operator](attributes, *(values[name] for name in inputs))
            values[output] = value.to(kind) if value.dtype == torch.float32 else value
        result: Tensor = values[steps[-1].output]
        return result


class Measured:
    """Instance norm that writes down each layer's statistics."""

    def __init__(self) -> None:
        self._rows: list[Tensor] = []

    def __call__(self, a: Attributes, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
        """Norm `x` by its own statistics, and note them."""
        planes = x[0].float().flatten(1)
        self._rows.append(torch.stack([planes.mean(1), planes.var(1, correction=0)]))
        return _instance_norm(a, x, scale, bias)

    def statistics(self) -> Tensor:
        """Return what was written down, float32 (2, C)."""
        return torch.cat(self._rows, dim=1) if self._rows else torch.empty((2, 0))


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
