"""The same network with less memory moved about, for OpenVINO on an x86 processor.

OpenVINO computes convolutions with the channels of a pixel side by side, as uint8 RGB lies in
memory too. What an ONNX graph says between the two, and around its upsampling, costs it passes over
memory and slow kernels; here the graph is put in another way that gives the same picture:

- the input is padded as bytes and never turned around; the stem's weights hold the 1/255;
- bilinear doubling is a transposed convolution of each channel, which has a faster kernel in
  float32 (and a far slower one in bfloat16);
- the head paints the pixels of a 2x4 block at once from pairs of features, and rows of the painting
  are put together as bytes, where a pixel shuffle moves single floats.

Each part is left as it was where the graph is not of that form.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import openvino as ov
from openvino import opset13 as ops

_INPUT: Final = ("Convolution", "Pad", "Multiply", "Convert", "Transpose")
_OUTPUT: Final = (
    "Convert",
    "Transpose",
    "Minimum",
    "Maximum",
    "Add",
    "Multiply",
    "Sigmoid",
    "DepthToSpace",
    "Add",
    "Convolution",
    "Pad",
)
"""The layers from the result upwards, as training/export.py writes them."""
_BILINEAR: Final = np.outer([1, 3, 3, 1], [1, 3, 3, 1]).astype(np.float32) / 16
"""Doubling by a transposed convolution of stride 2: each pixel spreads over 4x4."""


def with_fast_layout(model: ov.Model, *, doubling: bool = True) -> ov.Model:
    """Return a copy of a network of fixed size, uint8 RGB (1, H, W, 3) in and out.

    `doubling`: by the transposed convolution.
    """
    model = model.clone()
    for op in model.get_ordered_ops():
        if op.get_type_name() == "Interpolate" and doubling:
            _double(op)
        elif op.get_type_name() == "Convolution":
            _stem(op)
        elif op.get_type_name() == "Result":
            _head(op)
    model.validate_nodes_and_infer_types()
    return model


def constant(node: Any) -> npt.NDArray[Any] | None:
    """Return the operand of a binary node that is the same for every picture, if there is one."""
    for value in node.input_values()[:2]:
        holder = value.get_node()
        if holder.get_type_name() == "Reshape":
            holder = holder.input_value(0).get_node()
        if holder.get_type_name() == "Constant":
            data: npt.NDArray[Any] = holder.data
            return data
    return None


def _stem(conv: Any) -> None:
    """Pad the picture itself, and take its values as they are."""
    chain = _above(conv, _INPUT)
    if chain is None:
        return
    _, pad, scale, _, turn = chain
    factor, weights = constant(scale), constant(conv)
    if factor is None or factor.size != 1 or weights is None or not _repeats_edge(pad):
        return
    top, bottom, left, right = _sides(pad)
    picture = ops.pad(turn.input_value(0), [0, top, left, 0], [0, bottom, right, 0], "edge")
    x_NCHW = ops.transpose(ops.convert(picture, "f32"), [0, 3, 1, 2])
    attributes = conv.get_attributes()
    made = ops.convolution(
        x_NCHW,
        weights * factor.reshape(()),
        attributes["strides"],
        attributes["pads_begin"],
        attributes["pads_end"],
        attributes["dilations"],
    )
    conv.output(0).replace(made.output(0))


def _double(resize: Any) -> None:
    """Double by a transposed convolution. Pixels repeated at the edge weigh as half_pixel asks."""
    attributes = resize.get_attributes()
    scales = constant(resize)
    bilinear = attributes["mode"] == "linear_onnx" and not attributes["antialias"]
    centred = attributes["coordinate_transformation_mode"] == "half_pixel"
    if scales is None or scales.tolist() != [1, 1, 2, 2] or not (bilinear and centred):
        return
    x_NCHW = resize.input_value(0)
    channels = x_NCHW.get_shape()[1]
    padded = ops.pad(x_NCHW, [0, 0, 1, 1], [0, 0, 1, 1], "edge")
    kernels = np.tile(_BILINEAR, (channels, 1, 1, 1, 1))
    made = ops.group_convolution_backprop_data(
        padded, ops.constant(kernels), [2, 2], pads_begin=[3, 3], pads_end=[3, 3]
    )
    resize.output(0).replace(made.output(0))


def _head(result: Any) -> None:
    """Compute a block of 2x4 pixels from two neighbouring features, and write rows of bytes.

    The convolution keeps to 24 outputs, three full vectors, where 12 leave one half empty. It gives
    values before the sigmoid, which bfloat16 holds finely enough; levels of 255 it does not.
    """
    chain = _above(result.input_value(0).get_node(), _OUTPUT)
    if chain is None:
        return
    _, _, _, _, shift, scale, _, shuffle, bias, conv, pad = chain
    weights, offsets = constant(conv), constant(bias)
    gain, half = constant(scale), constant(shift)
    _, height, width, colours = result.input_value(0).get_shape()
    if (
        weights is None
        or offsets is None
        or gain is None
        or half is None
        or weights.shape[:1] + weights.shape[2:] != (12, 3, 3)
        or width % 4
        or colours != 3
        or _sides(pad) != (1, 1, 1, 1)
        or not _repeats_edge(pad)
        or shuffle.get_attributes() != {"block_size": 2, "mode": "depth_first"}
        or conv.get_attributes()["strides"] != [1, 1]
    ):
        return
    features = weights.shape[1]
    rows, pairs = height // 2, width // 4
    x_NCHW = ops.pad(pad.input_value(0), [0, 0, 1, 1], [0, 0, 1, 1], "edge")
    x_NHWC = ops.transpose(x_NCHW, [0, 2, 3, 1])
    x_NHWC = ops.reshape(x_NHWC, [1, rows + 2, pairs + 1, 2 * features], False)
    y_NCHW = ops.convolution(
        ops.transpose(x_NHWC, [0, 3, 1, 2]),
        ops.constant(_kernels_of_pairs(weights)),
        [1, 1],
        [0, 0],
        [0, 0],
        [1, 1],
    )
    offsets = offsets.reshape(3, 2, 1, 2).transpose(1, 2, 3, 0)  # row, -, column, colour
    y_NCHW = ops.add(y_NCHW, np.tile(offsets, (1, 2, 1, 1)).reshape(1, 24, 1, 1))
    y = ops.reshape(ops.transpose(y_NCHW, [0, 2, 3, 1]), [rows, pairs * 24], False)
    y = ops.add(ops.multiply(ops.sigmoid(y), gain.reshape(1, 1)), half.reshape(1, 1))
    levels = ops.convert(ops.clamp(y, 0, 255), "u8")
    # Every other row of the painting, and then the rows between.
    blocks = ops.variadic_split(ops.reshape(levels, [rows, pairs, 2, 12], False), 2, [1, 1])
    lines = [ops.reshape(half, [rows, 1, width * 3], False) for half in blocks.outputs()]
    painting = ops.reshape(ops.concat(lines, 1), [1, height, width, 3], False)
    result.input(0).replace_source_output(painting.output(0))


def _kernels_of_pairs(weights: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Turn (12, C, 3, 3), for a shuffle of 2x2 pixels, into (24, 2 C, 3, 2) over pairs of columns.

    A pair of outputs sees four columns, two pairs of inputs. Outputs are ordered row, feature of
    the pair, column, colour: as the bytes of the painting lie in a row.
    """
    features = weights.shape[1]
    by_place = weights.reshape(3, 2, 2, features, 3, 3).transpose(1, 2, 0, 3, 4, 5)
    wide = np.zeros((2, 2, 2, 3, features, 3, 4), np.float32)
    for first in (0, 1):
        wide[:, first, ..., first : first + 3] = by_place
    in_pairs = wide.reshape(24, features, 3, 2, 2).transpose(0, 4, 1, 2, 3)
    return np.ascontiguousarray(in_pairs.reshape(24, 2 * features, 3, 2))


def _above(node: Any, types: tuple[str, ...]) -> list[Any] | None:
    """Return the nodes from this one upwards, past constants, if they are of these types."""
    found = []
    for kind in types:
        if node.get_type_name() != kind:
            return None
        found.append(node)
        node = next((n for n in _inputs(node) if n.get_type_name() != "Constant"), node)
    return found


def _inputs(node: Any) -> list[Any]:
    return [value.get_node() for value in node.input_values()]


def _repeats_edge(pad: Any) -> bool:
    return bool(pad.get_attributes()["pad_mode"] == "edge")


def _sides(pad: Any) -> tuple[int, int, int, int]:
    """Return how far a picture is padded: top, bottom, left, right."""
    before, after = (pad.input_value(i).get_node().data for i in (1, 2))
    return int(before[2]), int(after[2]), int(before[3]), int(after[3])
