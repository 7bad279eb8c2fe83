"""What Linux says of its video devices (V4L2), asked by ioctl: nothing need be installed.

Structures and numbers are those of linux/videodev2.h.
"""

from __future__ import annotations

import contextlib
import os
import struct
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Final, NamedTuple

CAPTURE: Final = 1
OUTPUT: Final = 2
LOOPBACK: Final = "v4l2 loopback"
JOIN_GROUP: Final = 'sudo usermod -aG video "$USER", then log out and in again'
"""What helps who may not open a device."""
_SYSFS: Final = Path("/sys/class/video4linux")
_PARAMETERS: Final = Path("/sys/module/v4l2loopback/parameters")
_QUERYCAP: Final = 0x80685600
_ENUM_FMT: Final = 0xC0405602
_STREAMON: Final = 0x40045612
_S_PARM: Final = 0xC0CC5616
_ENUM_FRAMESIZES: Final = 0xC02C564A
_ENUM_FRAMEINTERVALS: Final = 0xC034564B
_DISCRETE: Final = 1
_USUAL_SIZES: Final = ((320, 240), (640, 360), (640, 480), (1280, 720), (1920, 1080))


class Device(NamedTuple):
    """A video device node. `driver` is "" when it may not be opened, and then `capabilities` is
    0; else that is V4L2's bit set, `CAPTURE` and `OUTPUT` among it.
    """

    path: str
    name: str
    driver: str
    capabilities: int

    @property
    def loopback(self) -> bool:
        """Whether it is a virtual camera of v4l2loopback."""
        return self.driver == LOOPBACK


class Mode(NamedTuple):
    """What a camera can send: pixel format, size and its highest rate (0 when it does not say)."""

    fourcc: str
    width: int
    height: int
    fps: Fraction


def devices() -> list[Device]:
    """Return every video device, by number."""
    found = [node.name for node in _SYSFS.glob("video*") if node.name[5:].isdigit()]
    return [describe(f"/dev/{name}") for name in sorted(found, key=lambda name: int(name[5:]))]


def describe(path: str) -> Device:
    """Return what a device says of itself; as much as is known when it may not be opened."""
    with contextlib.suppress(OSError), _opened(path) as device:
        answer = _ioctl(device, _QUERYCAP, bytes(104))
        driver, card, _, _, _, capabilities = struct.unpack("16s32s32sIII12x", answer)
        return Device(path, _text(card), _text(driver), capabilities)
    return Device(path, name_of(path), "", 0)


def name_of(path: str) -> str:
    """Return the name a device is listed under, "" when it is gone."""
    with contextlib.suppress(OSError):
        return (_SYSFS / Path(path).name / "name").read_text().strip()
    return ""


def modes(path: str) -> list[Mode]:
    """Return the modes of a camera; empty when it does not tell."""
    with contextlib.suppress(OSError), _opened(path) as device:
        return list(_modes(device))
    return []


def _modes(device: int) -> Iterator[Mode]:
    def ask(request: int, head: tuple[int, ...], size: int) -> bytes:
        packed = struct.pack(f"{len(head)}I", *head)
        return _ioctl(device, request, packed.ljust(size, b"\0"))

    for form in _each(lambda index: ask(_ENUM_FMT, (index, CAPTURE), 64)):
        fourcc = form[44:48]
        code = int.from_bytes(fourcc, "little")
        for size in _each(lambda index, code=code: ask(_ENUM_FRAMESIZES, (index, code), 44)):  # type: ignore[misc]
            kind, *sides = struct.unpack("I6I", size[8:36])
            for width, height in _sizes(kind, sides):
                head = (code, width, height)
                rates = [
                    _rate(rate)
                    for rate in _each(lambda i, h=head: ask(_ENUM_FRAMEINTERVALS, (i, *h), 52))  # type: ignore[misc]
                ]
                yield Mode(_text(fourcc), width, height, max(rates, default=Fraction(0)))
            if kind != _DISCRETE:
                break


