"""Which container, encoder and pixel format an output gets, and how good it is."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import io
import os
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from ..colour import HLG, LIMITED, PQ
from ..errors import SinkError, UsageError
from ..ffmpeg import NO_DRIVER, PIPE
from ..frame import VideoInfo
from .codecs import CHOICES, CODECS, CONTAINERS, PIPES, Codec, Container
from .pixels import bits, halves_chroma, subsampled
from .scheduling import normal_scheduling
from .sequence import is_sequence

if TYPE_CHECKING:
    from av.video.codeccontext import VideoCodecContext

QUALITY: Final = 75
"""Of 0 to 100: hard to tell from the original on a screen."""

_DEEPER: Final = {
    **dict.fromkeys(("gif", "png"), "-o out.mp4 --codec hevc"),
    "vp9": "--codec av1",  # libvpx may be built for 8 bits; WebM takes no HEVC
}
"""What to ask for where a codec is written with 8 bits, if not --codec hevc."""

_LIVE_GOP_S: Final = 2
"""Seconds from key frame to key frame of what is live, for who joins in; x264 would take 8. YouTube
warns from 4 (support.google.com/youtube/answer/2853702).
"""

_REFUSED: Final = {("mov", "av1"), ("mov", "vp9")}
"""What FFmpeg takes at first, and refuses when it writes the header."""
_QP2LAMBDA: Final = 118
"""FFmpeg's unit of quality (FF_QP2LAMBDA)."""


