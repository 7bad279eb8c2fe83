"""One picture, written whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ..errors import SinkError
from ..frame import Frame
from .partial import PartialFile

QUALITY: Final = 95
_WITH_ALPHA: Final = frozenset({".png", ".webp", ".tif", ".tiff", ".avif"})


class ImageSink:
    """Writes the first frame in the format of the file's suffix, with its opacity if it has any.

    `quality` is 0 to 100 for the formats that lose some.
    """

    def __init__(self, path: Path, *, force: bool = False, quality: int | None = None) -> None:
        self._partial = PartialFile(path, force=force)
        self._quality = QUALITY if quality is None else quality
        self._written = self._ended = False
        self.notes: list[str] = []

    def write(self, frame: Frame) -> None:
        """Encode and write to the temporary file; later frames are not wanted."""
        import cv2
        import numpy as np

        if self._written:
            return
        suffix = self._partial.final.suffix.lower()
        pixels = cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)
        if frame.alpha is not None and suffix in _WITH_ALPHA:
            pixels = np.dstack([pixels, frame.alpha])
        elif frame.alpha is not None:
            self.notes.append(f"transparency left out: {suffix} cannot hold it")
        quality = {
            ".jpg": cv2.IMWRITE_JPEG_QUALITY,
            ".jpeg": cv2.IMWRITE_JPEG_QUALITY,
            ".webp": cv2.IMWRITE_WEBP_QUALITY,
            ".avif": cv2.IMWRITE_AVIF_QUALITY,
        }.get(suffix)  # OpenCV warns of any that does not belong to the format
        options = [] if quality is None else [quality, self._quality]
        try:
            ok, data = cv2.imencode(suffix, pixels, options)
        except cv2.error:
            ok = False
        if not ok:
            raise SinkError(
                f"pictures cannot be written as {suffix}", hint="use .jpg, .png, .webp or .avif"
            )
        try:
            self._partial.path.write_bytes(data.tobytes())
        except OSError as error:
            raise self._partial.error(error) from error
        self._written = True

    def close(self) -> None:
        """Give the picture its name."""
        if not self._ended:
            self._ended = True
            if self._written:
                self._partial.keep()
            else:
                self._partial.drop()

    def abort(self) -> None:
        """Leave nothing behind."""
        if not self._ended:
            self._ended = True
            self._partial.drop()
