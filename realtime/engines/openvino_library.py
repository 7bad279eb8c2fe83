"""OpenVINO without its model converter, which takes a third of the time that importing it takes and
tells its maker of each import.

`import openvino` imports the converter too if it can; here it cannot, for that moment. A program
around this one still finds `openvino.convert_model`, when it asks for it.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any, Final

_CONVERTER: Final = "openvino.tools.ovc"


def load() -> Any:
    """Import and return `openvino`."""
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
