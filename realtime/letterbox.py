"""A picture in a frame of another shape."""

from __future__ import annotations

from .frame import Image


def letterbox(image: Image, canvas: Image) -> None:
    """Write `image` into `canvas`, both (height, width, 3), as large as it fits at its own shape,
    in the middle, black around it.
    """
    import cv2

    (height, width), (canvas_h, canvas_w) = image.shape[:2], canvas.shape[:2]
    scale = min(canvas_h / height, canvas_w / width)
    # Even sides and edges: YUV shares colour between pairs of pixels.
    inner_h = min(canvas_h, max(2, 2 * round(height * scale / 2)))
    inner_w = min(canvas_w, max(2, 2 * round(width * scale / 2)))
    top, left = (canvas_h - inner_h) // 4 * 2, (canvas_w - inner_w) // 4 * 2
    if (inner_h, inner_w) != (height, width):
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        image = cv2.resize(image, (inner_w, inner_h), interpolation=how)  # type: ignore[assignment]
    canvas[:top], canvas[top + inner_h :] = 0, 0
    canvas[:, :left], canvas[:, left + inner_w :] = 0, 0
    canvas[top : top + inner_h, left : left + inner_w] = image
