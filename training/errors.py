"""What ends a training and can be mended."""

from __future__ import annotations


class TrainingError(Exception):
    """What the user can mend; the message says how."""


class Diverged(TrainingError):  # noqa: N818 - what happened to the run
    """A figure is no longer finite. What was trained up to the step before is."""
