"""Grey pictures whose black is not 0."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..colour import FULL, LIMITED

if TYPE_CHECKING:
    from av import VideoFrame


class LimitedGrey:
    """Gives grey pictures of limited range planes of colour, their luma as it is: swscale takes
    every grey format for full range, whatever it is told.
    """

    def __init__(self) -> None:
        from av.video.reformatter import VideoReformatter

        self._reformatter = VideoReformatter()

    @staticmethod
    def fits(frame: VideoFrame) -> bool:
        """Whether a frame is such a picture. Grey that does not tell its range is full."""
        grey = frame.format.name.startswith(("gray", "ya8", "ya16"))
        return grey and int(frame.color_range) == LIMITED

    def planes(self, frame: VideoFrame) -> VideoFrame:
        """Return it in planes."""
        bits = min(frame.format.components[0].bits, 16)
        return self._reformatter.reformat(
            frame,
            format="yuv420p" if bits == 8 else f"yuv420p{bits}le",
            src_color_range=FULL,
            dst_color_range=FULL,
        )
