"""A style between RGB planes on a GPU: (1, 3, H, W) in 0..1 in and out, float16 or float32.

Instance norm with statistics from elsewhere is one gain and one offset a channel. They are worked
out on the host in float32 (`affine`), so that no variance, root or quotient is left to float16, and
enter the network as an input: one graph, or one engine, serves every frame. `forward` applies them
behind each convolution, which a compiler can fuse; `Folded` multiplies them into the kernels, which
saves a pass over every feature map where nothing fuses.

Letters in names of tensors: N 1, C channels, H and W height and width.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import EngineError
from .onnx_module import Attributes, Measured, OnnxModule, Step
from .statistics import Affine, Statistics

_HEAD: Final = ["Transpose", "Cast", "Mul"]
_TAIL: Final = ["Mul", "Add", "Clip", "Transpose", "Cast"]
"""How a style file goes from bytes to planes and back; what lies between is the network."""


class PlanarStyle(nn.Module):
    """The network of a style file without its way from and to bytes."""

    def __init__(self, graph: OnnxModule) -> None:
        super().__init__()
        operators = [step.operator for step in graph.steps]
        head, tail = len(_HEAD), len(operators) - len(_TAIL)
        if operators[:head] != _HEAD or operators[tail:] != _TAIL:
            raise EngineError(
                "this style does not go from bytes to planes as stylecam's own do",
                hint="use --engine openvino for it",
            )
        self.layers = graph  # torch.export cannot trace a module that calls it "graph"
        self._measured = graph.steps[head:tail]
        self.steps, norms = _merge(self._measured)
        weights = graph.weights()
        scales = [weights[norm.inputs[1]].float().cpu().numpy() for norm in norms]
        self._scale = np.concatenate([*scales, np.empty(0, np.float32)])
        shifts = [weights[norm.inputs[2]].float().cpu().numpy() for norm in norms]
        self._shift = np.concatenate([*shifts, np.empty(0, np.float32)])
        self._epsilon = np.concatenate(
            [
                *(
                    np.full(len(scale), norm.attributes.get("epsilon", 1e-5), np.float32)
                    for scale, norm in zip(scales, norms, strict=True)
                ),
                np.empty(0, np.float32),
            ]
        )

    @property
    def channels(self) -> int:
        """How many channels are normed: C of the statistics (2, C)."""
        return len(self._scale)

    def affine(self, statistics: Statistics) -> Affine:
        """Return what instance norm with these statistics (2, C) does: float32 (1, 2 C, 1, 1), all
        gains and then all offsets.
        """
        gain = self._scale / np.sqrt(statistics[1] + self._epsilon)
        offset = self._shift - statistics[0] * gain
        both: Affine = np.concatenate([gain, offset]).astype(np.float32).reshape(1, -1, 1, 1)
        return both

    def kernels(self) -> dict[str, Tensor]:
        """Return the convolutions' weights and biases by name, in the network's order: what is
        left of the weights of a style once its norms are in `affine`.
        """
        weights = self.layers.weights()
        convolutions = [step for step in self.steps if step.operator in ("Conv", "ConvNorm")]
        return {name: weights[name] for step in convolutions for name in step.inputs[1:]}

    def forward(self, photo_NCHW: Tensor, affine: Tensor) -> Tensor:
        """Return the painting. `affine` is what the method of that name gives, in the photo's
        type.
        """
        return self.layers.run(photo_NCHW, self.steps, {"ConvNorm": _Behind(affine)})

    def measure(self, photo_NCHW: Tensor) -> Tensor:
        """Return each norm layer's statistics for this photo, float32 (2, C)."""
        norm = Measured()
        self.layers.run(photo_NCHW, self._measured, {"InstanceNormalization": norm})
        return norm.statistics()


