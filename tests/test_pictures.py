"""Pictures come out upright, of their own size, whole."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from media import decode, psnr, times
from media.clips import QUARTERS, Film
from media.running import echo
from stylecam.realtime.engines import EngineOptions
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.realtime.styles import DEFAULT, find


@pytest.mark.parametrize("rotation", QUARTERS)
def test_turned_and_mirrored_video_comes_out_upright(
    rotation: tuple[int, bool, bool], tmp_path: Path
) -> None:
    """Against ffmpeg's own reading of the matrix: it turns by the same numbers."""
    degrees, mirror_x, mirror_y = rotation
    clip = Film(rotation=rotation, audio=(), aspect=Fraction(4, 3)).build(tmp_path / "a.mp4")
    echo(clip, tmp_path / "out.mp4")
    upright = np.rot90(PatternSource(96, 128).image(0), degrees // 90)
    upright = upright[:: -1 if mirror_y else 1, :: -1 if mirror_x else 1]
    assert psnr(decode(tmp_path / "out.mp4")[0], np.ascontiguousarray(upright)) > 28
    with av.open(str(tmp_path / "out.mp4")) as container:
        frame = next(container.decode(video=0))
        assert frame.rotation == 0
        aspect = Fraction(3, 4) if degrees % 180 else Fraction(4, 3)
        assert container.streams.video[0].sample_aspect_ratio == aspect


def test_pictures_of_a_camera_that_hold_exif_are_decoded(tmp_path: Path) -> None:
    """PyAV fails at what FFmpeg tells of it."""
    image = PatternSource(96, 128).image(0)
    upright = b"II*\0\x08\0\0\0\x01\0\x12\1\3\0\1\0\0\0\1\0\0\0\0\0\0\0"
    ok, jpeg = cv2.imencodeWithMetadata(
        ".jpg", image[..., ::-1], [0], [np.frombuffer(upright, np.uint8)]
    )
    assert ok
    with av.open(str(tmp_path / "a.avi"), "w") as container:
        stream = container.add_stream("mjpeg", rate=25, width=128, height=96)
        stream.pix_fmt = "yuvj420p"
        for index in range(3):
            packet = av.Packet(jpeg.tobytes())
            packet.stream, packet.time_base = stream, Fraction(1, 25)
            packet.pts = packet.dts = index
            container.mux(packet)
    echo(tmp_path / "a.avi", tmp_path / "out.mp4")
    painted = decode(tmp_path / "out.mp4")
    assert len(painted) == 3
    assert psnr(painted[0], image) > 28


def test_interlaced_video_is_deinterlaced_and_said(tmp_path: Path) -> None:
    film = Film(
        codec="mpeg2video", options={"flags": "+ildct+ilme", "top": "1", "b": "8M"},
        interlaced=True, audio=(), rate=Fraction(25), time_base=Fraction(1, 25), pts=range(20),
    )  # fmt: skip
    clip = film.build(tmp_path / "a.mkv")
    with av.open(str(clip)) as container:
        assert next(container.decode(video=0)).interlaced_frame
    outcome = echo(clip, tmp_path / "out.mkv")
    assert "interlaced: deinterlaced with bwdif" in outcome.notes
    assert times(tmp_path / "out.mkv") == times(clip)
    combed, deinterlaced = decode(clip)[10], decode(tmp_path / "out.mkv")[10]

    def combing(image: np.ndarray) -> float:
        rows = image.astype(int)
        return float(np.abs(rows[1:-1] - (rows[:-2] + rows[2:]) / 2).mean())

    assert combing(deinterlaced) < 0.6 * combing(combed)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
@pytest.mark.parametrize(("height", "width"), [(97, 129), (18, 22), (96, 129), (65, 64)])
def test_odd_sizes_are_exact(height: int, width: int, suffix: str, tmp_path: Path) -> None:
    film = Film(height, width, range(2), codec="ffv1", pix_fmt="yuv444p", options={}, audio=())
    clip = film.build(tmp_path / "a.mkv")
    echo(clip, tmp_path / f"out{suffix}")
    assert decode(tmp_path / f"out{suffix}")[0].shape == (height, width, 3)


def test_nothing_carries_over_a_cut(tmp_path: Path) -> None:
    """Two scenes in one file are painted as each alone: no state goes from frame to frame.

    Fails the day an engine keeps statistics over a cut.
    """
    from stylecam.realtime.engines import open_engine

    pattern = PatternSource(96, 128)
    scenes = [pattern.image(3), 255 - pattern.image(40)]
    for style in (DEFAULT, "starry-night"):
        engine = open_engine(EngineOptions(), find(style), height=96, width=128, live=False)
        alone = engine.submit(scenes[1]).result()
        for _ in range(5):
            engine.submit(scenes[0]).result()
        after = engine.submit(scenes[1]).result()
        engine.close()
        assert np.array_equal(alone, after)
