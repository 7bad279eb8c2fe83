"""One picture, written whole or not at all."""

from __future__ import annotations

from pathlib import Path

from ..errors import SinkError
from ..frame import Frame
from .partial import PartialFile

JPEG_QUALITY = 95


class ImageSink:
    """Writes the first frame in the format of the file's suffix."""

    def __init__(self, path: Path, *, force: bool = False) -> None:
        self._partial = PartialFile(path, force=force)
        self._written = self._ended = False

    def write(self, frame: Frame) -> None:
        """Encode and write to the temporary file; later frames are not wanted."""
        import cv2

        if self._written:
            return
        suffix = self._partial.final.suffix
        bgr = cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)
        try:
            ok, data = cv2.imencode(suffix, bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        except cv2.error:
            ok = False
        if not ok:
            raise SinkError(
                f"pictures cannot be written as {suffix}", hint="use .jpg, .png or .webp"
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
