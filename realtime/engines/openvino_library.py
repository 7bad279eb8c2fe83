"""OpenVINO without its model converter, which takes a third of the time that importing it takes.

`import openvino` imports the converter too if it can; here it cannot, for that moment.
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
        return importlib.import_module("openvino")
    finally:
        del sys.modules[_CONVERTER]
