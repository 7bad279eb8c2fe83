"""The one exception tree. What a user can mend carries a hint that says how."""

from __future__ import annotations


class StylecamError(Exception):
    """A message for the user, and the remedy."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


class SourceError(StylecamError):
    """The input cannot be opened or read."""


class SinkError(StylecamError):
    """The output cannot be opened or written."""


class EngineError(StylecamError):
    """The network cannot be built or run."""


class StyleError(StylecamError):
    """There is no such style, or its file is not a style."""


class UsageError(StylecamError):
    """Options that contradict one another; the command exits with 2."""


class WindowClosed(Exception):  # noqa: N818 - an ending, not an error
    """The viewer asked to stop."""
