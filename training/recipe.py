"""A recipe: everything that decides how a style comes out, read from TOML."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path
from typing import Any


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Painting, its credit, and the weights and schedule of training."""

    name: str
    painting: str | list[str]
    """File name of the painting; for a base network, of all that it should be near to."""
    title: str = ""
    artist: str = ""
    licence: str = ""
    photos: str = ""
    """Where the photos come from and under which licences, for the card."""
    size: str = "small"
    painting_long_side: int = 768
    """Pixels: the larger the painting is shown, the larger the strokes."""
    content: float = 0.4
    style: float = 20.0
    coarse: float = 0.5
    """Share of the style loss that is taken at half size, where larger strokes show."""
    palette: float = 3.0
    colours: float = 0.0
    """Of the distribution of colours: rare ones, which `palette` leaves out, appear."""
    tone: float = 1.0
    temporal: float = 1500.0
    temporal_from: float = 0.1
    """Share of `temporal` to begin with; all of it counts from 60 % of the run. Strokes are found
    while they may still shimmer, then held still."""
    noise: float = 1.0
    """Sensor noise of the second view, as a multiple of a webcam's."""
    border: float = 1.0
    """How many times the outer pixels count in the temporal loss."""
    adversarial: float = 0.03
    total_variation: float = 0.02
    batch: int = 1
    crop: int = 256
    steps: int = 700
    warmup_steps: int = 50
    adversarial_from: int = 100
    learning_rate: float = 1e-3
    discriminator_rate: float = 2e-4
    discriminator_dropout: float = 0.0
    gradient_penalty: float = 0.0
    gradient_clip: float = 1.0
    ema: float = 0.99
    seed: int = 0
    then: tuple[Recipe, ...] = ()
    """Further stages, each with a schedule of its own, begun from the result of the one before."""

    @property
    def paintings(self) -> list[str]:
        """The painting, or all of them."""
        return [self.painting] if isinstance(self.painting, str) else self.painting


def read_recipe(path: Path) -> Recipe:
    """Read a recipe; a table in the array `then` is a further stage, and holds what it changes.

    Raises ValueError naming the file and the wrong or missing key.
    """
    try:
        values = tomllib.loads(path.read_text())
        stages = [Recipe(**values | {"then": ()})]
        for changes in values.get("then", []):
            stages.append(dataclasses.replace(stages[-1], **changes))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from error
    return dataclasses.replace(stages[0], then=tuple(stages[1:]))


def changed(recipe: Recipe, texts: list[str]) -> Recipe:
    """Return the recipe with values given as "key=value"; each counts for every stage.

    Raises ValueError naming the text that is none.
    """
    kinds = {field.name: type(getattr(recipe, field.name)) for field in dataclasses.fields(Recipe)}
    changes: dict[str, Any] = {}
    for text in texts:
        key, _, value = text.partition("=")
        if kinds.get(key) not in (int, float, str):
            numbers = [name for name, kind in kinds.items() if kind in (int, float)]
            raise ValueError(f"--set {text}: no such value; there are {', '.join(numbers)}")
        try:
            changes[key] = kinds[key](value)
        except ValueError as error:
            raise ValueError(f"--set {text}: {value!r} is no number") from error
    then = tuple(dataclasses.replace(stage, **changes) for stage in recipe.then)
    return dataclasses.replace(recipe, **changes, then=then)
