"""One picture, written whole or not at all."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, Final

from ..errors import SinkError
from ..frame import Frame
from ..tags import EXIF, ICC, Tags
from .partial import PartialFile

QUALITY: Final = 95
_WITH_ALPHA: Final = frozenset({".png", ".webp", ".tif", ".tiff", ".avif"})
_WITH_TAGS: Final = frozenset({".jpg", ".jpeg", ".png", ".webp", ".avif"})


class ImageSink:
    """Writes the first frame in the format of the file's suffix, with its opacity if it has any,
    and the `tags` of the photo that it was.

    `quality` is 0 to 100 for the formats that lose some. Raises SinkError when there is no such
    format, or the file is there already.
    """

    snapshots = None
    resumes_after = 0
    """As in `Output`: there is one frame."""

    def __init__(
        self,
        path: Path,
        *,
        force: bool = False,
        quality: int | None = None,
        tags: Tags = Tags(),  # noqa: B008 - immutable
    ) -> None:
        import cv2

        if not cv2.haveImageWriter(f"a{path.suffix.lower()}"):
            raise SinkError(
                f"pictures cannot be written as {path.suffix.lower() or 'a file without suffix'}",
                hint="use .jpg, .png, .webp or .avif",
            )
        self._partial = PartialFile(path, force=force)
        self._quality = QUALITY if quality is None else quality
        self._tags, self._written, self._ended = tags, False, False
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
        data = self._encode(pixels, suffix, [] if quality is None else [quality, self._quality])
        if data is None:
            raise SinkError(
                f"pictures cannot be written as {suffix}", hint="use .jpg, .png, .webp or .avif"
            )
        try:
            self._partial.path.write_bytes(data)
        except OSError as error:
            raise self._partial.error(error) from error
        self._written = True

    def _encode(self, pixels: Any, suffix: str, options: list[int]) -> bytes | None:
        """Encode with the tags, else without and say so; None when that cannot be done."""
        import cv2
        import numpy as np

        names = {EXIF: "EXIF", ICC: "the colour profile"}
        tags = {EXIF: self._tags.exif, ICC: self._tags.icc}
        wanted = {kind: np.frombuffer(tag, np.uint8) for kind, tag in tags.items() if tag}
        if wanted and suffix in _WITH_TAGS and hasattr(cv2, "imencodeWithMetadata"):
            with contextlib.suppress(cv2.error):
                kinds, pieces = list(wanted), list(wanted.values())
                ok, data = cv2.imencodeWithMetadata(suffix, pixels, kinds, pieces, options)
                if ok:
                    return data.tobytes()
        self.notes += [f"{names[kind]} left out: {suffix} cannot hold it" for kind in wanted]
        with contextlib.suppress(cv2.error):
            ok, data = cv2.imencode(suffix, pixels, options)
            if ok:
                return data.tobytes()
        return None

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
