"""OpenVINO: the engine for any CPU, and for Intel GPUs and NPUs."""

from __future__ import annotations

import platform
from collections import deque
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..cache import cache_folder, drop_unused
from ..errors import EngineError, StyleError
from ..machine import usable_cores
from ..pictures import Image
from ..styles import Style
from .openvino_library import load
from .statistics import SmoothedStatistics

if TYPE_CHECKING:
    import openvino as ov

    from . import EngineOptions
    from .openvino_requests import Request

MOST_STREAMS: Final = 4
_KEPT_BYTES: Final = 256_000_000
_MEASURE_CONFIG: Final = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
"""Variances lose too much in bfloat16."""


class OpenVINOEngine:
    """A style compiled for one size: several streams for files, one fast one when live."""

    planar = False
    _free: deque[ov.InferRequest]

    def __init__(
        self, options: EngineOptions, style: Style, *, height: int, width: int, live: bool
    ) -> None:
        ov = load()
        core, device = ov.Core(), _device(options)
        model = _read(core, style)
        if not style.native:
            from .foreign import adapt

            model = adapt(model, height=height, width=width, value_range=options.style_range)
        precision = _precision(options, style, core)
        streams = file_streams(usable_cores()) if device == "CPU" and not live else None
        self.depth = 3 if streams is None else streams + 1
        config = _config(precision, streams, live=live) | (_cached() if style.native else {})
        self.statistics: SmoothedStatistics | None = None
        try:
            model.reshape({0: [1, height, width, 3]})
            # For one picture rewriting takes longer than it saves; 8 bits need the border so.
            clip = options.statistics == "smoothed" and style.native
            if clip or (precision == "int8" and style.native):
                from .openvino_border import with_fixed_border

                model = with_fixed_border(model)
            if clip:
                if device == "CPU" and _is_x86():
                    from .openvino_layout import with_fast_layout

                    model = with_fast_layout(model, doubling=precision != "bf16")
                model = self._carry_statistics(core, model, device, precision)
            elif precision == "int8":
                from .openvino_int8 import in_8_bits

                model = in_8_bits(model)
            self._compiled = _compiled(core, model, device, config)
        except RuntimeError as error:
            raise EngineError(
                f"OpenVINO cannot build {style.name} for {device} at {width}x{height}",
                hint=f"devices here: {', '.join(core.available_devices)}; "
                f"it says: {_last_line(error)}",
            ) from error
        self._output_shape = tuple(self._compiled.output(0).shape)
        self._free = deque(self._compiled.create_infer_request() for _ in range(self.depth))
        self.description = "OpenVINO " + self._describe(core, device, precision)

    def _describe(self, core: ov.Core, device: str, precision: str | None) -> str:
        try:
            name = core.get_property(device, "FULL_DEVICE_NAME").strip()
            if precision != "int8":
                precision = self._compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        except RuntimeError:  # AUTO, HETERO and others that choose have no name of their own
            return f"on {device}"
        return f"{precision} on {name}"

    def _carry_statistics(
        self, core: ov.Core, model: ov.Model, device: str, precision: str | None
    ) -> ov.Model:
        """Return the network with statistics for a second input if it has norms, and measure them
        with another.
        """
        from .openvino_requests import Measuring
        from .openvino_statistics import giving_statistics, is_normalised, taking_statistics

        if precision == "int8":
            from .openvino_int8 import in_8_bits

            # Measured in 8 bits too: those are the features that are to be normalised.
            model = in_8_bits(model)
        if is_normalised(model):
            # NPUs compute in float16 at most, and measuring is rare.
            place = "CPU" if device.startswith("NPU") else device
            measure = core.compile_model(giving_statistics(model), place, _MEASURE_CONFIG)
            self.statistics = SmoothedStatistics(Measuring(measure.create_infer_request()))
        return model if self.statistics is None else taking_statistics(model)

    def submit(self, picture: Image, strength: float = 1.0) -> Request:
        """Start on (H, W, 3); it must stay unchanged until the result is taken."""
        from .openvino_requests import Request

        if not self._free:
            raise EngineError(f"more than {self.depth} pictures under way")
        image = np.ascontiguousarray(picture)
        statistics = None if self.statistics is None else self.statistics.step(image)
        return Request(self._free, image[np.newaxis], self._output_shape, statistics)

    def close(self) -> None:
        """Wait for a measurement under way, drop the network; callers wait for their requests."""
        self._free.clear()
        if self.statistics is not None:
            self.statistics.settle()
        self.statistics = self._compiled = None


