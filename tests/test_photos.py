"""What a photo holds beside its pixels: tags, colour profile, further pictures."""

from __future__ import annotations

import io
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import PIL.Image
import pillow_heif
import pytest
from media import decode, psnr, times
from media.clips import Film
from media.running import echo
from stylecam.realtime.cli.batch import default_output
from stylecam.realtime.errors import SourceError
from stylecam.realtime.pictures import Image
from stylecam.realtime.sources.kinds import painting_suffix
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.realtime.styles import DEFAULT, find
from stylecam.realtime.tags import orientation, without_orientation

IMAGE = PatternSource(64, 80).image(0)


def exif(number: int, order: str = ">") -> bytes:
    """A camera's name, an orientation, and a directory of a thumbnail behind."""
    tag = struct.Struct(order + "HHII")
    turned = struct.pack(order + "HHIHH", 0x0112, 3, 1, number, 0)
    head = (b"MM\0*" if order == ">" else b"II*\0") + struct.pack(order + "IH", 8, 2)
    first = head + tag.pack(0x010F, 2, 8, 38) + turned + struct.pack(order + "I", 46)
    return first + b"Stylo X\0" + struct.pack(order + "H", 0) + bytes(4)


def profile(space: bytes = b"RGB ") -> bytes:
    """An ICC profile as far as readers check it."""
    noise = np.random.default_rng(0).integers(0, 256, 2000, np.uint8).tobytes()
    tags = struct.pack(">I4sII", 1, b"desc", 144, len(noise))
    head = bytearray(128)
    head[0:4] = struct.pack(">I", 128 + len(tags) + len(noise))
    head[8:24] = b"\2\x10\0\0mntr" + space + b"XYZ "
    head[36:40], head[68:80] = b"acsp", struct.pack(">III", 0xF6D6, 0x10000, 0xD32D)
    return bytes(head) + tags + noise


def photo(path: Path, kinds: dict[int, bytes]) -> Path:
    pieces = [np.frombuffer(piece, np.uint8) for piece in kinds.values()]
    ok, data = cv2.imencodeWithMetadata(path.suffix, IMAGE, list(kinds), pieces)
    assert ok
    path.write_bytes(data.tobytes())
    return path


def tags(path: Path) -> dict[int, bytes]:
    raw = np.frombuffer(path.read_bytes(), np.uint8)
    _, kinds, pieces = cv2.imdecodeWithMetadata(raw, cv2.IMREAD_COLOR)
    return {int(k): piece.tobytes() for k, piece in zip(kinds, pieces, strict=True)}


needs_metadata = pytest.mark.skipif(
    not hasattr(cv2, "imencodeWithMetadata"), reason="OpenCV before 4.12 keeps none"
)


@needs_metadata
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".avif"])
def test_exif_and_colour_profile_are_kept(suffix: str, tmp_path: Path) -> None:
    if not cv2.haveImageWriter(f"a{suffix}"):
        pytest.skip(f"this OpenCV writes no {suffix}")
    made = photo(tmp_path / "a.jpg", {0: exif(6), 2: profile()})
    assert echo(made, tmp_path / f"out{suffix}").notes == []
    assert cv2.imread(str(tmp_path / f"out{suffix}")).shape == (80, 64, 3)
    found = tags(tmp_path / f"out{suffix}")
    assert found[0] == without_orientation(exif(6)) != exif(6)
    if suffix != ".avif":  # whose profile OpenCV writes and does not read
        assert found[2] == profile()
    again = tmp_path / "again.jpg"  # not turned once more
    echo(tmp_path / f"out{suffix}", again)
    assert tags(again) == {0: without_orientation(exif(6)), 2: profile()}
    assert cv2.imread(str(again)).shape == (80, 64, 3)


@needs_metadata
def test_what_a_photo_cannot_hold_is_said(tmp_path: Path) -> None:
    made = photo(tmp_path / "a.jpg", {0: exif(1), 2: profile()})
    assert echo(made, tmp_path / "out.bmp").notes == [
        "EXIF left out: .bmp cannot hold it",
        "the colour profile left out: .bmp cannot hold it",
    ]
    assert echo(made, tmp_path / "out.mp4").notes == [
        "EXIF left out: a video holds none",
        "colour profile left out: a video holds none",
    ]
    made = photo(tmp_path / "grey.jpg", {2: profile(b"GRAY")})
    assert echo(made, tmp_path / "grey_out.jpg").notes == [
        "colour profile left out: it is for GRAY"
    ]
    assert tags(tmp_path / "grey_out.jpg") == {}


@pytest.mark.parametrize("order", "<>")
def test_exif_becomes_upright_and_loses_its_thumbnail(order: str) -> None:
    made = exif(8, order)
    assert orientation(made) == 8
    assert orientation(without_orientation(made)) == 1
    assert without_orientation(made)[34:38] == bytes(4)
    assert b"Stylo X" in without_orientation(made)
    for broken in (b"", b"MM", made[:20], made[:4] + b"\xff" * 20):
        assert orientation(broken) == 1
        assert len(without_orientation(broken)) == len(broken)


