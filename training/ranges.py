"""What each number of a recipe may be."""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

from .errors import TrainingError


class Range(NamedTuple):
    """What a number may be, ends included."""

    least: float
    most: float
    multiple_of: int = 1


_WEIGHT: Final = Range(0, 1e6)
_SHARE: Final = Range(0, 1)
_STEPS: Final = Range(0, 1_000_000)
RANGES: Final = {
    "painting_long_side": Range(64, 4096),
    **dict.fromkeys(("content", "style", "texture", "palette", "colours", "tone"), _WEIGHT),
    **dict.fromkeys(("temporal", "equivariance", "adversarial", "total_variation"), _WEIGHT),
    "gradient_penalty": _WEIGHT,
    **dict.fromkeys(("coarse", "temporal_from", "mean"), _SHARE),
    "noise": Range(0, 20),
    "shift": Range(0, 128),
    "batch": Range(1, 256),
    "crop": Range(64, 1024, multiple_of=8),
    "steps": Range(1, 1_000_000),
    "warmup_steps": Range(1, 1_000_000),
    "adversarial_from": _STEPS,
    "learning_rate": Range(0, 0.1),
    "discriminator_rate": Range(1e-7, 0.1),
    "discriminator_dropout": Range(0, 0.9),
    "gradient_clip": Range(1e-6, 1e6),
    "ema": Range(0, 0.99999),
    "seed": Range(0, 2**31 - 1),
}


def check(key: str, value: Any, *, whole: bool) -> None:
    """Raise TrainingError, with the key and what it may be, unless `value` is within its range."""
    least, most, multiple_of = RANGES[key]
    right = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
    if not right or not (isinstance(value, int) or math.isfinite(value)):
        raise TrainingError(f"{key}: {value!r} is not a {'whole number' if whole else 'number'}")
    if not least <= value <= most or (value % multiple_of and multiple_of > 1):
        step = f", a multiple of {multiple_of}" if multiple_of > 1 else ""
        raise TrainingError(f"{key}: {value} is not within {least:g} to {most:g}{step}")
