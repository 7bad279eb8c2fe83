"""The containers and codecs that videos are written in, as tables."""

from __future__ import annotations

from typing import Final, NamedTuple


class Container(NamedTuple):
    """FFmpeg's muxer, the codec used unless another is asked for, and the muxer's options."""

    muxer: str
    codec: str
    options: dict[str, str]


class Codec(NamedTuple):
    """Software and hardware encoders, pixel formats by preference for 8 and for more bits, and
    the scale of its constant quality: best and worst value of `quality_option`.
    """

    software: str
    hardware: tuple[str, ...]
    formats: tuple[str, ...]
    deep_formats: tuple[str, ...]
    quality_option: tuple[str, float, float] | None
    options: dict[str, str]


_MOV: Final = {"movflags": "+faststart"}
_MKV: Final = {"avoid_negative_ts": "disabled"}
CONTAINERS: Final = {
    ".mp4": Container("mp4", "h264", _MOV),
    ".m4v": Container("mp4", "h264", _MOV),
    ".mov": Container("mov", "h264", _MOV),
    ".mkv": Container("matroska", "h264", _MKV),
    ".webm": Container("webm", "vp9", {}),
    ".gif": Container("gif", "gif", {}),
    ".png": Container("image2", "png", {}),
}
_LIVE_MOV: Final = {
    # In fragments until it is closed, and then as any other file. Times begin at 0 only with
    # delay_moov: B-frames need an edit list.
    "movflags": "+hybrid_fragmented+delay_moov+default_base_moof",
    "frag_duration": "1000000",
    "flush_packets": "1",
}
_LIVE_MKV: Final = {"cluster_time_limit": "1000", "flush_packets": "1"}
LIVE: Final = {
    "mp4": _LIVE_MOV,
    "mov": _LIVE_MOV,
    "matroska": _MKV | _LIVE_MKV,
    "webm": _LIVE_MKV,
}
"""Options by muxer with which a recording plays up to its last second, however it ends."""
PIPES: Final = {
    # A cluster is sent when it is whole: by default twice a second, late for who watches.
    "matroska": Container("matroska", "h264", _MKV | {"live": "1", "cluster_time_limit": "50"}),
    # More than 8 bits are FFmpeg's addition to y4m, which it writes only when told so.
    "y4m": Container("yuv4mpegpipe", "raw", {"strict": "-1"}),
}
QUICKTIME: Final = frozenset({"mp4", "mov"})
PICTURES_ONLY: Final = frozenset({"gif", "image2", "yuv4mpegpipe"})
"""Muxers that hold no sound, metadata or chapters."""
_EVEN: Final = ("yuv420p", "yuv444p")
_EVEN_8: Final = ("yuv420p", "nv12", "yuv444p")
"""Quick Sync takes no other 8 bits than NV12."""
_EVEN_10: Final = ("yuv420p10le", "yuv444p10le", "p010le")
CODECS: Final = {
    "h264": Codec(
        "libx264",
        ("h264_nvenc", "h264_videotoolbox", "h264_qsv", "h264_amf"),
        _EVEN_8,
        _EVEN_8,  # hardly any player takes 10 bits in H.264; --pix-fmt insists
        ("crf", 9.25, 44),
        {"preset": "veryfast"},
    ),
    "hevc": Codec(
        "libx265",
        ("hevc_nvenc", "hevc_videotoolbox", "hevc_qsv", "hevc_amf"),
        _EVEN_8,
        _EVEN_10,
        ("crf", 11, 46),
        {"preset": "fast", "x265-params": "log-level=none"},
    ),
    "av1": Codec(
        "libsvtav1",
        ("av1_nvenc", "av1_qsv", "av1_amf"),
        _EVEN_8,
        _EVEN_10,
        ("crf", 20, 60),
        {"preset": "10"},
    ),
    "vp9": Codec(
        "libvpx-vp9",
        (),
        _EVEN,
        _EVEN_10,
        ("crf", 20, 63),
        {"b": "0", "deadline": "realtime", "cpu-used": "7", "row-mt": "1"},
    ),
    "prores": Codec(
        "prores_ks",
        (),
        ("yuv422p10le",),
        ("yuv422p10le",),
        ("profile", 3.99, 0),
        {"vendor": "apl0"},
    ),
    "ffv1": Codec(
        "ffv1",
        (),
        ("yuv444p",),
        ("yuv444p10le", "yuv444p16le"),
        None,
        {"level": "3", "slices": "4", "slicecrc": "1"},
    ),
    # Not offered: it is for tools that write nothing else, to be measured beside them.
    "mpeg4": Codec("mpeg4", (), ("yuv420p",), ("yuv420p",), None, {"b": "4M"}),
    "gif": Codec("gif", (), ("pal8",), ("pal8",), None, {}),
    "png": Codec("png", (), ("rgb24",), ("rgb24",), None, {"pred": "mixed"}),
    "raw": Codec("rawvideo", (), _EVEN, ("yuv420p10le",), None, {}),
}
CHOICES: Final = ("h264", "hevc", "av1", "vp9", "prores", "ffv1")
