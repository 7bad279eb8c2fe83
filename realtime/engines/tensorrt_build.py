"""Building a style as one TensorRT engine in float16, for one size.

With torch-tensorrt, the network of `planes.py` is exported and converted whole; without it,
TensorRT's own parser reads `half_onnx.py`. Either way the engine computes in the types of the
network, as TensorRT since 10.14 does for torch-tensorrt 2.11 and newer: float16 is not a flag.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from ..errors import EngineError
from .environment import minor
from .tensorrt_library import Library, load_bridge, log_of, make, reason

LOGS: Final = ("torch_tensorrt [TensorRT Conversion Context]", "torch_tensorrt")
"""Where TensorRT within the bridge logs, and the bridge itself: the former knows the reason."""


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
    builder = make(trt, "Builder")
    typed = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    network = builder.create_network(0 if typed is None else 1 << int(typed))
    parser = trt.OnnxParser(network, log)
    if not parser.parse(model):
        said = "; ".join(parser.get_error(i).desc() for i in range(parser.num_errors))
        raise EngineError(f"TensorRT cannot read the style: {said}", hint="use --engine torch")
    config = builder.create_builder_config()
    if refittable:
        config.set_flag(trt.BuilderFlag.REFIT)
    # TensorRT-RTX may otherwise allocate while it runs, which a CUDA graph cannot hold.
    capturable = getattr(trt.BuilderFlag, "REQUIRE_USER_ALLOCATION", None)
    if capturable is not None:
        config.set_flag(capturable)
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

    device = torch.device("cuda", torch.cuda.current_device())
    style = PlanarStyle(OnnxModule(path)).half().eval().to(device)
    inputs = tuple(
        torch.zeros(shape, dtype=torch.float16, device=device)
        for shape in ((1, 3, *size), (1, 2 * style.channels, 1, 1))
    )
    return convert(library, style, inputs, refittable=refittable)


def convert(library: Library, style: Any, inputs: tuple[Any, ...], *, refittable: bool) -> bytes:
    """Return the engine that the bridge makes of a module with these inputs, on their device.

    Raises EngineError with what TensorRT, else the bridge, logged last; 2.11 raises nothing that
    tells why.
    """
    import torch

    with errors_logged() as errors:
        bridge = load_bridge(library)
        try:
            with torch.no_grad():
                engine = bridge.dynamo.convert_exported_program_to_serialized_trt_engine(
                    torch.export.export(style, inputs),
                    arg_inputs=inputs,
                    device=inputs[0].device,
                    require_full_compilation=True,
                    min_block_size=1,
                    immutable_weights=not refittable,
                    **typing_options(library.version),
                )
        except Exception as error:  # of one of its many kinds
            told = [text for name in LOGS for text in errors[name][-1:]]
            told += [str(error), type(error).__name__]
            said = next(text.strip().splitlines()[0] for text in told if text.strip())
            raise EngineError(
                f"{library.built_by} cannot build the engine: {said}",
                hint="use --engine torch; stylecam doctor checks the installation",
            ) from error
    return bytes(engine)


class _Listener(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


@contextmanager
def errors_logged() -> Iterator[dict[str, list[str]]]:
    """Collect the errors that go to each of `LOGS` in the block, and show nothing of these logs:
    the bridge warns of each optional package that it lacks.
    """
    listeners = {name: _Listener() for name in LOGS}
    before = {}
    for name, listener in listeners.items():
        log = logging.getLogger(name)
        before[log] = log.level, log.propagate, listener
        log.setLevel(logging.ERROR)
        log.propagate = False
        log.addHandler(listener)
    try:
        yield {name: listener.said for name, listener in listeners.items()}
    finally:
        for log, (level, propagate, listener) in before.items():
            log.removeHandler(listener)
            log.propagate = propagate
            log.setLevel(level)
