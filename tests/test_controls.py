"""What keys do in a live run: another style, strength, snapshots, recordings."""

from __future__ import annotations

import itertools
import sys
import threading
import time
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from media import decode, times
from stylecam.realtime.controls import Controls
from stylecam.realtime.engines import Engine, EngineOptions, Pending, open_engine, switching
from stylecam.realtime.engines.echo import EchoEngine
from stylecam.realtime.engines.switching import SwitchingEngine
from stylecam.realtime.errors import (
    EngineError,
    SinkError,
)
from stylecam.realtime.frame import Frame
from stylecam.realtime.pictures import Image, Picture
from stylecam.realtime.sinks import NullSink
from stylecam.realtime.sinks.file import FileSink
from stylecam.realtime.sinks.recording import RecordingSink
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.realtime.stats import Stats
from stylecam.realtime.styles import Style, built_in, find


def engine_for(style: Style) -> Engine:
    return open_engine(EngineOptions(), style, height=64, width=96, live=True)


def painting_of(engine: Engine, image: Image) -> Image:
    return engine.submit(image).result().copy()


def test_a_style_switch_loses_no_picture_and_changes_them() -> None:
    first, second = find("great-wave"), find("starry-night")
    image = PatternSource(64, 96).image(5)
    with closing(SwitchingEngine(first, engine_for)) as engine:
        before = painting_of(engine, image)
        engine.switch(second)
        assert engine.loading == "starry-night"
        deadline, painted = time.monotonic() + 30, 0
        while engine.style is not second and time.monotonic() < deadline:
            assert np.array_equal(painting_of(engine, image), before)  # the picture runs on
            painted += 1
            engine.poll()
        assert painted >= 2
        after = [painting_of(engine, image) for _ in range(engine.depth + 2)]
        alone = engine_for(second)
        assert np.array_equal(after[0], painting_of(alone, image))
        alone.close()
        assert np.abs(after[0].astype(int) - before).mean() > 10
        assert all(np.array_equal(after[0], picture) for picture in after)
        engine.switch(first)  # and left while it loads


def test_back_to_the_style_that_is_on_loads_nothing() -> None:
    """Though it is another object, as those of the list of styles are."""
    loads: list[str] = []

    def load(style: Style) -> Engine:
        loads.append(style.name)
        return EchoEngine()

    with closing(SwitchingEngine(find("great-wave"), load)) as engine:
        engine.switch(find("great-wave"))
        assert not engine.loading
    assert loads == ["great-wave"]


def test_closing_does_not_wait_for_a_style_that_loads_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(switching, "JOIN_TIMEOUT_S", 0.1)
    release = threading.Event()

    def load(style: Style) -> Engine:
        if style.name != "great-wave":
            release.wait(20)
        return EchoEngine()

    engine = SwitchingEngine(find("great-wave"), load)
    engine.switch(find("starry-night"))
    begun = time.monotonic()
    engine.close()
    assert time.monotonic() - begun < 5
    release.set()


class Noted(EchoEngine):
    """Fails at its first picture if it is told to; tells when it is closed."""

    def __init__(self, fails: bool) -> None:
        super().__init__()
        self.fails, self.closed = fails, False

    def submit(self, picture: Picture, strength: float = 1.0) -> Pending:
        if self.fails:
            raise EngineError("out of memory")
        return super().submit(picture, strength)

    def close(self) -> None:
        self.closed = True


def until_it_is(engine: SwitchingEngine, name: str) -> None:
    deadline = time.monotonic() + 30
    while engine.style.name != name and time.monotonic() < deadline:
        engine.poll()
    assert engine.style.name == name


def test_the_old_engine_stays_open_for_what_it_has_under_way() -> None:
    engines: list[Noted] = []

    def load(_: Style) -> Engine:
        engines.append(Noted(fails=False))
        return engines[-1]

    picture = PatternSource(64, 96).image(5)
    with closing(SwitchingEngine(find("great-wave"), load)) as engine:
        engine.switch(find("starry-night"))
        until_it_is(engine, "starry-night")
        for _ in range(engine.depth):
            engine.submit(picture)
            assert not engines[0].closed
        engine.submit(picture)
        assert engines[0].closed


