"""What an engine says of itself while it is opened."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


class Report:
    """Notes for the user, and long work shown as it goes on; without a console, nothing.

    `spinner` False is for when something else is drawn on the terminal: lines only.
    """

    def __init__(self, console: Console | None = None, *, spinner: bool = True) -> None:
        self._console, self._spinner = console, spinner

    def note(self, line: str) -> None:
        """Say one line."""
        if self._console is not None:
            self._console.print(line, highlight=False, soft_wrap=True, markup=False)

    @contextmanager
    def working(self, title: str, *, done: str) -> Iterator[None]:
        """Show that `title` is under way and for how long; afterwards say `done` and the time."""
        begun_s = time.perf_counter()
        if self._console is None:
            yield
        elif self._spinner and self._console.is_terminal:
            from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

            words = TextColumn("{task.description}", markup=False)
            columns = (SpinnerColumn(), words, TimeElapsedColumn())
            with Progress(*columns, console=self._console, transient=True) as progress:
                progress.add_task(title, total=None)
                yield
        else:
            self.note(f"{title} ...")
            yield
        self.note(f"{done} in {time.perf_counter() - begun_s:.0f} s")
