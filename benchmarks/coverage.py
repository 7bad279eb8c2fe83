"""How much of a painting's style a network reaches: of the way that an optimisation goes.

S is the distance of Gram matrices to the painting's, each layer relative to the painting's own
(`training.losses.style_loss`). Coverage is (S_photo - S_network) / (S_photo - S_best): 0 for the
photo itself, 1 for what 40 iterations of L-BFGS on the pixels reach from there. Content and style
weigh 0.4 to 20 in it, as in a recipe by default, whatever the style's own recipe says: of one photo
under comic, coverage was 0.728 so, 0.727 with 0.04 to 400, and 0.718 with 200 iterations.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from stylecam.realtime.pictures import Image
from stylecam.training import losses
from stylecam.training.pictures import read_painting, read_pixels, to_tensor
from stylecam.training.vgg import VGG19, has_bfloat16, load_vgg19
from torch import Tensor

from .rows import RESULTS
from .texture import correlation, tinted

SIDE_PX: Final = 192
ITERATIONS: Final = 40
SHIPPED: Final = RESULTS / "style_best.json"
"""What the optimisation reaches for the built-in styles' paintings."""
_CONTENT, _STYLE = 0.4, 20.0
"""Weights of the optimisation, the same for every style, whatever it was trained with."""


class Judge:
    """Compares pictures, uint8 RGB (H, W, 3), with one painting. What takes a while is kept in the
    file `cache`.

    Raises TrainingError when `painting` is not a picture, FileNotFoundError without VGG's weights.
    """

    def __init__(self, painting: Path, *, long_side: int, cache: Path | None = None) -> None:
        self._vgg: VGG19 = load_vgg19(None)
        self._painting = read_painting(painting, long_side)
        self._key = key_of(painting, long_side=long_side)
        self._cache = cache
        with torch.no_grad():
            features = self._features(self._painting[None])
        self._targets = {name: losses.gram(value) for name, value in features.items()}
        self._correlations = {name: correlation(value) for name, value in features.items()}

    def coverage(self, photo: Image, painted: Image) -> float:
        """Return the share of the way from a photo to its best that its painting goes."""
        start = self.distance(photo)
        return (start - self.distance(painted)) / (start - self.best(photo))

    @torch.no_grad()
    def distance(self, image: Image) -> float:
        """Return S of a picture."""
        return float(losses.style_loss(self._features(to_tensor(image)[None]), self._targets))

    def texture(self, photo: Image, painted: Image) -> float:
        """Return 1 - C_painted / C_tinted, C being the distance of correlations to the painting's.

        0 is the photo in the painting's colours, 1 the whole painting; blurred it is below 0.
        """
        return 1 - self._unlike(painted) / self._unlike(tinted(photo, self._painting))

    @torch.no_grad()
    def _unlike(self, image: Image) -> float:
        features = self._features(to_tensor(image)[None])
        found = {name: correlation(value) for name, value in features.items()}
        return float(losses.relative_distance(found, self._correlations))

    def best(self, photo: Image) -> float:
        """Return S after an optimisation of the pixels from the photo, unless it is known."""
        key = f"{self._key}:{_digest(photo)}"
        if key in (shipped := _read(SHIPPED)):
            return shipped[key]
        known = _read(self._cache)
        if key not in known:
            known[key] = round(self._optimise(photo), 5)
            if self._cache is not None:
                self._cache.write_text(
                    json.dumps(known, indent=0, sort_keys=True) + "\n", encoding="utf-8"
                )
        return known[key]

    def _optimise(self, photo: Image) -> float:
        start = to_tensor(photo)[None]
        with torch.no_grad():
            wanted = self._features(start, upto=losses.CONTENT_LAYER)
        pixels = start.flatten().clone().requires_grad_(True)
        optimizer = torch.optim.LBFGS([pixels], max_iter=ITERATIONS, history_size=20)

        def loss() -> float:
            features = self._features(pixels.view(start.shape).clamp(0, 1))
            total = _STYLE * losses.style_loss(features, self._targets)
            total = total + _CONTENT * losses.content_loss(features, wanted)
            optimizer.zero_grad(set_to_none=True)
            total.backward()  # type: ignore[no-untyped-call]
            return float(total.detach())

        optimizer.step(loss)  # type: ignore[no-untyped-call]
        with torch.no_grad():
            features = self._features(pixels.view(start.shape).clamp(0, 1))
            return float(losses.style_loss(features, self._targets))

    def _features(self, x_NCHW: Tensor, upto: str = "4_1") -> dict[str, Tensor]:
        fast = has_bfloat16("cpu")
        with torch.autocast("cpu", torch.bfloat16, enabled=fast):
            features: dict[str, Tensor] = self._vgg(x_NCHW, upto=upto)
        return {name: value.float() for name, value in features.items()}


def key_of(painting: Path, *, long_side: int) -> str:
    """Return what the optimum of a photo depends on but for the photo, whose digest follows."""
    digest = _digest(read_pixels(painting))
    return f"{digest}:{long_side}:{ITERATIONS}:{_CONTENT}:{_STYLE}"


def square(photo: Image, side: int = SIDE_PX) -> Image:
    """Return the middle of a photo as a square of `side` pixels."""
    height, width = photo.shape[:2]
    scale = side / min(height, width)
    size = (max(side, round(width * scale)), max(side, round(height * scale)))
    small = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
    top, left = (small.shape[0] - side) // 2, (small.shape[1] - side) // 2
    return np.ascontiguousarray(small[top : top + side, left : left + side])


def _digest(image: Image) -> str:
    return hashlib.sha256(image.tobytes()).hexdigest()[:12]


def _read(cache: Path | None) -> dict[str, float]:
    if cache is None or not cache.exists():
        return {}
    known: dict[str, float] = json.loads(cache.read_text(encoding="utf-8"))
    return known
