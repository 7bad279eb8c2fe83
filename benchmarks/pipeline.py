"""How fast the whole tool is: file to file, and live from a source of fixed rate."""

from __future__ import annotations

import argparse
import itertools
import tempfile
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
from rich.console import Console
from stylecam.realtime import DEMO
from stylecam.realtime.colour import BT709
from stylecam.realtime.engines import EngineOptions, open_engine
from stylecam.realtime.fit import fit
from stylecam.realtime.job import FileOptions, Look
from stylecam.realtime.pictures import Converter
from stylecam.realtime.pipeline import run
from stylecam.realtime.sinks import NullSink, Sink
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.realtime.stats import Stats
from stylecam.realtime.styles import DEFAULT, Style, find
from stylecam.realtime.stylize import stylize_file
from stylecam.realtime.threads import Threads

from .benchmark import Benchmark, Report, Row, parse_count, parse_seconds, parse_sizes
from .memory import in_new_process, peak_memory_mb
from .turns import chunk_medians, histogram, in_ms


def file_to_file(clip: Path, look: Look, *, rounds: int = 5) -> Row:
    """Stylize `clip` into a temporary file `rounds` times; the row is the median run's."""
    outcomes = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            output = Path(folder) / "out.mp4"
            options = FileOptions(force=True)
            outcome = stylize_file(clip, output, look, console=Console(quiet=True), options=options)
            outcomes.append(outcome)
    by_round = [1000 / outcome.stats.fps for outcome in outcomes]
    outcomes.sort(key=lambda outcome: outcome.stats.fps)
    median = outcomes[len(outcomes) // 2]
    with av.open(str(clip)) as container:
        picture = container.streams.video[0]
        height, width = picture.height, picture.width
    return {
        "case": "file to file",
        "clip": clip.name,
        "height": height,
        "width": width,
        "style": look.style.name,
        "size": look.size or "own",
        "engine": median.engine,
        "rounds": rounds,
        "peak_memory_mb": peak_memory_mb(),
        "by_round": {"ms_per_frame": [round(ms, 3) for ms in by_round]},
        **median.stats.summary(),
    }


def live(
    style: Style,
    *,
    height: int = 360,
    width: int = 640,
    fps: int = 30,
    seconds: float = 10.0,
    engine: str = "auto",
) -> Row:
    """Run a test pattern of `fps` as if live; latency is from its birth to the sink."""
    threads = Threads()
    source = PatternSource(height, width, fps=Fraction(fps), live=True, sleep=threads.sleep)
    stats, description = run_live(
        source, NullSink(), style, engine=engine, threads=threads, seconds=seconds
    )
    return {
        "case": f"live at {fps} fps",
        "height": height,
        "width": width,
        "style": style.name,
        "engine": description,
        "peak_memory_mb": peak_memory_mb(),
        "histogram": histogram([*stats.stages["latency"]]),
        "by_round": {"latency": in_ms(chunk_medians([*stats.stages["latency"]]))},
        **stats.summary(),
    }


def run_live(
    source: PatternSource,
    sink: Sink,
    style: Style,
    *,
    engine: str,
    threads: Threads,
    seconds: float,
) -> tuple[Stats, str]:
    """Run a live source through a warm engine; return what was counted, and the engine's name."""
    stats, into = Stats(), fit(source.info.height, source.info.width)
    height, width = into.padded
    options = EngineOptions(engine)
    with closing(open_engine(options, style, height=height, width=width, live=True)) as opened:
        first = source.image(0)  # allocates
        picture = Converter().to_planes(first, BT709) if opened.planar else first
        opened.submit(into.to_network(picture)).result()
        with threads:
            run(source, opened, [sink], fit=into, threads=threads, stats=stats, seconds=seconds)
        return stats, opened.description


def enlarged(clip: Path, height: int, folder: Path, *, frames: int | None = None) -> Path:
    """Write `clip`, or its beginning, in H.264 at another height, its shape kept, without sound;
    return its path.
    """
    with av.open(str(clip)) as given:
        stream = given.streams.video[0]
        width = 2 * round(stream.width * height / stream.height / 2)
        path = folder / f"{clip.stem.rsplit('_', 1)[0]}_{width}x{height}.mp4"
        with av.open(str(path), "w") as made:
            out = made.add_stream("libx264", rate=stream.average_rate)
            out.width, out.height, out.pix_fmt = width, height, "yuv420p"
            out.options = {"preset": "veryfast", "crf": "18"}
            scale = av.video.reformatter.VideoReformatter()
            for frame in itertools.islice(given.decode(stream), frames):
                scaled = scale.reformat(frame, width, height, "yuv420p", interpolation="BICUBIC")
                scaled.pict_type = av.video.frame.PictureType.NONE
                made.mux(out.encode(scaled))
            made.mux(out.encode())
    return path


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("clip", nargs="?", type=Path, help="[the bundled one, and it at 1280x720]")
    parser.add_argument("--style", default=DEFAULT, help="[%(default)s]")
    parser.add_argument("--size", help="working size [the clip's own]")
    parser.add_argument(
        "--live-sizes", type=parse_sizes, default="640x360,1280x720", help="[%(default)s]"
    )
    parser.add_argument(
        "--rounds", type=parse_count, default=5, help="of file to file [%(default)s]"
    )
    parser.add_argument(
        "--seconds", type=parse_seconds, default=10.0, help="of a live run [%(default)s]"
    )


def _measure(options: argparse.Namespace, report: Report) -> list[Row]:
    style, measured = find(options.style), []
    look = Look(style, size=options.size, engine=EngineOptions())
    with tempfile.TemporaryDirectory() as folder:
        clips = [options.clip] if options.clip else [DEMO, enlarged(DEMO, 720, Path(folder))]
        for clip in clips:
            report(f"file to file, {clip.name}")
            measured.append(in_new_process(file_to_file, clip, look, rounds=options.rounds))
    for height, width in options.live_sizes:
        report(f"live, {width}x{height}")
        measured.append(
            in_new_process(live, style, height=height, width=width, seconds=options.seconds)
        )
    return measured


BENCHMARK: Final = Benchmark(
    _arguments,
    _measure,
    keys=("case", "clip", "size", "height", "width", "style"),
    columns=(
        *("case", "clip", "picture", "engine", "frames", "fps", "dropped", "latency"),
        "peak_memory_mb",
    ),
    judged=("ms_per_frame", "latency"),
)
