"""The one exception tree. What a user can mend carries a hint that says how."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class StylecamError(Exception):
    """A message for the user, and the remedy, which a traceback shows below it."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.hint = message, hint
        if hint:
            self.add_note(f"hint: {hint}")


class SourceError(StylecamError):
    """The input cannot be opened or read."""


class SinkError(StylecamError):
    """The output cannot be opened or written."""


class OutputExists(SinkError):  # noqa: N818 - what it says is there
    """A file has the output's name already."""


class EngineError(StylecamError):
    """The network cannot be built or run."""


class StyleError(StylecamError):
    """There is no such style, or its file is not a style."""


class UsageError(StylecamError):
    """An option, a value or a call that makes no sense; the command exits with 2."""


class Stopped(KeyboardInterrupt):
    """A signal other than Ctrl-C's asked to stop; `number` is its own."""

    def __init__(self, number: int, message: str = "") -> None:
        super().__init__(*filter(None, [message]))
        self.number = number


def raise_interrupt(error: BaseException) -> None:
    """Raise the KeyboardInterrupt behind an error of an import, if there is one: an extension in C
    that is interrupted while it is loaded raises an ImportError instead.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, KeyboardInterrupt):
            raise cause
        cause = cause.__cause__ or cause.__context__


class WindowClosed(Exception):  # noqa: N818 - an ending, not an error
    """The viewer asked to stop."""


@contextmanager
def needing_packages(what: str, remedy: str) -> Iterator[None]:
    """Say that `what`, the block, needs a package that is not installed. A missing module of our
    own is a bug, and is raised as it is.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] == "stylecam":
            raise
        raise StylecamError(
            f"{what} needs {error.name}, which is not installed", hint=remedy
        ) from error
