"""The `stylecam` command: which words mean what, and how it ends. Nothing outside this folder
imports it.

Imports are late: `stylecam --help` must not wait for OpenCV.
"""

from __future__ import annotations

import contextlib
import errno
import io
import signal
import sys
from collections.abc import Sequence
from typing import Final

from ..errors import Stopped, StylecamError, UsageError, raise_interrupt
from . import exit_codes
from .commands import COMMANDS
from .stylizing import stylize

_NO_ACCESS: Final = (errno.EACCES, errno.EPERM, errno.ENAMETOOLONG)
_DISK_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    argv = list(sys.argv[1:] if arguments is None else arguments)
    if arguments is None:
        _prepare_process()
    try:
        return _run(argv)
    except StylecamError as error:
        usage = isinstance(error, UsageError)
        return _fail(error, exit_codes.USAGE if usage else exit_codes.FAILED)
    except KeyboardInterrupt as stop:
        with contextlib.suppress(OSError):  # the terminal may be closed
            print(": ".join(["interrupted", *map(str, stop.args)]), file=sys.stderr)
        return exit_codes.SIGNAL + (stop.number if isinstance(stop, Stopped) else signal.SIGINT)
    except BrokenPipeError:
        sys.stderr.close()
        return exit_codes.FAILED
    except (OSError, ImportError) as error:
        code = _fail(_explained(error), exit_codes.FAILED)
        if getattr(error, "errno", None) in _DISK_FULL and sys.stdout is not None:
            with contextlib.suppress(OSError):  # what it still holds would fail once more at exit
                sys.stdout.close()
        return code


def _run(argv: list[str]) -> int:
    try:
        command = COMMANDS.get(argv[0]) if argv else None
        code = command(argv[1:]) if command else stylize(argv)
        if sys.stdout is not None:
            sys.stdout.flush()  # what cannot be written is to be told here, not at exit
        return code
    except (ImportError, SystemError) as error:
        raise_interrupt(error)
        raise


def _explained(error: OSError | ImportError) -> StylecamError:
    """Return what a user can do something about; raise the error if that is nothing."""
    from ..system_libraries import missing_library

    if isinstance(error, ImportError):
        if remedy := missing_library(error):
            return StylecamError(f"a system library is missing: {error}", hint=remedy)
    elif error.filename is not None and error.errno in _NO_ACCESS:
        # Wherever a path is looked at: a folder that may not be entered, a name that is too long.
        remedy = "check the name, and the permissions of its folder"
        return StylecamError(f"{error.filename}: {error.strerror}", hint=remedy)
    elif error.filename is None and error.errno in _DISK_FULL:
        remedy = "free some space there, or send the words elsewhere"
        return StylecamError(f"standard output cannot be written: {error.strerror}", hint=remedy)
    raise error


def _prepare_process() -> None:
    """Let signals clean up as Ctrl-C does, and names that a stream cannot print be printed."""
    from ..signals import break_off_on_signals

    break_off_on_signals()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _fail(error: StylecamError, code: int) -> int:
    with contextlib.suppress(OSError):  # nobody may be reading any more
        print(f"error: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"  hint: {error.hint}", file=sys.stderr)
    return code
