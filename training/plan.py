"""What is to be trained, from what and for how long, as the command line asks for it."""

from __future__ import annotations

import argparse
import dataclasses
import os
from pathlib import Path
from typing import Any, Final

from .errors import TrainingError
from .recipe import Recipe, changed, read_recipe, stages_of, to_values
from .start import HERE, Start, digest, find_start

PAINTINGS: Final = HERE / "paintings"
MINUTES: Final = 30.0
LEAST_MINUTES: Final = 1e-6
"""Of a stage whose time those before it have used up: it takes one step."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is trained, from what, for how long, and where the result goes."""

    recipe: Recipe
    paintings: list[list[Path]]
    """For each stage."""
    minutes: float | None
    """Of all stages; None: by the recipe's steps."""
    run: Path
    output: Path | None
    """None: the style in the run folder is the result."""
    recipe_name: str
    """The recipe's file, for the card."""
    recipe_sha256: str
    """What that file was, empty without one."""
    start: Start | None
    """What the first stage starts from; None: a resumed run whose checkpoint does not say."""
    reached: int = 0
    """The index of the stage that is trained first. Those before it are done, and stay as they
    are."""
    notes: tuple[str, ...] = ()
    """What a resumed run changes."""

    @property
    def about(self) -> dict[str, Any]:
        """Return what a checkpoint keeps of it, for a resumed run."""
        return {
            "recipe": to_values(self.recipe),
            "minutes": self.minutes,
            "output": None if self.output is None else str(self.output),
            "recipe_name": self.recipe_name,
            "recipe_sha256": self.recipe_sha256,
            "paintings": [[digest(path) for path in stage] for stage in self.paintings],
            "base": None if self.start is None else [self.start.name, self.start.sha256],
        }

    def folder(self, index: int) -> Path:
        """Return the run folder of a stage."""
        return folder_of(self.run, index)

    def minutes_of(self, index: int, *, spent: float) -> float | None:
        """Return a stage's share of the time that is left once those before it have spent some."""
        if self.minutes is None:
            return None
        work = [stage.work for stage in stages_of(self.recipe)[index:]]
        return max(LEAST_MINUTES, (self.minutes - spent) * work[0] / sum(work))


def begun(options: argparse.Namespace) -> Plan:
    """Return the plan of a new run. Raises TrainingError when its folder holds one already."""
    what: Path = options.what
    if is_recipe(what):
        recipe = read_recipe(what)
        output = output_of(options.output, recipe.name)
        recipe_name, recipe_sha256, default = what.name, digest(what), None
    else:
        output = output_of(options.output, what.stem) or Path(f"{what.stem}.onnx")
        recipe = Recipe(output.stem, what.name)
        recipe_name, recipe_sha256, default = "of stylecam train", "", MINUTES
    recipe = changed(recipe, changes_of(options))
    run: Path = options.run_folder or Path("runs") / recipe.name
    if (run / "checkpoint.pt").exists():
        raise TrainingError(
            f"{run} already holds a run",
            hint="--resume to continue it, or another --run-folder",
        )
    return Plan(
        recipe,
        paintings_of(options, recipe),
        minutes_asked(options, default),
        run,
        output,
        recipe_name,
        recipe_sha256,
        find_start(options.base, recipe.size),
    )


def minutes_asked(options: argparse.Namespace, default: float | None) -> float | None:
    """Return how long to train; None: by steps, which --set may ask for."""
    if options.minutes is None and any(text.startswith("steps=") for text in options.set):
        return None
    minutes: float | None = options.minutes
    return default if minutes is None else minutes


def folder_of(run: Path, index: int) -> Path:
    """Return the folder of a run's stage."""
    return run if index == 0 else run / f"stage-{index + 1}"


def changes_of(options: argparse.Namespace) -> list[str]:
    """Return what the options change of a recipe, as "key=value"."""
    given = {key: getattr(options, key) for key in ("size", "title", "artist", "licence")}
    return [*options.set, *(f"{key}={value}" for key, value in given.items() if value is not None)]


def paintings_of(options: argparse.Namespace, recipe: Recipe) -> list[list[Path]]:
    """Return the paintings of each stage: a recipe's lie beside it, else among the shipped ones.

    Raises TrainingError when there is none.
    """
    if not is_recipe(options.what):
        return [[options.what]]
    return [[_painting(options, name) for name in s.paintings] for s in stages_of(recipe)]


def _painting(options: argparse.Namespace, name: str) -> Path:
    beside: Path = options.what.parent / name
    there: Path = options.paintings / name
    for path in (beside, there):
        if path.exists():
            return path
    raise TrainingError(
        f"{options.what}: its painting {name} is neither in {beside.parent} nor in {there.parent}",
        hint="--paintings with the folder where it is",
    )


def output_of(given: str | None, name: str) -> Path | None:
    """Return the style's file: a folder is given its name, and what ends otherwise `.onnx`."""
    if given is None:
        return None
    path = Path(given)
    if path.is_dir() or given.endswith(("/", os.sep)):
        return path / f"{name}.onnx"
    return path if path.suffix == ".onnx" else path.with_name(f"{path.name}.onnx")


def is_recipe(path: Path) -> bool:
    """Return whether a file is a recipe and not a painting."""
    return path.suffix == ".toml"


def demand_writable(folder: Path) -> None:
    """Raise TrainingError unless the folder, or what it will be made in, can be written to."""
    near = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not near.is_dir() or not os.access(near, os.W_OK | os.X_OK):
        why = "cannot be written to" if near.is_dir() else "is not a folder"
        raise TrainingError(f"{near} {why}", hint="another place with -o or --run-folder")
