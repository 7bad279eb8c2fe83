"""An OpenVINO network whose instance norms take their statistics as an input."""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino as ov
from openvino import opset13 as ops


def is_normalised(model: ov.Model) -> bool:
    """Whether the network has norm layers whose statistics can be carried."""
    return bool(_norms(model))


def taking_statistics(model: ov.Model) -> ov.Model:
    """Return a copy with a second input, float32 (2, C), in place of what each frame gives."""
    model = model.clone()
    norms = _norms(model)
    channels = [_channels(norm) for norm in norms]
    given = ops.parameter([2, sum(channels)], np.float32, name="statistics")
    parts = ops.variadic_split(given, 1, channels)
    for index, norm in enumerate(norms):
        multiply = _only_user(norm)
        add = _only_user(multiply)
        gain, bias = _other_input(multiply, norm), _other_input(add, multiply)
        rows = ops.split(parts.output(index), 0, 2)
        mean, variance = (
            ops.reshape(rows.output(row), [1, channels[index], 1, 1], False) for row in (0, 1)
        )
        epsilon = np.float32(norm.get_attributes()["eps"])
        scale = ops.divide(gain, ops.sqrt(ops.add(variance, epsilon)))
        shift = ops.subtract(bias, ops.multiply(mean, scale))
        normed = ops.add(ops.multiply(norm.input_value(0), scale), shift)
        add.output(0).replace(normed.output(0))
    model.add_parameters([given])
    model.validate_nodes_and_infer_types()
    return model


def giving_statistics(model: ov.Model) -> ov.Model:
    """Return a copy whose one output is the statistics of its picture, float32 (2, C)."""
    model = model.clone()
    means, variances = [], []
    for norm in _norms(model):
        x = norm.input_value(0)
        mean = ops.reduce_mean(x, [2, 3], keep_dims=True)
        off = ops.subtract(x, mean)
        variance = ops.reduce_mean(ops.multiply(off, off), [2, 3], keep_dims=True)
        means.append(ops.reshape(mean, [1, -1], False))
        variances.append(ops.reshape(variance, [1, -1], False))
    statistics = ops.concat([ops.concat(means, 1), ops.concat(variances, 1)], 0)
    return ov.Model([statistics], model.get_parameters(), "statistics")


def _norms(model: ov.Model) -> list[Any]:
    return [op for op in model.get_ordered_ops() if op.get_type_name() == "MVN"]


def _channels(norm: Any) -> int:
    return int(norm.input_value(0).get_partial_shape()[1].get_length())


def _only_user(node: Any) -> Any:
    """Return the node that computes on the result; shapes are asked of it as well."""
    users = [target.get_node() for target in node.output(0).get_target_inputs()]
    (user,) = [user for user in users if user.get_type_name() in ("Multiply", "Add")]
    return user


def _other_input(node: Any, known: Any) -> Any:
    """Return the operand of a binary node that does not come from `known`."""
    first, second = node.input_value(0), node.input_value(1)
    return second if first.get_node().get_friendly_name() == known.get_friendly_name() else first
