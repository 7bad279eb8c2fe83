"""Pictures, as RGB or in planes as video is coded: from one form to the other, to and from FFmpeg's
frames, mixed.

Chroma samples of 4:2:0 lie between the rows of luma, on its even columns: what every decoder says
of video that does not say it. A frame that is made from an array says nothing, and swscale would
take them to be half a pixel further right; therefore `Converter` says it.
"""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from .background import per_thread
from .colour import FULL, Colour, swscale_flags, swscale_matrix

if TYPE_CHECKING:
    from av import VideoFrame
    from av.video.reformatter import VideoReformatter

Image = npt.NDArray[np.uint8]
"""RGB, uint8, shape (height, width, 3)."""

Mask = npt.NDArray[np.uint8]
"""Opacity, uint8, shape (height, width)."""

Samples = npt.NDArray[np.uint8]
"""Some samples of a picture, uint8."""

FORMATS: Final = frozenset({"yuv420p", "yuvj420p", "nv12"})
"""FFmpeg's names of the pixel formats that `from_frame` takes."""


def empty_samples(count: int) -> Samples:
    """Return memory for `count` samples, and some behind: swscale and encoders may read past the
    end of a row.
    """
    samples: Samples = np.empty(count + 64, np.uint8)[:count]
    return samples


@dataclasses.dataclass(frozen=True, eq=False)
class Yuv420:
    """A picture as video is coded: luma for every pixel, chroma for every 2 x 2 of them.

    `data` is uint8, contiguous, of height * width luma samples, then ceil(height / 2) *
    ceil(width / 2) of Cb, then as many of Cr (FFmpeg's I420). Nobody writes into it.
    """

    data: Samples
    height: int
    width: int
    colour: Colour

    @classmethod
    def empty(cls, height: int, width: int, colour: Colour) -> Yuv420:
        """Return a picture whose samples are still to be written."""
        samples = height * width + 2 * -(-height // 2) * -(-width // 2)
        return cls(empty_samples(samples), height, width, colour)

    @property
    def planes(self) -> tuple[Samples, Samples, Samples]:
        """Y (height, width), Cb and Cr (ceil(height / 2), ceil(width / 2)), as views."""
        luma = self.height * self.width
        chroma = (-(-self.height // 2), -(-self.width // 2))
        blue, red = self.data[luma:].reshape(2, *chroma)
        return self.data[:luma].reshape(self.height, self.width), blue, red

    @cached_property
    def rgb(self) -> Image:
        """The picture as RGB, converted when it is first asked for."""
        return _kept_converter().to_rgb(self)


Picture: TypeAlias = Image | Yuv420
"""A picture in either form."""


def as_rgb(picture: Picture) -> Image:
    """Return the picture as RGB: the same object if it is."""
    return picture.rgb if isinstance(picture, Yuv420) else picture


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
                width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1)
            )
            say = graph.add("setparams", chroma_location="left")
            graph.link_nodes(begin, say, graph.add("buffersink"))
            graph.configure()
            self._graph, self._form = graph, form
        frame.pts = 0
        self._graph.vpush(frame)
        return cast("VideoFrame", self._graph.vpull())


_kept_converter: Final = per_thread(Converter)
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
    made = Yuv420.empty(frame.height, frame.width, colour)
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


def mix(photo: Picture, painting: Picture, strength: float, converter: Converter) -> Picture:
    """Return `strength` parts painting to 1 - `strength` parts photo, contiguous, in the form of
    the painting; the caller keeps `converter` for the next.
    """
    import cv2

    if isinstance(painting, Yuv420):
        if strength >= 1:
            return painting
        original = converter.to_planes(photo, painting.colour)
        made = Yuv420.empty(painting.height, painting.width, painting.colour)
        cv2.addWeighted(painting.data, strength, original.data, 1 - strength, 0, made.data)
        return made
    if strength >= 1:
        return np.ascontiguousarray(painting)
    mixed = cv2.addWeighted(painting, strength, as_rgb(photo), 1 - strength, 0)
    return mixed.astype(np.uint8, copy=False)
