"""How a training ends: by its time, by a signal, by an error, and how it is resumed."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import pytest
import torch
from media import arrive
from rich.console import Console
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.realtime.styles import find
from stylecam.training import checkpoint, signals
from stylecam.training.command import main
from stylecam.training.data import Pairs
from stylecam.training.errors import Diverged
from stylecam.training.export import read_generator
from stylecam.training.loop import Clock, Row, train
from stylecam.training.motion import Pair
from stylecam.training.progress import showing
from stylecam.training.recipe import Recipe
from stylecam.training.trainer import Trainer
from stylecam.training.vgg import VGG19, load_vgg19

TINY = Recipe("tiny", "painting.png", batch=1, crop=64, steps=3, painting_long_side=96)
VALUES = ["--device", "cpu", "--set", "crop=64", "painting_long_side=96"]


@pytest.fixture(scope="session")
def vgg() -> VGG19:
    return load_vgg19()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    for index in range(2):
        cv2.imwrite(f"photos/{index}.png", PatternSource(90, 120).image(40 * index))
    cv2.imwrite("painting.png", PatternSource(150, 230).image(5))
    return tmp_path


def pairs(folder: Path) -> Pairs:
    return Pairs([folder / "photos"], batch=1, crop=64, seed=0, steps=3)


def trainer(folder: Path, vgg: VGG19, recipe: Recipe = TINY, *, timed: bool = False) -> Trainer:
    return Trainer(recipe, paintings=[folder / "painting.png"], vgg=vgg, timed=timed)


def test_an_error_costs_nothing_that_was_trained(folder: Path, vgg: VGG19) -> None:
    class Vanishing(Pairs):
        def __getitem__(self, step: int) -> Pair:
            if step == 1:
                raise ValueError("the disc was pulled out")
            return super().__getitem__(step)

    stream = Vanishing([folder / "photos"], batch=1, crop=64, seed=0, steps=3)
    with pytest.raises(ValueError, match="the disc was pulled out"):
        train(trainer(folder, vgg), stream, folder / "run", card={"name": "tiny"})
    assert torch.load("run/checkpoint.pt", weights_only=True)["step"] == 1
    assert find("run/tiny.onnx").card["steps"] == 1


def test_a_loss_that_is_not_finite_ends_the_run_and_spoils_nothing(
    folder: Path, vgg: VGG19
) -> None:
    train(trainer(folder, vgg), pairs(folder), folder / "run", card={"name": "tiny"},
          stop=iter([False, True]).__next__)  # fmt: skip
    before = [(folder / "run" / name).read_bytes() for name in ("checkpoint.pt", "tiny.onnx")]
    learner = trainer(folder, vgg, dataclasses.replace(TINY, learning_rate=0.1))
    learner.load(torch.load("run/checkpoint.pt", weights_only=True))
    with torch.no_grad():
        learner.targets[0][0]["1_1"] *= float("inf")
    with pytest.raises(Diverged, match="step 2: style, gradient is no longer finite") as caught:
        train(learner, pairs(folder), folder / "run", card={"name": "tiny"})
    assert "checkpoint.pt of step 1 is kept" in str(caught.value)
    assert "--set learning_rate=0.03" in str(caught.value)
    after = [(folder / "run" / name).read_bytes() for name in ("checkpoint.pt", "tiny.onnx")]
    assert after == before
    assert all(value.isfinite().all() for value in learner.generator.state_dict().values())


def test_figures_before_a_divergence_are_written_down(folder: Path, vgg: VGG19) -> None:
    learner = trainer(folder, vgg)

    class Spoiling(Pairs):
        def __getitem__(self, step: int) -> Pair:
            if step == 2:
                with torch.no_grad():
                    learner.targets[0][0]["1_1"] *= float("inf")
            return super().__getitem__(step)

    stream = Spoiling([folder / "photos"], batch=1, crop=64, seed=0, steps=3)
    with pytest.raises(Diverged, match="step 3"):
        train(learner, stream, folder / "run", card={"name": "tiny"})
    (row,) = Path("run/stats.jsonl").read_text().splitlines()
    assert json.loads(row)["step"] == 2


def test_going_on_without_a_step_leaves_the_style_as_it_was(folder: Path, vgg: VGG19) -> None:
    train(trainer(folder, vgg), pairs(folder), folder / "run", card={"name": "tiny"},
          stop=iter([False, True]).__next__)  # fmt: skip
    card = find("run/tiny.onnx").card
    assert card["losses"]["style"] > 0
    learner = trainer(folder, vgg)
    checkpoint.restore(learner, folder / "run" / "checkpoint.pt")
    done = train(learner, pairs(folder), folder / "run", card={"name": "tiny"}, stop=lambda: True)
    assert done is not None
    assert find("run/tiny.onnx").card == card


def test_a_panorama_and_what_cannot_be_read_get_into_the_preview(folder: Path, vgg: VGG19) -> None:
    cv2.imwrite("photos/0.png", PatternSource(20, 1200).image(0))
    (folder / "photos" / "1.png").write_bytes(b"no picture")
    done = train(trainer(folder, vgg), pairs(folder), folder / "run", card={"name": "tiny"},
                 stop=iter([False, True]).__next__)  # fmt: skip
    assert done is not None
    # The painting, 512 high and 784 wide, then the panorama's middle, 512 wide over its painting.
    assert cv2.imread("run/preview.jpg").shape[:2] == (512, 784 + 2 * 512)


def test_stopped_before_the_first_step_nothing_is_written(folder: Path, vgg: VGG19) -> None:
    run = folder / "run"
    assert train(trainer(folder, vgg), pairs(folder), run, card={}, stop=lambda: True) is None
    assert not run.exists()


def test_a_signal_is_answered_at_once_and_a_second_one_ignored(
    capfd: pytest.CaptureFixture[str],
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with signals.stopping("stopping: writing the style…") as stop:
        assert not stop()
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


def test_ctrl_c_writes_the_style(folder: Path) -> None:
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


def test_short_runs_warm_up_and_meet_the_discriminator_in_time(folder: Path, vgg: VGG19) -> None:
    timed, counted = trainer(folder, vgg, timed=True), trainer(folder, vgg)
    assert counted.rate(0.05) == pytest.approx(timed.rate(0) * 0.9938, rel=1e-3)
    assert timed.rate(0.05) == pytest.approx(0.9938, rel=1e-3)
    assert [timed.adversarial(share) for share in (0.1, 0.15)] == [False, True]
    assert not counted.adversarial(0.9)
    counted.step = timed.step = 100
    assert counted.rate(0) == timed.rate(0) == 1
    assert counted.adversarial(0) is timed.adversarial(0) is True


def test_a_run_by_the_clock_does_not_count_beyond_its_end(folder: Path, vgg: VGG19) -> None:
    learner = trainer(folder, vgg)
    clock = Clock(learner, 10_000_000, 0.01)
    learner.step, learner.seconds = 9, 0.7
    row = clock.row({}, written=True)
    assert (row.step, row.steps, row.seconds_left) == (9, 9, 0)


def test_a_terminal_of_80_columns_shows_what_is_left() -> None:
    shown = io.StringIO()
    console = Console(file=shown, width=80, force_terminal=True, color_system=None)
    losses = {"style": 0.43219, "content": 0.92345, "temporal": 0.0012345}
    with showing(console, minutes=10, wanted=600) as report:
        report(Row(10, 100, losses, 6.0, 540.0, 10, False))
        report(Row(125, 700, losses, 1.0, 720.0, 125, False))
    text = shown.getvalue()
    assert "step 125/700, 12 min left; style 0.43 content 0.92 temporal 0.0012" in text
    assert "About 100 steps will fit into 10 minutes; 600 are advised, about 60 minutes." in text


def test_going_on_needs_a_run_that_can(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "tiny.toml").write_text('name = "tiny"\npainting = "painting.png"\nsteps = 1\n')
    words = ["tiny.toml", "--photos", "photos", *VALUES]
    assert main(words) == 0
    painting = (folder / "painting.png").read_bytes()
    capsys.readouterr()

    def said(*more: str) -> str:
        assert main([*words, *more, "--resume"]) == 1
        return capsys.readouterr().err

    assert "already done, with 1 steps: runs/tiny/tiny.onnx\n  try: --set steps=2" in said()
    assert "a small network, which cannot become a large one" in said("steps=2", "--size", "large")
    cv2.imwrite("painting.png", PatternSource(150, 230).image(6))
    assert "started with another painting" in said("steps=2")
    (folder / "painting.png").write_bytes(painting)
    whole = (folder / "runs/tiny/checkpoint.pt").read_bytes()
    (folder / "runs/tiny/checkpoint.pt").write_bytes(whole[:5000])
    assert "checkpoint.pt cannot be resumed" in said("steps=2")
    assert "holds no run to continue" in said("--run-folder", "runs/other")
    (folder / "runs/tiny/checkpoint.pt").write_bytes(whole)
    assert main([*words, "steps=2", "--resume"]) == 0
    assert "continuing with steps 1, now 2" in capsys.readouterr().err
    assert find("runs/tiny/tiny.onnx").card["steps"] == 2


def test_a_stage_may_be_the_mean_with_the_one_before(folder: Path) -> None:
    (folder / "tiny.toml").write_text(
        'name = "tiny"\npainting = "painting.png"\nsteps = 1\nwarmup_steps = 1\n'
        "[[then]]\nmean = 0.25\n"
    )
    assert main(["tiny.toml", "--photos", "photos", *VALUES]) == 0
    first, mean = (
        read_generator(folder / "runs/tiny" / path).state_dict()
        for path in ("tiny.onnx", "stage-2/tiny.onnx")
    )
    alone = torch.load("runs/tiny/stage-2/checkpoint.pt", weights_only=True)["average"]
    for name, value in mean.items():
        assert torch.allclose(value, 0.75 * first[name] + 0.25 * alone[name], atol=1e-6), name
    assert find("runs/tiny/stage-2/tiny.onnx").card["mean_of"] == "stages 1 and 2, 0.75 to 0.25"


def test_a_painting_that_was_swallowed_is_missed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--photos", "photos", "painting.jpg"])
    assert caught.value.code == 2
    assert "it comes first" in capsys.readouterr().err
