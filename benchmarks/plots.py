"""Plots of one machine's rows, as PNG."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .benchmark import Row
from .peer_table import our_precision

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS: Final = ("#0b6e99", "#d9730d", "#448361", "#9065b0")
GREY: Final = "#787774"
LIVE_FPS: Final = 30
MOST_BINS: Final = 80
"""A histogram with more has bars too thin to see."""


def drawn(of_machine: dict[str, list[Row]]) -> list[str]:
    """Return the names of the plots that there are rows for."""
    held = {
        "speed": any(row["precision"] == "default" for row in of_machine.get("engine", [])),
        "latency": any("histogram" in row for row in of_machine.get("latency", [])),
        "peers": any(row["case"] == "network alone" for row in of_machine.get("peers", [])),
    }
    return [name for name, there in held.items() if there]


def draw_all(of_machine: dict[str, list[Row]], folder: Path) -> list[Path]:
    """Draw what there are rows for into `folder`; return the paths. Needs matplotlib."""
    figures = {folder / f"{name}.png": _PLOTS[name](of_machine) for name in drawn(of_machine)}
    for path, figure in figures.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Software": None})
    return [*figures]


def _speed(of_machine: dict[str, list[Row]]) -> Figure:
    """Frames a second against resolution, and what a pixel costs as pictures grow."""
    lines: dict[str, list[Row]] = {}
    for row in of_machine.get("engine", []):
        if row["precision"] == "default":
            lines.setdefault(row["description"].split(" on ")[0], []).append(row)
    figure, (speed, cost) = _figure(2)
    sizes: dict[int, str] = {}
    for colour, (name, found) in zip(COLOURS, lines.items(), strict=False):
        found.sort(key=_pixels)
        pixels = [_pixels(row) for row in found]
        sizes |= {_pixels(row): f"{row['width']}×{row['height']}" for row in found}
        style: dict[str, Any] = {"color": colour, "marker": "o", "markersize": 5, "label": name}
        speed.plot(pixels, [row["fps"] for row in found], **style)
        for row in found:
            _note(speed, f"{row['fps']:.0f}", (_pixels(row), row["fps"]), colour)
        per_pixel = [1e6 * row["ms_per_picture"] / _pixels(row) for row in found]
        cost.plot(pixels, per_pixel, **style)
    speed.axhline(LIVE_FPS, color=GREY, linestyle=":", linewidth=1)
    speed.text(min(sizes), LIVE_FPS * 1.06, f"live, {LIVE_FPS} fps", color=GREY, fontsize=8)
    speed.set(yscale="log", title="Speed: the network alone, frames a second")
    cost.set(ylim=(0, None), title="Growth: nanoseconds a pixel (flat: proportional)")
    for axes in (speed, cost):
        axes.set_xscale("log")
        axes.set_xticks([*sizes], [*sizes.values()], rotation=30, ha="right")
        axes.minorticks_off()
    speed.set_yticks(ticks := [10, 30, 100, 300, 1000], [str(tick) for tick in ticks])
    shown = [row["fps"] for found in lines.values() for row in found]
    speed.set_ylim(0.7 * min(shown), 1.7 * max(shown))
    cost.legend(frameon=False, loc="best", fontsize=8)
    return figure


def _latency(of_machine: dict[str, list[Row]]) -> Figure:
    """How long from a picture's birth to the sink, live at 30 fps."""
    found = [row for row in of_machine.get("latency", []) if row.get("histogram")]
    from .turns import BIN_MS

    figure, panels = _figure(len(found))
    for axes, colour, row in zip(panels, COLOURS, found, strict=False):
        last = row["histogram"][-1][0]
        width = BIN_MS * math.ceil((last / BIN_MS + 1) / MOST_BINS)
        bins: dict[float, int] = {}
        for edge, count in row["histogram"]:
            bins[width * (edge // width)] = bins.get(width * (edge // width), 0) + count
        axes.bar([*bins], [*bins.values()], width=width, align="edge", color=colour)
        spread = row["latency_ms"]
        for key in ("p50", "p99"):
            axes.axvline(spread[key], color=GREY, linestyle=":", linewidth=1)
            where = (spread[key], 1.0 if key == "p50" else 0.9)
            axes.annotate(
                f" {key} {spread[key]:.1f} ms",
                where,
                xycoords=("data", "axes fraction"),
                va="top",
                fontsize=8,
                color=GREY,
            )
        axes.set(
            xlim=(0, max(1.15 * last, 1000 / LIVE_FPS)),
            xlabel="ms from capture to sink",
            ylabel="pictures",
            title=f"Latency live at {LIVE_FPS} fps, {row['width']}×{row['height']}",
        )
    return figure


def _peers(of_machine: dict[str, list[Row]]) -> Figure:
    """How many times our time each peer takes, at each size."""
    found = [row for row in of_machine.get("peers", []) if row["case"] == "network alone"]
    sizes = sorted({(row["width"], row["height"]) for row in found})
    names = [*dict.fromkeys((row["peer"], row["runtime"]) for row in found)][::-1]
    figure, (axes,) = _figure(1, height=1.2 + 0.42 * len(names))
    thick = 0.8 / len(sizes)
    for at, ((width, height), colour) in enumerate(zip(sizes, COLOURS, strict=False)):
        here = [row for row in found if row["width"] == width]
        places = [names.index((r["peer"], r["runtime"])) + 0.4 - thick * (at + 0.5) for r in here]
        ratios = [row["ratio"] for row in here]
        bars = axes.barh(places, ratios, thick, color=colour, label=f"{width}×{height}")
        axes.bar_label(bars, [f" {ratio:.1f}×" for ratio in ratios], fontsize=8, color=GREY)
    ours = "/".join(sorted({our_precision(row) for row in found}))
    axes.axvline(1, color=GREY, linewidth=1)
    axes.set_yticks(range(len(names)), [f"{peer}, {runtime}" for peer, runtime in names])
    axes.set(xscale="log", title=f"Time of a picture, as a multiple of ours in {ours}")
    axes.set_xlim(min(0.8, *(row["ratio"] for row in found)), 2 * max(r["ratio"] for r in found))
    axes.set_xticks(ticks := [1, 3, 10, 30, 100], [f"{tick}×" for tick in ticks])
    axes.minorticks_off()
    axes.legend(frameon=False, loc="lower right", fontsize=8)
    return figure


_PLOTS: Final = {"speed": _speed, "latency": _latency, "peers": _peers}


def _figure(panels: int, *, height: float = 3.6) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, height), dpi=120, layout="constrained")
    made = [*figure.subplots(1, panels, squeeze=False)[0]]
    for axes in made:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="x" if height != 3.6 else "y", color="#e8e8e6", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.tick_params(labelsize=8, colors="#37352f")
        axes.title.set_size(10)
        axes.xaxis.label.set_size(9)
        axes.yaxis.label.set_size(9)
    return figure, made


def _note(axes: Axes, text: str, at: tuple[float, float], colour: str) -> None:
    axes.annotate(
        text, at, xytext=(0, 7), textcoords="offset points", ha="center", fontsize=8, color=colour
    )


def _pixels(row: Row) -> int:
    return int(row["height"] * row["width"])
