"""`stylecam bench quality`: how near a style is to its painting and its scene, and how steady.

The same protocol for any ONNX style, ours or not, through the engine that users run. No style was
trained on the photos and clips, but ours were on twelve pictures from the collection that the
clip `signing` is from: other people before the same camera, in the same room.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import cv2
import numpy as np
from stylecam.realtime import DEMO
from stylecam.realtime.cache import cache_folder
from stylecam.realtime.engines import EngineOptions, open_engine
from stylecam.realtime.errors import StylecamError, UsageError
from stylecam.realtime.pictures import Image
from stylecam.realtime.styles import Style, built_in, find

from . import stability
from .benchmark import Benchmark, Report, Row, parse_count
from .cards import network_sha256, write_card

if TYPE_CHECKING:
    from .coverage import Judge

HERE: Final = Path(__file__).parent
PHOTOS: Final = HERE / "photos"
PAINTINGS: Final = HERE.parent / "training" / "paintings"
ANIMATION: Final = HERE.parent / "tests" / "data" / "bbb_640x360_audio.mp4"
GAPS: Final = (1, 5)
CLIP_FRAMES: Final = 60


class Protocol:
    """Everything that is measured on, read and prepared once."""

    def __init__(self, *, frames: int = CLIP_FRAMES) -> None:
        from .perceptual import ShiftTolerantLPIPS

        if not ANIMATION.exists():
            raise StylecamError(
                f"{ANIMATION.name}, which quality is measured on, is not installed",
                hint="run it in a clone of the project",
            )
        self.photos = {path.stem: read_photo(path) for path in sorted(PHOTOS.glob("*.jpg"))}
        clips = [stability.read_clip(path) for path in (DEMO, ANIMATION)]
        clips.append(stability.camera_move(self.photos["colosseum"]))
        self.clips = [clip._replace(frames=clip.frames[:frames]) for clip in clips]
        self._flows = {
            (clip.name, gap): stability.flows(clip.frames, gap)
            for clip in self.clips
            for gap in GAPS
        }
        self._perceptual = ShiftTolerantLPIPS()

    def measure(
        self,
        style: Style,
        *,
        options: EngineOptions | None = None,
        judge: Judge | None = None,
        report: Callable[[str], None] = lambda text: None,
    ) -> dict[str, Any]:
        """Return the row of one style, with coverage and texture if there is a judge of those."""
        options = options or EngineOptions(precision="f32")
        row: dict[str, Any] = {"style": style.name, "network_sha256": network_sha256(style.path)}
        row["statistics"] = options.statistics
        report(f"{style.name}: clips")
        row["shimmer"], borders, errors, contrasts = {}, [], [], []
        for clip in self.clips:
            with painter(style, options, clip.frames[0]) as paint:
                painted = [paint(frame) for frame in clip.frames]
            contrasts.append(stability.contrast(clip.frames, painted))
            for gap in GAPS:
                moves = self._flows[clip.name, gap]
                found = stability.shimmer(clip.frames, painted, gap, moves)
                row["shimmer"][f"{clip.name} gap {gap}"] = round(found.ratio, 2)
                borders.append(found.border)
                errors.append(found.border_error)
        row["mean_shimmer"] = round(statistics.mean(row["shimmer"].values()), 2)
        row["contrast"] = round(statistics.mean(contrasts), 2)
        row["border"] = round(statistics.mean(borders), 2)
        row["border_error"] = round(statistics.mean(errors), 2)
        still = self.clips[0].frames[0]
        report(f"{style.name}: noise and far change")
        with painter(style, options, still) as paint:
            row["noise_gain"] = round(stability.noise_gain(paint, still), 2)
        with painter(style, options, still) as paint:
            row["far_change"] = round(stability.far_change(paint, still), 2)
        return row | self._likeness(style, options, judge, report)

    def _likeness(
        self,
        style: Style,
        options: EngineOptions,
        judge: Judge | None,
        report: Callable[[str], None],
    ) -> dict[str, Any]:
        from stylecam.training.pictures import to_tensor

        from .coverage import square

        coverages, textures, distances, shifted = [], [], [], []
        for name, photo in self.photos.items():
            report(f"{style.name}: {name}")
            view = square(photo)
            with painter(style, options, view) as paint:
                painted = paint(view)
                shifted.append(stability.shift_error(paint, view))
            distances.append(self._perceptual(to_tensor(view)[None], to_tensor(painted)[None]))
            if judge is not None:
                coverages.append(judge.coverage(view, painted))
                textures.append(judge.texture(view, painted))
        row: dict[str, Any] = {
            "st_lpips": round(statistics.mean(distances), 3),
            "shift_error": round(statistics.mean(shifted), 2),
        }
        if judge is not None:
            row["coverage"] = round(statistics.mean(coverages), 3)
            row["worst_coverage"] = round(min(coverages), 3)
            row["texture"] = round(statistics.mean(textures), 3)
        return row


@contextlib.contextmanager
def painter(style: Style, options: EngineOptions, like: Image) -> Iterator[stability.Painter]:
    """Open an engine for pictures of the size of `like`, one clip long."""
    height, width = like.shape[:2]
    engine = open_engine(options, style, height=height, width=width, live=True)
    with contextlib.closing(engine):
        yield lambda image: engine.submit(image).result().copy()


def painting_of(style: Style) -> Path | None:
    """Return the painting that a built-in style was trained on."""
    path = PAINTINGS / f"{style.name}.jpg"
    return path if path.exists() else None


def with_constant(path: Path, name: str, values: Any, out: Path) -> Path:
    """Write a copy of an ONNX network whose input `name` is fixed: one of its many styles."""
    import onnx

    model = onnx.load(path)
    kept = [value for value in model.graph.input if value.name != name]
    del model.graph.input[:]
    model.graph.input.extend(kept)
    constant = onnx.numpy_helper.from_array(np.asarray(values, np.float32), name)
    model.graph.initializer.append(constant)
    onnx.save(model, out)
    return out


def read_photo(path: Path) -> Image:
    """Return a picture of this repository, uint8 RGB (H, W, 3)."""
    # Not cv2.imread: it cannot open names outside ASCII on Windows.
    bgr = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    assert bgr is not None, path
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8)


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--style", help="[all that are built in]")
    parser.add_argument("--painting", type=Path, help="what --style is to look like")
    parser.add_argument(
        "--long-side", type=parse_count, help="of the painting [its card's, or 768]"
    )
    parser.add_argument("--statistics", choices=("smoothed", "frame"), default="smoothed")
    parser.add_argument(
        "--one-of",
        type=_parse_one,
        metavar="INPUT:N:I",
        help="a network of N styles: take style I",
    )
    parser.add_argument("--name", help="what to call --style in the row [its own name]")
    parser.add_argument("--cards", action="store_true", help="write the figures into the cards")


class OneOf(NamedTuple):
    """Which of a network's styles: the input that chooses, how many it has, and the number."""

    name: str
    many: int
    number: int


