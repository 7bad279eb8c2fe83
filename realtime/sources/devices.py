"""The cameras of this machine, and how OpenCV opens each: on Linux V4L2 tells, on Windows and macOS
cv2-enumerate-cameras, in the order that OpenCV numbers them in.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple

from .. import v4l2
from ..errors import SourceError, raise_interrupt

_VIRTUAL: Final = ("virtual", "unity video capture")
"""How names of virtual cameras are told where the system does not tell them apart."""
_V4L2, _DSHOW = 200, 700
"""OpenCV's numbers of interfaces; 0 is its own choice."""


class Device(NamedTuple):
    """A camera. `use` is what to give to --webcam: a path on Linux, a number elsewhere; `name` is
    "" when it is not known.
    """

    use: str
    name: str
    opened_as: int | str
    """What OpenCV's VideoCapture is given, after which comes `interface`, a number of its own."""
    interface: int = 0
    captures: bool = True
    virtual: bool = False


def devices(platform: str = sys.platform) -> list[Device]:
    """Return all devices; on Linux with those that only take pictures or may not be opened."""
    if platform == "linux":
        return [_of_linux(device) for device in v4l2.devices()]
    try:
        from cv2_enumerate_cameras import enumerate_cameras, supported_backends

        return numbered(found for each in supported_backends for found in enumerate_cameras(each))
    except (ImportError, AttributeError, OSError, RuntimeError) as error:
        raise_interrupt(error)
        return []  # it is not there for every processor; numbers will do


def numbered(found: Iterable[Any]) -> list[Device]:
    """Give numbers to what the package found, interface after interface. DirectShow's, which comes
    last, is for what the other does not show, as OBS's virtual camera.
    """
    made: list[Device] = []
    for item in found:
        name = str(item.name)
        if item.backend == _DSHOW and any(device.name == name for device in made):
            continue
        virtual = any(word in name.casefold() for word in _VIRTUAL)
        use = str(len(made))
        made.append(Device(use, name, int(item.index), int(item.backend), virtual=virtual))
    return made


def _of_linux(device: v4l2.Device) -> Device:
    captures = bool(device.capabilities & v4l2.CAPTURE)
    return Device(device.path, device.name, device.path, _V4L2, captures, device.loopback)


def find(name: str, present: list[Device], platform: str = sys.platform) -> Device | None:
    """Return the device of an index, a path, a name or a part of one; "auto" is the first camera
    that is not a virtual one. None when there is none of that name.
    """
    if name == "auto":
        cameras = [device for device in present if device.captures]
        real = [device for device in cameras if not device.virtual]
        if real or (cameras and platform != "linux"):
            return (real or cameras)[0]
        name = "0"
    if platform == "linux":
        known = None if name.isdigit() else _named(name, present)
        path = known.use if known else f"/dev/video{name}" if name.isdigit() else name
        return Device(path, v4l2.name_of(path), path, _V4L2) if "/" in path else None
    if name.isdigit():
        return next((d for d in present if d.use == name), Device(name, "", int(name)))
    return _named(name, present)


def _named(name: str, present: list[Device]) -> Device | None:
    """Return the device of that name, or the only camera whose name has it for a part."""
    exact = [device for device in present if device.name == name]
    part = [d for d in present if d.captures and name.casefold() in d.name.casefold()]
    return exact[0] if exact else part[0] if len(part) == 1 else None


def plugged_in(device: Device) -> bool:
    """Whether it is still there, as far as this system tells at once."""
    if sys.platform == "linux":
        return Path(device.use).exists() and v4l2.name_of(device.use) == device.name
    return True


def same_named(device: Device, present: list[Device]) -> list[Device]:
    """Return all cameras with the name of this one."""
    return [d for d in present if d.captures and device.name in (d.name, v4l2.name_of(d.use))]


def find_again(
    device: Device,
    present: list[Device],
    others: Collection[str] = (),
    platform: str = sys.platform,
) -> Device | None:
    """Return a device that was unplugged as it is to be opened now, or None while it is gone. It
    is told by its name, as it may come back under another number. `others` are the `use` of cameras
    with the same name that were plugged in beside it: none of them is taken for it.
    """
    if not device.name:
        return device
    same = same_named(device, present)
    if platform != "linux" and len(same) <= len(others):
        return None  # the others may have moved up to its number
    free = [d for d in same if d.use == device.use or d.use not in others]
    found = next((d for d in free if d.use == device.use), free[0] if free else None)
    return found and found._replace(name=device.name)


def no_such_camera(name: str, present: list[Device]) -> SourceError:
    """Return the error for a name that no camera has, with the nearest name there is."""
    if Path(name).is_dir():
        return SourceError(f"{name} is a folder", hint="name a video or a photo in it")
    if not name.startswith("/dev/") and (Path(name).suffix or "/" in name):
        hint = "check the name and the folder; an address begins with http:// or rtsp://"
        return SourceError(f"{name}: no such file", hint=hint)
    names = [device.name for device in present if device.captures]
    known = {known.casefold(): known for known in ("pattern", *names)}
    near = difflib.get_close_matches(name.casefold(), known, n=1, cutoff=0.5)
    guess = f"did you mean {known[near[0]]!r}? " if near else ""
    return SourceError(f"there is no camera {name}", hint=guess + cameras_hint(present))


def cameras_hint(present: list[Device]) -> str:
    """Return a hint that names the cameras there are."""
    cameras = [device for device in present if device.captures]
    if not cameras:
        return (
            "no camera was found: plug one in, or try without one: "
            "stylecam --webcam clip.mp4 or stylecam --webcam pattern"
        )
    names = ", ".join(f"{camera.use} ({camera.name})" for camera in cameras)
    return f"cameras here: {names}; stylecam cameras tells more"
