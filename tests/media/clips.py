"""Clips of every kind a real file may be of, built with PyAV: small, and the same every time."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from stylecam.realtime.sources.pattern import PatternSource

Picture = Callable[[int], np.ndarray]
"""The RGB picture (H, W, 3) of a frame number."""


@dataclasses.dataclass
class Film:
    """A clip to be built. Times are in `time_base`; pictures are the test pattern's."""

    height: int = 96
    width: int = 128
    pts: Sequence[int] = range(12)
    time_base: Fraction = Fraction(1, 30)
    rate: Fraction = Fraction(30)
    codec: str = "libx264"
    pix_fmt: str = "yuv420p"
    options: dict[str, str] = dataclasses.field(default_factory=lambda: {"bf": "2"})
    colour: dict[str, int] = dataclasses.field(default_factory=dict)
    """color_range, colorspace, color_primaries, color_trc as FFmpeg numbers."""
    aspect: Fraction | None = None
    rotation: tuple[int, bool, bool] | None = None
    """Degrees counter-clockwise, mirrored left-right, mirrored upside down."""
    audio: Sequence[str] = ("aac",)
    audio_title: str = ""
    audio_start: int = 0
    """Time stamp of the first sound, in 1/48000 s."""
    seconds: float = 0.5
    """How long the sound lasts."""
    subtitles: str | None = None
    chapters: bool = False
    attachment: bool = False
    cover: bool = False
    data: bool = False
    metadata: dict[str, str] = dataclasses.field(default_factory=dict)
    timecode: str = ""
    muxer_options: dict[str, str] = dataclasses.field(default_factory=dict)
    interlaced: bool = False
    picture: Picture | None = None

    def build(self, path: Path) -> Path:
        """Write it."""
        with av.open(str(path), "w", options=self.muxer_options) as container:
            container.metadata.update(self.metadata)
            video = self._add_video(container)
            tracks = [
                container.add_stream(name, rate=48_000, options={"strict": "-2"})
                for name in self.audio
            ]
            for index, track in enumerate(tracks):
                track.bit_rate = 128_000
                track.metadata["language"] = ("eng", "fra")[index % 2]
                if self.audio_title:
                    track.metadata["title"] = self.audio_title
            if self.chapters:
                container.set_chapters(CHAPTERS)
            extras = self._add_extras(container, matroska=path.suffix == ".mkv")
            container.start_encoding()
            container.mux(extras)
            self._write_video(container, video)
            for index, track in enumerate(tracks):
                _write_tone(container, track, self.audio_start, self.seconds, pitch=index)
        return path

    def _add_extras(self, container: Any, *, matroska: bool) -> list[Any]:
        """Add all that is neither picture nor sound; return its packets."""
        packets = []
        if self.subtitles:
            titles = container.add_mux_stream(self.subtitles)
            titles.time_base = Fraction(1, 1000)
            titles.metadata["language"] = "deu"
            for index in range(2):
                text = f"line {index}".encode()
                if self.subtitles == "mov_text":
                    text = len(text).to_bytes(2, "big") + text
                packets.append(_packet(titles, text, 200 * index, 150))
        if self.attachment:
            container.add_attachment("font.ttf", "font/ttf", b"\0\1\0\0" + bytes(60))
        if self.data:
            telemetry = container.add_data_stream("bin_data")
            telemetry.codec_tag = "gpmd"
            telemetry.time_base = Fraction(1, 1000)
            packets.append(_packet(telemetry, b"where I was", 0, 100))
        if self.cover and matroska:
            container.add_attachment("cover.png", "image/png", _png())
        elif self.cover:
            cover = container.add_mux_stream("png", width=16, height=16)
            cover.disposition = av.stream.Disposition.attached_pic
            packets.append(_packet(cover, _png(), 0))
        return packets

    def _add_video(self, container: Any) -> Any:
        video = container.add_stream(self.codec, rate=self.rate, options=dict(self.options))
        video.width, video.height, video.pix_fmt = self.width, self.height, self.pix_fmt
        video.codec_context.time_base = video.time_base = self.time_base
        if self.timecode:
            video.metadata["timecode"] = self.timecode
        for name, value in self.colour.items():
            setattr(video.codec_context, name, value)
        if self.aspect is not None:
            video.codec_context.sample_aspect_ratio = self.aspect
        if self.rotation is not None:
            degrees, mirror_x, mirror_y = self.rotation
            video.set_display_rotation(degrees, hflip=mirror_x, vflip=mirror_y)
        return video

    def _write_video(self, container: Any, video: Any) -> None:
        pattern = PatternSource(self.height, self.width)
        image = self.picture or pattern.image
        matrix = {1: "ITU709", 9: "BT2020"}.get(self.colour.get("colorspace", 6), "ITU601")
        for index, pts in enumerate(self.pts):
            shown = image(2 * index if self.interlaced else index)
            if self.interlaced:  # the second field is half a frame later
                shown = shown.copy()
                shown[1::2] = image(2 * index + 1)[1::2]
            frame = av.VideoFrame.from_ndarray(shown, format="rgb24").reformat(
                format=self.pix_fmt,
                dst_colorspace=matrix,
                src_color_range=2,
                dst_color_range=self.colour.get("color_range", 1),
                interpolation="BILINEAR",
            )
            frame.pts, frame.time_base = pts, self.time_base
            container.mux(video.encode(frame))
        container.mux(video.encode(None))


QUARTERS = [(d, x, y) for d in (0, 90, 180, -90) for x in (False, True) for y in (False, True)]
"""Turns and mirrorings as a film may have them: degrees, left and right, up and down."""
CHAPTERS = [
    {"id": n, "start": 100 * n, "end": 100 * n + 100, "time_base": Fraction(1, 1000),
     "metadata": {"title": f"part {n}"}}
    for n in range(3)
]  # fmt: skip


def _packet(stream: Any, data: bytes, pts: int, duration: int = 0) -> Any:
    packet = av.Packet(data)
    packet.stream, packet.time_base = stream, Fraction(1, 1000)
    packet.pts = packet.dts = pts
    packet.duration, packet.is_keyframe = duration, True
    return packet


def _png() -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="image2pipe") as container:
        stream = container.add_stream("png", rate=1)
        stream.width = stream.height = 16
        stream.pix_fmt = "rgb24"
        frame = av.VideoFrame.from_ndarray(PatternSource(16, 16).image(0), format="rgb24")
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return buffer.getvalue()


def _write_tone(container: Any, track: Any, start: int, seconds: float, *, pitch: int) -> None:
    for index in range(round(seconds * 48_000 / 1024)):
        wave = np.sin(np.arange(1024) * (0.02 + 0.01 * pitch + index / 500))[None].repeat(2, 0)
        chunk = av.AudioFrame.from_ndarray(
            (wave * 0.3).astype(np.float32), format="fltp", layout="stereo"
        )
        chunk.sample_rate, chunk.pts = 48_000, start + index * 1024
        chunk.time_base = Fraction(1, 48_000)
        container.mux(track.encode(chunk))
    container.mux(track.encode(None))
