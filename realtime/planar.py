"""Pictures in planes: to and from RGB and FFmpeg's frames, mixed, scaled.

Chroma samples of 4:2:0 lie between the rows of luma, on its even columns: what every decoder says
of video that does not say it. A frame that is made from an array says nothing, and swscale would
take them to be half a pixel further right; therefore `Converter` says it.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from .background import per_thread
from .colour import FULL, Colour, swscale_flags, swscale_matrix
from .frame import MICROSECONDS, Image, Picture, Samples, Yuv420, as_rgb, empty_samples

if TYPE_CHECKING:
    from av import VideoFrame
    from av.video.reformatter import VideoReformatter

FORMATS: Final = frozenset({"yuv420p", "yuvj420p", "nv12"})
"""FFmpeg's names of the pixel formats that `from_frame` takes."""
MATRICES: Final = frozenset({1, 5, 6, 9})
"""FFmpeg's numbers of the matrices that planar engines know: BT.709, BT.601 twice, BT.2020."""


def engine_colour(colour: Colour) -> Colour:
    """Return the colour in which pictures of `colour` are given to a planar engine."""
    return colour if colour.matrix in MATRICES else colour._replace(matrix=1)


def empty(height: int, width: int, colour: Colour) -> Yuv420:
    """Return a picture whose samples are still to be written."""
    samples = height * width + 2 * -(-height // 2) * -(-width // 2)
    return Yuv420(empty_samples(samples), height, width, colour)


class Converter:
    """Converts pixels with swscale, by this project's rules for range, matrix and siting. Belongs
    to one thread, which should keep it: a new one for each picture takes half a millisecond more,
    and memory grows.
    """

    def __init__(self) -> None:
        self._graph: Any = None
        self._form: tuple[object, ...] = ()

    @cached_property
    def _reformatter(self) -> VideoReformatter:
        from av.video.reformatter import VideoReformatter

        return VideoReformatter()

    def convert(
        self,
        frame: VideoFrame,
        pix_fmt: str,
        *,
        source: Colour | None = None,
        target: Colour | None = None,
    ) -> VideoFrame:
        """Return the frame in other pixels; colour None is RGB of full range, else both colours
        have one matrix. `frame` is without a time afterwards.
        """
        return self._reformatter.reformat(
            self._sited(frame),
            format=pix_fmt,
            src_colorspace=None if source is None else swscale_matrix(source.matrix),
            dst_colorspace=None if target is None else swscale_matrix(target.matrix),
            src_color_range=FULL if source is None else source.range,
            dst_color_range=FULL if target is None else target.range,
            interpolation=swscale_flags(),
        )

    def to_rgb(self, picture: Picture) -> Image:
        """Return it as RGB uint8 (height, width, 3); the same object if it is."""
        if not isinstance(picture, Yuv420):
            return picture
        rgb = self.convert(to_frame(picture), "rgb24", source=picture.colour)
        return cast("Image", rgb.to_ndarray())

    def to_planes(self, picture: Picture, colour: Colour) -> Yuv420:
        """Return it in planes of that matrix and range; the same object if it is."""
        if isinstance(picture, Yuv420) and picture.colour[:2] == colour[:2]:
            return picture
        image = np.ascontiguousarray(as_rgb(picture))
        return from_frame(self.convert(rgb_frame(image), "yuv420p", target=colour), colour)

    def _sited(self, frame: VideoFrame) -> VideoFrame:
        """Return a frame that shares the samples and says where chroma lies."""
        form = (frame.width, frame.height, frame.format.name)
        if form != self._form:
            from av.filter import Graph

            graph = Graph()
            begin = graph.add_buffer(
                width=frame.width, height=frame.height, format=frame.format, time_base=MICROSECONDS
            )
            say = graph.add("setparams", chroma_location="left")
            graph.link_nodes(begin, say, graph.add("buffersink"))
            graph.configure()
            self._graph, self._form = graph, form
        frame.pts = 0
        self._graph.vpush(frame)
        return cast("VideoFrame", self._graph.vpull())


kept_converter: Final = per_thread(Converter)
"""Returns the converter of the thread that asks, for who has nowhere to keep one."""


def rgb_frame(image: Image) -> VideoFrame:
    """Return RGB uint8 (H, W, 3), contiguous, as a frame that shares its samples."""
    from av import VideoFrame

    return VideoFrame.from_numpy_buffer(image, format="rgb24")


def to_frame(picture: Yuv420) -> VideoFrame:
    """Return it as a frame for FFmpeg, which shares its samples if both sides are even."""
    from av import VideoFrame

    height, width = picture.height, picture.width
    if height % 2 == width % 2 == 0:
        return VideoFrame.from_dlpack(picture.planes, format="yuv420p", width=width, height=height)
    frame = VideoFrame(width, height, "yuv420p")
    for stored, samples in zip(_stored(frame), picture.planes, strict=True):
        stored[:, : samples.shape[1]] = samples
    return frame


def from_frame(frame: VideoFrame, colour: Colour) -> Yuv420:
    """Copy the samples of a frame in one of `FORMATS`; `colour` says what they mean."""
    made = empty(frame.height, frame.width, colour)
    stored = _stored(frame)
    if len(stored) == 2:
        stored = [stored[0], stored[1][:, 0::2], stored[1][:, 1::2]]
    for plane, samples in zip(made.planes, stored, strict=True):
        plane[:] = samples[:, : plane.shape[1]]
    return made


def _stored(frame: VideoFrame) -> list[Samples]:
    """Return a frame's planes as views, rows as long as they are stored."""
    return [
        np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
        for plane in frame.planes
    ]


def mix(photo: Picture, painting: Yuv420, strength: float, converter: Converter) -> Yuv420:
    """Return `strength` parts painting to 1 - `strength` parts photo; the caller keeps `converter`
    for the next.
    """
    import cv2

    if strength >= 1:
        return painting
    original = converter.to_planes(photo, painting.colour)
    mixed = empty(painting.height, painting.width, painting.colour)
    cv2.addWeighted(painting.data, strength, original.data, 1 - strength, 0, mixed.data)
    return mixed


def resize(picture: Yuv420, height: int, width: int) -> Yuv420:
    """Scale it: by area when that makes it smaller, else with a cubic filter."""
    import cv2

    shrinks = height * width < picture.height * picture.width
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    made = empty(height, width, picture.colour)
    for target, plane in zip(made.planes, picture.planes, strict=True):
        cv2.resize(plane, target.shape[::-1], target, interpolation=how)
    return made
