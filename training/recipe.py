"""A recipe: everything that decides how a style comes out, read from TOML."""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
from pathlib import Path
from typing import Any, Final

from .errors import TrainingError
from .ranges import RANGES, check

SIZES: Final = ("small", "large")
BORDER_WORK: Final = 1 / 8
"""How long a step takes that teaches the border alone, compared with one that teaches all."""


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
    content: float = 0.22
    style: float = 60.0
    texture: float = 40.0
    """Of strokes alone: `style` may be satisfied by the painting's colours and contrast."""
    coarse: float = 0.5
    """Share of the losses of style and texture that is taken at half size, where larger strokes
    show."""
    palette: float = 5.0
    colours: float = 5.0
    """Of the distribution of colours: rare ones, which `palette` leaves out, appear."""
    tone: float = 1.5
    temporal: float = 10_000.0
    temporal_from: float = 0.1
    """Share of `temporal` to begin with; all of it counts from 60 % of the run. Strokes are found
    while they may still shimmer, then held still."""
    noise: float = 2.0
    """Sensor noise of the second view, as a multiple of a webcam's."""
    shift: float = 40.0
    """Pixels, at most, by which the second view is shifted. What is at the border of one view is
    then inside the other, and the network learns to paint it alike."""
    equivariance: float = 12_000.0
    """Of the difference that a shift by whole pixels makes: without, edges are painted with lumps
    and meshes of the network's own grid."""
    adversarial: float = 12.0
    total_variation: float = 0.02
    batch: int = 1
    crop: int = 256
    steps: int = 700
    warmup_steps: int = 50
    adversarial_from: int = 100
    learning_rate: float = 1.2e-3
    """0 leaves all as it is but what is painted at the border."""
    discriminator_rate: float = 2e-4
    discriminator_dropout: float = 0.0
    gradient_penalty: float = 0.0
    gradient_clip: float = 1.0
    ema: float = 0.99
    seed: int = 0
    mean: float = 1.0
    """Share of a stage's weights in the mean with the stage before, which is then its result."""
    then: tuple[Recipe, ...] = ()
    """Further stages, each with its own schedule, starting from the result of the one before."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if field.name in RANGES:
                check(field.name, getattr(self, field.name), whole=field.type == "int")
        texts = ("title", "artist", "licence", "photos", "name", "size")
        for key in texts:
            if not isinstance(getattr(self, key), str):
                raise TrainingError(f"{key}: {getattr(self, key)!r} is not text")
        if self.size not in SIZES:
            raise TrainingError(f"size: {self.size!r} is not one of {', '.join(SIZES)}")
        if self.name in ("", ".", "..") or any(c in "/\\" or ord(c) < 32 for c in self.name):
            raise TrainingError(f"name: {self.name!r} cannot be the name of a file")
        names = self.paintings if isinstance(self.paintings, list) else []
        if not names or not all(isinstance(name, str) and name for name in names):
            raise TrainingError(
                "painting: the file name of a picture, or a list of them, is needed"
            )

    @property
    def work(self) -> float:
        """How long this stage takes, counted in steps that teach all weights."""
        return self.steps * (1.0 if self.learning_rate else BORDER_WORK)

    @property
    def paintings(self) -> list[str]:
        """The painting, or all of them."""
        return [self.painting] if isinstance(self.painting, str) else self.painting


def read_recipe(path: Path) -> Recipe:
    """Read a recipe; a table in the array `then` is a further stage, and holds what it changes.

    Raises TrainingError naming the file and what is wrong in it.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        return from_values(values)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, TrainingError) as error:
        raise TrainingError(f"{path}: {error}") from error


def from_values(values: dict[str, Any]) -> Recipe:
    """Return the recipe of what a file holds. Raises TrainingError naming the key that is wrong or
    missing.
    """
    values = dict(values)
    then = values.pop("then", [])
    if not isinstance(then, list) or not all(isinstance(changes, dict) for changes in then):
        raise TrainingError("then: each further stage begins with [[then]], in double brackets")
    if missing := [key for key in ("name", "painting") if key not in values]:
        raise TrainingError(f"{' and '.join(missing)} is missing")
    _check_keys(values)
    if "mean" in values:
        raise TrainingError("mean: the first stage has none before it to be averaged with")
    stages = [Recipe(**values)]
    for number, changes in enumerate(then, start=2):
        try:
            _check_keys(changes)
            if "size" in changes and changes["size"] != stages[0].size:
                raise TrainingError("size: all stages train one network")
            # Another seed, or each stage would look at the first photos and crops once more.
            own = {"mean": 1.0, "seed": stages[-1].seed + 1}
            stages.append(dataclasses.replace(stages[-1], **own | changes))
        except TrainingError as error:
            raise TrainingError(f"stage {number}: {error}") from error
    return dataclasses.replace(stages[0], then=tuple(stages[1:]))


def to_values(recipe: Recipe) -> dict[str, Any]:
    """Return what `from_values` makes the same recipe of."""
    stages = [dataclasses.asdict(dataclasses.replace(s, then=())) for s in stages_of(recipe)]
    for stage in stages:
        del stage["then"]
    del stages[0]["mean"]
    return stages[0] | {"then": stages[1:]}


def stages_of(recipe: Recipe) -> list[Recipe]:
    """Return the recipe and what comes after it, one by one."""
    return [dataclasses.replace(recipe, then=()), *recipe.then]


def changed(recipe: Recipe, texts: list[str]) -> Recipe:
    """Return the recipe with values given as "key=value"; each counts for every stage, a seed for
    the first: that of a further stage is one more. A further stage at a rate of 0 keeps that.

    Raises TrainingError naming the text that is wrong, or the key that is given twice.
    """
    kinds: dict[str, type] = {
        field.name: {"int": int, "float": float}.get(str(field.type), str)
        for field in dataclasses.fields(Recipe)
        if field.name in RANGES or field.name in ("name", "title", "artist", "licence", "size")
    }
    del kinds["mean"]
    changes: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise TrainingError(f"--set {text}: KEY=VALUE is needed", hint="--set style=40")
        if key not in kinds:
            numbers = ", ".join(name for name in kinds if name in RANGES)
            raise TrainingError(
                f"--set {text}: no such setting{_near(key, kinds)}; there are {numbers}"
            )
        if key in changes:
            raise TrainingError(f"--set: {key} is given twice")
        try:
            changes[key] = kinds[key](value)
        except ValueError as error:
            whole = "whole number" if kinds[key] is int else "number"
            raise TrainingError(f"--set {text}: {value!r} is not a {whole}") from error
    try:
        stages = []
        for number, stage in enumerate(stages_of(recipe)):
            own = {"seed": changes["seed"] + number} if "seed" in changes else {}
            if number and not stage.learning_rate:
                own["learning_rate"] = 0.0
            stages.append(dataclasses.replace(stage, **changes | own))
        return dataclasses.replace(stages[0], then=tuple(stages[1:]))
    except TrainingError as error:
        raise TrainingError(f"--set {error}") from error


def _check_keys(values: dict[str, Any]) -> None:
    known = [field.name for field in dataclasses.fields(Recipe)]
    for key in values:
        if key not in known or key == "then":
            raise TrainingError(f"there is no setting {key!r}{_near(key, known)}")


def _near(key: str, known: Any) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    return f", did you mean {near[0]}?" if near else ""
