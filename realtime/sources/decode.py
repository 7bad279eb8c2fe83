"""Decoded pictures of a file's first film stream, going on after what cannot be read."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Final

from ..containers import PIPE, TAG_ERRORS
from ..errors import SourceError
from ..stats import Stats
from .hardware import nvdec, nvdec_problem

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.codec.hwaccel import HWAccel
    from av.container import InputContainer
    from av.stream import Stream
    from av.video.stream import VideoStream

_MAX_CORRUPT_IN_A_ROW: Final = 500


class Decoder:
    """Opens a file, or standard input for the path "-", and decodes its first film stream.

    Packets that cannot be decoded are skipped and counted in `stats.corrupt`. `seen` counts the
    stream's packets, `lost` the pictures that did not come of them. `decoding_times` has those of
    pictures yet to come, where the file stores no others. Of standard input, which can be read
    once only, the other streams' packets are put in `others`. With `hardware` an NVIDIA GPU
    decodes what it can; `notes` says whether it does. Raises SourceError.
    """

    def __init__(self, path: Path, *, stats: Stats, hardware: bool = False) -> None:
        self._path, self._stats = path, stats
        self.notes: list[str] = []
        self.seen = self.lost = self._due = self._shown = 0
        self.decoding_times: deque[int] = deque()
        self.others: deque[Packet[Stream]] = deque()
        problem = nvdec_problem() if hardware else ""
        self.container = self._open(nvdec() if hardware and not problem else None)
        self.stream = self._choose()
        if hardware:
            codec = self.stream.codec_context
            if not problem and not codec.is_hwaccel:
                problem = f"it does not know {codec.name}"
            self.notes.append(
                f"decoded by the CPU, not NVDEC: {problem}" if problem else "decoded by NVDEC"
            )

    def _open(self, hwaccel: HWAccel | None) -> InputContainer:
        import av

        quoted = quote(str(self._path))
        name = "pipe:0" if self._path == PIPE else str(self._path.absolute())
        try:
            return av.open(name, metadata_errors=TAG_ERRORS, hwaccel=hwaccel)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise SourceError(
                f"{self._path} is not a video that can be read "
                f"({getattr(error, 'strerror', None) or error})",
                hint=f"play it with another player; `file {quoted}` tells what it is",
            ) from error

    def _choose(self) -> VideoStream:
        """Take the first stream that is a film, neither a cover picture nor a tile of one."""
        from av.stream import Disposition

        tiled = False
        for stream in self.container.streams.video:
            tiled |= bool(stream.disposition & Disposition.dependent)
            if not stream.disposition & (Disposition.attached_pic | Disposition.dependent):
                if stream.codec_context is None:
                    self.container.close()
                    raise SourceError(
                        f"{self._path}: its video is in a format this FFmpeg cannot decode",
                        hint="convert it to H.264 with the program that made it",
                    )
                stream.thread_type = "AUTO"
                return stream
        self.container.close()
        if tiled:
            raise SourceError(
                f"{self._path} is a photo in tiles, which is not read here",
                hint="name it .heic, or convert it to JPEG or PNG",
            )
        raise SourceError(f"{self._path} has no video, only sound", hint="name a video file")

    def seek(self, begin_s: Fraction) -> None:
        """Go to the key frame before `begin_s`; without an index, read from the beginning."""
        import av

        with contextlib.suppress(av.FFmpegError):
            self.container.seek(max(0, int(begin_s * 1_000_000)))

    def frames(self) -> Iterator[VideoFrame]:
        """Yield every picture in the order of showing. Once."""
        import av

        unordered = self.container.format.name == "avi"
        for packet in self._packets():
            if packet.stream is not self.stream:
                self.others.append(packet)
                continue
            # AVI stores decoding times only (what FFmpeg makes of them in B-frames is wrong): the
            # n-th picture shown has the n-th of them.
            if packet.dts is not None and (packet.pts is None or unordered):
                self.decoding_times.append(packet.dts)
            try:
                with self._stats.stage("decode"):
                    frames = list(self.stream.codec_context.decode(packet))
            except av.error.EOFError:
                return
            except (av.FFmpegError, ValueError):
                self._stats.corrupt += 1
                if self.decoding_times:
                    self.decoding_times.pop()
                continue
            for frame in frames:
                self._stats.corrupt += frame.is_corrupt
                self._shown += 1
                yield frame
        if self.stream.codec_context.name != "vp8":  # whose packets need not be shown
            self.lost = max(0, self._due - self._shown)

    def _packets(self) -> Iterator[Packet[Stream]]:
        import av

        wanted = self.container.streams if self._path == PIPE else [self.stream]
        packets = self.container.demux(*wanted)
        failures = 0
        while failures < _MAX_CORRUPT_IN_A_ROW:
            try:
                with self._stats.stage("demux"):
                    packet = next(packets)
            except StopIteration:
                return
            except (av.FFmpegError, ValueError):
                self._stats.corrupt += 1
                failures += 1
                packets = self.container.demux(*wanted)
                continue
            failures = 0
            if packet.stream is self.stream:
                self.seen += packet.size > 0
                self._due += packet.size > 0 and not packet.is_discard
            yield packet

    def close(self) -> None:
        """Close the file."""
        self.container.close()
