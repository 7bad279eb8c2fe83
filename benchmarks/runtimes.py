"""Networks under the runtimes that people use, each at the best of its settings."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from stylecam.realtime.engines.openvino_library import load
from stylecam.realtime.machine import usable_cores

from .machine import cpu_features
from .turns import seconds

FloatPicture = npt.NDArray[np.float32]


SLOW_S: Final = 1.0
"""A network whose pictures take longer is warmed up by each request's first picture alone, and by
the turn that does not count."""
TRIALS: Final = 3
"""Bursts of each setting; the least decides."""


class Network(NamedTuple):
    """A network to be timed: ONNX, float (1, 3, H, W) in and out; torch's module if there is one,
    and whether torch is to compile it; inputs besides the picture; and versions of where it comes
    from.
    """

    name: str
    path: Path
    module: Any = None
    compiled: bool = False
    inputs: dict[str, npt.NDArray[np.float32]] = {}  # noqa: RUF012 - never changed
    versions: dict[str, str] = {}  # noqa: RUF012 - never changed


class Setting(NamedTuple):
    """One way to run a network: the runtime, what was set, what opens it for a size, and how many
    pictures it computes side by side.
    """

    runtime: str
    words: str
    open: Callable[[Network, int, int], Run]
    streams: int = 1

    @property
    def precision(self) -> str:
        """What it computes in: the last of its words."""
        return self.words.split(", ")[-1]


Run = Callable[[int], object]
"""Computes that many pictures."""


class Best:
    """A network under one runtime, opened with the setting that was fastest."""

    def __init__(self, network: Network, setting: Setting, height: int, width: int) -> None:
        self.network, self.setting = network, setting
        self._run = setting.open(network, height, width)
        self.picture_s = self.time(self.pictures)  # started together: a picture for each request
        if self.picture_s < SLOW_S:
            self.picture_s = self.time(self.pictures)

    @property
    def pictures(self) -> int:
        """The fewest pictures that keep all requests equally busy."""
        return self.setting.streams

    def time(self, pictures: int) -> float:
        """Return seconds a picture."""
        return seconds(lambda: self._run(pictures)) / pictures


def settings(runtime: str, *, compiled: bool = False) -> list[Setting]:
    """Return the settings worth trying on this machine, of "torch", "ONNX Runtime", "OpenVINO".

    All use every core; fewer never won. bfloat16 is tried where the processor has it, torch also
    `compiled` if asked.
    """
    low = any("bf16" in feature for feature in cpu_features() or ())
    precisions = ("f32", "bf16") if low else ("f32",)
    made: dict[str, list[Setting]] = {
        "torch": [
            Setting(runtime, f"{how}{layout}, {precision}", _torch(how, layout, precision))
            for how in ("", *((_COMPILED,) if compiled else ()))
            for layout in ("contiguous", "channels last")
            for precision in precisions
        ],
        "ONNX Runtime": [
            Setting(runtime, f"{level}, f32", _onnxruntime(level)) for level in _ORT_LEVELS
        ],
        "OpenVINO": [
            Setting(runtime, f"{hint}, {precision}", _openvino(streams, precision), streams)
            for hint, streams in (("latency", 1), ("two streams", 2))
            for precision in precisions
        ],
    }
    return made[runtime] if is_installed(runtime) else []


def is_installed(runtime: str) -> bool:
    """Whether a runtime can be imported."""
    return importlib.util.find_spec(_MODULES[runtime]) is not None


def best_setting(network: Network, runtime: str, height: int, width: int) -> Setting | None:
    """Try every setting, warm, for a few bursts, and return that of the fastest burst; None when
    the runtime cannot run the network here.
    """
    choices = settings(runtime, compiled=network.compiled)
    if runtime == "torch" and network.module is None:
        return None
    if len(choices) < 2:
        return choices[0] if choices else None
    timed = []
    for setting in choices:
        opened = Best(network, setting, height, width)
        timed.append(min(opened.time(2) for _ in range(TRIALS)))
    return choices[timed.index(min(timed))]


def picture(height: int, width: int) -> FloatPicture:
    """Return noise of a picture's shape; a network's speed does not depend on what it sees."""
    return np.random.default_rng(0).random((1, 3, height, width), dtype=np.float32)


def why_not_compiled() -> str | None:
    """Return why torch.compile does not work here, as without a C++ compiler; None if it does."""
    import torch

    try:
        with torch.inference_mode():
            torch.compile(torch.nn.ReLU())(torch.zeros(8))
    except Exception as error:  # of many kinds: its own, the compiler's, the system's
        return str(error).strip().splitlines()[0] or type(error).__name__
    return None


_COMPILED: Final = "compiled, "
_MODULES: Final = {"torch": "torch", "ONNX Runtime": "onnxruntime", "OpenVINO": "openvino"}
_ORT_LEVELS: Final = {"blocked layout": "ORT_ENABLE_ALL", "plain layout": "ORT_ENABLE_EXTENDED"}


def _torch(how: str, layout: str, precision: str) -> Callable[[Network, int, int], Run]:
    def opened(network: Network, height: int, width: int) -> Run:
        import torch

        torch.set_num_threads(usable_cores())
        kept = torch.channels_last if layout == "channels last" else torch.contiguous_format
        module = network.module.to(memory_format=kept)
        if how == _COMPILED:
            module = _compiled(module)
        x_NCHW = torch.from_numpy(picture(height, width)).contiguous(memory_format=kept)

        def run(pictures: int) -> None:
            low = torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16")
            with torch.inference_mode(), low:
                for _ in range(pictures):
                    module(x_NCHW)

        return run

    return opened


def _compiled(module: Any) -> Any:
    import torch
    import torch._dynamo

    # All networks and sizes count as one function's; from the ninth on it would not compile.
    torch._dynamo.config.recompile_limit = 100
    return torch.compile(module, dynamic=False, fullgraph=True)  # each size has its own kernels


def _onnxruntime(level: str) -> Callable[[Network, int, int], Run]:
    def opened(network: Network, height: int, width: int) -> Run:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = usable_cores()
        options.log_severity_level = 3
        options.graph_optimization_level = getattr(
            onnxruntime.GraphOptimizationLevel, _ORT_LEVELS[level]
        )
        providers = ["CPUExecutionProvider"]
        session = onnxruntime.InferenceSession(str(network.path), options, providers=providers)
        feeds = network.inputs | {session.get_inputs()[0].name: picture(height, width)}

        def run(pictures: int) -> None:
            for _ in range(pictures):
                session.run(None, feeds)

        return run

    return opened


def _openvino(streams: int, precision: str) -> Callable[[Network, int, int], Run]:
    def opened(network: Network, height: int, width: int) -> Run:
        ov = load()
        core = ov.Core()
        model = core.read_model(network.path)
        model.reshape({model.input(0): [1, 3, height, width]})
        config: dict[str, Any] = {"INFERENCE_PRECISION_HINT": precision}
        if streams > 1:
            config |= {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": streams}
        else:
            config |= {"PERFORMANCE_HINT": "LATENCY"}
        compiled = core.compile_model(model, "CPU", config)
        queue = ov.AsyncInferQueue(compiled, streams)
        feeds: Any = {0: picture(height, width)} | network.inputs

        def run(pictures: int) -> None:
            for _ in range(pictures):
                queue.start_async(feeds)
            queue.wait_all()

        return run

    return opened
