"""v4l2loopback, Linux's virtual camera: which device to take, and what to do when none is there."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from .. import v4l2
from ..check import Check
from ..errors import SinkError

if TYPE_CHECKING:
    import pyvirtualcam

LOAD: Final = "sudo modprobe v4l2loopback exclusive_caps=1 card_label=stylecam"
RELOAD: Final = f"close what uses the camera, then: sudo modprobe -r v4l2loopback && {LOAD}"
_BUSY_WITHIN_S: Final = 0.5


def examine() -> list[Check]:
    """Check the chain link by link; it ends at the first that is missing."""
    if not v4l2.loopback_loaded():
        built = v4l2.loopback_built()
        found = "installed, not loaded" if built else "not installed"
        return [Check("v4l2loopback", False, found, LOAD if built else f"{install()}, then {LOAD}")]
    chain = [Check("v4l2loopback", True, "loaded")]
    devices = v4l2.devices()
    closed = [device.path for device in devices if not os.access(device.path, os.R_OK | os.W_OK)]
    loopbacks = [device for device in devices if device.loopback]
    if not loopbacks:
        found, remedy = "v4l2loopback is loaded without a device", RELOAD
        if closed:
            found, remedy = f"no permission to use {', '.join(closed)}", v4l2.JOIN_GROUP
        return [*chain, Check("loopback device", False, found, remedy)]
    names = ", ".join(f"{device.path} ({device.name})" for device in loopbacks)
    chain.append(Check("loopback device", True, names))
    if not v4l2.exclusive_caps():
        found = "off: browsers do not list the camera"
        chain.append(Check("exclusive_caps", False, found, RELOAD))
    else:
        chain.append(Check("exclusive_caps", True, "on, as browsers need it"))
    return [*chain, _free(loopbacks)]


def _free(loopbacks: list[v4l2.Device]) -> Check:
    busy = []
    for device in loopbacks:
        if v4l2.describe(device.path).capabilities & v4l2.OUTPUT:
            return Check("free to write", True, device.path)
        if v4l2.flows(device.path, _BUSY_WITHIN_S):
            busy.append(device.path)
    if busy:
        found = f"{', '.join(busy)} shows another program's video"
        return Check("free to write", False, found, "close that program (or other stylecam)")
    found = f"{loopbacks[0].path} was not released by its last writer; stylecam repairs that"
    return Check("free to write", True, found)


def choose(wanted: str | None) -> str:
    """Return the path of the device to write to: `wanted` (path, number or name), else the one
    called stylecam, else the first that is free. Raises SinkError with the command that helps.
    """
    for link in examine()[:2]:
        if not link.ok:
            raise SinkError(f"no virtual camera: {link.name}: {link.found}", hint=link.remedy)
    devices = [device for device in v4l2.devices() if device.loopback]
    if wanted is not None:
        path = f"/dev/video{wanted}" if wanted.isdigit() else wanted
        devices = [device for device in devices if path in (device.path, device.name)]
        if not devices:
            raise SinkError(_no_such(path), hint=_others(path))
    devices.sort(key=lambda device: device.name.lower() != "stylecam")
    for device in devices:
        if device.capabilities & v4l2.OUTPUT:
            return device.path
    for device in devices:
        if not v4l2.flows(device.path, _BUSY_WITHIN_S) and v4l2.writable_again(device.path):
            return device.path
    paths = ", ".join(device.path for device in devices)
    if any(v4l2.flows(device.path, _BUSY_WITHIN_S) for device in devices):
        raise SinkError(
            f"{paths} is in use: another program writes to it",
            hint=f"close that program (fuser -v {devices[0].path} names it)",
        )
    raise SinkError(f"{paths} accepts no new writer until v4l2loopback is reloaded", hint=RELOAD)


def _no_such(path: str) -> str:
    if not path.startswith("/dev/"):
        return f"no virtual camera is called {path!r}"
    if not Path(path).exists():
        return f"there is no {path}"
    if not os.access(path, os.R_OK | os.W_OK):
        return f"no permission to use {path}"
    return f"{path} is a real camera, not a virtual one"


def _others(path: str) -> str:
    if Path(path).exists() and not os.access(path, os.R_OK | os.W_OK):
        return v4l2.JOIN_GROUP
    names = [f"{d.path} ({d.name})" for d in v4l2.devices() if d.loopback]
    return f"virtual cameras here: {', '.join(names)}"


def confirm(camera: pyvirtualcam.Camera, height: int, width: int, fps: Fraction) -> str:
    """Send a black picture, tell the rate, see that readers get the size that is sent; return the
    device's path and name. Raises SinkError when a reader of the last call holds another size.
    """
    camera.send(np.zeros((height, width, 3), np.uint8))
    v4l2.tell_rate(camera.device, fps)
    path = camera.device
    size = v4l2.loopback_format(path) or (width, height)
    if size != (width, height):
        fixed = f"{size[0]}x{size[1]}"
        raise SinkError(
            f"{path} stays at {fixed} while a program watches it",
            hint=f"close that program's camera, or use --virtual-camera-size {fixed}",
        )
    return f"{path} ({v4l2.name_of(path)})"


def install(release: Path = Path("/etc/os-release")) -> str:
    """Return the command that installs v4l2loopback on this distribution."""
    try:
        lines = release.read_text().splitlines()
    except OSError:
        lines = []
    said = dict(line.split("=", 1) for line in lines if "=" in line)
    family = f"{said.get('ID', '')} {said.get('ID_LIKE', '')}".replace('"', "").split()
    if "fedora" in family or "rhel" in family:
        return "sudo dnf install akmod-v4l2loopback (from RPM Fusion)"
    if "arch" in family:
        return "sudo pacman -S v4l2loopback-dkms linux-headers"
    if "suse" in family or "opensuse" in family:
        return "sudo zypper install v4l2loopback-kmp-default"
    return f"sudo apt install v4l2loopback-dkms linux-headers-{os.uname().release}"
