"""What training reads: photos and videos as people have them, not as they should be."""

from __future__ import annotations

from fractions import Fraction
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pillow_heif
import pytest
import torch
from media import ClipMaker, psnr
from media.clips import Film
from PIL import Image
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.training import scenes
from stylecam.training.data import Pairs
from stylecam.training.errors import TrainingError
from stylecam.training.pictures import read_painting, read_photo, read_pixels
from stylecam.training.recipe import Recipe
from stylecam.training.scenes import FEW, Scenes
from stylecam.training.videos import read_frame_pairs


def save_photos(folder: Path, names: list[str]) -> None:
    folder.mkdir(exist_ok=True)
    for index, name in enumerate(names):
        assert cv2.imwrite(str(folder / name), PatternSource(120, 160).image(30 * index))


def pairs(folder: Path, *, batch: int = 1) -> Pairs:
    return Pairs(Scenes([folder], crop=64), Recipe("x", "x", batch=batch, crop=64), steps=20)


def test_what_is_no_photo_is_left_out_and_the_next_takes_its_turn(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    save_photos(tmp_path, ["a.png", "c.png", "d.png"])
    (tmp_path / "b.jpg").write_bytes(b"no picture")
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    (tmp_path / "._c.png").write_bytes(b"what another system keeps")
    (tmp_path / ".thumbnails").mkdir()
    save_photos(tmp_path / ".thumbnails", ["x.png"])
    (tmp_path / "album.jpg").mkdir()
    stream = pairs(tmp_path, batch=2)
    assert [path.name for path in stream.scenes.photos] == [
        "a.png",
        "b.jpg",
        "c.png",
        "d.png",
        "empty.jpg",
    ]
    whole = [stream[step].first for step in range(6)]
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 3  # each once
    assert all(any(name in text for text in said) for name in ("b.jpg", "empty.jpg", "bad.mp4"))
    late = pairs(tmp_path, batch=2)  # one that has not met them yet gives the same
    assert torch.equal(late[5].first, whole[5])


def test_it_ends_only_when_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    (tmp_path / "b.mp4").write_bytes(b"no video")
    with pytest.raises(TrainingError, match=r"none of the photos can be used, .*a\.jpg"):
        pairs(tmp_path)
    (tmp_path / "a.jpg").unlink()
    with pytest.raises(TrainingError, match=r"none of the videos can be used, .*b\.mp4"):
        pairs(tmp_path)


def test_a_video_that_gives_no_pairs_is_left_out_with_the_reason(
    tmp_path: Path, make_clip: ClipMaker, caplog: pytest.LogCaptureFixture
) -> None:
    make_clip("one.mp4", frames=1)
    make_clip("sound.mp4", audio="aac", picture=False)
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    save_photos(tmp_path, ["a.png"])
    assert not pairs(tmp_path).scenes.frame_pairs
    said = {record.getMessage().removeprefix(f"{tmp_path}/") for record in caplog.records}
    assert said == {
        "bad.mp4 cannot be read as a video (Invalid data found when processing input); it is left "
        "out",
        "one.mp4 has no two frames in a row; it is left out",
        "sound.mp4 has no picture; it is left out",
    }


def test_where_a_video_changes_its_size_there_is_no_pair(tmp_path: Path) -> None:
    """As in the recording of a call."""
    stream = b""
    for width, height in ((128, 96), (160, 120)):
        encoder = av.CodecContext.create("libx264", "w")
        encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
        encoder.time_base = Fraction(1, 30)
        for _ in range(3):
            frame = av.VideoFrame.from_ndarray(PatternSource(height, width).image(0))
            frame.pts = None
            stream += b"".join(map(bytes, encoder.encode(frame)))
        stream += b"".join(map(bytes, encoder.encode(None)))
    (tmp_path / "call.mkv").write_bytes(stream)
    shapes = [pair.shape for pair in Scenes([tmp_path], crop=64).frame_pairs]
    assert shapes == [(2, 96, 128, 3), (2, 120, 160, 3)]


def test_a_view_of_one_colour_gives_its_turn_to_the_next_scene(tmp_path: Path) -> None:
    """A white sky, black frames of a film: the generator's gradient is not finite there."""
    save_photos(tmp_path, ["a.png", "b.png"])
    whole = pairs(tmp_path)
    before = [whole[step].first for step in range(20)]
    cv2.imwrite(str(tmp_path / "b.png"), np.full((120, 160, 3), 255, np.uint8))
    with av.open(str(tmp_path / "black.mp4"), "w") as container:
        video = container.add_stream("libx264", rate=10)
        video.width, video.height, video.pix_fmt = 160, 120, "yuv420p"
        for _ in range(4):
            black = av.VideoFrame.from_ndarray(np.zeros((120, 160, 3), np.uint8), format="rgb24")
            container.mux(video.encode(black))
        container.mux(video.encode(None))
    stream = pairs(tmp_path)
    assert len(stream.scenes.frame_pairs) > 0
    for step in range(20):
        assert min(view.std((2, 3)).max() for view in stream[step][:2]) > 0.01
    (tmp_path / "black.mp4").unlink()
    kept = pairs(tmp_path)  # those that showed something are as they were
    assert sum(torch.equal(kept[step].first, before[step]) for step in range(20)) == 10
    (tmp_path / "a.png").unlink()
    with pytest.raises(TrainingError, match="of one colour"):
        pairs(tmp_path)[0]


def heif(path: Path, image: np.ndarray, mode: str = "RGB", **told: Any) -> Path:
    made = pillow_heif.from_bytes(mode=mode, size=image.shape[1::-1], data=image.tobytes())
    made.save(path, quality=90, **told)
    return path


@pytest.mark.parametrize("name", ["a.bmp", "a.tif", "a.TIFF", "a.avif", "a.webp", "a.heic"])
def test_photos_of_every_kind_are_read(tmp_path: Path, name: str) -> None:
    image = PatternSource(96, 128).image(7)
    if name.endswith(".heic"):
        heif(tmp_path / name, image)
    else:
        assert cv2.imwrite(str(tmp_path / name), image[..., ::-1])
    stream = pairs(tmp_path)
    assert [path.name for path in stream.scenes.photos] == [name]
    assert psnr(read_pixels(tmp_path / name), image) > 28
    assert stream[0].first.shape == (1, 3, 64, 64)


def test_a_phone_s_heic_is_read_upright_on_white_and_in_its_greys(tmp_path: Path) -> None:
    image = PatternSource(96, 128).image(7)
    turned = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    upright = np.ascontiguousarray(np.rot90(image, -1))
    assert psnr(read_pixels(heif(tmp_path / "a.heic", image, exif=turned)), upright) > 28
    grey = np.ascontiguousarray(image[..., 1])
    assert psnr(read_pixels(heif(tmp_path / "grey.heic", grey, "L")), np.dstack([grey] * 3)) > 28
    clear = np.dstack([image, np.zeros((96, 128), np.uint8)])
    assert read_pixels(heif(tmp_path / "clear.heic", clear, "RGBA")).min() > 250
    fine = image.astype("<u2") * 257
    assert psnr(read_pixels(heif(tmp_path / "fine.heic", fine, "RGB;16")), image) > 28


def test_what_is_no_heic_or_hdr_is_left_out(tmp_path: Path) -> None:
    image = PatternSource(96, 128).image(7)
    hdr = heif(tmp_path / "hdr.heic", image, transfer_characteristics=18)
    with pytest.raises(TrainingError, match=r"hdr\.heic cannot be read as a picture \(it is HDR"):
        read_photo(hdr, 480)
    (tmp_path / "cut.heic").write_bytes(hdr.read_bytes()[:400])
    with pytest.raises(TrainingError, match=r"cut\.heic cannot be read"):
        read_photo(tmp_path / "cut.heic", 480)


def test_files_of_other_kinds_are_counted_and_a_named_one_refused(tmp_path: Path) -> None:
    save_photos(tmp_path, ["a.png"])
    for name in ("a.psd", "b.PSD", "c.xmp"):
        (tmp_path / name).write_bytes(b"")
    notes = Scenes([tmp_path], crop=64).notes
    assert notes[0] == "3 files of other kinds (.psd, .xmp) are left out"
    with pytest.raises(TrainingError, match=r"a\.psd is not of a kind that is read") as caught:
        pairs(tmp_path / "a.psd")
    assert ".heic" in caught.value.hint
    for name in ("a.psd", "b.PSD"):
        (tmp_path / name).unlink()
    assert Scenes([tmp_path], crop=64).notes[0] == "1 file of another kind (.xmp) is left out"


def test_few_or_small_photos_are_warned_of(tmp_path: Path) -> None:
    assert cv2.imwrite(str(tmp_path / "a.png"), PatternSource(8, 10).image(0))
    one, small = Scenes([tmp_path], crop=64).notes
    assert "the style will suit such scenes only" in one
    assert small == "photos of 10x8 pixels are small: 300 or more are better"
    assert cv2.imwrite(str(tmp_path / "b.png"), PatternSource(320, 400).image(0))
    assert len(Scenes([tmp_path], crop=64).notes) == 1  # one that is small does no harm
    for index in range(FEW):
        assert cv2.imwrite(str(tmp_path / f"c{index}.png"), PatternSource(16, 24).image(0))
    assert Scenes([tmp_path], crop=64).notes == [
        "photos of 24x16 pixels are small: 300 or more are better"
    ]


def test_what_is_held_of_videos_has_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A phone writes a film of three seconds beside every photo."""
    asked: list[tuple[str, int]] = []

    def read(path: Path, short_side: int, *, count: int) -> list[tuple[Any, Any]]:
        asked.append((path.name, count))
        return [(np.zeros((64, 64, 3), np.uint8),) * 2] * count

    monkeypatch.setattr(scenes, "read_frame_pairs", read)
    monkeypatch.setattr(scenes, "HELD_PAIRS", 12)
    for number, pairs_of_one in ((4, 3), (8, 1), (12, 1), (13, 1), (50, 1)):
        for index in range(number):
            (tmp_path / f"{index:02}.mov").touch()
        asked.clear()
        caplog.clear()
        assert len(Scenes([tmp_path], crop=64).frame_pairs) <= 12
        assert {count for _, count in asked} == {pairs_of_one}
        assert ("are taken, from all over" in caplog.text) == (number > 12)
    assert asked[0][0] < "05"
    assert asked[-1][0] >= "45"


def test_a_picture_with_transparency_is_read_as_it_is_shown(tmp_path: Path) -> None:
    """Upright, and whatever its bits: OpenCV has 10 of AVIF as 0..1023."""
    image = PatternSource(96, 128).image(7)
    rgba = Image.fromarray(np.dstack([image, np.full((96, 128), 255, np.uint8)]))
    turned = Image.Exif()
    turned[0x0112] = 6  # the right side is the top one
    for name in ("a.png", "a.webp"):
        rgba.save(tmp_path / name, exif=turned, lossless=True)
        read = read_pixels(tmp_path / name)
        assert np.array_equal(read, np.rot90(image, -1)), name
    coded = np.dstack([image[..., ::-1], np.full((96, 128), 255, np.uint8)]).astype(np.uint32)
    ten = (coded * 1023 // 255).astype(np.uint16)
    assert cv2.imwrite(str(tmp_path / "ten.avif"), ten, [cv2.IMWRITE_AVIF_DEPTH, 10])
    assert psnr(read_pixels(tmp_path / "ten.avif"), image) > 30


def test_all_stages_share_what_was_read_of_videos(
    make_clip: ClipMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = Scenes([make_clip()], crop=72)
    monkeypatch.setattr(scenes, "read_frame_pairs", None)  # not again
    for batch, crop, steps in ((1, 64, 1), (2, 72, 5)):
        stage = Pairs(film, Recipe("x", "x", batch=batch, crop=crop, seed=3), steps=steps)
        assert (len(stage), stage[0].first.shape) == (steps, (batch, 3, crop, crop))


def test_processes_that_read_photos_share_frames(tmp_path: Path) -> None:
    """Where they are spawned they get what is pickled: that should not hold the pictures."""
    stream = Pairs(
        Scenes([long_clip(tmp_path / "a.mp4", frames=40)], crop=64),
        Recipe("x", "x", crop=64),
        steps=1,
    )
    pixels = sum(pair.numel() for pair in stream.scenes.frame_pairs)
    assert len(ForkingPickler.dumps(stream)) < pixels / 10


def test_a_photo_of_a_camera_is_shrunk_while_it_is_read(tmp_path: Path) -> None:
    scene = cv2.resize(PatternSource(400, 600).image(3), (6000, 4000))
    for name in ("large.jpg", "large.png"):
        cv2.imwrite(str(tmp_path / name), scene)
        read = read_photo(tmp_path / name, 480)
        assert read.shape == (3, 1000, 1500)
        again = cv2.resize(scene, (1500, 1000), interpolation=cv2.INTER_AREA)[..., ::-1]
        off = read - torch.from_numpy(again.astype(np.float32) / 255).permute(2, 0, 1)
        assert off.abs().mean() < 0.01, name


def test_a_small_photo_is_read_as_it_is(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "small.jpg"), PatternSource(533, 800).image(3))
    plain = cv2.imread(str(tmp_path / "small.jpg"))[..., ::-1].astype(np.float32) / 255
    assert torch.equal(
        read_photo(tmp_path / "small.jpg", 480), torch.from_numpy(plain).permute(2, 0, 1)
    )


def test_a_panorama_gives_its_middle(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "wide.png"), PatternSource(20, 12000).image(0))
    assert read_photo(tmp_path / "wide.png", 480).shape == (3, 20, 80)


def test_what_is_transparent_lies_on_white(tmp_path: Path) -> None:
    cut = np.zeros((80, 100, 4), np.uint8)
    cut[:, :50] = (10, 20, 30, 255)
    cut[:40, 50:] = (0, 0, 0, 128)
    for name, dtype in (("a.png", np.uint8), ("b.png", np.uint16)):
        cv2.imwrite(str(tmp_path / name), cut.astype(dtype) * (257 if dtype == np.uint16 else 1))
        for read in (read_photo(tmp_path / name, 480), read_painting(tmp_path / name, 100)):
            rgb = (read * 255).round()
            assert rgb[:, 60, 80].tolist() == [255, 255, 255]
            assert rgb[:, 20, 80].tolist() == [127, 127, 127]
            assert rgb[:, 20, 20].tolist() == [30, 20, 10]


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (np.full((300, 300, 3), 90, np.uint8), "of one colour"),
        (PatternSource(8, 2000).image(0), "too narrow"),
    ],
)
def test_paintings_without_anything_to_learn_are_refused(
    tmp_path: Path, picture: np.ndarray, said: str
) -> None:
    cv2.imwrite(str(tmp_path / "painting.png"), picture)
    with pytest.raises(TrainingError, match=said):
        read_painting(tmp_path / "painting.png", 768)


def test_a_painting_of_few_pixels_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for side in (240, 120):
        cv2.imwrite(str(tmp_path / "painting.png"), PatternSource(side, side).image(0))
        read_painting(tmp_path / "painting.png", 256)
    (said,) = (record.getMessage() for record in caplog.records)
    assert "has 120x120 pixels only" in said


def long_clip(path: Path, *, frames: int, size: tuple[int, int] = (96, 64), gop: int = 50) -> Path:
    """Write a clip whose brightness tells the time, at 10 frames a second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"g": str(gop), "crf": "20"})
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for index in range(frames):
            grey = np.full((size[1], size[0], 3), 20 + 200 * index // frames, np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize(("frames", "gop"), [(300, 50), (1200, 50), (1200, 2000)])
def test_pairs_are_spread_over_the_whole_video(
    tmp_path: Path, suffix: str, frames: int, gop: int
) -> None:
    path = long_clip(tmp_path / f"long.{suffix}", frames=frames, gop=gop)
    frame_pairs = read_frame_pairs(path, count=12)
    times = np.array([(pair.first.mean() - 20) / 200 for pair in frame_pairs])
    assert len(times) == 12
    assert (np.diff(times) > 0.04).all()  # of 0.083, a key frame early at most
    assert times[-1] > 0.85


def test_frames_are_held_as_small_as_they_are_used(tmp_path: Path) -> None:
    path = long_clip(tmp_path / "large.mp4", frames=12, size=(1920, 1080))
    frame_pairs = read_frame_pairs(path, 480, count=4)
    assert {frame.shape for pair in frame_pairs for frame in pair} == {(480, 853, 3)}
    alone = Pairs(Scenes([path], crop=64), Recipe("x", "x", crop=64), steps=1)
    assert [tuple(view.shape) for view in alone.scenes.samples()] == [(3, 480, 853)] * 4


@pytest.mark.parametrize("degrees", [0, 90, 180, -90])
def test_a_video_of_a_phone_stands_upright(tmp_path: Path, degrees: int) -> None:
    clip = Film(rotation=(degrees, False, False), audio=()).build(tmp_path / "phone.mp4")
    upright = np.rot90(PatternSource(96, 128).image(0), degrees // 90)
    assert psnr(read_frame_pairs(clip, count=2)[0].first, np.ascontiguousarray(upright)) > 28