def test_further_pictures_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the file is called: by name OpenCV opens none outside ASCII on Windows."""
    monkeypatch.delattr(cv2, "imcount")
    ok, data = cv2.imencodemulti(".tiff", [IMAGE, IMAGE, IMAGE])
    assert ok
    (tmp_path / "a.tiff").write_bytes(data.tobytes())
    notes = echo(tmp_path / "a.tiff", tmp_path / "out.png").notes
    assert notes == ["2 further picture(s) left out: the first is painted"]


def heif(path: Path, image: Image, mode: str = "RGB", **told: Any) -> Path:
    made = pillow_heif.from_bytes(mode=mode, size=image.shape[1::-1], data=image.tobytes())
    made.save(path, quality=90, **told)
    return path


def test_a_phone_s_heic_is_painted_whole_with_its_tags(tmp_path: Path) -> None:
    """It stores tiles. FFmpeg, which does without those of EXIF, takes the first for the photo."""
    image = PatternSource(160, 200).image(0)
    turned = exif(6)  # which only repeats what a box of the file says
    made = heif(tmp_path / "a.heic", image, tile_size=64, exif=b"Exif\0\0" + turned)
    assert echo(made, tmp_path / "out.png").notes == []
    upright = np.ascontiguousarray(np.rot90(image, -1))
    assert psnr(decode_photo(tmp_path / "out.png"), upright) > 30
    assert tags(tmp_path / "out.png")[0] == without_orientation(turned)
    (tmp_path / "a.mov").write_bytes(made.read_bytes())
    with pytest.raises(SourceError, match="in tiles") as caught:
        echo(tmp_path / "a.mov", tmp_path / "out.mov")
    assert ".heic" in caught.value.hint


def test_kinds_of_heic(tmp_path: Path) -> None:
    image = PatternSource(64, 96).image(0)
    grey = np.ascontiguousarray(image[..., 1])
    echo(heif(tmp_path / "grey.heic", grey, "L"), tmp_path / "grey.png")
    assert psnr(decode_photo(tmp_path / "grey.png"), np.dstack([grey] * 3)) > 30
    fine = image.astype("<u2") * 257
    notes = echo(heif(tmp_path / "fine.heic", fine, "RGB;16"), tmp_path / "fine.png").notes
    assert notes == ["10 bits a channel became 8"]
    assert psnr(decode_photo(tmp_path / "fine.png"), image) > 30
    seen = np.dstack([image, np.tile(np.arange(96, dtype=np.uint8), (64, 1))])
    echo(heif(tmp_path / "seen.heic", seen, "RGBA"), tmp_path / "seen.png")
    kept = cv2.imread(str(tmp_path / "seen.png"), cv2.IMREAD_UNCHANGED)
    assert np.abs(kept[..., 3].astype(int) - seen[..., 3]).max() <= 6


def test_of_several_heic_pictures_the_primary_is_painted(tmp_path: Path) -> None:
    several = pillow_heif.HeifFile()
    for image in (PatternSource(64, 64).image(0), PatternSource(64, 96).image(0)):
        several.add_frombytes("RGB", image.shape[1::-1], image.tobytes())
    several.save(tmp_path / "a.heic", primary_index=1)
    notes = echo(tmp_path / "a.heic", tmp_path / "out.png").notes
    assert notes == ["1 further picture(s) left out: the first is painted"]
    assert decode_photo(tmp_path / "out.png").shape == (64, 96, 3)


def test_avif_is_turned_upright_and_keeps_its_tags(tmp_path: Path) -> None:
    """OpenCV does neither."""
    picture = PIL.Image.fromarray(IMAGE)
    picture.save(tmp_path / "a.avif", quality=95, exif=exif(6), icc_profile=profile())
    echo(tmp_path / "a.avif", tmp_path / "out.png")
    upright = np.ascontiguousarray(np.rot90(IMAGE, -1))
    assert psnr(decode_photo(tmp_path / "out.png"), upright) > 30
    kept = tags(tmp_path / "out.png")
    assert b"Stylo X" in kept[0]
    assert orientation(kept[0]) == 1
    assert kept[2] == profile()


def test_tiff_keeps_the_colours_that_are_seen_through(tmp_path: Path) -> None:
    """OpenCV multiplies them by the opacity."""
    seen = np.dstack([IMAGE, np.full(IMAGE.shape[:2], 60, np.uint8)])
    PIL.Image.fromarray(seen).save(tmp_path / "a.tif")
    echo(tmp_path / "a.tif", tmp_path / "out.png")
    kept = cv2.imread(str(tmp_path / "out.png"), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(cv2.cvtColor(kept, cv2.COLOR_BGRA2RGBA), seen)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_that_is_cut_off_is_refused(progressive: bool, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
    thumbnail = io.BytesIO()
    PIL.Image.fromarray(noise[::8, ::8]).save(thumbnail, "jpeg")
    tag = exif(1) + thumbnail.getvalue()  # which has an end of its own
    PIL.Image.fromarray(noise).save(tmp_path / "a.jpg", exif=tag, progressive=progressive)
    whole = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "more.jpg").write_bytes(whole + b"\xff\xda as a film that moves")
    echo(tmp_path / "more.jpg", tmp_path / "more.png")
    for length in (1000, len(whole) // 2, len(whole) - 2):
        (tmp_path / "a.jpg").write_bytes(whole[:length])
        with pytest.raises(SourceError, match="cut off"):
            echo(tmp_path / "a.jpg", tmp_path / "out.png")
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize("suffix", [".ppm", ".jp2", ".ico", ".tga"])
def test_rarer_photos_are_photos(suffix: str, tmp_path: Path) -> None:
    PIL.Image.fromarray(IMAGE[:, :64]).save(tmp_path / f"a{suffix}")
    output = default_output(tmp_path / f"a{suffix}", find(DEFAULT))
    assert output.suffix in (suffix, ".png")
    echo(tmp_path / f"a{suffix}", output)
    assert psnr(decode_photo(output), np.ascontiguousarray(IMAGE[:, :64])) > 40


@pytest.mark.parametrize(
    ("name", "kind", "painted"),
    [
        ("a.jfif", "JPEG", ".jpg"),
        ("a.JPE", "JPEG", ".jpg"),
        ("a.jif", "JPEG", ".jpg"),
        ("a.dib", "BMP", ".bmp"),
        ("a.hif", "HEIF", ".jpg"),
        ("a", "JPEG", ".jpg"),
        ("a.20261128", "PNG", ".png"),
        ("a", "TIFF", ".tif"),
        ("a", "WEBP", ".webp"),
        ("a", "AVIF", ".avif"),
        ("a", "HEIF", ".jpg"),
        ("a", "BMP", ".bmp"),
        ("a", "JPEG2000", ".jp2"),
    ],
)
def test_photos_with_rare_names_or_none_are_photos(
    name: str, kind: str, painted: str, tmp_path: Path
) -> None:
    pillow_heif.register_heif_opener()
    PIL.Image.fromarray(IMAGE).save(tmp_path / name, format=kind)
    output = default_output(tmp_path / name, find(DEFAULT))
    assert output.name == f"a.{DEFAULT}{painted}"
    if not cv2.haveImageWriter(str(output)):
        output = tmp_path / "out.png"
    echo(tmp_path / name, output)
    assert psnr(decode_photo(output), IMAGE) > 28


def test_what_is_no_photo_is_not_taken_for_one(tmp_path: Path) -> None:
    """By its first bytes: an animated PNG, a film of JPEGs, a video, a text, nothing at all."""
    animated_png(tmp_path / "png")
    picture = PIL.Image.fromarray(IMAGE)
    picture.save(tmp_path / "one.jpg")
    picture.save(tmp_path / "mpf", "MPO", save_all=True, append_images=[picture])
    one = (tmp_path / "one.jpg").read_bytes()
    (tmp_path / "film").write_bytes(2 * one)
    (tmp_path / "named.mov").write_bytes(one)
    Film().build(tmp_path / "film.mp4").rename(tmp_path / "video")
    (tmp_path / "text").write_bytes(b"RIFF dear diary")
    names = ("png", "film", "named.mov", "video", "text", "none")
    assert [painting_suffix(tmp_path / name) for name in names] == len(names) * [""]
    assert painting_suffix(tmp_path / "mpf") == ".jpg"


def test_jpeg_xl_is_refused_with_what_is_read(tmp_path: Path) -> None:
    made = tmp_path / "a.jxl"
    made.write_bytes(b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(50))
    with pytest.raises(SourceError, match=r"a\.jxl is not a picture that can be read") as caught:
        echo(made, tmp_path / "out.jpg")
    assert caught.value.hint == "convert it to JPEG or PNG"


def decode_photo(path: Path) -> Image:
    return np.ascontiguousarray(cv2.imread(str(path))[..., ::-1])


def animated_png(made: Path) -> None:
    with av.open(str(made), "w", format="apng") as container:
        stream = container.add_stream("apng", rate=10)
        stream.width, stream.height, stream.pix_fmt = 80, 64, "rgb24"
        for index in range(5):
            frame = av.VideoFrame.from_ndarray(PatternSource(64, 80).image(index), format="rgb24")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def test_an_animated_png_is_a_video(tmp_path: Path) -> None:
    made = tmp_path / "a.png"
    animated_png(made)
    assert default_output(made, find(DEFAULT)).suffix == ".mp4"
    echo(made, tmp_path / "out.mp4")
    assert len(decode(tmp_path / "out.mp4")) == 5
    assert times(tmp_path / "out.mp4")[-1] == Fraction(4, 10)
