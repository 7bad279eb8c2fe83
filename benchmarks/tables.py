"""The README's figures and benchmarks/README.md, made from the rows: `stylecam bench tables`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from stylecam.realtime.errors import StylecamError

from . import rows
from .pages import write_page
from .report import figures, in_short

README: Final = Path(__file__).parent.parent / "README.md"
BEGIN: Final = "<!-- figures: made by `stylecam bench tables` -->"
END: Final = "<!-- end of figures -->"
IN_SHORT: Final = ("<!-- speed: made by `stylecam bench tables` -->", "<!-- end of speed -->")


def renew_all(*, folder: Path = rows.RESULTS, root: Path = README.parent) -> list[Path]:
    """Renew the README's figures and benchmarks/README.md with its plots; return what was written.

    Raises StylecamError, before anything is written, when the README has no place for them or
    `folder` holds no rows; ModuleNotFoundError without matplotlib.
    """
    readme = root / "README.md"
    split(readme, BEGIN, END)
    split(readme, *IN_SHORT)
    if not any(folder.glob("*.jsonl")):
        raise StylecamError(
            f"{folder} holds no rows to make tables from",
            hint="stylecam bench all measures; --results names the folder of the rows",
        )
    page = write_page(root / "benchmarks", of=folder)
    renew(readme, *IN_SHORT, in_short(folder))
    renew(readme, BEGIN, END, figures(folder))
    return [readme, *page]


def renew(path: Path, begin: str, end: str, text: str) -> None:
    """Replace what stands between two marks in a file.

    Raises StylecamError when the file or the marks are not there.
    """
    head, tail = split(path, begin, end)
    path.write_text(f"{head}{begin}\n{text}\n{end}{tail}", encoding="utf-8")


def split(path: Path, begin: str, end: str) -> tuple[str, str]:
    """Return what stands in a file before one mark and behind the other; raises as `renew` does."""
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    if begin not in before or end not in before:
        raise StylecamError(
            f"{path} has no place for the figures", hint="run it in a clone of the project"
        )
    head, rest = before.split(begin, 1)
    return head, rest.split(end, 1)[1]
