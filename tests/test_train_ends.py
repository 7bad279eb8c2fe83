"""How a training ends: by its time, by a signal, by an error."""

from __future__ import annotations

import dataclasses
import errno
import io
import json
import os
import signal
import subprocess
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest
import torch
from media import arrive
from media.training import QUICK, VALUES, pairs, run_of, trainer
from rich.console import Console
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.realtime.styles import find
from stylecam.training import command, loop, ranks, signals
from stylecam.training.command import main, parser, plan
from stylecam.training.data import Pairs
from stylecam.training.errors import Diverged, TrainingError
from stylecam.training.journal import Journal
from stylecam.training.loop import Clock, Row, Run
from stylecam.training.motion import Pair
from stylecam.training.network import Generator
from stylecam.training.progress import Place, showing
from stylecam.training.scenes import Scenes
from stylecam.training.stages import Stages
from stylecam.training.vgg import VGG19


def test_an_error_costs_nothing_that_was_trained(
    workplace: Path, vgg: VGG19, caplog: pytest.LogCaptureFixture
) -> None:
    class Vanishing(Pairs):
        def __getitem__(self, step: int) -> Pair:
            if step == 1:
                raise ValueError("the disc was pulled out")
            return super().__getitem__(step)

    stream = Vanishing(Scenes([workplace / "photos"], crop=64), QUICK, steps=3)
    with pytest.raises(ValueError, match="the disc was pulled out"):
        run_of(workplace, trainer(workplace, vgg, QUICK), stream).train()
    assert torch.load("run/checkpoint.pt", weights_only=True)["step"] == 1
    assert find("run/tiny.onnx").card["steps"] == 1
    assert f"the style as of step 1 is {workplace / 'run' / 'tiny.onnx'}" in caplog.text


def test_a_loss_that_is_not_finite_ends_the_run_and_spoils_nothing(
    workplace: Path, vgg: VGG19
) -> None:
    run_of(workplace, trainer(workplace, vgg, QUICK)).train(stop=iter([False, True]).__next__)
    before = [(workplace / "run" / name).read_bytes() for name in ("checkpoint.pt", "tiny.onnx")]
    learner = trainer(workplace, vgg, dataclasses.replace(QUICK, learning_rate=0.1))
    learner.load(torch.load("run/checkpoint.pt", weights_only=True))
    with torch.no_grad():
        learner.targets[0][0].grams["1_1"] *= float("inf")
    with pytest.raises(Diverged, match="step 2: style, gradient is no longer finite") as caught:
        run_of(workplace, learner).train()
    assert "checkpoint.pt of step 1 is kept" in str(caught.value)
    assert "--set learning_rate=0.03" in str(caught.value)
    after = [(workplace / "run" / name).read_bytes() for name in ("checkpoint.pt", "tiny.onnx")]
    assert after == before
    assert all(value.isfinite().all() for value in learner.generator.state_dict().values())


def test_a_border_that_is_not_finite_spoils_nothing(workplace: Path, vgg: VGG19) -> None:
    learner = trainer(workplace, vgg, dataclasses.replace(QUICK, learning_rate=0.0))
    with torch.no_grad():
        learner.generator.head.conv.bias[0] = float("nan")
    with pytest.raises(Diverged, match="step 1: border, border's gradient is no") as caught:
        run_of(workplace, learner).train()
    assert "--set gradient_clip=0.1" in caught.value.hint
    assert all(w.isfinite().all() for w in learner.generator.borders().values())


def test_what_diverges_in_a_further_stage_goes_on_from_the_one_before(
    workplace: Path, vgg: VGG19
) -> None:
    learner = trainer(workplace, vgg, QUICK)
    with torch.no_grad():
        learner.targets[0][0].grams["1_1"] *= float("inf")
    with pytest.raises(Diverged, match="; the stage before is kept\n  hint: --resume --set lear"):
        Run(
            learner,
            pairs(workplace, QUICK),
            workplace / "run/stage-2",
            card={},
            before=Generator("small"),
        ).train()


def no_room_for(*names: str) -> Callable[[Path, bytes], int]:
    """Return `Path.write_bytes` on a disk that is full for files of these names."""
    write = Path.write_bytes

    def write_some(path: Path, data: bytes) -> int:
        if path.name.startswith(names):
            write(path, data[:10])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(path, data)

    return write_some


