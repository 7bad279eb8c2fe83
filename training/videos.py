"""Pairs of neighbouring frames from videos."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from .errors import TrainingError
from .pictures import Bytes3

VIDEO_PAIRS: Final = 60
"""Pairs of neighbouring frames taken from each video."""
SEEK_FROM_S: Final = 4.0
"""Nearer than this, decoding what lies between two pairs costs less than a seek to a key frame."""


class FramePair(NamedTuple):
    """Two neighbouring frames of a video, uint8 RGB (H, W, 3)."""

    first: Bytes3
    second: Bytes3


def read_frame_pairs(
    path: Path, short_side: int = 480, *, count: int = VIDEO_PAIRS
) -> list[FramePair]:
    """Take up to `count` pairs, spread over a video, with a short side of `short_side` at most.

    Raises TrainingError when the file is not a video, or one without two frames in a row.
    """
    frame_pairs: list[FramePair] = []
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise TrainingError(f"{path} has no picture")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            for before, after in _spread(container, stream, count):
                pair = FramePair(_small(before, short_side), _small(after, short_side))
                if pair.first.shape == pair.second.shape:  # a call's size changes on the way
                    frame_pairs.append(pair)
    except (av.FFmpegError, OSError) as error:
        if not frame_pairs:  # else: cut short, as a copy that was not finished is
            raise TrainingError(f"{path} cannot be read as a video ({error.strerror})") from error
    if not frame_pairs:
        raise TrainingError(f"{path} has no two frames in a row")
    return frame_pairs


def _spread(
    container: InputContainer, stream: VideoStream, count: int
) -> Iterator[tuple[VideoFrame, VideoFrame]]:
    """Give two neighbouring frames from the beginning of each of `count` parts of the video."""
    start_s, part_s = _parts_s(container, stream, count)
    frames, seen_s = container.decode(stream), 0.0
    for index in range(count):
        target_s, sought = start_s + index * part_s, index > 0 and part_s > SEEK_FROM_S
        if sought:
            container.seek(int(target_s / float(stream.time_base or 1)), stream=stream)
            frames = container.decode(stream)
        for place, frame in enumerate(frames):
            # A seek leads to the key frame before the target, which will do unless it was had.
            key = sought and place == 0 and (frame.time or 0.0) > seen_s
            if key or frame.time is None or frame.time > target_s - 1e-6:
                before, after = frame, next(frames, None)
                break
        else:
            return
        if after is None:
            return
        seen_s = after.time or 0.0
        yield before, after


def _parts_s(container: InputContainer, stream: VideoStream, count: int) -> tuple[float, float]:
    """Return where a video begins and how long each of its parts is; a second if nothing tells."""
    start_s = float((stream.start_time or 0) * (stream.time_base or 0))
    if stream.duration and stream.time_base:
        return start_s, float(stream.duration * stream.time_base) / count
    return start_s, (container.duration or count * av.time_base) / av.time_base / count


def _small(frame: VideoFrame, short_side: int) -> Bytes3:
    scale = min(1.0, short_side / min(frame.width, frame.height))
    size = {"width": round(frame.width * scale), "height": round(frame.height * scale)}
    rgb = frame.reformat(**size, format="rgb24", interpolation="AREA").to_ndarray()
    return np.ascontiguousarray(np.rot90(rgb, frame.rotation // 90)).astype(np.uint8, copy=False)
