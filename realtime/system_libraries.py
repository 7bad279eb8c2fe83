"""System libraries that packages from PyPI need, and what installs them."""

from __future__ import annotations

from typing import Final

_PACKAGES: Final = {
    "libGL.so": "libgl1",
    "libEGL.so": "libegl1",
    "libglib-2.0.so": "libglib2.0-0",
    "libgthread-2.0.so": "libglib2.0-0",
    "libxcb.so": "libxcb1",
    "libX11.so": "libx11-6",
    "libSM.so": "libsm6",
    "libICE.so": "libice6",
    "libXext.so": "libxext6",
    "libXrender.so": "libxrender1",
    "libfontconfig.so": "libfontconfig1",
    "libdbus-1.so": "libdbus-1-3",
}
"""Debian's and Ubuntu's packages by the libraries in them."""
_WINDOWS_LIBRARIES: Final = (
    "install Microsoft's C++ runtime (https://aka.ms/vs/17/release/vc_redist.x64.exe); on "
    "Windows N the Media Feature Pack too (Settings > System > Optional features)"
)


def missing_library(error: Exception) -> str:
    """Return the command that installs the system library an import failed on, or ""."""
    if "DLL load failed" in str(error):
        return _WINDOWS_LIBRARIES
    for library, package in _PACKAGES.items():
        if library in str(error):
            rest = sorted({"libgl1", "libglib2.0-0"} - {package})
            return f"sudo apt install {package} {' '.join(rest)}".rstrip()
    return ""
