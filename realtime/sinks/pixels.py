"""FFmpeg's pixel formats by name: how deep and how fine they are."""

from __future__ import annotations

import contextlib


def bits(pix_fmt: str) -> int:
    """Return the bits of its deepest channel; of what is no format, which is said when it is tried,
    as many as are ever asked for.
    """
    from av import VideoFormat

    try:
        return max(component.bits for component in VideoFormat(pix_fmt).components)
    except ValueError:
        return 16


def subsampled(pix_fmt: str) -> bool:
    """Whether it stores less chroma than luma; not what is no format."""
    from av import VideoFormat

    with contextlib.suppress(ValueError):
        form = VideoFormat(pix_fmt)
        return (form.chroma_width(16), form.chroma_height(16)) != (16, 16)
    return False


def halves_chroma(pix_fmt: str) -> bool:
    """Whether it stores chroma for every 2 x 2 pixels: yuv420p, nv12 and their like."""
    from av import VideoFormat

    form = VideoFormat(pix_fmt)
    return (form.chroma_width(16), form.chroma_height(16)) == (8, 8)