def test_a_style_that_is_no_longer_wanted_is_closed_once_loaded() -> None:
    engines: list[Noted] = []

    def load(_: Style) -> Engine:
        engines.append(Noted(fails=False))
        return engines[-1]

    with closing(SwitchingEngine(find("great-wave"), load)) as engine:
        engine.switch(find("starry-night"))
        engine.switch(find("comic"))
        until_it_is(engine, "comic")
    assert [made.closed for made in engines] == [True, True, True]


def test_a_style_that_failed_to_load_is_not_tried_again() -> None:
    loads: list[str] = []

    def load(style: Style) -> Engine:
        loads.append(style.name)
        if style.name != "great-wave":
            raise EngineError("out of memory")
        return EchoEngine()

    with closing(SwitchingEngine(find("great-wave"), load)) as engine:
        engine.switch(find("starry-night"))
        with pytest.raises(EngineError, match="out of memory"):
            until_it_is(engine, "starry-night")
        engine.poll()
        assert not engine.loading
    assert loads == ["great-wave", "starry-night"]


def test_an_engine_that_fails_to_warm_up_is_closed() -> None:
    engines: list[Noted] = []

    def load(style: Style) -> Engine:
        engines.append(Noted(fails=bool(engines)))
        return engines[-1]

    with closing(SwitchingEngine(find("great-wave"), load)) as engine:
        painting_of(engine, PatternSource(64, 96).image(5))
        engine.switch(find("starry-night"))
    assert [engine.closed for engine in engines] == [True, True]


def test_a_bug_in_loading_leaves_no_engine_open() -> None:
    current = Noted(fails=False)

    def load(style: Style) -> Engine:
        if style.name != "great-wave":
            raise RuntimeError("a bug")
        return current

    engine = SwitchingEngine(find("great-wave"), load)
    engine.switch(find("starry-night"))
    with pytest.raises(RuntimeError, match="a bug"):
        engine.close()
    assert current.closed


def test_a_style_that_cannot_be_loaded_changes_nothing(tmp_path: Path) -> None:
    good = find("great-wave")
    (tmp_path / "bad.onnx").write_bytes(good.path.read_bytes()[:5000])
    bad = Style("bad", tmp_path / "bad.onnx", {"name": "bad"})
    image = PatternSource(64, 96).image(5)
    with closing(SwitchingEngine(good, engine_for)) as engine:
        before = painting_of(engine, image)
        controls = Controls(engine, [good, bad], RecordingSink(_no_file), Stats(), folder=tmp_path)
        controls.command("next style", Frame(image, 0, Fraction(1), 0.0))
        shown = shown_by(controls, "as an ONNX model")
        assert "bad.onnx cannot be read as an ONNX" in shown
        assert engine.style is good
        assert np.array_equal(painting_of(engine, image), before)


def shown_by(controls: Controls, words: str) -> str:
    """Return what is over the picture as soon as `words` are in it."""
    deadline, shown = time.monotonic() + 30, ""
    while words not in shown and time.monotonic() < deadline:
        shown = " ".join(controls.lines())
    assert words in shown
    return shown


def _no_file(path: Path) -> NullSink:
    raise SinkError(f"{path} cannot be made")


def test_controls(tmp_path: Path) -> None:
    source, stats = PatternSource(64, 96, live=True), Stats()
    recording = RecordingSink(lambda path: FileSink(path, source.info))
    style = find("great-wave")
    with closing(SwitchingEngine(style, lambda _: EchoEngine())) as engine:
        controls = Controls(engine, built_in(), recording, stats, strength=0.95, folder=tmp_path)
        frames = list(itertools.islice(PatternSource(64, 96), 40))
        controls.command("stronger", frames[0])
        assert controls.strength() == 1.0
        for _ in range(12):
            controls.command("weaker", frames[0])
        assert controls.strength() == 0.0
        controls.command("snapshot", frames[7])
        assert "saved" in shown_by(controls, ".png")
        (snapshot,) = tmp_path.glob("*.png")
        assert np.array_equal(decode(snapshot)[0], frames[7].image)
        for turn in range(2):
            controls.command("record", frames[0])
            assert any("recording" in line for line in controls.lines())
            for frame in frames[10 * turn + 10 : 10 * turn + 20]:
                recording.write(frame)
            controls.command("record", frames[0])
        videos = sorted(tmp_path.glob("*.mp4"))
        assert [len(times(video)) for video in videos] == [10, 10]
        assert times(videos[1])[0] == 0