@dataclasses.dataclass(frozen=True)
class Coding:
    """What the user may say about the output's coding; None leaves it to the container."""

    codec: str | None = None
    """One of CODECS."""
    encoder: str = "software"
    """"software", "auto" (hardware if any works, else software), or an encoder's FFmpeg name."""
    quality: int | None = None
    """0 (smallest) to 100 (best)."""
    pix_fmt: str | None = None
    """FFmpeg's name of a pixel format."""
    pipe: str = "matroska"
    """What goes to standard output: "matroska" or "y4m"."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """An output decided: everything an encoder and a muxer are opened with."""

    container: Container
    codec: str
    encoder: str
    options: dict[str, str]
    pix_fmt: str
    notes: tuple[str, ...] = ()


def settings_for(path: Path, coding: Coding, info: VideoInfo) -> Settings:
    """Choose container by the suffix (or the pipe's kind), encoder and pixel format.

    Encoders are tried on one frame of the output's size. Raises SinkError with the remedy when
    nothing fits.
    """
    container = _container(path, coding, live=info.live)
    codec = coding.codec or container.codec
    if codec not in CODECS:
        raise UsageError(f"there is no codec {codec!r}", hint=f"one of {', '.join(CHOICES)}")
    if coding.codec and container.codec in ("gif", "png", "raw"):
        raise UsageError(
            f"--codec {codec} does not go with {path}", hint="name a video: -o out.mkv"
        )
    kind = CODECS[codec]
    _check_held(path, container, codec, kind)
    formats = (coding.pix_fmt,) if coding.pix_fmt else kind.formats
    hdr = info.colour.transfer in (PQ, HLG)
    if (info.bits > 8 or hdr) and not coding.pix_fmt:
        formats = kind.deep_formats if hdr else (*kind.deep_formats, *kind.formats)
    if hdr and min(map(bits, formats)) < 10:
        raise SinkError(f"HDR needs 10 bits, and {codec} is written with 8", hint=_for_hdr(codec))
    for encoder in _encoders(kind, coding.encoder):
        options = encoder_options(kind, encoder, coding.quality)
        for pix_fmt in dict.fromkeys(formats):
            if problem := try_encoder(encoder, options, pix_fmt, info):
                continue
            notes = _notes(coding, info, codec, encoder, pix_fmt)
            return Settings(container, codec, encoder, options, pix_fmt, notes)
    raise _unwritable(codec, tuple(dict.fromkeys(formats)), problem, coding=coding, info=info)


def _unwritable(
    codec: str, formats: tuple[str, ...], problem: str, *, coding: Coding, info: VideoInfo
) -> SinkError:
    """Say why no encoder took any of `formats`, and what helps."""
    if (info.width % 2 or info.height % 2) and all(map(subsampled, formats)):
        problem = "odd sizes need chroma of 4:4:4, as in yuv444p"
    hint = "choose another --codec; vp9 and ffv1 take every size"
    if coding.pix_fmt or coding.encoder != "software":
        hint = "leave out --pix-fmt and --encoder, or choose another --codec"
    elif info.colour.transfer in (PQ, HLG):
        hint = _for_hdr(codec)
    size = f"{info.width}x{info.height}"
    what = f"{codec} cannot be written at {size} as {', '.join(formats)}: {problem}"
    return SinkError(what, hint=hint)


def _for_hdr(codec: str) -> str:
    return f"{_DEEPER.get(codec, '--codec hevc')}, or leave out --keep-hdr"


def as_coded(info: VideoInfo, settings: Settings) -> VideoInfo:
    """Return what the output is, of pictures as `info` says: ProRes cannot tell of full range, and
    every decoder takes it for limited.
    """
    if settings.codec != "prores":
        return info
    return dataclasses.replace(info, colour=info.colour._replace(range=LIMITED))


def _notes(
    coding: Coding, info: VideoInfo, codec: str, encoder: str, pix_fmt: str
) -> tuple[str, ...]:
    """Return what is lost or was chosen for an input of `info`, a line each."""
    notes = []
    if info.bits > 8 and bits(pix_fmt) <= 8:
        notes.append(
            f"{info.bits} bits a channel became 8: {codec} is written with 8; "
            f"{_DEEPER.get(codec, '--codec hevc')} keeps 10"
        )
    if info.chroma != "4:2:0" and halves_chroma(pix_fmt) and not coding.pix_fmt:
        deep = f"{bits(pix_fmt)}le" if bits(pix_fmt) > 8 else ""
        finer = f"yuv{info.chroma.replace(':', '')}p{deep}"
        why = f"which plays everywhere; --pix-fmt {finer} keeps it"
        if encoder == "libsvtav1":
            why = f"all that {encoder} writes"
        notes.append(f"chroma of {info.chroma} became 4:2:0, {why}")
    if coding.quality is not None and CODECS[codec].quality_option is None:
        notes.append(f"--quality changes nothing: {codec} has one quality")
    if coding.encoder == "auto":
        notes.append(f"encoded by {encoder}")
    return tuple(notes)


def _container(path: Path, coding: Coding, *, live: bool) -> Container:
    if path == PIPE:
        return PIPES[coding.pipe]
    suffix = path.suffix.lower()
    if suffix == ".png" and not is_sequence(path):
        raise SinkError(
            f"{path} is one picture, the input a video",
            hint=f'number them: -o "{path.with_name(path.stem + "_%05d.png")}"',
        )
    if suffix not in CONTAINERS:
        videos = ", ".join(known for known in CONTAINERS if known != ".png")
        numbered = "" if live else ", or numbered pictures: -o out_%05d.png"
        raise SinkError(
            f"{path}: videos cannot be written as {path.suffix or 'a file without suffix'}",
            hint=f"use one of {videos}{numbered}",
        )
    return CONTAINERS[suffix]


def _check_held(path: Path, container: Container, codec: str, kind: Codec) -> None:
    import av

    if container.muxer == "image2":
        return
    with (
        av.open(io.BytesIO(), "w", format=container.muxer) as trial,
        contextlib.suppress(ValueError),
    ):
        trial.add_stream(kind.software, rate=30)
        if (container.muxer, codec) not in _REFUSED:
            return
    other = path.with_suffix(".mov" if codec == "prores" else ".mkv")
    raise SinkError(f"{path.suffix} cannot hold {codec}", hint=f"-o {other}")


def _encoders(kind: Codec, requested: str) -> tuple[str, ...]:
    if requested == "software":
        return (kind.software,)
    if requested == "auto":
        return (*kind.hardware, kind.software)
    if requested not in (kind.software, *kind.hardware):
        raise UsageError(
            f"--encoder {requested} does not encode this codec",
            hint=f"auto, software or one of {', '.join((kind.software, *kind.hardware))}",
        )
    return (requested,)


def encoder_options(kind: Codec, encoder: str, quality: int | None) -> dict[str, str]:
    """Return an encoder's options for a quality of 0 to 100, or for the usual one."""
    share = (QUALITY if quality is None else quality) / 100
    if encoder != kind.software:
        return _constant_quality(encoder, share)
    if kind.quality_option is None:
        return dict(kind.options)
    name, best, worst = kind.quality_option
    level = best * share + worst * (1 - share)
    return kind.options | {name: str(int(level) if name == "profile" else round(level))}


def _constant_quality(encoder: str, share: float) -> dict[str, str]:
    """Return what a hardware encoder calls it: each maker has names of its own."""
    codec, _, maker = encoder.rpartition("_")
    level = round(46 - 35 * share)
    if maker == "nvenc":
        return {"cq": str(level)}
    if maker == "qsv":
        return {"global_quality": str(level)}
    if maker == "amf":
        index = str(5 * level if codec == "av1" else level)  # AV1's quantiser goes up to 255
        return {"rc": "cqp", "qp_i": index, "qp_p": index}
    # VideoToolbox: 1 to 100, as -q:v. Macs without Apple's processor refuse, and libx264 is next.
    return {"flags": "+qscale", "global_quality": str(round(_QP2LAMBDA * (1 + 99 * share)))}


def configure(codec: VideoCodecContext, settings: Settings, info: VideoInfo) -> None:
    """Set everything about an encoder that has to be known before it is opened."""
    if settings.encoder == "libsvtav1":
        os.environ.setdefault("SVT_LOG", "1")  # errors only: it has a banner of its own
    colour = info.colour
    codec.width, codec.height = info.width, info.height
    codec.pix_fmt = settings.pix_fmt
    codec.time_base, codec.framerate = info.time_base, info.fps
    codec.sample_aspect_ratio = info.sample_aspect_ratio
    codec.colorspace, codec.color_range = colour.matrix, colour.range
    codec.color_primaries, codec.color_trc = colour.primaries, colour.transfer
    codec.thread_type = "AUTO"
    if info.live:
        codec.gop_size = round(_LIVE_GOP_S * info.fps)
    codec.options = dict(settings.options)
    if halves_chroma(settings.pix_fmt):
        codec.options["chroma_sample_location"] = "left"  # as pictures.Converter makes it


def try_encoder(
    encoder: str, options: dict[str, str], pix_fmt: str, info: VideoInfo | None = None
) -> str:
    """Encode one frame; return what went wrong, or "" when it works."""
    import av

    info = info or VideoInfo(height=256, width=256, fps=Fraction(30), time_base=Fraction(1, 30))
    settings = Settings(CONTAINERS[".mkv"], "", encoder, options, pix_fmt)
    try:
        codec = cast("VideoCodecContext", av.CodecContext.create(encoder, "w"))
        configure(codec, settings, info)
        frame = av.VideoFrame(info.width, info.height, pix_fmt)
        frame.pts, frame.time_base = 0, info.time_base
        with normal_scheduling():
            packets = [*codec.encode(frame), *codec.encode(None)]
    except (av.FFmpegError, OSError, ValueError, TypeError) as error:
        if encoder.endswith("_nvenc") and getattr(error, "errno", None) == errno.EPERM:
            return NO_DRIVER
        return getattr(error, "strerror", None) or str(error) or type(error).__name__
    return "" if packets else "the encoder gives nothing"