def _merge(steps: Sequence[Step]) -> tuple[list[Step], list[Step]]:
    """Make each convolution and the norm behind it one step; returns the steps and the norms."""
    merged: list[Step] = []
    norms: list[Step] = []
    for step in steps:
        if step.operator != "InstanceNormalization":
            merged.append(step)
            continue
        conv = merged.pop()
        if conv.operator != "Conv" or len(conv.inputs) != 2 or conv.output != step.inputs[0]:
            raise EngineError(
                "this style norms something else than a convolution",
                hint="use --engine openvino for it",
            )
        norms.append(step)
        merged.append(Step("ConvNorm", conv.attributes, conv.inputs, step.output))
    return merged, norms


class _Behind:
    """A convolution, then its gain and offset; called for layer after layer."""

    def __init__(self, affine: Tensor) -> None:
        self._gain, self._offset = affine.chunk(2, dim=1)
        self._next = 0

    def __call__(self, a: Attributes, x_NCHW: Tensor, weight: Tensor) -> Tensor:
        y_NCHW = F.conv2d(x_NCHW, weight, None, a["strides"], a["pads"][:2], a["dilations"])
        mine = slice(self._next, self._next + weight.shape[0])
        self._next += weight.shape[0]
        return y_NCHW * self._gain[:, mine] + self._offset[:, mine]


class Folded:
    """The same network with gains and offsets multiplied into its kernels, channels last.

    All kernels are one row of float32 numbers, so that folding costs three small operations a
    frame, whatever the number of layers; what is rounded to `dtype` are the products.
    """

    def __init__(self, style: PlanarStyle, dtype: torch.dtype) -> None:
        self._steps, self._dtype = style.steps, dtype
        self._layers = copy.deepcopy(style.layers).to(dtype)
        weights = style.layers.weights()
        kernels = [weights[step.inputs[1]] for step in style.steps if step.operator == "ConvNorm"]
        self._shapes = [kernel.shape for kernel in kernels]
        last = [kernel.float().permute(0, 2, 3, 1).reshape(-1) for kernel in kernels]
        self._row = torch.cat(last) if last else torch.empty(0)
        bounds = accumulate((shape[0] for shape in self._shapes), initial=0)
        channel = [
            torch.arange(first, first + shape[0]).repeat_interleave(shape[1:].numel())
            for first, shape in zip(bounds, self._shapes, strict=False)
        ]
        self._channel = (torch.cat(channel) if channel else torch.empty(0, dtype=torch.long)).to(
            self._row.device
        )

    def __call__(self, photo_NCHW: Tensor, affine: Tensor) -> Tensor:
        """Return the painting in `dtype`; `affine` float32 as `PlanarStyle.affine` gives it."""
        gain, offset = affine.flatten().chunk(2)
        row = (self._row * gain.index_select(0, self._channel)).to(self._dtype)
        kernels = iter(
            part.view(shape[0], *shape[2:], shape[1]).permute(0, 3, 1, 2)
            for part, shape in zip(
                torch.split(row, [shape.numel() for shape in self._shapes]),
                self._shapes,
                strict=True,
            )
        )
        biases = iter(torch.split(offset.to(self._dtype), [shape[0] for shape in self._shapes]))

        def conv_norm(a: Attributes, x_NCHW: Tensor, _: Tensor) -> Tensor:
            kernel, bias = next(kernels), next(biases)
            return F.conv2d(x_NCHW, kernel, bias, a["strides"], a["pads"][:2], a["dilations"])

        photo_NCHW = photo_NCHW.to(self._dtype, memory_format=torch.channels_last)
        instead: dict[str, Callable[..., Tensor]] = {"ConvNorm": conv_norm, "Pad": _repeat_edge}
        return self._layers.run(photo_NCHW, self._steps, instead)


def _repeat_edge(a: Attributes, x_NCHW: Tensor, pads: list[int], value: None = None) -> Tensor:
    # F.pad gives planes one after another, whatever it is given; putting pieces together keeps
    # the channels last.
    top, left, bottom, right = (pads[i] for i in (2, 3, 6, 7))
    rows = [x_NCHW[:, :, :1]] * top + [x_NCHW] + [x_NCHW[:, :, -1:]] * bottom
    tall = torch.cat(rows, dim=2)
    return torch.cat([tall[..., :1]] * left + [tall] + [tall[..., -1:]] * right, dim=3)
