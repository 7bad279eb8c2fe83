"""A finding of `stylecam doctor`, whichever module made it."""

from __future__ import annotations

from typing import NamedTuple


class Check(NamedTuple):
    """One finding. `remedy` is empty when nothing need be done."""

    name: str
    ok: bool
    found: str
    remedy: str = ""
