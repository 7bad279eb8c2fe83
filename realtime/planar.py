"""Pictures in planes: to and from RGB and decoded frames; mixed, scaled, turned upright.

swscale takes both chroma samples of 4:2:0 to lie in the middle of their four pixels, whatever a
file says, on the way to RGB and on the way back. So planes are scaled and turned here as if they
did: the same error is left out twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

import numpy as np

from .colour import FULL, swscale_flags, swscale_matrix
from .frame import Colour, Image, Samples, Yuv420

if TYPE_CHECKING:
    from av import VideoFrame
    from av.video.reformatter import VideoReformatter

MATRICES: Final = frozenset({1, 5, 6, 9})
"""FFmpeg's numbers of the matrices that planar engines know: BT.709, BT.601 twice, BT.2020."""
_SLACK: Final = 64
"""Samples allocated beyond the last: swscale and encoders may read past the end of a row."""


def crossing(colour: Colour) -> Colour:
    """Return the colour in which pictures of `colour` are given to a planar engine."""
    return colour if colour.matrix in MATRICES else colour._replace(matrix=1)


def empty(height: int, width: int, colour: Colour) -> Yuv420:
    """Return a picture whose samples are still to be written."""
    samples = height * width + 2 * -(-height // 2) * -(-width // 2)
    data: Samples = np.empty(samples + _SLACK, np.uint8)[:samples]
    return Yuv420(data, height, width, colour)


def to_rgb(picture: Yuv420, reformatter: VideoReformatter | None = None) -> Image:
    """Return it as RGB uint8 (height, width, 3).

    A `reformatter` that is kept saves a quarter of the time; it belongs to one thread.
    """
    from av.video.reformatter import VideoReformatter

    rgb = (reformatter or VideoReformatter()).reformat(
        to_frame(picture),
        format="rgb24",
        src_colorspace=swscale_matrix(picture.colour.matrix),
        src_color_range=picture.colour.range,
        dst_color_range=FULL,
        interpolation=swscale_flags(),
    )
    return cast("Image", rgb.to_ndarray())


def from_rgb(image: Image, colour: Colour, reformatter: VideoReformatter | None = None) -> Yuv420:
    """Return RGB uint8 (H, W, 3) as planes, by the matrix and in the range of `colour`."""
    from av import VideoFrame
    from av.video.reformatter import VideoReformatter

    frame = (reformatter or VideoReformatter()).reformat(
        VideoFrame.from_numpy_buffer(np.ascontiguousarray(image), format="rgb24"),
        format="yuv420p",
        dst_colorspace=swscale_matrix(colour.matrix),
        src_color_range=FULL,
        dst_color_range=colour.range,
        interpolation=swscale_flags(),
    )
    return from_frame(frame, colour)


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
    """Copy the samples of a frame in yuv420p, yuvj420p or nv12; `colour` says what they mean."""
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


def mix(photo: Yuv420, painting: Yuv420, strength: float) -> Yuv420:
    """Return `strength` parts painting to 1 - `strength` parts photo."""
    import cv2

    if strength >= 1:
        return painting
    mixed = cv2.addWeighted(painting.data, strength, photo.data, 1 - strength, 0)
    data = mixed.astype(np.uint8, copy=False).reshape(-1)
    return Yuv420(data, painting.height, painting.width, painting.colour)


def resize(picture: Yuv420, height: int, width: int) -> Yuv420:
    """Scale it: by area when that makes it smaller, else with a cubic filter."""
    import cv2

    shrinks = height * width < picture.height * picture.width
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    made = empty(height, width, picture.colour)
    for target, plane in zip(made.planes, picture.planes, strict=True):
        cv2.resize(plane, target.shape[::-1], target, interpolation=how)
    return made


def crop(picture: Yuv420, height: int, width: int) -> Yuv420:
    """Return its top left corner."""
    made = empty(height, width, picture.colour)
    for target, plane in zip(made.planes, picture.planes, strict=True):
        target[:] = plane[: target.shape[0], : target.shape[1]]
    return made
