"""What a training says while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

if TYPE_CHECKING:
    from .loop import Row
    from .scenes import Scenes
    from .trainer import Trainer

WANTED_STEPS: Final = 600
WANTED_FROM_NOTHING: Final = 2000


class Place(NamedTuple):
    """Which stage of a recipe is trained, from what, and what those after it will take."""

    number: int = 1
    of: int = 1
    whence: str = "from scratch"
    steps_after: int = 0
    """As many of this one's steps as take that long."""
    minutes_after: float = 0.0


def introduce(
    console: Console, trainer: Trainer, scenes: Scenes, run: Path, *, place: Place, first: bool
) -> None:
    """Say what is trained; before the first stage also on what, and what to expect."""
    recipe = trainer.recipe
    parameters = sum(p.numel() for p in trainer.generator.parameters())
    kind = "bfloat16" if trainer.autocast else "float32"
    stage = f"stage {place.number} of {place.of}, " if place.of > 1 else ""
    watch = f"Watch {run / 'preview.jpg'}."
    if not first:
        console.print(f"{recipe.name}: {stage}{place.whence}. {watch}", highlight=False)
        return
    console.print(
        f"{recipe.name}: {stage}{place.whence}; "
        f"{recipe.size} network, {parameters / 1e3:.0f} K parameters; "
        f"{counted(len(scenes.photos), 'photo')}, "
        f"{counted(len(scenes.frame_pairs), 'pair of frames', 'pairs of frames')}; "
        f"{trainer.device}, {kind}",
        highlight=False,
    )
    for note in scenes.notes:
        console.print(f"note: {note}", highlight=False)
    expect = (
        "colours and first strokes after 200 steps, a usable style after "
        f"{WANTED_STEPS} from the base ({WANTED_FROM_NOTHING:,} from scratch); the last third, "
        "when the learning rate falls, refines it."
    )
    if recipe.learning_rate == 0:
        expect = "at a learning rate of 0 nothing changes but what is painted at the border."
    console.print(
        f"What to expect: {expect} {watch} Ctrl-C stops early and still writes the style.",
        highlight=False,
    )


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number of things in words."""
    return f"{number} {one if number == 1 else many or one + 's'}"


@contextmanager
def showing(
    console: Console, place: Place, *, minutes: float | None, wanted: int
) -> Iterator[Callable[[Row], None]]:
    """Give what shows a row: as a bar on a terminal, as lines elsewhere.

    Of a run by `minutes`, of this stage and those after it, it is said early how many steps will
    fit, of `wanted`.
    """
    from .loop import FORECAST_AFTER_STEPS

    forecast = minutes is not None

    def foretell(row: Row) -> None:
        nonlocal forecast
        if not forecast or minutes is None or row.taken < FORECAST_AFTER_STEPS:
            return
        forecast = False
        more = ""
        steps = row.steps + round(60 * place.minutes_after / row.seconds_a_step)
        if steps < wanted:
            needed = minutes + (wanted - steps) * row.seconds_a_step / 60
            more = f"; {wanted} are advised, about {max(1, round(needed))} minutes"
        console.print(
            f"About {steps} steps will fit into {minutes:.3g} minutes{more}.", highlight=False
        )

    if not console.is_terminal:

        def lines(row: Row) -> None:
            foretell(row)
            if row.written:
                pace = f"{row.seconds_a_step:.2f} s a step"
                console.print(f"{told(row, place)}; {pace}", highlight=False, soft_wrap=True)

        yield lines
        return
    columns = (BarColumn(bar_width=8), TextColumn("{task.description}"))
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("the first steps")

        def show(row: Row) -> None:
            foretell(row)
            progress.update(task, total=row.steps, completed=row.step, description=told(row, place))

        yield show


def told(row: Row, place: Place) -> str:
    """Return a row as text that fits beside a bar into 80 columns, what matters most first. The
    time that is left is that of all stages, at this one's pace.
    """
    shown = ["style", "texture" if "texture" in row.losses else "content", "temporal"]
    stage, left_s = "", row.seconds_left
    if place.of > 1:
        del shown[1]
        stage = f"stage {place.number}/{place.of}, "
        left_s += 60 * place.minutes_after or row.seconds_a_step * place.steps_after
    if "style" not in row.losses:
        shown = ["border"]
    figures = " ".join(f"{name} {row.losses[name]:.2g}" for name in shown)
    return f"{stage}step {row.step}/{row.steps}, {_duration(left_s)} left; {figures}"


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
