"""What ends a training and can be mended."""

from __future__ import annotations


class TrainingError(Exception):
    """What the user can mend; `hint` says how, where the message does not."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message}\n  hint: {hint}" if hint else message)
        self.hint = hint


class Diverged(TrainingError):  # noqa: N818 - what happened to the run
    """A figure is no longer finite. What was trained up to the step before is."""
