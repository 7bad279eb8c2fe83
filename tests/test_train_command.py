"""`stylecam train` in miniature: it trains, stops, resumes, exports, and says what is wrong."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from media.training import make_folder, pairs, trainer
from stylecam.realtime.cli import main as stylecam
from stylecam.realtime.styles import find
from stylecam.training import data
from stylecam.training.command import main
from stylecam.training.data import Pairs
from stylecam.training.export import read_generator
from stylecam.training.loop import Row, Run
from stylecam.training.motion import Pair, still_pair
from stylecam.training.network import SIZES
from stylecam.training.recipe import Recipe, read_recipe
from stylecam.training.scenes import Scenes
from stylecam.training.trainer import Trainer
from stylecam.training.vgg import VGG19

TRAINING = Path(__file__).parent.parent / "training"
RECIPES = sorted((TRAINING / "recipes").glob("*.toml"))
TINY_VALUES = ["crop=96", "painting_long_side=128"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path)


def test_a_run_stops_resumes_and_ends_where_an_uninterrupted_one_does(
    folder: Path, vgg: VGG19
) -> None:
    rows: list[Row] = []
    card = {"name": "tiny"}
    Run(trainer(folder, vgg), pairs(folder), folder / "whole", card=card).train(report=rows.append)

    first = trainer(folder, vgg)
    half = Run(first, pairs(folder), folder / "run", card=card).train(stop=lambda: first.step == 2)
    assert half is not None
    assert not half.whole
    found = find(str(half.path)).card
    assert (found["name"], found["steps"]) == ("tiny", 2)
    assert found["losses"]["style"] > 0
    assert json.loads(half.path.with_name("config.json").read_text())["steps"] == 4

    second = trainer(folder, vgg)
    second.load(torch.load(folder / "run" / "checkpoint.pt", weights_only=True))
    assert second.step == 2
    done = Run(second, pairs(folder), folder / "run", card=card).train()
    assert done is not None
    assert done.whole
    assert find(str(done.path)).card["steps"] == 4
    states = [
        torch.load(folder / run / "checkpoint.pt", weights_only=True)["average"]
        for run in ("whole", "run")
    ]
    for name, value in states[0].items():
        assert torch.allclose(value, states[1][name], atol=1e-5), name

    terms = {"content", "style", "temporal", "equivariance", "adversarial", "discriminator"}
    assert terms <= set(rows[-1].losses)
    assert all(np.isfinite(value) for value in rows[-1].losses.values())
    assert (rows[-1].step, rows[-1].steps) == (4, 4)
    last = (folder / "run" / "stats.jsonl").read_text().splitlines()[-1]
    assert json.loads(last)["step"] == 4
    assert {"seconds", "learning_rate", "style"} <= json.loads(last).keys()
    assert cv2.imread(str(folder / "run" / "preview.jpg")).shape[0] == 512


def test_the_command_makes_a_style_and_goes_on_with_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    words = ["train", "painting.png", "--photos", "photos", "-o", "out/mine.onnx"]
    words += ["--minutes", "0.02", "--artist", "Nobody", "--device", "cpu", "--set", *TINY_VALUES]
    assert stylecam(words) == 0
    said = capsys.readouterr()
    assert "out/mine.onnx" in said.out
    assert "What to expect" in said.err
    card = find("out/mine.onnx").card
    assert (card["name"], card["artist"], card["size"]) == ("mine", "Nobody", "small")
    assert stylecam(words) == 1
    assert "--resume" in capsys.readouterr().err
    assert stylecam([*words, "--resume"]) == 1
    assert "already done" in capsys.readouterr().err
    spent = torch.load("runs/mine/checkpoint.pt", weights_only=True)["seconds"] / 60
    words = ["train", "painting.png", "--photos", "photos", "--run-folder", "runs/mine"]
    assert stylecam([*words, "--minutes", str(spent + 0.01), "--resume", "--device", "cpu"]) == 0
    said = capsys.readouterr()
    assert "continues from step" in said.err
    assert "minutes 0.02, now" in said.err
    assert said.out.strip() == "out/mine.onnx"  # it remembers name, output and --set
    later = find("out/mine.onnx").card
    assert later["steps"] > card["steps"]
    assert (later["name"], later["artist"]) == ("mine", "Nobody")
    assert {"seed", "minutes", "painting_sha256", "version"} <= later.keys()
    assert json.loads((folder / "runs/mine/config.json").read_text())["crop"] == 96
    assert stylecam(["photos/0.png", "-o", "painted.png", "--style", "out/mine.onnx"]) == 0


def test_a_recipe_of_two_stages_goes_on_from_the_first_with_what_the_second_changes(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    (folder / "tiny.toml").write_text(
        'name = "tiny"\npainting = "painting.png"\nsteps = 2\n\n[[then]]\nsteps = 1\nstyle = 7\n'
    )
    words = ["train", "tiny.toml", "--paintings", ".", "--photos", "photos", "--device", "cpu"]
    assert stylecam([*words, "--set", "crop=96", "painting_long_side=128"]) == 0
    configs = [
        json.loads((folder / "runs" / "tiny" / run / "config.json").read_text())
        for run in ("", "stage-2")
    ]
    assert [(c["steps"], c["style"], c["crop"]) for c in configs] == [(2, 60.0, 96), (1, 7.0, 96)]
    made = folder / capsys.readouterr().out.strip()
    card = find(str(made)).card
    assert (card["steps_before"], card["steps"]) == (2, 1)
    first, second = (weights_of(path) for path in (folder / "runs/tiny/tiny.onnx", made))
    distance = max(float((first[name] - second[name]).abs().max()) for name in first)
    assert 0 < distance < 0.01  # one step away, and no more


def weights_of(style: Path) -> dict[str, torch.Tensor]:
    return read_generator(style).state_dict()


TWO = """
import os, runpy
import torch
from stylecam.training.loop import Run

