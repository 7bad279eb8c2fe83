"""Building a style as one TensorRT engine in float16, for one size.

With torch-tensorrt, the network of `planes.py` is exported and converted whole; without it,
TensorRT's own parser reads `half_onnx.py`. Either way the engine computes in the types of the
network, as TensorRT since 10.14 does for torch-tensorrt 2.11 and newer: float16 is not a flag.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from ..errors import EngineError
from .environment import minor
from .tensorrt_library import Library, load_bridge, log_of, reason


def build(
    library: Library, trt: Any, path: Path, *, size: tuple[int, int], refittable: bool
) -> bytes:
    """Return a style's engine, serialised, for pictures of `size` (height, width); `refittable`
    asks for one that can be given other weights. Raises EngineError with TensorRT's reason.
    """
    if library.builder:
        return _torch_tensorrt(library, path, size=size, refittable=refittable)
    from .half_onnx import half_onnx

    height, width = size
    return build_onnx(trt, half_onnx(path, height=height, width=width), refittable=refittable)


def build_onnx(trt: Any, model: bytes, *, refittable: bool) -> bytes:
    """Return an engine of an ONNX model. Raises EngineError with TensorRT's reason."""
    log = log_of(trt)
    log.errors.clear()
    builder = trt.Builder(log)
    typed = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    network = builder.create_network(0 if typed is None else 1 << int(typed))
    parser = trt.OnnxParser(network, log)
    if not parser.parse(model):
        said = "; ".join(parser.get_error(i).desc() for i in range(parser.num_errors))
        raise EngineError(f"TensorRT cannot read the style: {said}", hint="use --engine torch")
    config = builder.create_builder_config()
    if refittable:
        config.set_flag(trt.BuilderFlag.REFIT)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise EngineError(
            f"TensorRT cannot build the engine: {reason(trt)}", hint="use --engine torch"
        )
    return bytes(engine)


def typing_options(version: str) -> dict[str, Any]:
    """Return what makes torch-tensorrt keep to the network's own types.

    Strong typing is the only way since 2.13. 2.11 and 2.12 have it as an option, on by default,
    which refuses `enabled_precisions`, the way of those before.
    """
    return {} if minor(version) >= (2, 13) else {"use_explicit_typing": True}


def _torch_tensorrt(
    library: Library, path: Path, *, size: tuple[int, int], refittable: bool
) -> bytes:
    import torch

    from .onnx_module import OnnxModule
    from .planes import PlanarStyle

    bridge = load_bridge(library)
    # It warns of each optional package that it lacks, and logs an error before it raises it.
    logging.getLogger("torch_tensorrt").setLevel(logging.CRITICAL)
    device = torch.device("cuda", torch.cuda.current_device())
    style = PlanarStyle(OnnxModule(path)).half().eval().to(device)
    inputs = tuple(
        torch.zeros(shape, dtype=torch.float16, device=device)
        for shape in ((1, 3, *size), (1, 2 * style.channels, 1, 1))
    )
    try:
        with torch.no_grad():
            engine = bridge.dynamo.convert_exported_program_to_serialized_trt_engine(
                torch.export.export(style, inputs),
                arg_inputs=inputs,
                device=device,
                require_full_compilation=True,
                min_block_size=1,
                immutable_weights=not refittable,
                **typing_options(library.version),
            )
    except Exception as error:  # of one of its many kinds
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise EngineError(
            f"{library.built_by} cannot build the engine: {said[0]}",
            hint="use --engine torch; stylecam doctor checks the installation",
        ) from error
    return bytes(engine)
