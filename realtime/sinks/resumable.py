"""A video file made in segments, so that a killed run can be resumed."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ..atomic import put_in_place, sync
from ..errors import OutputExists, SinkError
from ..frame import Frame, VideoInfo
from ..pictures import Converter
from ..snapshots import Snapshot, Snapshots, encode
from . import workfolder
from .encode import Encoder
from .formats import Coding, as_coded, configure, settings_for
from .mux import Muxer, check_header
from .original import Original
from .partial import came_meanwhile, check_writable, write_error
from .segments import coded_picture, packet_of, with_continuous_dts
from .sequence import existing, is_sequence, numbered_files
from .workfolder import WorkFolder

if TYPE_CHECKING:
    from av import Packet
    from av.stream import Stream
    from av.video.codeccontext import VideoCodecContext


class ResumableSink:
    """Encodes frames into segments of a fixed number of frames, each with an encoder of its own,
    and at `close` puts them and what is carried over from `original` into one file.

    So the result does not depend on whether, or when, earlier runs of the same `job` were killed:
    each segment's encoder gets the same pictures and settings. (x264 with AVX-512 may still code
    them a little differently from run to run.)
    `done` says how many frames they left; the first `write` takes the next one, from an engine
    that fills `snapshots`. Stopped early, `close` makes a shorter file, or
    with `whole_only` none: its finished segments are for the next run. Raises SinkError with the
    remedy; finished segments are kept.
    """

    def __init__(
        self,
        path: Path,
        info: VideoInfo,
        *,
        original: Original,
        coding: Coding,
        job: dict[str, Any],
        force: bool = False,
        stopped: Callable[[], bool] = lambda: False,
        whole_only: bool = False,
    ) -> None:
        import av

        self._force = force or (bool(existing(path)) and workfolder.made_by_same_job(path, job))
        check_writable(path, force=self._force)
        self._settings = settings_for(path, coding, info)
        self._info = info = as_coded(info, self._settings)
        self._path, self._original = path, original
        self._stopped, self._whole_only = stopped, whole_only
        try:
            check_header(self._settings, info, original)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise write_error(path, error) from error
        self._converter = Converter()
        self._encoder: Encoder | None = None
        self._in_segment, self._ended, self._end_s = 0, False, Fraction(0)
        self._work = WorkFolder(path, job)
        self.done = self._work.frames
        self.snapshots = Snapshots(self._work.snapshot())
        self._snapshot: Snapshot = {}
        self.notes: list[str] = []
        if self.done:
            self.notes.append(f"resumed after {self.done} frames of an earlier run")
        if self._work.restarted:
            self.notes.append("an unfinished run did not match this one: started over")

    @property
    def resumes_after(self) -> int:
        """How many frames are in finished segments."""
        return self._work.frames

    def write(self, frame: Frame) -> None:
        """Encode one frame."""
        import av

        try:
            if self._encoder is None:
                self._encoder = self._open_encoder()
            self._store(self._encoder.encode(frame))
            self._snapshot = self.snapshots.next()
            self._in_segment += 1
            if self._in_segment >= workfolder.SEGMENT_FRAMES:
                self._finish_segment()
        except (av.FFmpegError, OSError, ValueError) as error:
            raise self._error(error) from error

    def _open_encoder(self) -> Encoder:
        import av
        from av.codec.context import Flags

        codec = cast("VideoCodecContext", av.CodecContext.create(self._settings.encoder, "w"))
        configure(codec, self._settings, self._info)
        codec.flags |= Flags.global_header
        return Encoder(codec, self._settings, self._info, self._converter)

    def _store(self, packets: Iterable[Packet[Stream]]) -> None:
        for packet in packets:
            self._work.append(coded_picture(packet))

    def _finish_segment(self) -> None:
        if self._encoder is not None:
            self._store(self._encoder.encode(None))
            self._encoder = None
            self._work.finish_segment(self._in_segment, encode(self._snapshot))
            _give_memory_back()
        self._in_segment = 0

    def close(self) -> None:
        """Put the segments together and give the file its name."""
        import av

        if self._ended:
            return
        if self._whole_only and self._stopped():
            self.abort()  # a segment cut short would not be what an undisturbed run makes
            return
        try:
            self._finish_segment()
            if self._work.frames:
                self._assemble()
        except (av.FFmpegError, OSError, ValueError) as error:
            self.abort()
            raise self._error(error) from error
        except SinkError:
            self.abort()
            raise
        self._ended = True
        self._work.remove()

    @property
    def _target(self) -> Path:
        """Where all is put together. The folder has the output's name already: twice a long one
        would be more than the 260 characters of a path on Windows.
        """
        sequence = is_sequence(self._path)
        return self._work.path / (self._path.name if sequence else f"whole{self._path.suffix}")

    def _assemble(self) -> None:
        target = self._target
        # FFmpeg takes what stands before a colon for a protocol, unless a slash comes first. Not an
        # absolute path: of numbered pictures it numbers the folders too.
        place = os.path.join(os.curdir, target)  # noqa: PTH118 - a Path drops the dot
        muxer = Muxer(place, self._settings, self._info, self._original)
        try:
            for picture in with_continuous_dts(self._work.pictures()):
                # In decoding order the last is not the latest.
                ends_s = (picture.pts + picture.duration) * self._info.time_base
                self._end_s = max(self._end_s, ends_s)
                muxer.add([packet_of(picture, self._info.time_base)])
            muxer.finish(self._end_s if self._stopped() else None)
        except BaseException:
            muxer.abort()
            raise
        self.notes += muxer.notes
        if is_sequence(self._path):
            self._place(sorted(self._work.path.glob(f"*{self._path.suffix}")))
        else:
            sync(target)
            self._place([target])

    def _place(self, made: list[Path]) -> None:
        """Give what was put together its name; of numbered pictures, all or none."""
        single, placed = not is_sequence(self._path), list[Path]()
        try:
            check_writable(self._path, force=self._force)
            self._work.begin_to_place()
            for file in made:
                final = self._path if single else self._path.with_name(file.name)
                put_in_place(file, final, replace=self._force)
                placed.append(final)
        except (FileExistsError, OutputExists) as error:
            for path in placed:
                path.unlink()
            self._work.give_up_placing()
            hint = "what was painted is kept: the same command with --force finishes at once"
            raise came_meanwhile(self._path, hint) from error
        for other in numbered_files(self._path):
            if self._force and other not in placed:  # of a longer run before
                other.unlink()

    def _error(self, error: Exception) -> SinkError:
        made = write_error(self._path, error)
        if self.resumes_after:
            made.hint += f"; the same command then resumes after {self.resumes_after} frames"
        return made

    def abort(self) -> None:
        """Leave nothing behind but finished segments."""
        if not self._ended:
            self._ended = True
            self._encoder = None
            self._target.unlink(missing_ok=True)
            self._work.leave()


def _give_memory_back() -> None:
    """Return what an ended encoder's threads have freed to the system.

    glibc keeps it in one arena a thread: at 720p with x264 that was 100 MiB, slowly growing.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:  # musl has none
            trim(0)
