"""Where frames go.

| name | what |
| --- | --- |
| file | a video file or standard output, written in one go |
| resumable | a video file or numbered pictures, in segments: a killed run resumes |
| image | one picture |
| window | a window on the screen |
| virtual_camera | a camera that other programs find |
| recording | a file while one is open: started and stopped by a key |
| dashboard | the terminal: how it goes, in figures |
| null | nowhere, for measuring |
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from ..frame import Frame

if TYPE_CHECKING:
    from ..snapshots import Snapshots


class Sink(Protocol):
    """Takes frames in order. All calls come from the thread that opened it."""

    def write(self, frame: Frame) -> None:
        """Take one frame. Raises SinkError when it cannot, WindowClosed when the viewer has seen
        enough.
        """
        ...

    def close(self) -> None:
        """Finish: what was written so far becomes the whole output. Idempotent."""
        ...

    def abort(self) -> None:
        """Discard the output; a live recording is kept. Idempotent; does nothing after `close`."""
        ...


@runtime_checkable
class Waiting(Protocol):
    """A sink whose `write` and `close` may wait for another program: no longer once `ending()`."""

    ending: Callable[[], bool]


@runtime_checkable
class Showing(Protocol):
    """A sink that shows pictures on square pixels, and is told the shape of the source's."""

    sample_aspect_ratio: Fraction


@runtime_checkable
class Idling(Protocol):
    """A sink that goes on while no frame comes: a window must hear its keys."""

    def idle(self) -> None:
        """Called ten times a second then. Raises WindowClosed when the viewer has seen enough."""
        ...


class Output(Sink, Protocol):
    """The file that is made of another file. A later run of the same job may resume it."""

    @property
    def snapshots(self) -> Snapshots | None:
        """Where the engine's state is to go, frame by frame; None where no run resumes."""
        ...

    @property
    def resumes_after(self) -> int:
        """How many frames are kept for good, by earlier runs or this one; a resumed run paints the
        rest.
        """
        ...

    @property
    def notes(self) -> list[str]:
        """What could not be kept as it was, a line each; complete after `close`."""
        ...


def end_all(sinks: Sequence[Sink], end: Callable[[Sink], None]) -> None:
    """Let `end` close or abort each sink, the last opened first, whatever others raise; then raise
    the first of their errors.
    """
    errors: list[BaseException] = []
    for sink in reversed(sinks):
        try:
            end(sink)
        except BaseException as error:
            errors.append(error)
    if errors:
        raise errors[0]


@contextmanager
def abort_on_error(sinks: list[Sink]) -> Iterator[list[Sink]]:
    """Abort what the block has opened and not closed, should it fail."""
    try:
        yield sinks
    except BaseException:
        with suppress(Exception):  # the error that ended the block is the one to tell
            end_all(sinks, lambda sink: sink.abort())
        raise


class NullSink:
    """Takes every frame and keeps none."""

    def write(self, frame: Frame) -> None:
        """Forget it."""

    def close(self) -> None:
        """Nothing is held."""

    def abort(self) -> None:
        """Nothing is held."""
