"""Timecodes of a part that begins later: counted as SMPTE ST 12-1 has it, and in files."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import pytest
from media.clips import Film
from rich.console import Console
from stylecam.realtime.engines import EngineOptions
from stylecam.realtime.job import FileOptions, Look
from stylecam.realtime.section import Section
from stylecam.realtime.sinks import timecode
from stylecam.realtime.sources import Reading
from stylecam.realtime.styles import DEFAULT, find
from stylecam.realtime.stylize import stylize_file

ECHO = Look(find(DEFAULT), engine=EngineOptions("echo"))
NTSC = Fraction(30000, 1001)


def counted(nominal: int, skipped: int) -> Iterator[str]:
    """All timecodes of a day in their order, by the rule: the first numbers of a minute are left
    out, but those of each tenth.
    """
    for hour, minute, second, frame in itertools.product(
        range(24), range(60), range(60), range(nominal)
    ):
        if minute % 10 and not second and frame < skipped:
            continue
        yield f"{hour:02}:{minute:02}:{second:02}{';' if skipped else ':'}{frame:02}"


@pytest.mark.parametrize(
    ("rate", "skipped"), [(NTSC, 2), (2 * NTSC, 4), (NTSC, 0), (Fraction(25), 0), (Fraction(50), 0)]
)
def test_timecodes_are_counted_as_by_hand(rate: Fraction, skipped: int) -> None:
    first = f"00:00:00{';' if skipped else ':'}00"
    names = itertools.islice(counted(round(rate), skipped), round(rate) * 60 * 21)
    for number, name in enumerate(names):
        if number % 7 == 0 or name[6:8] == "00":
            assert timecode.later(first, number / rate, rate) == name
            assert timecode.later(name, Fraction(0), rate) == name


@pytest.mark.parametrize(
    ("begins", "by_s", "rate", "then"),
    [
        ("01:00:00:00", "2", Fraction(25), "01:00:02:00"),
        ("01:00:00;00", "2", NTSC, "01:00:02;00"),
        ("00:00:59;29", "0.02", NTSC, "00:01:00;02"),
        ("00:09:59;29", "0.02", NTSC, "00:10:00;00"),
        ("00:00:59;59", "0.01", 2 * NTSC, "00:01:00;04"),
        ("23:59:59;29", "0.02", NTSC, "00:00:00;00"),
        ("23:59:59:24", "1", Fraction(25), "00:00:00:24"),
        ("10:00:00:00", "3600", Fraction(24000, 1001), "10:59:56:10"),
        ("10:00:00:00", "1", Fraction("29.9712"), "10:00:01:00"),  # a mean of 29.97
        ("10:00:00;00", "1", Fraction(25), None),  # none drops at 25
        ("10:00:00:00", "1", Fraction("29.2"), None),
        ("10:00:00:27", "1", Fraction(25), None),
        ("noon", "1", Fraction(25), None),
    ],
)
def test_a_later_timecode(begins: str, by_s: str, rate: Fraction, then: str | None) -> None:
    assert timecode.later(begins, Fraction(by_s), rate) == then


@pytest.mark.parametrize("output", ["out.mov", "out.mkv"])
@pytest.mark.parametrize("start_s", [None, Fraction(1, 5)])
def test_a_part_has_the_timecode_of_its_first_picture(
    start_s: Fraction | None, output: str, tmp_path: Path
) -> None:
    film = Film(rate=Fraction(25), time_base=Fraction(1, 25)).build(tmp_path / "film.mp4")
    clip = tmp_path / "a.mov"
    with av.open(str(film)) as plain, av.open(str(clip), "w") as container:
        picture = container.add_stream_from_template(plain.streams.video[0])
        picture.metadata["timecode"] = "01:00:00:22"
        for packet in plain.demux(video=0):
            if packet.dts is not None:
                packet.stream = picture
                container.mux(packet)
    options = FileOptions(reading=Reading(section=Section(start_s)))
    stylize_file(clip, tmp_path / output, ECHO, console=Console(quiet=True), options=options)
    with av.open(str(tmp_path / output)) as made:
        tags = [s.metadata | made.metadata for s in made.streams if s.type in ("video", "data")]
    kept = {value for tag in tags for key, value in tag.items() if key.lower() == "timecode"}
    assert kept == {"01:00:00:22" if start_s is None else "01:00:01:02"}


def test_a_timecode_that_cannot_be_moved_is_left_out_and_said() -> None:
    metadata = {"title": "a film", "TIMECODE": "10:00:00:00"}
    assert timecode.move(metadata, Fraction(1), Fraction("29.2")) == [
        "timecode left out: 10:00:00:00 cannot be counted on at 29.2 fps"
    ]
    assert metadata == {"title": "a film"}
