"""A recipe: everything that decides how a style comes out, read from TOML."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Painting, its credit, and the weights and schedule of training."""

    name: str
    painting: str
    title: str
    artist: str
    licence: str
    photos: str = ""
    """Where the photos come from and under which licences, for the card."""
    size: str = "small"
    painting_long_side: int = 512
    content: float = 0.5
    style: float = 8.0
    palette: float = 0.3
    tone: float = 1.0
    temporal: float = 30.0
    adversarial: float = 0.03
    total_variation: float = 0.02
    batch: int = 2
    crop: int = 176
    steps: int = 550
    warmup_steps: int = 50
    adversarial_from: int = 100
    learning_rate: float = 7e-4
    discriminator_rate: float = 2e-4
    discriminator_dropout: float = 0.0
    gradient_penalty: float = 0.0
    gradient_clip: float = 1.0
    ema: float = 0.99
    seed: int = 0


def read_recipe(path: Path) -> Recipe:
    """Read a recipe. Raises ValueError naming the file and the wrong or missing key."""
    try:
        return Recipe(**tomllib.loads(path.read_text()))
    except (tomllib.TOMLDecodeError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from error