def test_a_checkpoint_that_cannot_be_written_does_not_cost_the_style(
    workplace: Path,
    vgg: VGG19,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """There may be room for the one and not for the other."""
    monkeypatch.setattr(Path, "write_bytes", no_room_for("checkpoint"))
    monkeypatch.setattr(loop, "CHECKPOINT_EVERY_S", 0.0)
    run_of(workplace, trainer(workplace, vgg, QUICK)).train()
    assert find("run/tiny.onnx").card["steps"] == 3
    assert "checkpoint.pt cannot be written: No space left on device; the run go" in caplog.text
    assert not list(Path("run").glob("checkpoint*"))


def test_a_style_that_cannot_be_written_is_named_and_leaves_no_part(
    workplace: Path, vgg: VGG19, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "write_bytes", no_room_for("tiny"))
    with pytest.raises(TrainingError, match=r"tiny\.onnx cannot be written: No space left"):
        run_of(workplace, trainer(workplace, vgg, QUICK)).train()
    assert not list(Path("run").glob("tiny*"))
    assert Path("run/checkpoint.pt").exists()  # to go on from, once there is room


def test_the_last_preview_is_of_the_style_that_is_written(
    workplace: Path, vgg: VGG19, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Generator] = []
    monkeypatch.setattr(Journal, "picture", lambda _, generator: shown.append(generator))
    trained = Run(
        trainer(workplace, vgg, dataclasses.replace(QUICK, mean=0.25)),
        pairs(workplace, QUICK),
        workplace / "run",
        card={"name": "tiny"},
        before=Generator("small"),
    ).train()
    assert trained is not None
    assert shown == [trained.generator]


def test_figures_before_a_divergence_are_written_down(workplace: Path, vgg: VGG19) -> None:
    learner = trainer(workplace, vgg, QUICK)

    class Spoiling(Pairs):
        def __getitem__(self, step: int) -> Pair:
            if step == 2:
                with torch.no_grad():
                    learner.targets[0][0].grams["1_1"] *= float("inf")
            return super().__getitem__(step)

    stream = Spoiling(Scenes([workplace / "photos"], crop=64), QUICK, steps=3)
    with pytest.raises(Diverged, match="step 3"):
        run_of(workplace, learner, stream).train()
    (row,) = Path("run/stats.jsonl").read_text().splitlines()
    assert json.loads(row)["step"] == 2


def test_a_panorama_and_what_cannot_be_read_get_into_the_preview(
    workplace: Path, vgg: VGG19
) -> None:
    cv2.imwrite("photos/0.png", PatternSource(20, 1200).image(0))
    (workplace / "photos" / "1.png").write_bytes(b"no picture")
    done = run_of(workplace, trainer(workplace, vgg, QUICK)).train(
        stop=iter([False, True]).__next__
    )
    assert done is not None
    # The painting, 512 high and 784 wide, then the panorama's middle, 512 wide over its painting.
    assert cv2.imread("run/preview.jpg").shape[:2] == (512, 784 + 2 * 512)


def test_stopped_before_the_first_step_nothing_is_written(workplace: Path, vgg: VGG19) -> None:
    assert run_of(workplace, trainer(workplace, vgg, QUICK)).train(stop=lambda: True) is None
    assert not Path("run").exists()


def test_a_signal_is_answered_at_once_and_a_second_one_ignored(
    capfd: pytest.CaptureFixture[str],
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    said = "stopping…"
    with signals.stopping(lambda: said) as stop:
        assert not stop()
        said = "stopping: writing the style…"  # what there is to say by then
        arrive(signal.SIGTERM)
        assert stop()
        assert "stopping: writing the style…" in capfd.readouterr().err
        arrive(signal.SIGINT)
        arrive(signal.SIGTERM)
        assert capfd.readouterr().err == ""
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_process_that_reads_photos_is_not_ended_by_ctrl_c() -> None:
    words = (
        "import signal; from stylecam.training.signals import unmoved; unmoved(3); "
        "signal.raise_signal(signal.SIGINT); print('reads on')"
    )
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert done.stdout == "reads on\n"


def test_ctrl_c_writes_the_style(workplace: Path) -> None:
    words = ["-m", "stylecam.training", "painting.png", "--photos", "photos", *VALUES]
    run = subprocess.Popen(
        [sys.executable, *words], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    for _ in range(600):
        if Path("runs/painting/config.json").exists() or run.poll() is not None:
            break  # the first step was taken
        time.sleep(0.1)
    run.send_signal(signal.SIGINT)
    out, said = run.communicate(timeout=60)
    assert run.returncode == 0, said
    assert "stopping: writing the style…" in said
    assert out.strip() == "painting.onnx"
    assert find("painting.onnx").card["steps"] > 0


def test_short_runs_warm_up_and_meet_the_discriminator_in_time(workplace: Path, vgg: VGG19) -> None:
    timed, counted = trainer(workplace, vgg, QUICK, timed=True), trainer(workplace, vgg, QUICK)
    assert counted.rate(0.05) == pytest.approx(timed.rate(0) * 0.9938, rel=1e-3)
    assert timed.rate(0.05) == pytest.approx(0.9938, rel=1e-3)
    assert [timed.adversarial(share) for share in (0.1, 0.15)] == [False, True]
    assert not counted.adversarial(0.9)
    counted.step = timed.step = 100
    assert counted.rate(0) == timed.rate(0) == 1
    assert counted.adversarial(0) is timed.adversarial(0) is True


def test_a_run_by_the_clock_does_not_count_beyond_its_end(workplace: Path, vgg: VGG19) -> None:
    learner = trainer(workplace, vgg, QUICK)
    clock = Clock(learner, 10_000_000, 0.01)
    learner.step, learner.seconds = 9, 0.7
    row = clock.row({}, written=True)
    assert (row.step, row.steps, row.seconds_left) == (9, 9, 0)


def test_a_terminal_of_80_columns_shows_what_is_left() -> None:
    shown = io.StringIO()
    console = Console(file=shown, width=80, force_terminal=True, color_system=None)
    losses = {"style": 0.43219, "content": 0.92345, "temporal": 0.0012345}
    with showing(console, Place(), minutes=10, wanted=600) as report:
        report(Row(10, 100, losses, 6.0, 540.0, 10, False))
        report(Row(125, 700, losses, 1.0, 720.0, 125, False))
    with showing(console, Place(2, 3, steps_after=900), minutes=None, wanted=600) as report:
        report(Row(125, 700, losses, 1.0, 720.0, 125, False))
    with showing(console, Place(), minutes=None, wanted=600) as report:
        report(Row(125, 700, {"border": 0.0321}, 1.0, 575.0, 125, False))
    text = shown.getvalue()
    assert "stage 2/3, step 125/700, 27 min left; style 0.43 temporal 0.0012" in text
    assert "step 125/700, 12 min left; style 0.43 content 0.92 temporal 0.0012" in text
    assert "step 125/700, 10 min left; border 0.032" in text
    assert "About 100 steps will fit into 10 minutes; 600 are advised, about 60 minutes." in text


def test_a_signal_before_the_first_step_promises_no_style(workplace: Path) -> None:
    made = plan(parser().parse_args(["painting.png", "--photos", "photos", *VALUES, "steps=2"]))
    console = Console(file=io.StringIO())
    stages = Stages(
        made, photos=[Path("photos")], vgg=None, device="cpu", console=console, words=""
    )
    said = []

    def stop() -> bool:
        said.append(stages.farewell())
        return False

    assert stages.train(stop) is not None
    assert said == ["stopping…", "stopping: writing the style…"]


def test_a_style_that_cannot_be_delivered_is_where_it_was_made(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(command, "write_whole", full)
    words = ["painting.png", "--photos", "photos", "-o", "out/mine.onnx", *VALUES, "steps=1"]
    assert main(words) == 1
    assert (
        "error: the style is runs/mine/mine.onnx; it could not be copied to out/mine.onnx "
        "(No space left on device)\n  hint: copy it" in capsys.readouterr().err
    )
    assert find("runs/mine/mine.onnx").card["steps"] == 1


def test_processes_that_read_photos_are_not_more_than_cores(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = types.SimpleNamespace(step=0, device="mps")
    for cores, most, workers in ((1, 8, 1), (2, 1, 1)):
        monkeypatch.setattr(ranks, "cores", lambda cores=cores: cores)
        monkeypatch.setattr(loop, "MOST_WORKERS", most)
        assert loop._loader(pairs(workplace, QUICK), learner).num_workers == workers
    monkeypatch.undo()
    alone = ranks.cores()
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(2 * alone))
    assert ranks.cores() == 1 <= alone


def test_a_painting_that_was_swallowed_is_missed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--photos", "photos", "painting.jpg"])
    assert caught.value.code == 2
    assert "it comes first" in capsys.readouterr().err
