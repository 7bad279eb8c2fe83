"""OpenVINO without its model converter, which takes a third of the time that importing it takes and
tells its maker of each import.

`import openvino` imports the converter too if it can; here it cannot, for that moment. A program
around this one still finds `openvino.convert_model`, when it asks for it.
"""

from __future__ import annotations

import importlib
import sys
import threading
from typing import Any, Final

import numpy as np

_CONVERTER: Final = "openvino.tools.ovc"
_LOCK: Final = threading.Lock()


def load() -> Any:
    """Import and return `openvino`. From any thread."""
    with _LOCK:
        library = _imported()
        # Two threads that meet in the first use of a constant's numbers wait for each other for
        # ever: OpenVINO 2026.4 holds a lock there while it imports a part of NumPy.
        _ = library.op.Constant(np.zeros(1, np.float32)).data
        return library


def _imported() -> Any:
    if "openvino" in sys.modules or _CONVERTER in sys.modules:
        return importlib.import_module("openvino")
    sys.modules[_CONVERTER] = None  # type: ignore[assignment]
    try:
        library = importlib.import_module("openvino")
    finally:
        del sys.modules[_CONVERTER]
    if not hasattr(library, "__getattr__"):
        library.__getattr__ = _later  # type: ignore[method-assign]
    return library


def _later(name: str) -> Any:
    """Import the converter when somebody asks for it (PEP 562)."""
    if name == "convert_model":
        return importlib.import_module(_CONVERTER).convert_model
    raise AttributeError(f"module 'openvino' has no attribute {name!r}")
