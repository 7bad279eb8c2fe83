"""The plan of a run that is continued: its own recipe, minutes and output, unless given again."""

from __future__ import annotations

import argparse
import dataclasses
import math
from pathlib import Path

from .checkpoint import read
from .errors import TrainingError
from .plan import (
    Plan,
    changes_of,
    folder_of,
    is_recipe,
    minutes_asked,
    output_of,
    paintings_of,
)
from .recipe import Recipe, changed, from_values, read_recipe, stages_of
from .start import Start, digest


def resumed(options: argparse.Namespace) -> Plan:
    """Return the plan of the run in the run folder: its last stage goes on, those before it stay
    as they are. Raises TrainingError when there is none, when it is done, or of another painting.
    """
    run, output = _found(options)
    reached = 0
    while (folder_of(run, reached + 1) / "checkpoint.pt").exists():
        reached += 1
    # Of the last stage, since that is the one which was begun or resumed last.
    about = read(folder_of(run, reached) / "checkpoint.pt")["about"]
    before = from_values(about["recipe"])
    wanted = changed(before, changes_of(options))
    if wanted.size != before.size:
        raise TrainingError(
            f"{run} trains a {before.size} network, which cannot become a {wanted.size} one",
            hint="--run-folder with another folder, to start over",
        )
    recipe = _joined([*stages_of(before)[:reached], *stages_of(wanted)[reached:]])
    minutes = minutes_asked(options, about["minutes"])
    base = about.get("base")
    made = Plan(
        recipe,
        paintings_of(options, recipe),
        minutes,
        run,
        output or (about["output"] and Path(about["output"])),
        about["recipe_name"],
        about.get("recipe_sha256", ""),
        None if base is None else Start(*base),
        reached,
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
    if is_recipe(options.what) and made.recipe_sha256 not in ("", digest(options.what)):
        notes.append(f"the recipe as it was: changes of {options.what} need a run of their own")
    return dataclasses.replace(made, notes=tuple(notes))


def _found(options: argparse.Namespace) -> tuple[Path, Path | None]:
    """Return the folder of the run to continue, and the output that is given again."""
    what: Path = options.what
    name = read_recipe(what).name if is_recipe(what) else what.stem
    given = output_of(options.output, name)
    if given is not None and not is_recipe(what):
        name = given.stem
    run: Path = options.run_folder or Path("runs") / name
    if not (run / "checkpoint.pt").exists():
        others = sorted(str(path.parent) for path in run.parent.glob("*/checkpoint.pt"))
        there = f"--run-folder with one of {', '.join(others)}" if others else "without --resume"
        raise TrainingError(f"{run} holds no run to continue", hint=there)
    return run, given


def _joined(stages: list[Recipe]) -> Recipe:
    return dataclasses.replace(stages[0], then=tuple(stages[1:]))


def _demand_unfinished(made: Plan) -> None:
    stages = stages_of(made.recipe)
    last = len(stages) - 1
    if made.reached < last:
        return
    states = [read(made.folder(index) / "checkpoint.pt") for index in range(len(stages))]
    step, seconds = states[-1]["step"], [state["seconds"] for state in states]
    minutes = made.minutes_of(last, spent=sum(seconds[:-1]) / 60)
    done = step / stages[-1].steps if minutes is None else seconds[-1] / 60 / minutes
    if done >= 1:
        more = f"--set steps={2 * step}"
        if made.minutes is not None:
            more = f"--minutes {math.ceil(2 * sum(seconds) / 60)}"
        which = f" in stage {last + 1} of {last + 1}" if last else ""
        raise TrainingError(
            f"{made.run} is already done, with {step} steps{which}: "
            f"{made.folder(last) / stages[-1].name}.onnx",
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