def _parse_one(text: str) -> OneOf:
    """Return what "INPUT:N:I" means, I from 0."""
    name, many, index = [*text.rsplit(":", 2), "", ""][:3]
    if not (name and many.isdecimal() and index.isdecimal() and int(index) < int(many)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a choice INPUT:N:I, as in style:12:0")
    return OneOf(name, int(many), int(index))


def _measure(options: argparse.Namespace, report: Report) -> list[Row]:
    if options.painting and not options.style:
        raise UsageError(
            "--painting is what one style is to look like",
            hint=f"--style my.onnx --painting {options.painting}",
        )
    if options.cards and options.statistics != "smoothed":
        raise UsageError(
            "cards hold the figures of what users run, with smoothed statistics",
            hint="leave out --cards or --statistics",
        )
    with tempfile.TemporaryDirectory() as folder:
        styles = [find(options.style)] if options.style else built_in()
        if options.one_of:
            one: OneOf = options.one_of
            chosen = [float(index == one.number) for index in range(one.many)]
            out = Path(folder) / f"{styles[0].path.stem}-{one.number}.onnx"
            styles = [find(str(with_constant(styles[0].path, one.name, chosen, out)))]
        asked = {"style": options.name, "long_side": options.long_side}
        asked["painting"] = options.painting and options.painting.name
        asked = {key: value for key, value in asked.items() if value}
        protocol: Protocol | None = None
        measured = []
        for style in styles:
            judge = _judge(style, options)  # first: what takes minutes is not done for nothing
            protocol = protocol or Protocol()
            row = protocol.measure(
                style,
                options=EngineOptions(precision="f32", statistics=options.statistics),
                judge=judge,
                report=report,
            )
            measured.append(row | asked)
            if options.cards:
                write_card(style, row)
    return measured


def _judge(style: Style, options: argparse.Namespace) -> Judge | None:
    """Return what compares a style with its painting, or with the one that is asked for; None when
    there is neither. Raises UsageError when that is not a picture.
    """
    painting = options.painting or painting_of(style)
    if painting is None:
        return None
    from stylecam.training.errors import TrainingError

    from .coverage import Judge

    long_side = options.long_side or style.card.get("painting_long_side", 768)
    try:
        return Judge(painting, long_side=long_side, cache=cache_folder("quality") / "best.json")
    except (TrainingError, FileNotFoundError) as error:
        raise UsageError(str(error)) from error


BENCHMARK: Final = Benchmark(
    _arguments,
    _measure,
    keys=("style", "statistics"),
    columns=(
        *("style", "statistics", "coverage", "worst_coverage", "texture", "st_lpips"),
        *("mean_shimmer", "shift_error", "noise_gain", "far_change", "border", "border_error"),
    ),
)
