"""Animated GIFs: their rate, their colours, their repeats."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.filter import Graph
from media import psnr, times
from media.clips import Film
from media.running import echo
from stylecam.realtime.sinks.palette import Palette
from stylecam.realtime.sources.pattern import PatternSource


@pytest.mark.parametrize(("rate", "kept"), [(30, 12), (60, 8), (120, 5), (240, 3)])
def test_a_gif_has_at_most_50_frames_a_second(rate: int, kept: int, tmp_path: Path) -> None:
    clip = Film(time_base=Fraction(1, rate), rate=Fraction(rate), audio=()).build(
        tmp_path / "a.mp4"
    )
    notes = echo(clip, tmp_path / "out.gif").notes
    found = times(tmp_path / "out.gif")
    assert len(found) == kept
    assert all(b - a >= Fraction(2, 100) for a, b in itertools.pairwise(found))
    said = f"{12 - kept} frames left out: GIFs are shown with at most 50 a second"
    assert (said in notes) == (kept < 12)


def test_a_gif_s_frame_costs_less_than_ffmpeg_s_own_way() -> None:
    """With a palette of all its pixels and the dither that makes colours of its own: 4 times."""
    image = PatternSource(360, 640).image(7)
    info = PatternSource(360, 640).info
    palette = Palette(info)

    def usual() -> None:
        graph = Graph()
        source = graph.add_buffer(
            width=640, height=360, format=av.VideoFormat("rgb24"), time_base=Fraction(1, 30)
        )
        split, use = graph.add("split"), graph.add("paletteuse", new="1", dither="sierra2_4a")
        choose = graph.add("palettegen", stats_mode="single")
        source.link_to(split)
        split.link_to(choose, output_idx=0)
        split.link_to(use, output_idx=1, input_idx=0)
        choose.link_to(use, input_idx=1)
        use.link_to(graph.add("buffersink"))
        graph.configure()
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts = 0
        graph.vpush(frame)
        graph.vpush(None)
        graph.vpull()

    def cost(work: Callable[[], object]) -> float:
        begun = time.process_time()
        for _ in range(3):
            work()
        return time.process_time() - begun

    assert cost(lambda: palette.reduce(image)) < 0.6 * cost(usual)
    found = palette.reduce(image).to_ndarray(format="rgb24")
    assert psnr(found, image) > 34
    black = np.zeros((16, 16, 3), np.uint8)
    black[:, 8:] = 255
    assert np.array_equal(
        Palette(PatternSource(16, 16).info).reduce(black).to_ndarray(format="rgb24"), black
    )


@pytest.mark.parametrize("loop", ["-1", "0", "3"])
def test_a_gif_is_repeated_as_often(loop: str, tmp_path: Path) -> None:
    film = Film(audio=(), codec="gif", pix_fmt="rgb8", options={}, muxer_options={"loop": loop})
    clip = film.build(tmp_path / "a.gif")
    echo(clip, tmp_path / "out.gif")
    ends = [
        path.read_bytes().partition(b"NETSCAPE2.0")[2][:4] for path in (clip, tmp_path / "out.gif")
    ]
    assert ends[0] == ends[1]
    assert bool(ends[0]) == (loop != "-1")