def _device(options: EngineOptions) -> str:
    return (options.device or "CPU").upper()


def _read(core: ov.Core, style: Style) -> ov.Model:
    try:
        return core.read_model(style.path)
    except RuntimeError as error:
        raise StyleError(
            f"{style.path} cannot be read as an ONNX model",
            hint=f"OpenVINO says: {_last_line(error)}",
        ) from error


def _config(precision: str | None, streams: int | None, *, live: bool) -> dict[str, Any]:
    """Return what OpenVINO is to compile for."""
    config: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY" if live else "THROUGHPUT"}
    if precision:
        # In bfloat16, what is left beside 8 bits is slower: doubling, by twenty times.
        config["INFERENCE_PRECISION_HINT"] = "f32" if precision == "int8" else precision
    if streams is not None:
        config["NUM_STREAMS"] = streams
    return config


def _precision(options: EngineOptions, style: Style, core: ov.Core) -> str | None:
    """Return what convolutions are computed in; None is the device's own choice.

    A clip is painted in 8 bits where the processor has instructions for them: one and a half times
    as fast, and nearer to float than an eye can tell. A single picture is worth the time.
    """
    device = _device(options)
    if options.precision == "int8" and not (style.native and device == "CPU"):
        raise EngineError(
            f"{style.name} cannot be computed in int8 on {device}",
            hint="int8 is for stylecam's own styles on a CPU; leave --precision out",
        )
    if options.precision or not style.native or options.statistics == "frame":
        # Left alone, OpenVINO takes float16 on ARM, in which the variances of norms are too coarse.
        exact = None if device != "CPU" or _is_x86() else "f32"
        return options.precision or exact
    return "int8" if paints_in_8_bits(core, device) else None


def paints_in_8_bits(core: ov.Core, device: str) -> bool:
    """Whether stylecam's own styles are computed in int8 there unless something else is asked."""
    able = device == "CPU" and _is_x86()
    return able and "INT8" in core.get_property(device, "OPTIMIZATION_CAPABILITIES")


def file_streams(cores: int) -> int:
    """How many pictures of a file are painted at once.

    One to two cores is faster than each by both, as no thread waits for another
    (docs/architecture.md has the figures). With more cores there are two to a picture, and four
    pictures at most: each takes memory, and the encoder wants cores too.
    """
    return max(2, min(cores // 2, MOST_STREAMS))


def _compiled(
    core: ov.Core, model: ov.Model, device: str, config: dict[str, Any]
) -> ov.CompiledModel:
    """Compile; without the cache where that cannot be used, as on Windows in the folder of a user
    whose name is not of ASCII (github.com/openvinotoolkit/openvino/issues/23072).
    """
    try:
        return core.compile_model(model, device, config)
    except RuntimeError:
        if "CACHE_DIR" not in config:
            raise
    return core.compile_model(
        model, device, {name: value for name, value in config.items() if name != "CACHE_DIR"}
    )


def _cached() -> dict[str, Any]:
    """Return where compiled networks are kept, about 1 MB each: opening one again takes a third
    less. OpenVINO knows them by all that they are made of, and compiles anew what is broken. It
    deletes none, and photos of many sizes make many.
    """
    try:
        folder = cache_folder("openvino")
        drop_unused(folder.glob("*.blob"), _KEPT_BYTES)
        return {"CACHE_DIR": str(folder)}
    except OSError:  # no home that can be written to
        return {}


def _is_x86() -> bool:
    return platform.machine() in ("x86_64", "AMD64")


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
