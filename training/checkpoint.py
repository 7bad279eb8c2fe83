"""The file that a run resumes from: what the trainer holds, and what was asked for."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import torch
from stylecam.realtime.atomic import write_whole

from . import ranks
from .errors import TrainingError
from .network import Generator
from .recipe import Recipe
from .trainer import Trainer


def save(trainer: Trainer, path: Path, about: dict[str, Any]) -> None:
    """Write the checkpoint, whole or not at all; `about` is what `read` gives back.

    Raises TrainingError when it cannot be written, as on a full disk; an older one stays.
    """
    if ranks.rank() == 0:
        # By way of memory: to a full disk torch's own writer says "unexpected pos 64 vs 0".
        data = io.BytesIO()
        torch.save(trainer.state() | {"about": about}, data)
        try:
            write_whole(path, data.getvalue())
        except OSError as error:
            raise TrainingError(f"{path} cannot be written: {error.strerror}") from error


def read(path: Path) -> dict[str, Any]:
    """Return what `save` wrote, in the host's memory: the optimizers count steps there, and move
    what they need. Raises TrainingError when the file is not one, or cut short.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        if not {"step", "seconds", "about"} <= state.keys():
            raise RuntimeError("it is of another version")
    except (OSError, EOFError, KeyError, RuntimeError, AttributeError, pickle.UnpicklingError) as e:
        raise TrainingError(
            f"{path} cannot be resumed: {str(e).splitlines()[0] if str(e) else 'it is empty'}",
            hint="another --run-folder, to start over",
        ) from e
    return state


def restore(trainer: Trainer, path: Path) -> None:
    """Resume a trainer from a checkpoint. Raises TrainingError when it is of another network."""
    try:
        trainer.load(read(path))
    except (KeyError, RuntimeError, ValueError) as error:
        raise _of_another_network(path) from error


def finished(path: Path, recipe: Recipe, before: Generator | None) -> tuple[Generator, int, float]:
    """Return the result of a stage that is done, the very one that `train` returned, its steps and
    its minutes. `before` is the result of the stage before it.

    Raises TrainingError when it is of another network.
    """
    state, generator = read(path), Generator(recipe.size).requires_grad_(False)
    try:
        generator.load_state_dict(state["average"])
    except (KeyError, RuntimeError) as error:
        raise _of_another_network(path) from error
    if before is not None and recipe.mean < 1:
        generator = generator.mean_with(before, recipe.mean)
    return generator, state["step"], state["seconds"] / 60


def _of_another_network(path: Path) -> TrainingError:
    return TrainingError(
        f"{path} is of another network than this recipe's",
        hint="without what was changed, or --run-folder with another folder",
    )
