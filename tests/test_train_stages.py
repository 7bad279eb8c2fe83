"""Recipes of several stages: each goes on from the one before, and a resumed run from the last."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from media.training import VALUES
from rich.console import Console
from stylecam.realtime.styles import find
from stylecam.training import signals
from stylecam.training.command import main, parser, plan
from stylecam.training.export import read_generator
from stylecam.training.loop import Row
from stylecam.training.progress import Place, counted, showing, told
from stylecam.training.recipe import stages_of

STAGES = (
    'name = "tiny"\npainting = "painting.png"\nsteps = 2\nwarmup_steps = 1\n'
    "[[then]]\nsteps = 3\nmean = 0.5\n[[then]]\nsteps = 2\nstyle = 30\nmean = 0.5\n"
)


@contextmanager
def stopped_at(asked: int) -> Iterator[None]:
    """Let a signal come before the given step, counted over all stages, ends of theirs apart."""

    @contextmanager
    def stopping(words: Callable[[], str]) -> Iterator[Callable[[], bool]]:
        left = itertools.count(1)
        yield lambda: next(left) > asked

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(signals, "stopping", stopping)
        yield


def test_a_run_of_stages_goes_on_from_the_one_that_was_reached_and_ends_alike(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workplace / "tiny.toml").write_text(STAGES)
    words = ["tiny.toml", "--photos", "photos", *VALUES]
    assert main([*words, "--run-folder", "whole"]) == 0
    said = capsys.readouterr().err
    assert said.count("What to expect") == said.count("from the base") - 1 == 1
    assert "stage 1 of 3, from the base; small network" in " ".join(said.split())
    assert "stage 2 of 3, from stage 1" in said
    assert "use it: stylecam clip.mp4 --style whole/stage-3/tiny.onnx" in said

    run = workplace / "run"
    for asked in (3, 3):  # within the second stage, then in the third
        with stopped_at(asked):
            resume = ["--resume"] if run.exists() else []
            assert main([*words, "--run-folder", "run", *resume]) == 0
    assert find("run/stage-2/tiny.onnx").card["steps"] == 3
    done = [(run / path / "checkpoint.pt").read_bytes() for path in ("", "stage-2")]
    capsys.readouterr()
    assert main([*words, "--run-folder", "run", "--resume"]) == 0
    assert "stage 3 of 3" in capsys.readouterr().err
    assert [(run / path / "checkpoint.pt").read_bytes() for path in ("", "stage-2")] == done
    for path in ("", "stage-2", "stage-3"):
        one, other = (
            torch.load(workplace / name / path / "checkpoint.pt", weights_only=True)
            for name in ("whole", "run")
        )
        assert one["step"] == other["step"]
        for part in ("generator", "average"):
            for name, value in one[part].items():
                assert torch.equal(value, other[part][name]), (path, part, name)
        made, again = (
            read_generator(workplace / name / path / "tiny.onnx") for name in ("whole", "run")
        )
        for name, value in made.state_dict().items():  # of a mean, which the checkpoint is not
            assert torch.equal(value, again.state_dict()[name]), (path, name)


def test_more_steps_for_a_recipe_that_is_done_are_its_last_stage_s(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workplace / "tiny.toml").write_text(STAGES.replace("mean = 0.5\n", ""))
    words = ["tiny.toml", "--photos", "photos", *VALUES]
    assert main(words) == 0
    assert main([*words, "--resume"]) == 1
    assert "done, with 2 steps in stage 3 of 3" in (said := capsys.readouterr().err)
    assert said.endswith("hint: --set steps=4\n")
    assert main([*words, "steps=4", "--resume"]) == 0
    assert "continuing with steps 2, now 4" in (said := capsys.readouterr().err)
    assert "steps 3, now" not in said
    steps = [find(f"runs/tiny/{path}tiny.onnx").card["steps"] for path in ("", "stage-2/")]
    card = find("runs/tiny/stage-3/tiny.onnx").card
    assert (steps, card["steps_before"], card["steps"]) == ([2, 3], 5, 4)


def test_a_recipe_that_changes_does_not_change_its_runs_in_silence(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workplace / "tiny.toml").write_text(STAGES)
    words = ["tiny.toml", "--photos", "photos", *VALUES]
    with stopped_at(1):
        assert main(words) == 0
    (workplace / "tiny.toml").write_text(STAGES.replace("style = 30", "style = 40"))
    with stopped_at(1):
        assert main([*words, "--resume"]) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "continuing with the recipe as it was: changes of tiny.toml need a run" in said
    (workplace / "tiny.toml").write_text(STAGES)
    with stopped_at(1):
        assert main([*words, "--resume"]) == 0
    assert "as it was" not in capsys.readouterr().err


def test_a_recipe_without_its_painting_says_where_it_was_looked_for(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workplace / "tiny.toml").write_text(STAGES)
    words = ["tiny.toml", "--photos", "photos", "--paintings", "photos", *VALUES]
    with stopped_at(1):
        assert main(words) == 0
    (workplace / "painting.png").rename("elsewhere.png")
    for more in (["--resume"], ["--run-folder", "another"]):
        capsys.readouterr()
        assert main([*words, *more]) == 1
        assert (
            "painting.png is neither in . nor in photos\n  hint: --pain" in capsys.readouterr().err
        )


def test_a_recipe_by_minutes_counts_the_steps_that_were_taken(workplace: Path) -> None:
    (workplace / "tiny.toml").write_text(STAGES)
    assert main(["tiny.toml", "--photos", "photos", *VALUES, "--minutes", "0.03"]) == 0
    states = [
        torch.load(workplace / "runs/tiny" / path / "checkpoint.pt", weights_only=True)
        for path in ("", "stage-2", "stage-3")
    ]
    card = find("runs/tiny/stage-3/tiny.onnx").card
    assert card["steps_before"] == states[0]["step"] + states[1]["step"]
    spent = (states[0]["seconds"] + states[1]["seconds"]) / 60
    assert card["minutes_before"] == round(spent, 1)


def test_the_minutes_of_a_recipe_are_shared_by_its_stages(workplace: Path) -> None:
    (workplace / "tiny.toml").write_text(STAGES)
    made = plan(parser().parse_args(["tiny.toml", "--photos", "photos", "--minutes", "7"]))
    assert [made.minutes_of(0, spent=0), made.minutes_of(1, spent=2)] == [2, 3]
    assert made.minutes_of(1, spent=4.5) == 1.5  # of what is left
    assert 0 < made.minutes_of(2, spent=8) < 1e-3


def test_a_stage_for_the_border_takes_little_time_and_keeps_to_the_border(workplace: Path) -> None:
    """Else it would take the minutes of the others, and a rate for them would be one for it."""
    border = "[[then]]\nlearning_rate = 0\nsteps = 800\n"
    (workplace / "tiny.toml").write_text(
        f'name = "tiny"\npainting = "painting.png"\nsteps = 300\n{border}'
    )
    words = ["tiny.toml", "--photos", "photos", "--minutes", "4", "--set", "learning_rate=0.001"]
    made = plan(parser().parse_args(words))
    assert [made.minutes_of(0, spent=0), made.minutes_of(1, spent=3)] == [3, 1]
    assert [stage.learning_rate for stage in stages_of(made.recipe)] == [0.001, 0]


def test_a_stage_may_be_the_mean_with_the_one_before(workplace: Path) -> None:
    (workplace / "tiny.toml").write_text(
        'name = "tiny"\npainting = "painting.png"\nsteps = 1\nwarmup_steps = 1\n'
        "[[then]]\nmean = 0.25\n"
    )
    assert main(["tiny.toml", "--photos", "photos", *VALUES]) == 0
    first, mean = (
        read_generator(workplace / "runs/tiny" / path).state_dict()
        for path in ("tiny.onnx", "stage-2/tiny.onnx")
    )
    alone = torch.load("runs/tiny/stage-2/checkpoint.pt", weights_only=True)["average"]
    for name, value in mean.items():
        assert torch.allclose(value, 0.75 * first[name] + 0.25 * alone[name], atol=1e-6), name
    assert find("runs/tiny/stage-2/tiny.onnx").card["mean_of"] == "stages 1 and 2, 0.75 to 0.25"


def test_what_is_left_and_what_fits_is_told_of_all_stages() -> None:
    assert [counted(1, "photo"), counted(3, "photo")] == ["1 photo", "3 photos"]
    losses = {"style": 0.5, "content": 1.0, "temporal": 0.1}
    row = Row(10, 30, losses, 2.0, 40.0, 10, True)
    assert "step 10/30, 40 s left; style 0.5 content 1 temporal 0.1" in told(row, Place())
    assert "stage 1/3, step 10/30, 4 min left; style 0.5 temporal" in told(
        row, Place(1, 3, steps_after=100)
    )
    strokes = row._replace(losses=losses | {"texture": 2.0})
    assert "style 0.5 texture 2 temporal 0.1" in told(strokes, Place())
    timed = Place(1, 3, steps_after=100, minutes_after=2.0)
    assert "stage 1/3, step 10/30, 3 min left" in told(row, timed)
    shown = io.StringIO()
    with showing(Console(file=shown, width=100), timed, minutes=3.0, wanted=130) as report:
        report(row)
    assert (
        "About 90 steps will fit into 3 minutes; 130 are advised, about 4 min" in shown.getvalue()
    )
