"""What of NVIDIA's and PyTorch's is installed here, found without loading any of it."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

PACKAGES: Final = ("torch", "onnx", "torch-tensorrt", "torch-tensorrt-rtx")
MODULES: Final = ("tensorrt_rtx", "tensorrt_rtx_bindings", "tensorrt", "tensorrt_bindings")


class Environment(NamedTuple):
    """`driver` is as the function of that name says; `packages` are versions by name; `modules` are
    TensorRT's, of those that can be imported; `torch_cuda` is as `torch_cuda` says.
    """

    driver: str
    packages: Mapping[str, str]
    modules: frozenset[str]
    torch_cuda: str = "unknown"

    @property
    def torch(self) -> tuple[int, int] | None:
        """Major and minor version of PyTorch, if it is installed."""
        return minor(self.packages["torch"]) if "torch" in self.packages else None

    @property
    def cuda(self) -> bool:
        """Whether PyTorch may be built for CUDA. A build without mostly says so in its version, but
        not on Windows, nor on macOS.
        """
        version = self.packages.get("torch", "+cpu")
        return "+cpu" not in version and bool(self.torch_cuda) and sys.platform != "darwin"


def detect_environment() -> Environment:
    """Find out what this machine has; takes some ten milliseconds."""
    from importlib import metadata  # as long again, and most machines never look

    packages = {}
    for name in PACKAGES:
        try:
            packages[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    modules = frozenset(name for name in MODULES if importlib.util.find_spec(name) is not None)
    return Environment(driver(), packages, modules, torch_cuda())


def torch_cuda() -> str:
    """Return the CUDA that PyTorch is built for, as in 13.0, "" for none, "unknown" where it does
    not say.
    """
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return "unknown"
    try:
        text = Path(spec.origin).with_name("version.py").read_text(encoding="utf-8")
    except OSError:
        return "unknown"
    # cuda: Optional[str] = '13.0'
    found = re.search(r"^cuda\b[^=\n]*=\s*(?:'([^']*)'|\"([^\"]*)\"|None)", text, re.MULTILINE)
    return (found[1] or found[2] or "") if found else "unknown"


def minor(version: str) -> tuple[int, int]:
    """Return (2, 13) of 2.13.0+cu130."""
    major, second = version.split(".")[:2]
    return int(major), int(second)


def driver() -> str:
    """Return the NVIDIA driver's version, "found" where that is not written down, "" if there is
    none.
    """
    if sys.platform == "win32":
        found = Path(os.environ.get("SYSTEMROOT", "C:/Windows"), "System32", "nvcuda.dll").exists()
        return "found" if found else ""
    try:
        # NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  Sun Jul 27 ...
        words = Path("/proc/driver/nvidia/version").read_text().split()
    except OSError:
        return "found" if Path("/usr/lib/wsl/lib/libcuda.so.1").exists() else ""
    return next((word for word in words if word[0].isdigit() and "." in word), "found")
