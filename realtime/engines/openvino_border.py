"""What a style adds near its border, for pictures of one size: numbers instead of layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import openvino as ov
from openvino import opset13 as ops

from .openvino_layout import constant


def with_fixed_border(model: ov.Model) -> ov.Model:
    """Return a copy of a network of fixed size. Where it computes what does not depend on the
    picture, as training/network.py's `Border` does, the copy holds the result.
    """
    model = model.clone()
    for op in model.get_ordered_ops():
        added = _border(op) if op.get_type_name() == "Add" else None
        if added is not None:
            op.input(1).replace_source_output(ops.constant(added).output(0))
    model.validate_nodes_and_infer_types()
    return model


def _border(add: Any) -> npt.NDArray[np.float32] | None:
    """Return what is added to features, (1, C, H, W), if it is ones, padded by zeros and convolved,
    and a bias.
    """
    shift = add.input_value(1).get_node()
    conv = shift.input_value(0).get_node() if shift.get_type_name() == "Add" else None
    if conv is None or conv.get_type_name() != "Convolution" or not _is_ones(conv.input_value(0)):
        return None
    kernels, bias = constant(conv), constant(shift)
    if kernels is None or bias is None:
        return None
    height, width = add.output(0).get_shape()[2:]
    top, left = conv.get_attributes()["pads_begin"]
    down, across = _reach(height, kernels.shape[2], top), _reach(width, kernels.shape[3], left)
    # Of the taps (C, 1, h, w) those that lie in the picture, at each place.
    found: npt.NDArray[np.float32] = down @ (kernels[:, 0] @ across.T) + bias.reshape(-1, 1, 1)
    return found[None]


def _reach(places: int, taps: int, before: int) -> npt.NDArray[np.float32]:
    """Return which taps of a kernel lie on something at each place, (places, taps) of 0 and 1."""
    at = np.arange(places)[:, None] + np.arange(taps) - before
    return ((at >= 0) & (at < places)).astype(np.float32)


def _is_ones(value: Any) -> bool:
    """Whether a feature is 1 whatever the picture: weights of 0 and a bias of 1."""
    add = value.get_node()
    conv = add.input_value(0).get_node() if add.get_type_name() == "Add" else None
    if conv is None or conv.get_type_name() != "Convolution":
        return False
    weights, bias = constant(conv), constant(add)
    return weights is not None and bias is not None and not weights.any() and (bias == 1).all()