def kept(run, **more):
    trained = train(run, **more)
    torch.save(run._trainer.state(), f"rank-{os.environ['RANK']}.pt")
    return trained

train, Run.train = Run.train, kept
runpy.run_module("stylecam.training", run_name="__main__")
"""


def test_two_processes_train_one_network(folder: Path, vgg: VGG19) -> None:
    (folder / "two.py").write_text(TWO)
    # Style alone is the mean over a batch; the discriminator learns, and is not listened to yet.
    values = {"style": 20.0, "adversarial": 0.03, "adversarial_from": 9, "warmup_steps": 1}
    others = ("texture", "content", "temporal", "equivariance", "palette", "colours", "tone")
    values |= dict.fromkeys((*others, "total_variation"), 0.0)
    values |= {"crop": 96, "painting_long_side": 128, "steps": 1}
    words = ["painting.png", "--photos", "photos", "--device", "cpu", "--base", "none", "--set"]
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*run, "two.py", *words, *(f"{key}={value}" for key, value in values.items())],
        cwd=folder, capture_output=True, text=True, timeout=110,
        env=os.environ | {"OMP_NUM_THREADS": "1"}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("What to expect") == 1  # only the first one talks
    assert done.stdout.splitlines() == ["painting.onnx"]
    assert find(str(folder / "painting.onnx")).card["steps"] == 1

    ranks = [torch.load(folder / f"rank-{n}.pt", weights_only=True) for n in (0, 1)]
    for part in ("generator", "average", "discriminator"):
        for name, value in ranks[0][part].items():
            assert torch.equal(value, ranks[1][part][name]), (part, name)
    one = trainer(folder, vgg, dataclasses.replace(Recipe("one", "painting.png"), **values))
    both = Pairs(Scenes([folder / "photos"], crop=96), Recipe("x", "x", batch=2, crop=96), steps=1)
    one.train_step(both[0], progress=0.0)
    means = [  # Adam's after one step: a tenth of the gradient
        torch.cat([state["exp_avg"].flatten() for state in optimizer["state"].values()])
        for optimizer in (ranks[0]["optimizer"], one.optimizer.state_dict())
    ]
    assert (means[0] - means[1]).norm() < 0.05 * means[1].norm()


def test_a_recipe_s_noise_and_shift_reach_the_pairs(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    (folder / "tiny.toml").write_text(
        'name = "tiny"\npainting = "painting.png"\nsteps = 1\ncrop = 96\nnoise = 3\nshift = 20\n'
        "painting_long_side = 128\n[[then]]\nnoise = 5\nshift = 30\ncrop = 64\nbatch = 2\n"
    )
    seen = []

    def spied(photo: torch.Tensor, **how: Any) -> Pair:
        seen.append((how["noise"], how["shift_px"], photo.shape[-1]))
        return still_pair(photo, **how)

    monkeypatch.setattr(data, "still_pair", spied)
    assert main(["tiny.toml", "--photos", "photos", "--device", "cpu"]) == 0
    assert seen == [(3, 20, 96), (5, 30, 64), (5, 30, 64)]


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipes_can_be_read_and_have_their_painting(path: Path) -> None:
    recipe = read_recipe(path)
    assert recipe.name == path.stem
    assert recipe.size in SIZES
    assert recipe.title
    assert all((TRAINING / "paintings" / name).exists() for name in recipe.paintings)
    if isinstance(recipe.painting, str):
        assert recipe.artist
        assert recipe.licence


@pytest.mark.parametrize("bug", [ValueError("too many values"), ModuleNotFoundError(
    "No module named 'stylecam.training.losse'", name="stylecam.training.losse"
)])  # fmt: skip
def test_a_bug_is_not_taken_for_a_fault_of_the_user(
    bug: Exception, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)

    def step(*_: object, **__: object) -> dict[str, float]:
        raise bug

    monkeypatch.setattr(Trainer, "train_step", step)
    words = ["train", "painting.png", "--photos", "photos", "--device", "cpu"]
    with pytest.raises(type(bug)):
        stylecam([*words, "--set", *TINY_VALUES])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["bad.toml", "--photos", "photos"], "bad.toml"),
        (["painting.png"], "--photos"),
        (["nowhere.png", "--photos", "photos"], "nowhere.png: no such file"),
        (["painting.png", "--photos", "nowhere"], "nowhere: no such file"),
        (["painting.png", "--photos", "empty"], "no photos or videos"),
        (["photos/note.txt", "--photos", "photos"], "cannot be read as a picture"),
        (
            ["painting.png", "--photos", "photos", "--set", "strokes=3"],
            "strokes=3: no such setting",
        ),
        (["painting.png", "--photos", "photos", "--set", "style=much"], "'much' is not a number"),
        (["painting.png", "--photos", "photos", "--base", "photos/note.txt"], "not a style file"),
        (["painting.png", "--photos", "photos", "--device", "toaster"], "--device toaster cannot"),
        (["painting.png", "--photos", "photos", "--minutes", "0"], "--minutes must be above 0"),
        (["painting.png", "--photos", "photos", "--vgg", "photos/note.txt"], "note.txt"),
        (["painting.png", "--photos", "photos", "--minutes", "inf"], "--minutes must be above 0"),
        (["painting.png", "--photos", "photos", "--minutes", "1e300"], "--minutes must be above"),
        (["painting.png", "--photos", "photos", "--set", "name=a/b"], "cannot be the name"),
        (["painting.png", "--photos", "photos", "--set", "size=huge"], "not one of small, large"),
        (["painting.png", "--photos", "photos", "--set", "steps=many"], "not a whole number"),
        (["painting.png", "--photos", "photos", "--set", "styles=3"], "did you mean style?"),
        (["painting.png", "--photos", "photos", "--base", "nowhere"], "no such style or file"),
        (["painting.png", "--photos", "photos", "photos/note.txt"], "not of a kind that is read"),
        (
            ["painting.png", "--photos", "photos", "--minutes", "3", "--set", "steps=3"],
            "both say how long to train\n  hint: one of them",
        ),
        (
            ["painting.png", "--photos", "photos", "--size", "large", "--base", "comic"],
            "is a small",
        ),
        (["painting.png", "--photos", "photos", "-o", "painting.png/x"], "is not a folder"),
        (["painting.png", "--photos", "photos", "--run-folder", "painting.png"], "is not a folder"),
        (["painting.png", "--photos", "photos", "--resume"], "holds no run to continue"),
        (["flat.png", "--photos", "photos"], "of one colour"),
    ],
)
def test_the_command_says_what_is_wrong(
    folder: Path,
    words: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(folder)
    (folder / "bad.toml").write_text('name = "x"\nstrokes = 3\n')
    (folder / "photos" / "note.txt").write_text("no picture")
    (folder / "empty").mkdir()
    cv2.imwrite("flat.png", np.full((300, 300, 3), 60, np.uint8))
    assert main(words) == 1
    assert said in capsys.readouterr().err
    assert not (folder / "runs").exists()
