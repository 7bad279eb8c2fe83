"""Anyone's ONNX style network, wrapped so that it takes and gives uint8 RGB (1, H, W, 3)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import TYPE_CHECKING, Final

import numpy as np

from ..errors import StyleError

if TYPE_CHECKING:
    import openvino as ov
    from numpy.typing import NDArray
    from openvino import Output

RANGES: Final = {"0-1": (0.0, 1.0), "0-255": (0.0, 255.0), "-1-1": (-1.0, 1.0)}
"""The commonest first: among ranges that fit equally well, detection takes the first."""

LAYOUTS: Final = ("NCHW", "NHWC")

PROBE: Final = 256
"""Side of the picture that a network of any size is examined with."""

MULTIPLES: Final = (1, 32, 64)
"""Networks with skip connections take sides that halve evenly 5 or 6 times."""


def adapt(model: ov.Model, *, height: int, width: int, value_range: str | None = None) -> ov.Model:
    """Return `model` between conversions to and from uint8, for pictures of (height, width).

    The layout is read from the input's shape, the value ranges found by `detect_ranges` unless
    given. A network that cannot have this size is fed a resized picture, and its painting is
    resized back. Raises StyleError when it is not a network from one RGB picture to another.
    """
    from openvino import Layout, Type
    from openvino.preprocess import PrePostProcessor, ResizeAlgorithm

    takes = gives = value_range
    if takes is None or gives is None:
        probe = model.clone()
        takes, gives = detect_ranges(probe, settle(probe, PROBE, PROBE))
    layout = settle(model, height, width)
    shape = model.input(0).shape
    whole = not model.input(0).element_type.is_real()
    low, high = RANGES["0-255" if whole else takes]

    wrap = PrePostProcessor(model)
    wrap.input(0).tensor().set_element_type(Type.u8).set_layout(Layout("NHWC"))
    wrap.input(0).tensor().set_shape([1, height, width, 3])
    wrap.input(0).model().set_layout(Layout(layout))
    steps = wrap.input(0).preprocess().convert_element_type(Type.f32)
    if (shape[layout.index("H")], shape[layout.index("W")]) != (height, width):
        steps.resize(ResizeAlgorithm.RESIZE_BILINEAR_PILLOW)  # as it blurs what it shrinks
    # OpenVINO truncates to whole numbers: half a step up makes it round.
    steps.scale(255 / (high - low)).mean(-0.5 if whole else -low)

    whole = not model.output(0).element_type.is_real()
    low, high = RANGES["0-255" if whole else gives]
    wrap.output(0).postprocess().custom(_to_bytes(height, width, low, high))
    try:
        return wrap.build()
    except RuntimeError as error:
        raise StyleError(f"the network cannot be wrapped: {error}") from error


def _to_bytes(height: int, width: int, low: float, high: float) -> Callable[[Output], Output]:
    def convert(output: Output) -> Output:
        from openvino import opset13 as ops

        node = ops.convert(output, "f32")
        if _layout(node.output(0).partial_shape) == "NCHW":
            node = ops.transpose(node, np.array([0, 2, 3, 1]))
        node = ops.multiply(ops.subtract(node, np.float32(low)), np.float32(255 / (high - low)))
        shape = node.output(0).partial_shape
        if shape.is_dynamic or list(shape.to_shape())[1:3] != [height, width]:
            size, axes = np.array([height, width]), np.array([1, 2])
            node = ops.interpolate(node, size, "bilinear_pillow", "sizes", axes=axes)
        return ops.convert(ops.clamp(ops.add(node, np.float32(0.5)), 0.0, 255.0), "u8").output(0)

    return convert


def _layout(shape: ov.PartialShape) -> str | None:
    """Return NCHW or NHWC, or None when this is not an RGB picture."""
    if shape.rank.is_static and len(shape) == 4:
        for layout in LAYOUTS:
            channels = shape[layout.index("C")]
            if channels.is_static and channels.get_length() == 3:
                return layout
    return None


def settle(model: ov.Model, height: int, width: int) -> str:
    """Give the input one shape, as near to one picture of (height, width) as the network takes.

    Returns the input's layout. Raises StyleError when it is not a network from one RGB picture to
    another.
    """
    from openvino import PartialShape

    sides = [[port.partial_shape for port in ports] for ports in (model.inputs, model.outputs)]
    reason = "a style goes from one RGB picture (1, 3, H, W) or (1, H, W, 3) to another"
    if [len(side) for side in sides] == [1, 1]:
        declared = PartialShape([-1] * 4) if sides[0][0].rank.is_dynamic else sides[0][0]
        anything = all(dimension.is_dynamic for dimension in declared)
        layouts = [*LAYOUTS] if anything else [layout for layout in [_layout(declared)] if layout]
        for layout, multiple in product(layouts, MULTIPLES):
            rows, columns = (-(-side // multiple) * multiple for side in (height, width))
            wanted = {"N": 1, "C": 3, "H": rows, "W": columns}
            shape = [
                wanted[letter] if letter == "N" or dimension.is_dynamic else dimension.get_length()
                for letter, dimension in zip(layout, declared, strict=True)
            ]
            try:
                model.reshape(PartialShape(shape))
            except RuntimeError as error:
                reason = f"OpenVINO says of {shape}: {str(error).strip().splitlines()[-1]}"
                continue
            if _layout(model.output(0).partial_shape):
                return layout
    ports = " -> ".join(", ".join(str(shape) for shape in side) for side in sides)
    raise StyleError(f"this network is not a style: its ports are {ports}", hint=reason)


def detect_ranges(model: ov.Model, layout: str) -> tuple[str, str]:
    """Find the value ranges that the settled `model` takes and gives, each a name of `RANGES`.

    Each is tried on a small smooth picture: a network fed what it was trained for answers with a
    picture that fills its range, one fed too little with an almost flat one, and one fed too much
    with the ends of its range or beyond. What it gives at most and least, fed far too much, is the
    range it gives if it ends in a clamp, tanh or sigmoid.
    Nearly always both ranges are the same one. Raises StyleError when nothing fits.
    """
    import openvino as ov

    port = model.input(0)
    rows, columns = (port.shape[layout.index(letter)] for letter in "HW")
    y, x = np.meshgrid(np.linspace(0, 9, rows), np.linspace(0, 9, columns), indexing="ij")
    tones = [np.sin(1.3 * x) * np.cos(y), np.cos(0.7 * x + y), np.sin(1.6 * y)]
    photo = np.stack(tones, axis=0 if layout == "NCHW" else -1)[np.newaxis] * 0.45 + 0.5

    try:
        compiled = ov.Core().compile_model(model, "CPU", {"PERFORMANCE_HINT": "LATENCY"})

        def answer(low: float, high: float) -> NDArray[np.float64]:
            fed = (photo * (high - low) + low).astype(port.element_type.to_dtype())
            return np.nan_to_num(np.asarray(compiled(fed)[0], np.float64), nan=1e9)

        whole = not port.element_type.is_real()
        answers = {name: answer(*RANGES[name]) for name in (["0-255"] if whole else RANGES)}
        most = answers["0-255"] if whole else answer(-1000.0, 1000.0)
    except RuntimeError as error:
        raise StyleError(f"the network cannot be run: {error}") from error
    ends = (most.min(), most.max()) if model.output(0).element_type.is_real() else (0, 255)
    fits = [name for name, pair in RANGES.items() if np.allclose(ends, pair, 0.02, 0.02)]

    scores: dict[tuple[str, str], float] = {}
    for takes, gives in product(answers, fits or RANGES):
        low, high = RANGES[gives]
        unit = (answers[takes] - low) / (high - low)
        inside, between = (np.mean(np.abs(unit - 0.5) < reach) for reach in (0.6, 0.48))
        darkest, brightest = np.quantile(unit.clip(0, 1), [0.05, 0.95])
        doubt = (1 if takes == gives or whole else 0.5) - 0.03 * list(RANGES).index(takes)
        filled = (0.25 * inside + 0.75 * between) * (brightest - darkest)
        scores[takes, gives] = float(filled * doubt)
    best = max(scores, key=lambda pair: scores[pair])
    if scores[best] < 0.01:
        raise StyleError(
            "the value range of this network's input cannot be detected",
            hint="set it: --style-range 0-1, --style-range 0-255 or --style-range=-1-1",
        )
    return best
