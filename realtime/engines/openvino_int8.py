"""The network's convolutions in 8 bits, for OpenVINO on a CPU.

No picture is needed to find the ranges: instance norm gives every channel its gain as standard
deviation and its bias as mean, whatever the style and the scene. A sum of features has the sum of
their means and variances. Of 5, 8, 12 and 16 deviations 8 came nearest to the float painting, and
calibration on pictures (NNCF) came no nearer.

Weights use half of their 8 bits. Processors without VNNI add two products of 8 bits in 16, and two
of full range do not fit.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import openvino as ov
from openvino import opset13 as ops

from .openvino_layout import constant

Channels = npt.NDArray[np.float32]

DEVIATIONS: Final = 8.0
_LEVELS: Final = 256
_ROOM: Final = 2.0
"""Weights are coded as if they were so many times larger than they are."""
_PASSED_ON: Final = (
    "GroupConvolutionBackpropData",
    "Interpolate",
    "Pad",
    "Relu",
    "Reshape",
    "Transpose",
)
_MOVED: Final = ("Pad", "Reshape", "Transpose")


class Spread(NamedTuple):
    """How the features of each channel are spread, and whether none is below 0."""

    mean: Channels
    variance: Channels
    positive: bool

    def range(self) -> tuple[float, float]:
        """Return what one scale must hold for all channels."""
        reach = DEVIATIONS * np.sqrt(self.variance)
        low = 0.0 if self.positive else float((self.mean - reach).min())
        return low, float((self.mean + reach).max())


def in_8_bits(model: ov.Model) -> ov.Model:
    """Return a copy whose convolutions take and weigh features in 8 bits.

    The first stays as it is, because what it loses is seen: it reads the picture, whose fine
    differences decide where an edge is. Its own output is what the next one takes in 8 bits.
    """
    model = model.clone()
    spreads: dict[str, Spread] = {}
    for op in model.get_ordered_ops():
        kind, before = op.get_type_name(), _known(op, spreads)
        spread: Spread | None = None
        if kind == "MVN":
            count = op.input_value(0).get_partial_shape()[1].get_length()
            spread = Spread(np.zeros(count, np.float32), np.ones(count, np.float32), False)
        elif kind == "Convolution" and before:
            _code(op, before[0])
        elif kind in _PASSED_ON and before:
            spread = before[0]._replace(positive=kind == "Relu" or before[0].positive)
        elif kind in ("Add", "Multiply") and before:
            spread = spread_after(op, before)
        if spread is not None:
            spreads[op.get_friendly_name()] = spread
    model.validate_nodes_and_infer_types()
    return model


def _known(op: Any, spreads: dict[str, Spread]) -> list[Spread]:
    names = [value.get_node().get_friendly_name() for value in op.input_values()]
    return [spreads[name] for name in names if name in spreads]


def spread_after(op: Any, before: list[Spread]) -> Spread | None:
    """Return the spread behind a norm's gain or bias, or behind a sum of two features."""
    if len(before) == 2 and op.get_type_name() == "Add":
        first, second = before
        return Spread(
            first.mean + second.mean,
            first.variance + second.variance,
            first.positive and second.positive,
        )
    values = constant(op)
    if values is None:
        return None
    if max(values.shape[2:], default=1) > 1:  # more than one number a channel
        return before[0]  # nothing but near the border
    values, (mean, variance, _) = values.reshape(-1), before[0]
    if op.get_type_name() == "Multiply":
        return Spread(mean * values, variance * values**2, False)
    return Spread(mean + values, variance, False)


def _code(conv: Any, spread: Spread) -> None:
    """Code a convolution's input, before it is padded and moved about, and its weights."""
    port = conv.input(0)
    while (above := port.get_source_output().get_node()).get_type_name() in _MOVED:
        port = above.input(0)
    low, high = (np.float32(end) for end in spread.range())
    coded = ops.fake_quantize(port.get_source_output(), low, high, low, high, _LEVELS)
    port.replace_source_output(coded.output(0))
    weights = conv.input_value(1).get_node().data
    largest = _ROOM * np.abs(weights).max(axis=(1, 2, 3), keepdims=True)
    # One level fewer: a scale that has its zero in the middle.
    coded = ops.fake_quantize(weights, -largest, largest, -largest, largest, _LEVELS - 1)
    conv.input(1).replace_source_output(coded.output(0))
