"""Recipes are checked as a whole, with words of their own, before anything is trained."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from stylecam.realtime.styles import built_in, find
from stylecam.training import network
from stylecam.training.command import parser, plan
from stylecam.training.errors import TrainingError
from stylecam.training.ranges import RANGES
from stylecam.training.recipe import (
    SIZES,
    Recipe,
    changed,
    from_values,
    read_recipe,
    stages_of,
    to_values,
)
from stylecam.training.start import BASES, STYLES, find_start, read_start

RECIPES = Path(__file__).parent.parent / "training" / "recipes"


def test_what_is_known_of_sizes_and_numbers_is_complete() -> None:
    assert set(SIZES) == set(network.SIZES)
    numbers = {field.name for field in dataclasses.fields(Recipe) if field.type in ("int", "float")}
    assert numbers == set(RANGES)


@pytest.mark.parametrize("size", SIZES)
def test_there_is_a_base_of_each_size(size: str) -> None:
    start = find_start(None, size)
    network, card = read_start(start, size), find(str(BASES[size])).card
    assert network is not None
    assert network.size == size
    recipe = read_recipe(RECIPES / card["recipe"])
    assert (card["name"], card["steps"]) == (recipe.name, recipe.steps) == (f"base-{size}", 800)


def test_a_folder_does_not_hide_the_style_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "comic").mkdir()
    assert find_start("comic", "small").path == STYLES / "comic.onnx"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("crop = 100", "crop: 100 is not within 64 to 1024, a multiple of 8"),
        ("crop = 0", "crop: 0"),
        ("batch = 0", "batch: 0 is not within 1 to 256"),
        (f"seed = {10**400}", "seed: 1000"),
        ("steps = 0", "steps: 0"),
        ('steps = "many"', "steps: 'many' is not a whole number"),
        ("steps = 1.5", "steps: 1.5 is not a whole number"),
        ("painting_long_side = 8", "painting_long_side: 8 is not within 64 to 4096"),
        ("style = -5", "style: -5 is not within 0"),
        ("style = nan", "style: nan is not a number"),
        ("style = true", "style: True is not a number"),
        ("coarse = 7", "coarse: 7 is not within 0 to 1"),
        ("ema = 2", "ema: 2"),
        ("noise = -1", "noise: -1 is not within 0 to 20"),
        ('size = "huge"', "size: 'huge' is not one of small, large"),
        ("title = 3", "title: 3 is not text"),
        ("styles = 3", "there is no setting 'styles', did you mean style?"),
        ("mean = 0.5", "the first stage has none before it"),
        ("[then]", "begins with [[then]]"),
        ("[[then]]\ncrop = 100", "stage 2: crop"),
        ("[[then]]\nstyles = 3", "stage 2: there is no setting"),
        ('[[then]]\nsize = "large"', "stage 2: size"),
    ],
)
def test_a_wrong_value_is_named_with_what_it_may_be(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f'name = "mine"\npainting = "own.jpg"\n{text}\n')
    with pytest.raises(TrainingError, match=r"mine\.toml") as caught:
        read_recipe(path)
    assert said in str(caught.value)


@pytest.mark.parametrize("text", ['name = "a/b"', 'name = ""', 'name = ".."', "name = 3"])
def test_names_are_names_of_files(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f'painting = "own.jpg"\n{text}\n')
    with pytest.raises(TrainingError, match="name"):
        read_recipe(path)


@pytest.mark.parametrize("painting", ["[]", '""', "[3]", "3", '{file = "a.png"}'])
def test_a_painting_is_needed(tmp_path: Path, painting: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f'name = "mine"\npainting = {painting}\n')
    with pytest.raises(TrainingError, match="the file name of a picture"):
        read_recipe(path)


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_recipes_come_back_from_a_checkpoint(path: Path) -> None:
    recipe = read_recipe(path)
    assert from_values(to_values(recipe)) == recipe


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_a_built_in_style_is_credited_as_its_recipe_says(path: Path) -> None:
    recipe = read_recipe(path)
    if recipe.name in [style.name for style in built_in()]:
        card = find(recipe.name).card
        keys = ("title", "artist", "licence")
        assert [card[key] for key in keys] == [getattr(recipe, key) for key in keys]


def test_how_long_to_train_is_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("painting.jpg").write_bytes(b"")
    words = ["painting.jpg", "--photos", "."]
    assert plan(parser().parse_args(words)).minutes == 30
    made = plan(parser().parse_args([*words, "--set", "steps=9"]))
    assert (made.minutes, made.recipe.steps) == (None, 9)
    with pytest.raises(TrainingError, match="both say how long") as caught:
        plan(parser().parse_args([*words, "--minutes", "5", "--set", "style=9", "steps=9"]))
    assert caught.value.hint == "one of them"


def test_every_stage_has_pictures_of_its_own() -> None:
    """With one seed they would all begin with the same photos, cropped alike."""
    values = {"name": "x", "painting": "p.png", "seed": 5}
    recipe = from_values(values | {"then": [{}, {"seed": 9}, {}]})
    assert [stage.seed for stage in stages_of(recipe)] == [5, 6, 9, 10]
    assert [stage.seed for stage in stages_of(changed(recipe, ["seed=2"]))] == [2, 3, 4, 5]
    assert changed(recipe, ["style=3"]).then[1].seed == 9
    assert from_values(to_values(recipe)) == recipe


def test_decimals_are_taken_wherever_they_mean_something() -> None:
    recipe = from_values({"name": "x", "painting": "p.png", "style": 40})  # as TOML has it
    assert changed(recipe, ["style=52.5"]).style == 52.5
    with pytest.raises(TrainingError, match=r"steps=2\.5: '2.5' is not a whole number"):
        changed(recipe, ["steps=2.5"])


def test_what_is_said_twice_is_added_up_or_refused() -> None:
    words = ["p.jpg", "--photos", "a", "--photos", "b", "c", "--set", "style=1", "--set", "tone=2"]
    options = parser().parse_args(words)
    assert [str(path) for path in options.photos] == ["a", "b", "c"]
    assert options.set == ["style=1", "tone=2"]
    assert parser().parse_args(["p.jpg"]).set == []
    recipe = from_values({"name": "x", "painting": "p.png"})
    with pytest.raises(TrainingError, match="--set: style is given twice"):
        changed(recipe, ["style=1", "tone=2", "style=3"])


def test_means_are_of_their_stage_only() -> None:
    values = {"name": "x", "painting": "x.png", "then": [{"mean": 0.5}, {"style": 3}]}
    assert [stage.mean for stage in from_values(values).then] == [0.5, 1]
    with pytest.raises(TrainingError, match="no such setting"):
        changed(Recipe("x", "x.png"), ["mean=0.5"])


def test_a_recipe_finds_the_painting_beside_it_first(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    path = tmp_path / "mine" / "mine.toml"
    path.write_text('name = "mine"\npainting = ["own.jpg", "comic.jpg"]\n')
    (tmp_path / "mine" / "own.jpg").write_bytes(b"")
    made = plan(parser().parse_args([str(path), "--photos", str(tmp_path), "--artist", "Me"]))
    assert made.paintings[0][0] == tmp_path / "mine" / "own.jpg"
    assert made.paintings[0][1].name == "comic.jpg"
    assert made.recipe.artist == "Me"


@pytest.mark.parametrize(
    ("given", "path", "name"),
    [
        (None, "painting.onnx", "painting"),
        ("mine", "mine.onnx", "mine"),
        ("out/mine.v2", "out/mine.v2.onnx", "mine.v2"),
        ("mine.onnx", "mine.onnx", "mine"),
        ("folder", "folder/painting.onnx", "painting"),
        ("new/", "new/painting.onnx", "painting"),
    ],
)
def test_an_output_may_be_a_folder_or_lack_its_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str | None, path: str, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "painting.jpg").write_bytes(b"")
    words = ["painting.jpg", "--photos", "."] + (["-o", given] if given else [])
    made = plan(parser().parse_args(words))
    assert (made.output, made.recipe.name) == (Path(path), name)
    assert {entry.name for entry in tmp_path.iterdir()} == {"folder", "painting.jpg"}
