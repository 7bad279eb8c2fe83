"""What the command line asks for: checked as a whole, before anything is trained or written."""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import math
import os
from pathlib import Path
from typing import Any, Final

from .errors import TrainingError
from .recipe import Recipe, changed, from_values, read_recipe, stages_of, to_values

HERE: Final = Path(__file__).parent
PAINTINGS: Final = HERE / "paintings"
MINUTES: Final = 30.0
MOST_MINUTES: Final = 100_000.0


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
            "paintings": [[digest(path) for path in stage] for stage in self.paintings],
        }

    def folder(self, index: int) -> Path:
        """Return the run folder of a stage."""
        return self.run if index == 0 else self.run / f"stage-{index + 1}"

    def minutes_of(self, stage: Recipe) -> float | None:
        """Return the stage's share of the time."""
        steps = sum(each.steps for each in stages_of(self.recipe))
        return None if self.minutes is None else self.minutes * stage.steps / steps


def plan(options: argparse.Namespace) -> Plan:
    """Return what is asked for. Raises TrainingError naming what cannot be."""
    what: Path = options.what
    if options.minutes is not None and not 0 < options.minutes <= MOST_MINUTES:
        raise TrainingError(
            f"--minutes must be above 0 and up to {MOST_MINUTES:,.0f}", hint="--minutes 30"
        )
    if not options.photos:
        raise TrainingError(
            "photos are needed: --photos with folders, photos or videos",
            hint="any few hundred photos of yours; stylecam train --help names free ones",
        )
    for path in [*options.photos, what]:
        if not path.exists():
            raise TrainingError(f"{path}: no such file or folder")
    made = _resumed(options) if options.resume else _begun(options)
    for path in {path for stage in made.paintings for path in stage}:
        if not path.exists():
            raise TrainingError(f"{path}: no such file or folder")
    _demand_writable(made.run)
    if made.output is not None:
        _demand_writable(made.output.parent)
    return made


def digest(path: Path) -> str:
    """Return what tells one painting from another."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _begun(options: argparse.Namespace) -> Plan:
    what: Path = options.what
    if _is_recipe(what):
        recipe = read_recipe(what)
        output = _output(options.output, recipe.name)
        minutes, recipe_name = options.minutes, what.name
    else:
        output = _output(options.output, what.stem) or Path(f"{what.stem}.onnx")
        recipe = Recipe(output.stem, what.name)
        minutes, recipe_name = options.minutes or MINUTES, "of stylecam train"
    recipe = changed(recipe, _changes(options))
    run: Path = options.run_folder or Path("runs") / recipe.name
    if (run / "checkpoint.pt").exists():
        raise TrainingError(
            f"{run} already holds a run",
            hint="--resume to continue it, or another --run-folder",
        )
    return Plan(recipe, _paintings(options, recipe), minutes, run, output, recipe_name)


def _resumed(options: argparse.Namespace) -> Plan:
    from .checkpoint import read

    what: Path = options.what
    name = read_recipe(what).name if _is_recipe(what) else what.stem
    given = _output(options.output, name)
    if given is not None and not _is_recipe(what):
        name = given.stem
    run: Path = options.run_folder or Path("runs") / name
    if not (run / "checkpoint.pt").exists():
        others = sorted(str(path.parent) for path in run.parent.glob("*/checkpoint.pt"))
        there = f"--run-folder with one of {', '.join(others)}" if others else "without --resume"
        raise TrainingError(f"{run} holds no run to continue", hint=there)
    about = read(run / "checkpoint.pt")["about"]
    before = from_values(about["recipe"])
    recipe = changed(before, _changes(options))
    minutes = options.minutes or about["minutes"]
    output = given or (about["output"] and Path(about["output"]))
    made = Plan(recipe, _paintings(options, recipe), minutes, run, output, about["recipe_name"])
    if recipe.size != before.size:
        raise TrainingError(
            f"{run} trains a {before.size} network, which cannot become a {recipe.size} one",
            hint="--run-folder with another folder, to start over",
        )
    if made.about["paintings"] != about["paintings"]:
        raise TrainingError(
            f"{run} was started with another painting",
            hint="that painting, or --run-folder with another folder, to start over",
        )
    _demand_unfinished(made)
    notes = [*_differences(before, recipe)]
    if minutes != about["minutes"]:
        notes.append(f"minutes {_minutes(about['minutes'])}, now {_minutes(minutes)}")
    return dataclasses.replace(made, notes=tuple(notes))


def _demand_unfinished(made: Plan) -> None:
    from .checkpoint import read

    stages = stages_of(made.recipe)
    last = made.folder(len(stages) - 1) / "checkpoint.pt"
    if not last.exists():
        return
    state, minutes = read(last), made.minutes_of(stages[-1])
    done = state["step"] / stages[-1].steps if minutes is None else state["seconds"] / 60 / minutes
    if done >= 1:
        more = f"--set steps={2 * stages[-1].steps}"
        if made.minutes is not None:
            more = f"--minutes {math.ceil(2 * made.minutes)}"
        raise TrainingError(
            f"{made.run} is already done, with {state['step']} steps: "
            f"{last.parent / stages[-1].name}.onnx",
            hint=more,
        )


def _differences(before: Recipe, now: Recipe) -> list[str]:
    notes: dict[str, None] = {}
    for old, new in zip(stages_of(before), stages_of(now), strict=True):
        for field in dataclasses.fields(Recipe):
            was, value = getattr(old, field.name), getattr(new, field.name)
            if was != value:
                notes[f"{field.name} {was}, now {value}"] = None
    return list(notes)


def _minutes(minutes: float | None) -> str:
    return "by steps" if minutes is None else f"{minutes:g}"


def _changes(options: argparse.Namespace) -> list[str]:
    given = {key: getattr(options, key) for key in ("size", "title", "artist", "licence")}
    return [*options.set, *(f"{key}={value}" for key, value in given.items() if value is not None)]


def _paintings(options: argparse.Namespace, recipe: Recipe) -> list[list[Path]]:
    if not _is_recipe(options.what):
        return [[options.what]]
    return [[_painting(options, name) for name in s.paintings] for s in stages_of(recipe)]


def _painting(options: argparse.Namespace, name: str) -> Path:
    """Return a recipe's painting: the one beside it, else that of the shipped ones."""
    beside: Path = options.what.parent / name
    there: Path = options.paintings / name
    return beside if beside.exists() else there


def _output(given: str | None, name: str) -> Path | None:
    """Return the style's file: a folder is given its name, and what ends otherwise `.onnx`."""
    if given is None:
        return None
    path = Path(given)
    if path.is_dir() or given.endswith(("/", os.sep)):
        return path / f"{name}.onnx"
    return path if path.suffix == ".onnx" else path.with_name(f"{path.name}.onnx")


def _demand_writable(folder: Path) -> None:
    """Raise TrainingError unless the folder, or what it will be made in, can be written to."""
    near = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not near.is_dir() or not os.access(near, os.W_OK | os.X_OK):
        why = "cannot be written to" if near.is_dir() else "is not a folder"
        raise TrainingError(f"{near} {why}", hint="another place with -o or --run-folder")


def _is_recipe(path: Path) -> bool:
    return path.suffix == ".toml"
