"""Decoded pictures of a file's first film stream, going on after what cannot be read."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Final

from ..errors import SourceError
from ..ffmpeg import PIPE, TAG_ERRORS, is_adts
from ..stats import Stats
from .awaited import Awaited
from .hardware import decoder_note, nvdec, nvdec_problem

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.stream import Stream
    from av.video.stream import VideoStream

_MAX_CORRUPT_IN_A_ROW: Final = 500
_PIPED: Final = (
    "name the file if there is one: most MP4s cannot be read through a pipe; if there is none, see "
    "whether the program that sends it had an error"
)


def remedy(path: Path, of_file: str) -> str:
    """Return what to do about an input in which there is no picture: `of_file`, or of standard
    input something else.
    """
    return _PIPED if path == PIPE else of_file


class Decoder:
    """Opens a file, or standard input for the path "-", and decodes its first film stream.

    Packets that cannot be decoded are skipped and counted in `stats.corrupt`. `seen` counts the
    stream's packets, `lost` the pictures that did not come of them. `decoding_times` has those of
    pictures yet to come, where the file stores no others. Of standard input, which can be read
    once only, the other streams' packets are put in `others`. With `hardware` an NVIDIA GPU
    decodes what it can; `notes` says whether it does. Raises SourceError.
    """

    def __init__(self, path: Path, *, stats: Stats, hardware: bool = False) -> None:
        self._path, self._stats, self._corrupt = path, stats, stats.corrupt
        self.notes: list[str] = []
        self.decoding_times: deque[int] = deque()
        self.others: deque[Packet[Stream]] = deque()
        self._note_is_due, self._problem = hardware, nvdec_problem() if hardware else ""
        self._hwaccel = nvdec() if hardware and not self._problem else None
        self._open()

    def _open(self) -> None:
        import av

        quoted = quote(str(self._path))
        name = "pipe:0" if self._path == PIPE else str(self._path.absolute())
        try:
            self.container = av.open(name, metadata_errors=TAG_ERRORS, hwaccel=self._hwaccel)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise SourceError(
                f"{self._path} is not a video that can be read "
                f"({getattr(error, 'strerror', None) or error})",
                hint=remedy(
                    self._path, f"play it with another player; `file {quoted}` tells what it is"
                ),
            ) from error
        self.stream = self._choose()
        self.stream.codec_context.copy_opaque = True
        self._count_anew()

    def _count_anew(self) -> None:
        self.seen = self.lost = 0
        self._awaited = Awaited(fields=self.stream.codec_context.name == "h264")
        self.decoding_times.clear()
        self._stats.corrupt = self._corrupt

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

    def frames_from(self, begin_s: Fraction) -> Iterator[VideoFrame]:
        """Yield every picture from `begin_s` on, as in the whole file, after some that are earlier.

        Only a good index tells which key frame comes before a time. Without one a seek ends between
        two, and with one at times at a key frame that is shown too late, or that needs pictures
        before it. So the first picture decides: until it is whole and early enough, the seek is
        repeated to an earlier time. The beginning of the file is always right.
        """
        start_s = Fraction(self.container.start_time or 0, 1_000_000)
        needs_all = self._unordered and self.stream.codec_context.has_b_frames
        if needs_all or begin_s <= start_s:
            return self.frames()
        back_s = 0
        while begin_s - back_s > start_s and self._seek(begin_s - back_s):
            frames = self.frames(from_key=True)
            first = next(frames, None)
            if first is not None and self._is_in_time(first, begin_s):
                self._awaited.forget_before(first.pts)
                self._stats.corrupt = self._corrupt
                return chain([first], frames)
            back_s = 2 * back_s or 1
        self.container.close()
        self._open()
        return self.frames()

    def _seek(self, time_s: Fraction) -> bool:
        import av

        self._count_anew()
        try:
            self.container.seek(int(time_s * 1_000_000))
        except av.FFmpegError:
            return False
        return True

    def _is_in_time(self, first: VideoFrame, begin_s: Fraction) -> bool:
        pts = self.decoding_times[0] if self.decoding_times else first.pts
        if first.is_corrupt or pts is None or first.time_base is None:
            return False
        return pts * first.time_base <= begin_s

    @property
    def _unordered(self) -> bool:
        """Whether only decoding times are stored, and what FFmpeg makes of them in B-frames is
        wrong: the n-th picture shown has the n-th of them.
        """
        return self.container.format.name == "avi"

    def frames(self, *, from_key: bool = False) -> Iterator[VideoFrame]:
        """Yield every picture in the order of showing; `from_key`: from the next key frame on."""
        import av

        unordered, waits = self._unordered, from_key
        packets = self._packets()
        for packet in chain(self._ahead(packets), packets):
            if packet.stream is not self.stream:
                self.others.append(packet)
                continue
            if waits and packet.size > 0 and not packet.is_keyframe:
                continue
            waits = False
            if packet.dts is not None and (packet.pts is None or unordered):
                self.decoding_times.append(packet.dts)
            if packet.size > 0 and not packet.is_discard:
                self._awaited.add(packet)
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
                if self._note_is_due:
                    self._note_is_due = False
                    codec, pixels = self.stream.codec_context.name, frame.format.name
                    self.notes.append(decoder_note(codec, pixels, self._problem))
                self._stats.corrupt += frame.is_corrupt
                self._awaited.came(frame)
                yield frame
        if self.stream.codec_context.name != "vp8":  # whose packets need not be shown
            self.lost = len(self._awaited)

    def _ahead(self, packets: Iterator[Packet[Stream]]) -> list[Packet[Stream]]:
        """Read standard input up to the first packet of all sound that is described by it alone:
        the output's header needs it. FFmpeg has read as far when it opened the input.
        """
        if self._path != PIPE:
            return []
        awaited = {stream.index for stream in self.container.streams.audio if is_adts(stream)}
        ahead: list[Packet[Stream]] = []
        while awaited and (packet := next(packets, None)) is not None:
            awaited.discard(packet.stream.index)
            (ahead if packet.stream is self.stream else self.others).append(packet)
        return ahead

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
            yield packet

    def close(self) -> None:
        """Close the file."""
        self.container.close()
