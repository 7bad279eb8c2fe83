"""A picture in a frame of another shape, or on pixels of another."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from .pictures import Image

SQUARE: Final = Fraction(1)


def squared(image: Image, ratio: Fraction) -> Image:
    """Return a picture whose pixels are `ratio` times as wide as high, on square ones: one side
    longer, none shorter; the same object if they are square.
    """
    import cv2

    if ratio == SQUARE:
        return image
    height, width = image.shape[:2]
    size = (round(width * max(ratio, SQUARE)), round(height / min(ratio, SQUARE)))
    return cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]


def letterbox(image: Image, canvas: Image, ratio: Fraction = SQUARE) -> None:
    """Write `image` into `canvas`, both (height, width, 3), as large as it fits at its own shape,
    in the middle, black around it. Its pixels are `ratio` times as wide as high, the canvas's are
    square.
    """
    import cv2

    (height, width), (canvas_h, canvas_w) = image.shape[:2], canvas.shape[:2]
    shown_w = width * float(ratio)
    scale = min(canvas_h / height, canvas_w / shown_w)
    # Even sides and edges: YUV shares colour between pairs of pixels.
    inner_h = min(canvas_h, max(2, 2 * round(height * scale / 2)))
    inner_w = min(canvas_w, max(2, 2 * round(shown_w * scale / 2)))
    top, left = (canvas_h - inner_h) // 4 * 2, (canvas_w - inner_w) // 4 * 2
    if (inner_h, inner_w) != (height, width):
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        image = cv2.resize(image, (inner_w, inner_h), interpolation=how)  # type: ignore[assignment]
    canvas[:top], canvas[top + inner_h :] = 0, 0
    canvas[:, :left], canvas[:, left + inner_w :] = 0, 0
    canvas[top : top + inner_h, left : left + inner_w] = image
