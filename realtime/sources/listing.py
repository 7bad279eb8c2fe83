"""The cameras of this machine, by name, with what they can send."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from typing import Any, Final

from .. import v4l2

_ASK_MACOS: Final = ("system_profiler", "-json", "SPCameraDataType")
_ASK_WINDOWS: Final = (
    "powershell",
    "-NoProfile",
    "-Command",
    "ConvertTo-Json @(Get-CimInstance Win32_PnPEntity | "
    "Where-Object PNPClass -in Camera,Image | Select-Object -ExpandProperty Name)",
)
_TIMEOUT_S: Final = 20
_SHOWN: Final = 4


@dataclasses.dataclass(frozen=True)
class Camera:
    """A camera: `use` is what to give to --webcam; `note` says what stands against using it."""

    use: str
    name: str
    modes: list[v4l2.Mode]
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        modes = [mode._asdict() | {"fps": round(float(mode.fps), 2)} for mode in self.modes]
        return {"use": self.use, "name": self.name, "note": self.note, "modes": modes}

    def summary(self) -> list[str]:
        """Return lines of formats that have the same modes: the four largest, with their rates."""
        formats: dict[str, dict[tuple[int, int], v4l2.Mode]] = {}
        for mode in self.modes:
            known = formats.setdefault(mode.fourcc, {}).get((mode.height, mode.width))
            if known is None or known.fps < mode.fps:
                formats[mode.fourcc][mode.height, mode.width] = mode
        alike: dict[str, list[str]] = {}
        for fourcc, modes in formats.items():
            largest = sorted(modes.values(), key=_area)[-_SHOWN:][::-1]
            alike.setdefault(", ".join(map(_short, largest)), []).append(fourcc)
        return [f"{_some(fourccs)}: {modes}" for modes, fourccs in alike.items()]


def _some(fourccs: list[str]) -> str:
    more = len(fourccs) - _SHOWN
    return " ".join(fourccs[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _area(mode: v4l2.Mode) -> int:
    return mode.width * mode.height


def _short(mode: v4l2.Mode) -> str:
    rate = f" @ {float(mode.fps):.4g}" if mode.fps else ""
    return f"{mode.width}x{mode.height}{rate}"


def cameras() -> list[Camera]:
    """Return the cameras. Modes are known on Linux only; elsewhere the order is the system's, which
    OpenCV's numbers need not follow.
    """
    if sys.platform == "linux":
        found = [_linux(device) for device in v4l2.devices()]
        return [camera for camera in found if camera is not None]
    names = _names(_ASK_MACOS if sys.platform == "darwin" else _ASK_WINDOWS)
    return [Camera(str(index), name, []) for index, name in enumerate(names)]


def _linux(device: v4l2.Device) -> Camera | None:
    if not os.access(device.path, os.R_OK | os.W_OK):
        return Camera(device.path, device.name, [], 'no permission: sudo usermod -aG video "$USER"')
    if device.loopback:
        used = device.capabilities & v4l2.CAPTURE
        note = "virtual, a program may be writing to it" if used else "virtual, nobody writes to it"
        return Camera(device.path, device.name, v4l2.modes(device.path) if used else [], note)
    if not device.capabilities & v4l2.CAPTURE:
        return None  # the second node of a webcam, for metadata
    return Camera(device.path, device.name, v4l2.modes(device.path))


def _names(ask: tuple[str, ...]) -> list[str]:
    """Ask the system's own tool; nothing when it is missing or answers otherwise."""
    try:
        done = subprocess.run(ask, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True)
        answer = json.loads(done.stdout or "[]")
    except (OSError, subprocess.SubprocessError, ValueError):
        return []
    if isinstance(answer, dict):
        answer = [item.get("_name", "") for item in answer.get("SPCameraDataType", [])]
    return [str(name) for name in answer if name]
