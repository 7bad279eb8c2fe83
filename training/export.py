"""One style, one file: the generator and its card as ONNX."""

from __future__ import annotations

import io
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from google.protobuf.message import DecodeError
from onnx.reference import ReferenceEvaluator
from stylecam.realtime.atomic import write_whole

from .errors import TrainingError
from .network import MULTIPLE, SIZES, Generator, StyleGraph

OPSET = 17


def export_style(generator: Generator, card: dict[str, Any], path: Path) -> None:
    """Write `path`: uint8 RGB (1, H, W, 3) in and out, H and W dynamic, initialisers named as the
    generator's parameters, `card` as JSON in the metadata. The file appears whole or not at all.

    Raises TrainingError when it cannot be written, as on a full disk.
    """
    graph, exported = StyleGraph(generator).eval(), io.BytesIO()
    example = torch.zeros(1, 8 * MULTIPLE, 8 * MULTIPLE, 3, dtype=torch.uint8)
    with warnings.catch_warnings():
        # The tracing exporter keeps parameter names and writes no shape arithmetic; it warns that
        # it is the older of torch's two.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            graph,
            (example,),
            exported,  # type: ignore[arg-type]  # this one of the two takes files
            dynamo=False,
            opset_version=OPSET,
            input_names=["image"],
            output_names=["painting"],
            dynamic_axes={
                "image": {1: "height", 2: "width"},
                "painting": {1: "height", 2: "width"},
            },
        )
    model = onnx.load_model_from_string(exported.getvalue())
    fold_constants(model.graph)
    onnx.helper.set_model_props(model, {"stylecam": json.dumps(card, ensure_ascii=False)})
    onnx.checker.check_model(model)
    try:
        write_whole(path, model.SerializeToString())
    except OSError as error:
        raise TrainingError(f"{path} cannot be written: {error.strerror}") from error


def fold_constants(graph: onnx.GraphProto) -> None:
    """Compute what does not depend on the picture: the exporter writes a dozen nodes to say how
    wide a padding is. What remains are layers, and initialisers under their own names.
    """
    known = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
    layers = []
    for node in graph.node:
        if node.op_type == "Constant" or all(name in known for name in node.input if name):
            feeds = {name: known[name] for name in node.input if name}
            values = ReferenceEvaluator(node).run(None, feeds)
            known |= {
                name: np.asarray(value) for name, value in zip(node.output, values, strict=True)
            }
        else:
            layers.append(node)
    used = {name for node in layers for name in node.input if name in known}
    del graph.node[:], graph.initializer[:]
    graph.node.extend(layers)
    graph.initializer.extend(
        onnx.numpy_helper.from_array(known[name], name) for name in known if name in used
    )


def read_generator(path: Path) -> Generator:
    """Return the generator of a style file that `export_style` wrote, whichever its size.

    Raises TrainingError when the file holds another network.
    """
    try:
        graph = onnx.load(path).graph
    except (OSError, DecodeError) as error:
        raise TrainingError(f"{path} is not a style file ({error})") from error
    prefix = "generator."
    state = {
        tensor.name.removeprefix(prefix): torch.from_numpy(
            onnx.numpy_helper.to_array(tensor).copy()
        )
        for tensor in graph.initializer
        if tensor.name.startswith(prefix)
    }
    for size in SIZES:
        generator = Generator(size)
        # A file from before there were any adds nothing at the border, as a new network does.
        found = {name: value.detach() for name, value in generator.borders().items()} | state
        shapes = {name: value.shape for name, value in generator.state_dict().items()}
        if shapes == {name: value.shape for name, value in found.items()}:
            generator.load_state_dict(found)
            return generator
    raise TrainingError(f"{path} holds no network of this version's sizes ({', '.join(SIZES)})")
