"""What a training says while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

if TYPE_CHECKING:
    from .data import Pairs
    from .loop import Row
    from .trainer import Trainer

WANTED_STEPS: Final = 600
WANTED_FROM_NOTHING: Final = 2000


def introduce(
    console: Console, trainer: Trainer, pairs: Pairs, run: Path, *, started: bool
) -> None:
    """Say what is trained and what to expect."""
    recipe = trainer.recipe
    parameters = sum(p.numel() for p in trainer.generator.parameters())
    kind = "bfloat16" if trainer.autocast else "float32"
    if trainer.step:
        whence = f"continues from step {trainer.step}"
    else:
        whence = "from the base" if started else "from scratch"
    console.print(
        f"{recipe.name}: {recipe.size} network, {parameters / 1e3:.0f} K parameters, {whence}; "
        f"{len(pairs.photos)} photos, {len(pairs.frame_pairs)} pairs of frames; "
        f"{trainer.device}, {kind}",
        highlight=False,
    )
    console.print(
        "What to expect: colours and first strokes after 200 steps, a usable style after "
        f"{WANTED_STEPS} from the base ({WANTED_FROM_NOTHING:,} from scratch); the last third, "
        "when the learning rate falls, refines it. "
        f"Watch {run / 'preview.jpg'}. Ctrl-C stops early and still writes the style.",
        highlight=False,
    )


@contextmanager
def showing(
    console: Console, *, minutes: float | None, wanted: int
) -> Iterator[Callable[[Row], None]]:
    """Give what shows a row: as a bar on a terminal, as lines elsewhere.

    Of a run by `minutes` it is said early how many steps will fit, of `wanted`.
    """
    from .loop import FORECAST_AFTER_STEPS

    forecast = minutes is not None

    def foretell(row: Row) -> None:
        nonlocal forecast
        if not forecast or minutes is None or row.taken < FORECAST_AFTER_STEPS:
            return
        forecast = False
        more = ""
        if row.steps < wanted:
            needed = minutes + (wanted - row.steps) * row.seconds_a_step / 60
            more = f"; {wanted} are advised, about {max(1, round(needed))} minutes"
        console.print(
            f"About {row.steps} steps will fit into {minutes:.3g} minutes{more}.", highlight=False
        )

    if not console.is_terminal:

        def lines(row: Row) -> None:
            foretell(row)
            if row.written:
                pace = f"{row.seconds_a_step:.2f} s a step"
                console.print(f"{told(row)}; {pace}", highlight=False, soft_wrap=True)

        yield lines
        return
    columns = (BarColumn(bar_width=8), TextColumn("{task.description}"))
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("the first steps")

        def show(row: Row) -> None:
            foretell(row)
            progress.update(task, total=row.steps, completed=row.step, description=told(row))

        yield show


def told(row: Row) -> str:
    """Return a row as text that fits beside a bar into 80 columns, what matters most first."""
    shown = ("style", "content", "temporal")
    figures = " ".join(f"{name} {row.losses[name]:.2g}" for name in shown)
    return f"step {row.step}/{row.steps}, {_duration(row.seconds_left)} left; {figures}"


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
