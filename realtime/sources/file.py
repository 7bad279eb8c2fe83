"""A video file through PyAV: every frame, its exact time, upright, in RGB."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from ..errors import SourceError
from ..frame import BT601, BT709, Colour, Frame, Image, VideoInfo
from ..stats import Stats

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.video.stream import VideoStream

UNSPECIFIED: Final = 2
_HD_LINES: Final = 720
_MAX_CORRUPT_IN_A_ROW: Final = 500
_SHORTFALL_S: Final = 1.0


class FileSource:
    """Decodes the first video stream of a file. Packets that cannot be decoded are skipped and
    counted in `stats.corrupt`.
    """

    def __init__(self, path: Path, *, stats: Stats, allow_truncated: bool = False) -> None:
        import av
        from av.video.reformatter import VideoReformatter

        self._path, self._stats, self._allow_truncated = path, stats, allow_truncated
        try:
            self._container = av.open(str(path))
        except (av.FFmpegError, OSError) as error:
            raise SourceError(
                f"{path} is not a video that can be read ({error.strerror or error})",
                hint=f"play it with another player; `file {path}` tells what it is",
            ) from error
        if not self._container.streams.video:
            self._container.close()
            raise SourceError(f"{path} has no picture, only sound", hint="name a video file")
        self._stream = stream = self._container.streams.video[0]
        stream.thread_type = "AUTO"
        # One reformatter for all frames: a new one per frame makes memory grow (PyAV 18.1).
        self._reformatter = VideoReformatter()
        self.info = self._describe(stream)

    def _describe(self, stream: VideoStream) -> VideoInfo:
        codec = stream.codec_context
        first = self._peek()
        quarter_turns = round(first.rotation / 90) % 4 if first is not None else 0
        height, width = codec.height, codec.width
        if first is not None:
            height, width = first.height, first.width
        if not height or not width:
            self.close()
            raise SourceError(
                f"{self._path} holds no picture that can be decoded", hint="record it again"
            )
        self._coded_size = (width, height)
        if quarter_turns % 2:
            height, width = width, height
        colour = _decide_colour(first, height)
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        time_base = stream.time_base or Fraction(1, 90_000)
        aspect = stream.sample_aspect_ratio or Fraction(1)
        return VideoInfo(
            height=height,
            width=width,
            fps=rate,
            time_base=time_base,
            frames=self._count(rate),
            colour=colour,
            sample_aspect_ratio=1 / aspect if quarter_turns % 2 else aspect,
            description=f"{self._path.name}: {width}x{height}, {float(rate):.4g} fps, {codec.name}",
        )

    def _peek(self) -> VideoFrame | None:
        """Decode the first frame for what only frames know: rotation and colour.

        From a container of its own: after seeking back, a cut Matroska file has lost its frames.
        """
        import av

        with contextlib.suppress(av.FFmpegError), av.open(str(self._path)) as container:
            for index, packet in enumerate(container.demux(video=0)):
                with contextlib.suppress(av.FFmpegError):
                    for frame in packet.decode():
                        return frame
                if index > _MAX_CORRUPT_IN_A_ROW:
                    break
        return None

    def _count(self, rate: Fraction) -> int | None:
        if self._stream.frames:
            return int(self._stream.frames)
        duration = self._container.duration
        return round(duration / 1_000_000 * rate) if duration else None

    def __iter__(self) -> Iterator[Frame]:
        info, count, last = self.info, 0, -1
        for packet in self._packets():
            for decoded in self._decode(packet):
                with self._stats.stage("convert"):
                    image = self._rgb(decoded)
                pts = decoded.pts if decoded.pts is not None else last + self._frame_ticks()
                yield Frame(image, pts, info.time_base, born_s=time.monotonic())
                count, last = count + 1, pts
        if count == 0:
            raise SourceError(f"{self._path}: no frame could be decoded", hint="record it again")
        missing = self._missing(last)
        if missing and not self._allow_truncated:
            raise SourceError(
                f"{self._path} is cut short: {missing}",
                hint="copy it again, or stylize what is there with --allow-truncated",
            )

    def _missing(self, last_pts: int) -> str:
        """Say what of the promised length is not there; "" when all is."""
        promised = self._stream.frames
        if promised:
            return f"{self._seen} of {promised} frames are there" if self._seen < promised else ""
        tag = self._stream.metadata.get("DURATION", "")  # Matroska's, as 00:00:04.423000000
        hours, _, rest = tag.partition(":")
        minutes, _, seconds = rest.partition(":")
        with contextlib.suppress(ValueError):
            promised_s = int(hours) * 3600 + int(minutes) * 60 + float(seconds)
            end_s = float(last_pts * self.info.time_base)
            if end_s < promised_s - _SHORTFALL_S:
                return f"{end_s:.1f} of {promised_s:.1f} seconds are there"
        return ""

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        """Demux, going on after what cannot be read."""
        import av

        packets = self._container.demux(self._stream)
        self._seen, failures = 0, 0
        while failures < _MAX_CORRUPT_IN_A_ROW:
            try:
                with self._stats.stage("demux"):
                    packet = next(packets)
            except StopIteration:
                return
            except av.FFmpegError:
                self._stats.corrupt += 1
                failures += 1
                packets = self._container.demux(self._stream)
                continue
            failures = 0
            self._seen += packet.size > 0
            yield packet

    def _decode(self, packet: Packet[VideoStream]) -> list[VideoFrame]:
        import av

        try:
            with self._stats.stage("decode"):
                return list(packet.decode())
        except av.FFmpegError:
            self._stats.corrupt += 1
            return []

    def _frame_ticks(self) -> int:
        return max(1, round(1 / (self.info.fps * self.info.time_base)))

    def _rgb(self, frame: VideoFrame) -> Image:
        from av.video.reformatter import ColorRange

        colour = self.info.colour
        rgb: Image = self._reformatter.reformat(
            frame,
            *self._coded_size,  # a stream may change its size midway
            format="rgb24",
            src_colorspace=swscale_matrix(colour.matrix),
            src_color_range=colour.range,
            dst_color_range=ColorRange.JPEG,
        ).to_ndarray()  # type: ignore[assignment]
        turns = round(frame.rotation / 90) % 4
        image: Image = np.ascontiguousarray(np.rot90(rgb, turns)) if turns else rgb
        return image

    def close(self) -> None:
        """Close the file."""
        self._container.close()


def _decide_colour(frame: VideoFrame | None, lines: int) -> Colour:
    """Take what the frame says; what it leaves open is BT.709 from 720 lines, else BT.601, and
    limited range unless the pixel format is full-range ("yuvj...") or RGB.
    """
    usual = BT709 if lines >= _HD_LINES else BT601
    if frame is None:
        return usual
    name = frame.format.name
    full = name.startswith("yuvj") or frame.format.is_rgb
    said = (frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc)
    matrix, range_, primaries, transfer = (int(value) for value in said)
    return Colour(
        matrix=usual.matrix if matrix in (0, UNSPECIFIED) else matrix,
        range=range_ or (2 if full else 1),
        primaries=primaries,
        transfer=transfer,
    )


def swscale_matrix(matrix: int) -> int:
    """The SWS_CS_* number for an AVCOL_SPC_* number: they differ for BT.2020 constant
    luminance and BT.470BG only.
    """
    return {6: 5, 10: 9}.get(matrix, matrix)
