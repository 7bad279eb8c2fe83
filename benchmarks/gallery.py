"""`stylecam bench gallery`: pictures and figures of docs/styles.md, from the style files."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np
from stylecam.realtime.engines import EngineOptions
from stylecam.realtime.pictures import Image
from stylecam.realtime.styles import Style, built_in, find

from .quality import PHOTOS, painter, painting_of, read_photo
from .tables import renew

DOCS: Final = Path(__file__).parent.parent / "docs"
SHOWN: Final = ("coffee", "otters", "lake", "cat")
BLENDS: Final = tuple(f"great-wave:{1 - w},starry-night:{w}" for w in (0, 0.25, 0.5, 0.75, 1))
FIRST_SEEN: Final = ("great-wave", "starry-night", "stained-glass", "the-scream")
"""Styles at the top of the README."""
CELL: Final = (320, 240)
_GAP: Final = 6
BEGIN: Final = "<!-- gallery: made by `stylecam bench gallery` -->"
END: Final = "<!-- end of gallery -->"


def renew_gallery(*, docs: Path = DOCS, styles: list[Style] | None = None) -> str:
    """Write a strip a style into docs/gallery, the README's picture, and the text between the marks
    in docs/styles.md.
    """
    styles = built_in() if styles is None else styles
    pictures = docs / "gallery"
    pictures.mkdir(parents=True, exist_ok=True)
    photos = [_cell(read_photo(PHOTOS / f"{name}.jpg")) for name in SHOWN]
    _save(pictures / "photos.jpg", [np.full_like(photos[0], 255), *photos])
    if set(FIRST_SEEN) <= {style.name for style in styles}:
        seen = [[p, *(paint(find(name), p) for name in FIRST_SEEN)] for p in photos[-2:]]
        _save(docs / "strip.jpg", *seen)
        _save(pictures / "blend.jpg", [paint(find(name), photos[1]) for name in BLENDS])
    parts = ["![the photos](gallery/photos.jpg)", ""]
    for style in styles:
        painting = painting_of(style)
        first = np.full_like(photos[0], 255) if painting is None else _cell(read_photo(painting))
        _save(pictures / f"{style.name}.jpg", [first, *(paint(style, p) for p in photos)])
        parts += [
            f"### `{style.name}`",
            "",
            f"![{style.name}](gallery/{style.name}.jpg)",
            "",
            about(style),
            "",
        ]
    text = "\n".join(parts).rstrip()
    renew(docs / "styles.md", BEGIN, END, text)
    return text


def paint(style: Style, photo: Image) -> Image:
    """Return one photo, uint8 RGB (H, W, 3) with sides that are multiples of 8, painted."""
    with painter(style, EngineOptions(precision="f32", statistics="frame"), photo) as engine:
        return engine(photo)


def about(style: Style) -> str:
    """Return what docs/styles.md says of a style: all of it from its card."""
    card = style.card
    return f"{card['title']}, {card['artist']}. {card['licence']}. {_figures(style)}"


def _figures(style: Style) -> str:
    card, quality = style.card, style.card.get("quality")
    steps = card["steps"] + card.get("steps_before", 0)
    trained = f"Recipe `{card['recipe']}`, {steps} steps"
    if not quality:
        return f"{trained}."
    return (
        f"{trained}; coverage {quality['coverage']:.2f} (worst photo "
        f"{quality['worst_coverage']:.2f}), st-LPIPS {quality['st_lpips']:.2f}, shimmer "
        f"{quality['mean_shimmer']:.1f}, noise gain {quality['noise_gain']:.1f}."
    )


def _cell(picture: Image) -> Image:
    """Return the middle of a picture at CELL's shape."""
    width, height = CELL
    scale = max(width / picture.shape[1], height / picture.shape[0])
    size = (
        max(width, round(picture.shape[1] * scale)),
        max(height, round(picture.shape[0] * scale)),
    )
    shrunk = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    top, left = (shrunk.shape[0] - height) // 2, (shrunk.shape[1] - width) // 2
    return np.ascontiguousarray(shrunk[top : top + height, left : left + width]).astype(np.uint8)


def _save(path: Path, *rows: list[Image]) -> None:
    gap = np.full((CELL[1], _GAP, 3), 255, np.uint8)
    strips = [cv2.hconcat([part for cell in row for part in (cell, gap)][:-1]) for row in rows]
    between = np.full((_GAP, strips[0].shape[1], 3), 255, np.uint8)
    sheet = cv2.vconcat([part for strip in strips for part in (strip, between)][:-1])
    bgr = cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR)
    # Not cv2.imwrite: it cannot open names outside ASCII on Windows.
    path.write_bytes(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes())
