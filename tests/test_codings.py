"""Codecs, pixel formats and encoders: each that is offered works, what cannot be says what can."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import pytest
import torch
from media import SIGNING, decode, psnr, running
from media.clips import Film
from stylecam.realtime.errors import SinkError, UsageError
from stylecam.realtime.job import FileOptions, Outcome
from stylecam.realtime.sinks.codecs import CODECS, Codec
from stylecam.realtime.sinks.formats import Coding, try_encoder

NO_CODING = Coding()


def echo(path: Path, output: Path, coding: Coding = NO_CODING) -> Outcome:
    return running.echo(path, output, FileOptions(coding=coding))


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1", "vp9", "prores", "ffv1"])
def test_every_codec_and_its_quality(codec: str, tmp_path: Path) -> None:
    clip = Film(144, 192, audio=()).build(tmp_path / "a.mp4")
    suffix = ".mov" if codec == "prores" else ".mkv"
    sizes = []
    for quality in (15, 95):
        output = tmp_path / f"{quality}{suffix}"
        outcome = echo(clip, output, Coding(codec, quality=quality))
        sizes.append(output.stat().st_size)
        with av.open(str(output)) as container:
            name = container.streams.video[0].codec_context.codec.canonical_name
            assert name == codec
        said = any("--quality changes nothing" in note for note in outcome.notes)
        assert said == (codec == "ffv1")
    assert psnr(decode(output)[5], decode(clip)[5]) > 34
    assert (sizes[1] > 1.3 * sizes[0]) == (codec != "ffv1")


def test_gif_and_png_sequence(tmp_path: Path) -> None:
    clip = Film(time_base=Fraction(1, 20), rate=Fraction(20)).build(tmp_path / "a.mp4")
    outcome = echo(clip, tmp_path / "out.gif")
    assert "sound left out: gif cannot hold aac" in outcome.notes
    frames = decode(tmp_path / "out.gif")
    assert len(frames) == 12
    assert psnr(frames[5], decode(clip)[5]) > 28
    outcome = echo(clip, tmp_path / "still_%03d.png")
    pictures = sorted(tmp_path.glob("still_*.png"))
    assert [path.name for path in pictures] == [f"still_{n:03d}.png" for n in range(1, 13)]
    for picture, before in zip(pictures, decode(clip), strict=True):
        assert psnr(decode(picture)[0], before) > 34  # the reader converts as well
    assert not list(tmp_path.glob(".*"))
    with pytest.raises(SinkError, match="exists"):
        echo(clip, tmp_path / "still_%03d.png")


@pytest.mark.parametrize(
    ("name", "coding", "says"),
    [
        ("out.webm", Coding("prores"), "cannot hold prores"),
        ("out.mp4", Coding("prores", pix_fmt="yuv420p"), "cannot"),
        ("out.mp4", Coding("divx"), "no codec 'divx'"),
        ("out.mp4", Coding("h264", pix_fmt="nonsense"), "nonsense"),
        ("out.mp4", Coding("h264", encoder="libx265"), "--encoder libx265"),
        ("out.gif", Coding("h264"), "does not go with"),
        ("out.png", Coding(), "is a picture"),
        ("out.mp4", Coding("h264", encoder="h264_nvenc"), "no NVIDIA driver is loaded"),
    ],
)
def test_codings_that_cannot_be(name: str, coding: Coding, says: str, tmp_path: Path) -> None:
    if torch.cuda.is_available() and coding.encoder == "h264_nvenc":
        pytest.skip("here NVENC may work")
    clip = Film(audio=()).build(tmp_path / "a.mp4")
    with pytest.raises((SinkError, UsageError), match=says) as caught:
        echo(clip, tmp_path / name, coding)
    assert caught.value.hint
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_a_coding_that_cannot_be_names_one_that_can(tmp_path: Path) -> None:
    clip = Film(audio=()).build(tmp_path / "a.mp4")
    for codec, refused, name in (
        ("prores", "out.webm", "out.mov"),
        ("ffv1", "out.webm", "out.mkv"),
        ("av1", "out.mov", "out.mkv"),
        ("vp9", "out.mov", "out.mkv"),
    ):
        with pytest.raises(SinkError, match=f"{refused[-4:]} cannot hold {codec}") as caught:
            echo(clip, tmp_path / refused, Coding(codec))
        assert caught.value.hint == f"-o {tmp_path / name}"
    with pytest.raises(SinkError) as caught:
        echo(clip, tmp_path / "out.xyz")
    assert "numbered pictures: -o out_%05d.png" in caught.value.hint
    odd = Film(97, 129, audio=(), pix_fmt="yuv444p").build(tmp_path / "odd.mp4")
    with pytest.raises(SinkError, match=r"odd sizes need chroma of 4:4:4, as in yuv444p"):
        echo(odd, tmp_path / "out.mp4", Coding(pix_fmt="yuv420p"))


def test_hardware_is_tried_before_it_is_taken(tmp_path: Path) -> None:
    """`auto` gives a file on any machine; a named encoder that does not work says why."""
    clip = Film(audio=()).build(tmp_path / "a.mp4")
    echo(clip, tmp_path / "auto.mp4", Coding(encoder="auto"))
    assert len(decode(tmp_path / "auto.mp4")) == 12
    for encoder in CODECS["h264"].hardware:
        problem = try_encoder(encoder, {}, "yuv420p")
        if problem:
            with pytest.raises(SinkError, match="cannot be written") as caught:
                echo(clip, tmp_path / "hard.mp4", Coding(encoder=encoder))
            assert "--encoder" in caught.value.hint


@pytest.mark.parametrize("codec", [codec for codec in CODECS.values() if codec.hardware])
def test_every_hardware_encoder_is_offered_pixels_that_it_takes(codec: Codec) -> None:
    for encoder in set(codec.hardware) & av.codecs_available:
        takes = {form.name for form in av.Codec(encoder, "w").video_formats or ()}
        assert takes & set(codec.formats), encoder


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_encoder_makes_this_process_real_time(tmp_path: Path) -> None:
    """libsvtav1 does, when it is run by root."""
    code = (
        "import os, sys; from pathlib import Path\n"
        "from stylecam.realtime.cli import main\n"
        "main([sys.argv[1], '-o', 'out.mkv', '--engine', 'echo', '--codec', 'av1', "
        "'--duration', '0.2'])\n"
        "print({os.sched_getscheduler(int(t.name)) for t in Path('/proc/self/task').iterdir()})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(SIGNING)],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "{0}"
