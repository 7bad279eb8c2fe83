"""From RGB frames to coded packets."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from ..colour import FULL, swscale_flags, swscale_matrix
from ..frame import Frame, VideoInfo
from .formats import Settings
from .scheduling import unhurried

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.stream import Stream
    from av.video.codeccontext import VideoCodecContext
    from av.video.reformatter import VideoReformatter


class Encoder:
    """Feeds an encoder that `formats.configure` has set up; it opens with the first frame.

    `reformatter` may outlive it: one per frame, or per encoder, makes memory grow (PyAV 18.1).
    """

    def __init__(
        self,
        codec: VideoCodecContext,
        settings: Settings,
        info: VideoInfo,
        reformatter: VideoReformatter,
    ) -> None:
        self._codec, self._settings, self._info = codec, settings, info
        self._reformatter = reformatter
        self._durations: dict[int, int] = {}

    def encode(self, frame: Frame | None) -> list[Packet[Stream]]:
        """Encode the next frame, or with None all that is held back; packets in decoding order
        carry the times and durations of their frames.
        """
        if frame is None:
            packets = self._codec.encode(None)
        else:
            self._durations[frame.pts] = frame.duration
            coded = self._coded(frame)
            with nullcontext() if self._codec.is_open else unhurried():
                packets = self._codec.encode(coded)
        for packet in packets:
            duration = self._durations.pop(packet.pts, 0) if packet.pts is not None else 0
            if duration:
                packet.duration = duration
        return packets

    def _coded(self, frame: Frame) -> VideoFrame:
        """Convert RGB to the codec's pixels, by the matrix and into the range it will be tagged
        with.
        """
        from av import VideoFrame as AvFrame

        colour, pix_fmt = self._info.colour, self._settings.pix_fmt
        rgb = AvFrame.from_numpy_buffer(frame.image, format="rgb24")
        rgb.time_base = frame.time_base
        if pix_fmt == "pal8":
            coded = self._paletted(rgb)
        elif pix_fmt == "rgb24":
            coded = rgb
        else:
            coded = self._reformatter.reformat(
                rgb,
                format=pix_fmt,
                dst_colorspace=swscale_matrix(colour.matrix),
                src_color_range=FULL,
                dst_color_range=colour.range,
                interpolation=swscale_flags(),
            )
        coded.pts, coded.time_base = frame.pts, frame.time_base
        coded.duration = frame.duration
        return coded

    def _paletted(self, rgb: VideoFrame) -> VideoFrame:
        """Choose 256 colours for this frame."""
        from av.filter import Graph

        rgb.pts = 0
        graph = Graph()
        source = graph.add_buffer(
            width=rgb.width, height=rgb.height, format=rgb.format, time_base=rgb.time_base
        )
        split = graph.add("split")
        choose = graph.add("palettegen", stats_mode="single", reserve_transparent="0")
        use = graph.add("paletteuse", new="1", dither="sierra2_4a")
        source.link_to(split)
        split.link_to(choose, output_idx=0)
        split.link_to(use, output_idx=1, input_idx=0)
        choose.link_to(use, input_idx=1)
        use.link_to(graph.add("buffersink"))
        graph.configure()
        graph.vpush(rgb)
        graph.vpush(None)
        return graph.vpull()
