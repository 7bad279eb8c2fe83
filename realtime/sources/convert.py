"""From a decoded frame to the picture that is meant: deinterlaced, in its colours, upright."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import numpy as np

from ..colour import BT709, FULL, HLG, PLANAR_MATRICES, PQ, colour_of, swscale_flags, swscale_matrix
from ..pictures import FORMATS, Image, Picture, from_frame
from .grey import LimitedGrey
from .hdr import ToneMap

if TYPE_CHECKING:
    from av import VideoFrame
    from av.sidedata.sidedata import SideData, Type


_CHROMAS: Final = {(8, 16): "4:2:2", (16, 16): "4:4:4"}
"""By how much chroma there is for 16 x 16 of luma."""
_LEFT_OUT: Final = {
    "A53_CC": "closed captions left out: they were coded inside the video",
    "SPHERICAL": "360° projection left out: players show the picture flat",
}
"""What PyAV 18.1 reads of a frame and cannot write."""
TRANSPARENCY: Final = "transparency left out: the painting is opaque"


class Orientation(NamedTuple):
    """How a stored picture becomes upright: transposed first, then mirrored."""

    transpose: bool = False
    mirror_x: bool = False
    mirror_y: bool = False

    def apply(self, image: Image) -> Image:
        """Return the upright picture; the same object when it is upright already."""
        if self == Orientation():
            return image
        if self.transpose:
            image = image.swapaxes(0, 1)
        return np.ascontiguousarray(
            image[:: -1 if self.mirror_y else 1, :: -1 if self.mirror_x else 1]
        )


def read_orientation(frame: VideoFrame) -> tuple[Orientation, str]:
    """Return what the frame's display matrix asks for, and what of it cannot be done, or "".

    The matrix (nine 16.16 numbers, row vectors) maps stored to shown positions. Turns other than
    by quarters are taken as the nearest quarter.
    """
    from av.sidedata.sidedata import Type

    matrix = _side_data(frame).get(Type.DISPLAYMATRIX)
    data = b"" if matrix is None else bytes(matrix)
    if len(data) < 36:
        return Orientation(), ""
    a, b, _, c, d = struct.unpack("=9i", data[:36])[:5]
    slant = min(abs(a) + abs(d), abs(b) + abs(c))
    note = "turned by the nearest quarter: its display matrix is aslant" if slant > 1 << 13 else ""
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(False, a < 0, d < 0), note
    return Orientation(True, c < 0, b < 0), note


def transparent(frame: VideoFrame) -> bool:
    """Whether some of a decoded frame is seen through."""
    if not any(component.is_alpha for component in frame.format.components):
        return False
    return bool(frame.to_ndarray(format="rgba")[..., 3].min() < 255)


def _side_data(frame: VideoFrame) -> dict[Type, SideData]:
    from av.sidedata.sidedata import Type

    # FFmpeg gives kinds, EXIF for one, that PyAV 18.1 has no name for, and fails at.
    Type._missing_ = classmethod(_nameless)  # type: ignore[assignment]
    return {data.type: data for data in cast("Iterable[SideData]", frame.side_data)}


def _nameless(kinds: type[Type], value: object) -> Type:
    kind: Any = object.__new__(kinds)
    kind._name_, kind._value_ = f"UNKNOWN_{value}", value
    return cast("Type", kind)


class Deinterlacer:
    """Deinterlaces interlaced frames, one picture each, with FFmpeg's bwdif.

    One frame out for each frame in, one frame later. Frames not flagged as interlaced pass.
    """

    def __init__(self) -> None:
        self._graph: Any = None
        self._form: tuple[object, ...] = ()

    def push(self, frame: VideoFrame) -> Iterator[VideoFrame]:
        """Take the next frame; yield what is ready."""
        form = (frame.width, frame.height, frame.format.name)
        if form != self._form:
            yield from self.flush()
            self._graph, self._form = self._build(frame), form
        self._graph.vpush(frame)
        yield from self._ready()

    def flush(self) -> Iterator[VideoFrame]:
        """Yield what is held back; afterwards it can begin anew."""
        if self._graph is not None:
            self._graph.vpush(None)
            yield from self._ready()
            self._graph, self._form = None, ()

    def _ready(self) -> Iterator[VideoFrame]:
        import av

        while True:
            try:
                yield self._graph.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return

    @staticmethod
    def _build(frame: VideoFrame) -> Any:
        from av.filter import Graph

        graph = Graph()
        source = graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
        )
        bwdif = graph.add("bwdif", mode="send_frame", parity="auto", deint="interlaced")
        graph.link_nodes(source, bwdif, graph.add("buffersink"))
        graph.configure()
        return graph


class FrameConverter:
    """Turns decoded frames into upright pictures, all of the first frame's size and orientation.

    `colour` is what the output is to be tagged with; `notes` says what was changed on the way.
    """

    def __init__(self, first: VideoFrame, *, keep_hdr: bool = False) -> None:
        from av.video.reformatter import VideoReformatter

        self.notes: list[str] = []
        told = [data.type.name for data in _side_data(first).values()]
        self.notes += [note for kind, note in _LEFT_OUT.items() if kind in told]
        if transparent(first):
            self.notes.append(TRANSPARENCY)
        self._size = (first.width, first.height)
        self._orientation, note = read_orientation(first)
        if note:
            self.notes.append(note)
        self.height, self.width = first.height, first.width
        self.turned = self._orientation.transpose
        if self.turned:
            self.height, self.width = self.width, self.height
        # One reformatter for all frames: a new one per frame makes memory grow (PyAV 18.1).
        self._reformatter = VideoReformatter()
        self.colour = self._coded = colour_of(first)
        self.bits = max(component.bits for component in first.format.components)
        sizes = (first.format.chroma_width(16), first.format.chroma_height(16))
        grey = len(first.format.components) < 3
        self.chroma = "4:2:0" if grey else _CHROMAS.get(sizes, "4:2:0")
        self._grey = LimitedGrey() if LimitedGrey.fits(first) else None
        self._tone_map: ToneMap | None = None
        if self._coded.transfer in (PQ, HLG):
            kind = "PQ" if self._coded.transfer == PQ else "HLG"
            if keep_hdr:
                self.notes.append(
                    f"HDR ({kind}) kept, painted with 8 bits; mastering metadata left out"
                )
            else:
                self._tone_map, self.colour, self.bits = ToneMap(self._coded), BT709, 8
                keeps = "--keep-hdr --codec hevc keeps it"
                self.notes.append(f"HDR ({kind}) tone-mapped to SDR (BT.709); {keeps}")

    def planes(self, frame: VideoFrame) -> Picture:
        """Return the frame's own samples where they mean what `Yuv420` says, else RGB: of other
        pixels or matrices, sizes that change, and where turning would move chroma aside.
        """
        same = (self._orientation, self._tone_map) == (Orientation(), None)
        known = frame.format.name in FORMATS and self._coded.matrix in PLANAR_MATRICES
        if same and known and self._size == (frame.width, frame.height):
            return from_frame(frame, self._coded)
        return self.rgb(frame)

    def rgb(self, frame: VideoFrame) -> Image:
        """Return the frame as RGB uint8 (height, width, 3), owned by the caller."""
        if self._grey is not None:
            frame = self._grey.planes(frame)
        if self._tone_map is not None:
            return self._orientation.apply(self._tone_map.rgb(frame, *self._size))
        rgb: Image = self._reformatter.reformat(
            frame,
            *self._size,  # a stream may change its size midway
            format="rgb24",
            src_colorspace=swscale_matrix(self._coded.matrix),
            src_color_range=FULL if frame.format.is_rgb else self._coded.range,
            dst_color_range=FULL,
            interpolation=swscale_flags(),
        ).to_ndarray()  # type: ignore[assignment]
        return self._orientation.apply(rgb)
