"""The cameras of this machine, by name, with what they can send."""

from __future__ import annotations

import dataclasses
import os
import sys
from typing import Any, Final

from .. import v4l2
from .devices import Device, devices

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
    """Return the cameras. Modes are known on Linux only."""
    if sys.platform == "linux":
        found = [_linux(device) for device in v4l2.devices()]
        return [camera for camera in found if camera is not None]
    return [_elsewhere(device) for device in devices()]


def _linux(device: v4l2.Device) -> Camera | None:
    if not os.access(device.path, os.R_OK | os.W_OK):
        return Camera(device.path, device.name, [], f"no permission: {v4l2.JOIN_GROUP}")
    if device.loopback:
        used = device.capabilities & v4l2.CAPTURE
        note = "virtual, a program may be writing to it" if used else "virtual, nobody writes to it"
        return Camera(device.path, device.name, v4l2.modes(device.path) if used else [], note)
    if not device.capabilities & v4l2.CAPTURE:
        return None  # the second node of a webcam, for metadata
    return Camera(device.path, device.name, v4l2.modes(device.path))


def _elsewhere(device: Device) -> Camera:
    note = "virtual, a program may be writing to it" if device.virtual else ""
    return Camera(device.use, device.name, [], note)
