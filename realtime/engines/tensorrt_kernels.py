"""The kernels that TensorRT-RTX compiles where an engine runs.

Its engines hold none: they are compiled when a context is made and first used, and forgotten with
the process unless a cache is attached, which is kept beside the engine. TensorRT itself compiles
when it builds, and has no such cache.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


def path_beside(engine: Path) -> Path:
    """Return where the kernels of the engine in this file are kept."""
    return engine.with_suffix(".kernels")


def read_beside(engine: Path) -> bytes:
    """Return what is kept there; b"" when there is nothing, or nothing that can be read."""
    try:
        return path_beside(engine).read_bytes()
    except OSError:
        return b""


class Kernels:
    """One engine's kernels, for all its contexts. `kept` is what `unsaved` gave in an earlier
    process, or b"". What does not fit this library, driver or GPU, it refuses by itself.
    """

    def __init__(self, engine: Any, kept: bytes = b"") -> None:
        self._engine, self._kept = engine, kept
        self._config = self._cache = None
        if not hasattr(engine, "create_runtime_config"):
            return
        config = engine.create_runtime_config()
        if not hasattr(config, "create_runtime_cache"):
            return
        cache = config.create_runtime_cache()
        if kept:
            cache.deserialize(kept)
        if config.set_runtime_cache(cache):
            self._config, self._cache = config, cache

    def context(self) -> Any:
        """Make an execution context; None when TensorRT cannot. It must not outlive this."""
        if self._config is None:
            return self._engine.create_execution_context()
        return self._engine.create_execution_context(self._config)

    def unsaved(self) -> bytes:
        """Return all kernels once more have been compiled than were kept, else b""."""
        memory = None if self._cache is None else self._cache.serialize()
        found = b"" if memory is None else bytes(memory)
        return b"" if found == self._kept else found
