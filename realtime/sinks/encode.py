"""From frames to coded packets."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Final

from ..frame import Frame, VideoInfo
from ..pictures import Converter, Picture, Yuv420, as_rgb, rgb_frame, to_frame
from .formats import Settings
from .palette import Palette
from .scheduling import normal_scheduling

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.stream import Stream
    from av.video.codeccontext import VideoCodecContext

_NO_B_FRAMES: Final = 2
"""So few pictures are coded in the order in which they are shown. x265 takes their decoding times
from memory that it sets at the third only.
"""


class Encoder:
    """Feeds an encoder that `formats.configure` has set up; it opens with the first frame.

    `converter` may outlive it.
    """

    def __init__(
        self,
        codec: VideoCodecContext,
        settings: Settings,
        info: VideoInfo,
        converter: Converter,
    ) -> None:
        self._codec, self._settings, self._info = codec, settings, info
        self._converter = converter
        self._durations: dict[int, int] = {}
        self._given = False
        self._palette: Palette | None = None

    def encode(self, frame: Frame | None) -> list[Packet[Stream]]:
        """Encode the next frame, or with None all that is held back; packets in decoding order
        carry the times and durations of their frames.
        """
        if frame is None:
            packets = self._codec.encode(None)
            if not self._given and len(packets) <= _NO_B_FRAMES:
                for packet in packets:
                    packet.dts = packet.pts
        else:
            self._durations[frame.pts] = frame.duration
            coded = self._coded(frame)
            with nullcontext() if self._codec.is_open else normal_scheduling():
                packets = self._codec.encode(coded)
        self._given = self._given or bool(packets)
        for packet in packets:
            duration = self._durations.pop(packet.pts, 0) if packet.pts is not None else 0
            if duration:
                packet.duration = duration
        return packets

    def _coded(self, frame: Frame) -> VideoFrame:
        """Convert to the codec's pixels, by the matrix and into the range it will be tagged with.
        Planes that are so already are taken as they are.
        """
        from av import VideoFrame

        pix_fmt = self._settings.pix_fmt
        if pix_fmt == "pal8":
            self._palette = self._palette or Palette(self._info)
            coded = self._palette.reduce(frame.image)
        elif pix_fmt == "rgb24":
            # A copy in FFmpeg's own memory: PNG's threads would need the GIL to let go of ours.
            coded = VideoFrame.from_ndarray(frame.image, format="rgb24")
        else:
            coded = self._yuv(frame.picture, pix_fmt)
            # ProRes is told by its frames, not by the encoder.
            colour = self._info.colour
            coded.color_primaries, coded.color_trc = colour.primaries, colour.transfer
        coded.pts, coded.time_base = frame.pts, frame.time_base
        coded.duration = frame.duration
        return coded

    def _yuv(self, picture: Picture, pix_fmt: str) -> VideoFrame:
        colour = self._info.colour
        meant = (colour.matrix, colour.range)
        if isinstance(picture, Yuv420) and picture.colour[:2] == meant:
            made, planes = to_frame(picture), True
        else:
            made, planes = rgb_frame(as_rgb(picture)), False
        if made.format.name == pix_fmt:
            made.colorspace, made.color_range = meant
            return made
        return self._converter.convert(
            made, pix_fmt, source=colour if planes else None, target=colour
        )
