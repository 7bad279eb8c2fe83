"""Which stylecam this is."""

from __future__ import annotations


def release() -> str:
    """Return the version that is installed, or "unknown" where a copy runs uninstalled."""
    from importlib import metadata  # reading it takes 30 ms

    try:
        return metadata.version("stylecam")
    except metadata.PackageNotFoundError:
        return "unknown"
