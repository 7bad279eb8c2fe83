"""As much of TensorRT's Python interface as stylecam uses, computing on the CPU with OpenVINO.

`FakeTensorRT` stands for the module. An engine is the ONNX model it was built of.
"""

from __future__ import annotations

import ctypes
import enum
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import openvino as ov
from onnx import numpy_helper


class Mode(enum.Enum):
    INPUT = 0
    OUTPUT = 1


class ILogger:
    INTERNAL_ERROR, ERROR, WARNING = 0, 1, 2

    def log(self, severity: int, message: str) -> None:
        raise NotImplementedError


class FakeTensorRT:
    """`refittable`: "yes", "no" when builders cannot make such engines, "wrong" when those that
    they make compute something else, as TensorRT 11.3 may, "refused" when they take no weights,
    "spoilt" when they compute something else once they were given some. `compiles`: engines do so
    where they run, as TensorRT-RTX's. `broken`: what it cannot make.
    """

    __version__ = "99.1"
    ILogger, TensorIOMode = ILogger, Mode
    DataType = SimpleNamespace(HALF="half")
    BuilderFlag = SimpleNamespace(REFIT="refit", REQUIRE_USER_ALLOCATION="allocates nothing")
    NetworkDefinitionCreationFlag = SimpleNamespace(STRONGLY_TYPED=1)

    def __init__(
        self, refittable: str = "yes", *, compiles: bool = False, broken: tuple[str, ...] = ()
    ) -> None:
        self._refittable, self._compiles, self._broken = refittable, compiles, broken
        self.builds: list[bool] = []
        """Of each engine built, whether it was asked to be refittable."""
        self.refits = 0
        self.compiled = 0
        """How many contexts had to be compiled for."""

    def _check(self, kind: str, log: Any) -> None:
        if kind in self._broken:
            log.log(ILogger.ERROR, "CUDA initialization failure")
            raise TypeError("pybind11::init(): factory function returned nullptr")

    def Builder(self, log: Any) -> Any:  # noqa: N802 - as TensorRT calls it
        self._check("Builder", log)

        def build(network: Any, config: Any) -> bytes | None:
            assert "allocates nothing" in config.flags, "cannot be captured"
            refit = "refit" in config.flags
            self.builds.append(refit)
            if refit and self._refittable == "no":
                log.log(ILogger.ERROR, "no refit  today")
                return None
            kind = b"R" if refit else b"P"
            return kind + (b"W" if refit and self._refittable == "wrong" else b"G") + network.model

        def configure() -> Any:
            flags: set[str] = set()
            return SimpleNamespace(flags=flags, set_flag=flags.add)

        return SimpleNamespace(
            create_network=lambda flags: SimpleNamespace(model=b"", flags=flags),
            create_builder_config=configure,
            build_serialized_network=build,
        )

    def OnnxParser(self, network: Any, log: Any) -> Any:  # noqa: N802
        def parse(model: bytes) -> bool:
            network.model = model
            return True

        return SimpleNamespace(parse=parse, num_errors=0)

    def Runtime(self, log: Any) -> Any:  # noqa: N802
        self._check("Runtime", log)
        engine = partial(_CompilingEngine, self) if self._compiles else _Engine
        return SimpleNamespace(deserialize_cuda_engine=engine)

    def Weights(self, array: Any) -> Any:  # noqa: N802
        return array

    def Refitter(self, engine: _Engine, log: Any) -> Any:  # noqa: N802
        self._check("Refitter", log)

        def take(name: str, array: Any) -> bool:
            given[name] = array.copy()
            return self._refittable != "refused"

        def refit() -> bool:
            self.refits += 1
            engine.refit(given)
            engine.wrong = engine.wrong or self._refittable == "spoilt"
            return True

        given: dict[str, Any] = {}
        names = [tensor.name for tensor in engine.model.graph.initializer]
        return SimpleNamespace(
            get_all_weights=lambda: names,
            get_missing_weights=lambda: [],
            set_named_weights=take,
            refit_cuda_engine=refit,
        )


class _Engine:
    def __init__(self, data: bytes) -> None:
        self.refittable = data[:1] == b"R"
        self.wrong = data[1:2] == b"W"
        self.model = onnx.load_from_string(data[2:])
        graph = self.model.graph
        self._ports = [(port, Mode.INPUT) for port in graph.input]
        self._ports += [(port, Mode.OUTPUT) for port in graph.output]
        self.num_io_tensors = len(self._ports)
        self.refit({})

    def refit(self, given: dict[str, Any]) -> None:
        for tensor in self.model.graph.initializer:
            if tensor.name in given:
                tensor.CopyFrom(numpy_helper.from_array(given[tensor.name], tensor.name))
        model = ov.Core().read_model(self.model.SerializeToString())
        self._compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def get_tensor_name(self, index: int) -> str:
        return str(self._ports[index][0].name)

    def _port(self, name: str) -> tuple[Any, Mode]:
        return next(port for port in self._ports if port[0].name == name)

    def get_tensor_mode(self, name: str) -> Mode:
        return self._port(name)[1]

    def get_tensor_shape(self, name: str) -> list[int]:
        return [dim.dim_value for dim in self._port(name)[0].type.tensor_type.shape.dim]

    def get_tensor_dtype(self, name: str) -> str:
        return "half"

    def create_execution_context(self) -> Any:
        addresses: dict[str, int] = {}

        def memory(name: str) -> Any:
            shape = self.get_tensor_shape(name)
            kind = ctypes.c_uint16 * int(np.prod(shape))
            return np.frombuffer(kind.from_address(addresses[name]), np.float16).reshape(shape)

        def execute(stream: int) -> bool:
            given = {name: memory(name) for name in addresses if name != "painting"}
            painting = next(iter(self._compiled(given).values()))
            memory("painting")[:] = painting * (0.5 if self.wrong else 1)
            return True

        return SimpleNamespace(set_tensor_address=addresses.__setitem__, execute_async_v3=execute)


class _CompilingEngine(_Engine):
    """Whose kernels are compiled for each context, unless its cache holds them."""

    def __init__(self, trt: FakeTensorRT, data: bytes) -> None:
        super().__init__(data)
        self._trt = trt

    def create_runtime_config(self) -> Any:
        return _Config()

    def create_execution_context(self, config: _Config | None = None) -> Any:
        cache = config.cache if config is not None else None
        if cache is None or not cache.kernels:
            self._trt.compiled += 1
        if cache is not None:
            cache.kernels = b"kernels"
        return super().create_execution_context()


class _Config:
    cache: _Cache | None = None

    def create_runtime_cache(self) -> _Cache:
        return _Cache()

    def set_runtime_cache(self, cache: _Cache) -> bool:
        self.cache = cache
        return True


class _Cache:
    kernels = b""

    def deserialize(self, blob: bytes) -> bool:
        fits = blob == b"kernels"
        self.kernels = blob if fits else b""
        return fits

    def serialize(self) -> bytes:
        return self.kernels