def _sizes(kind: int, sides: list[int]) -> list[tuple[int, int]]:
    """One discrete size, or of a whole range the usual sizes in it."""
    if kind == _DISCRETE:
        return [(sides[0], sides[1])]
    least_w, most_w, _, least_h, most_h, _ = sides
    usual = [(w, h) for w, h in _USUAL_SIZES if least_w <= w <= most_w and least_h <= h <= most_h]
    return usual or [(most_w, most_h)]


def _rate(answer: bytes) -> Fraction:
    """Of an interval, or of a range of them, the highest rate."""
    numerator, denominator = struct.unpack("2I", answer[20:28])
    return Fraction(denominator, numerator) if numerator else Fraction(0)


def _each(ask: Callable[[int], bytes]) -> Iterator[bytes]:
    """Ask for index 0, 1, ... until the driver says there are no more."""
    with contextlib.suppress(OSError):
        for index in range(256):
            yield ask(index)


def writable_again(path: str) -> bool:
    """Make v4l2loopback 0.12 take a writer once more; return whether it does now.

    With exclusive_caps, that version offers output until the first write(), and again when a
    writer closes; but it knows as writers only those that asked for streaming, which write() does
    not need. So ask for streaming and close. Newer versions need none of this, and refuse.
    """
    with contextlib.suppress(OSError), _opened(path) as device:
        _ioctl(device, _STREAMON, struct.pack("I", OUTPUT))
    return bool(describe(path).capabilities & OUTPUT)


def flows(path: str, within_s: float) -> bool:
    """Whether somebody writes into a loopback device: a second picture comes within the time."""
    deadline, pictures = time.perf_counter() + within_s, 0
    with contextlib.suppress(OSError), _opened(path, os.O_RDONLY) as device:
        while pictures < 2 and time.perf_counter() < deadline:
            with contextlib.suppress(BlockingIOError):
                pictures += bool(os.read(device, 16))
            time.sleep(0.01)  # select would not wake: 0.12 polls for those who stream only
    return pictures >= 2


def tell_rate(path: str, fps: Fraction) -> None:
    """Tell a loopback device how many pictures a second will come, for readers that ask."""
    head = struct.pack("5I", OUTPUT, 0, 0, fps.denominator, fps.numerator)
    # A rate is information only: the pictures come at their own times.
    with contextlib.suppress(OSError), _opened(path) as device:
        _ioctl(device, _S_PARM, head.ljust(204, b"\0"))


def loopback_format(path: str) -> tuple[int, int] | None:
    """Return the (width, height) that readers of a loopback device see; None while there is no
    picture or the driver does not say.
    """
    with contextlib.suppress(OSError, ValueError):
        text = (_SYSFS / Path(path).name / "format").read_text()  # as YU12:1280x720@30
        width, height = text.partition(":")[2].partition("@")[0].split("x")
        return int(width), int(height)
    return None


def loopback_loaded() -> bool:
    """Whether v4l2loopback is in the kernel."""
    return _PARAMETERS.exists()


def loopback_built() -> bool:
    """Whether the running kernel has v4l2loopback to load."""
    with contextlib.suppress(OSError):
        known = Path("/lib/modules", os.uname().release, "modules.dep").read_text()
        return "/v4l2loopback.ko" in known
    return False


def exclusive_caps() -> bool:
    """Whether all loopback devices show readers a camera only, as browsers insist on."""
    with contextlib.suppress(OSError):
        flags = (_PARAMETERS / "exclusive_caps").read_text().strip().split(",")
        count = sum(device.loopback for device in devices())
        return all(flag == "Y" for flag in flags[: max(1, count)])
    return False


@contextlib.contextmanager
def _opened(path: str, flags: int = os.O_RDWR) -> Iterator[int]:
    device = os.open(path, flags | os.O_NONBLOCK)
    try:
        yield device
    finally:
        os.close(device)


def _ioctl(device: int, request: int, argument: bytes) -> bytes:
    import fcntl

    return fcntl.ioctl(device, request, argument)


def _text(data: bytes) -> str:
    return data.split(b"\0")[0].decode(errors="replace").strip()
