"""HDR pictures (PQ or HLG, BT.2020) turned into standard ones (BT.709)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from ..colour import PQ, Colour, swscale_flags, swscale_matrix
from ..pictures import Image

if TYPE_CHECKING:
    from av import VideoFrame

WHITE_NITS: Final = 203.0
"""Diffuse white in HDR (ITU-R BT.2408), which becomes the white of the standard picture."""
PEAK_NITS: Final = 1000.0
_SIDE: Final = 33

_BT2020_TO_BT709: Final = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
)
_BT2020_LUMA: Final = np.array([0.2627, 0.6780, 0.0593])

Floats = npt.NDArray[np.float64]


def pq_to_nits(code: Floats) -> Floats:
    """Return the light of PQ values in 0..1, in candela a square metre (SMPTE ST 2084)."""
    power = np.power(code, 32 / 2523)
    base = np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)
    nits: Floats = 10_000 * np.power(base, 8192 / 1305)
    return nits


def nits_to_pq(nits: Floats) -> Floats:
    """Undo `pq_to_nits`."""
    power = np.power(nits / 10_000, 1305 / 8192)
    code: Floats = np.power((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power), 2523 / 32)
    return code


def hlg_to_nits(code: Floats) -> Floats:
    """Return the light of HLG colours (..., 3) in 0..1 on a screen of 1000 cd/m² (BT.2100)."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(code <= 0.5, code * code / 3, (np.exp((code - c) / a) + b) / 12)
    luma = np.maximum(scene @ _BT2020_LUMA, 1e-9)
    nits: Floats = PEAK_NITS * scene * np.power(luma, 0.2)[..., None]
    return nits


def roll_off(nits: Floats) -> Floats:
    """Compress light of up to PEAK_NITS into WHITE_NITS: the knee of ITU-R BT.2390, section 5.4,
    which leaves dark and middle tones alone.
    """
    top = nits_to_pq(np.array(PEAK_NITS))
    most = nits_to_pq(np.array(WHITE_NITS)) / top
    knee = 1.5 * most - 0.5
    code = np.minimum(nits_to_pq(nits) / top, 1.0)
    t = np.clip((code - knee) / (1 - knee), 0, 1)
    curve = (
        (2 * t**3 - 3 * t**2 + 1) * knee
        + (t**3 - 2 * t**2 + t) * (1 - knee)
        + (3 * t**2 - 2 * t**3) * most
    )
    return pq_to_nits(np.where(code < knee, code, curve) * top)


def tone_map(code: Floats, transfer: int) -> Floats:
    """Return BT.709 colours (..., 3) in 0..1 for BT.2020 colours coded in PQ or HLG."""
    nits = pq_to_nits(code) if transfer == PQ else hlg_to_nits(code)
    brightest = np.maximum(nits.max(-1, keepdims=True), 1e-9)
    light = nits * (roll_off(brightest) / brightest) / WHITE_NITS
    mapped: Floats = np.power(np.clip(light @ _BT2020_TO_BT709.T, 0, 1), 1 / 2.4)  # BT.1886
    return mapped


class ToneMap:
    """Tone-maps decoded frames through a table of 33³ colours, tetrahedrally interpolated."""

    def __init__(self, colour: Colour) -> None:
        from av.video.reformatter import VideoReformatter

        self._colour, self._size = colour, (0, 0)
        self._graph: Any = None
        self._reformatter = VideoReformatter()

    def rgb(self, frame: VideoFrame, width: int, height: int) -> Image:
        """Return the standard picture as RGB uint8 (height, width, 3)."""
        deep = self._reformatter.reformat(
            frame,
            width,
            height,
            format="gbrp16le",  # rgb48le comes out wrong with these flags (FFmpeg 8.1)
            src_colorspace=swscale_matrix(self._colour.matrix),
            src_color_range=self._colour.range,
            dst_color_range=2,
            interpolation=swscale_flags(),
        )
        if self._size != (width, height):
            self._graph, self._size = self._build(deep), (width, height)
        self._graph.vpush(deep)
        mapped: Image = self._graph.vpull().to_ndarray()
        return mapped

    def _build(self, frame: VideoFrame) -> Any:
        from av.filter import Graph

        with _cube(self._colour.transfer) as path:
            graph = Graph()
            source = graph.add_buffer(
                width=frame.width,
                height=frame.height,
                format=frame.format,
                time_base=frame.time_base,
            )
            table = graph.add("lut3d", file=path.as_posix(), interp="tetrahedral")
            graph.link_nodes(source, table, graph.add("format", "rgb24"), graph.add("buffersink"))
            graph.configure()
        return graph


@contextmanager
def _cube(transfer: int) -> Iterator[Path]:
    """Write the table as a .cube file for as long as FFmpeg takes to read it."""
    axis = np.linspace(0, 1, _SIDE)
    blue, green, red = np.meshgrid(axis, axis, axis, indexing="ij")
    table = tone_map(np.stack([red, green, blue], -1).reshape(-1, 3), transfer)
    with tempfile.TemporaryDirectory(prefix="stylecam-") as folder:
        path = Path(folder) / "table.cube"
        rows = "\n".join(f"{r:.6f} {g:.6f} {b:.6f}" for r, g, b in table)
        path.write_text(f"LUT_3D_SIZE {_SIDE}\n{rows}\n", encoding="ascii")
        yield path