def test_where_a_snapshot_went_is_told_to_who_hides_the_text(tmp_path: Path) -> None:
    told: list[str] = []
    with closing(SwitchingEngine(find("great-wave"), lambda _: EchoEngine())) as engine:
        recording = RecordingSink(_no_file)
        controls = Controls(
            engine, built_in(), recording, Stats(), folder=tmp_path, tell=told.append
        )
        frame = next(iter(PatternSource(64, 96)))
        controls.command("snapshot", frame)
        shown_by(controls, "saved")
        controls.command("snapshot", frame)  # and the run ends
        controls.finish()
    assert sorted(told) == [f"saved {path}" for path in sorted(tmp_path.glob("*.png"))]
    assert len(told) == 2


def test_figures_are_renewed_twice_a_second_and_what_a_viewer_does_at_once() -> None:
    stats, moments_s = Stats(), [0.0]
    with closing(SwitchingEngine(find("great-wave"), lambda _: EchoEngine())) as engine:
        controls = Controls(
            engine, built_in(), RecordingSink(_no_file), stats, clock=lambda: moments_s[-1]
        )
        shown = []
        for now_s, latency_s in ((10.0, 0.010), (10.4, 0.020), (10.5, 0.020)):
            moments_s.append(now_s)
            stats.stages.clear()
            stats.record("latency", latency_s)
            controls.command("weaker", Frame(PatternSource(64, 96).image(0), 0, Fraction(1), 0.0))
            shown.append(controls.lines()[0])
    assert shown == [
        f"0 fps  {ms} ms  great-wave {percent}%" for ms, percent in ((10, 90), (10, 80), (20, 70))
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")
@pytest.mark.parametrize(
    ("named", "remedy"),
    [(False, "start stylecam in another folder"), (True, "choose another place with -o")],
)
def test_what_a_key_makes_has_a_remedy_that_moves_it(
    named: bool, remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a folder that nobody may write to, not even root."""
    monkeypatch.chdir("/proc")
    info = PatternSource(64, 96).info
    recording = RecordingSink(lambda path: FileSink(path, info))
    frame = next(iter(PatternSource(64, 96)))
    with closing(SwitchingEngine(find("great-wave"), lambda _: EchoEngine())) as engine:
        folder = Path("/proc") if named else None
        controls = Controls(engine, built_in(), recording, Stats(), folder=folder)
        for command in ("record", "snapshot"):
            controls.command(command, frame)
            assert f"hint: you may not write there; {remedy}" in shown_by(controls, "cannot be")
        controls.command("snapshot", frame)
        with pytest.raises(SinkError, match="cannot be written") as caught:
            controls.finish()
    assert caught.value.hint.endswith(remedy)


def test_a_recording_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    """With its remedy, until the next key, and to who keeps it for longer."""
    told: list[str] = []
    with closing(SwitchingEngine(find("great-wave"), lambda _: EchoEngine())) as engine:
        folder = tmp_path / "missing"
        recording = RecordingSink(lambda path: FileSink(path, PatternSource(64, 96).info))
        controls = Controls(engine, built_in(), recording, Stats(), folder=folder, tell=told.append)
        frame = next(iter(PatternSource(64, 96)))
        for count, command in enumerate(("record", "snapshot"), 1):
            controls.command(command, frame)
            shown = shown_by(controls, "cannot be written")
            assert "hint: make the folder first: mkdir -p" in shown
            assert len(told) == count
            controls.command("weaker", frame)
            assert "cannot be written" not in " ".join(controls.lines())
        assert "cannot be written" in told[0]
        assert "mkdir" in told[1]
    assert not folder.exists()
