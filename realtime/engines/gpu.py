"""The engine for NVIDIA GPUs: pictures cross the bus as YUV 4:2:0, and all else is done there.

What computes the network is a `Network`: PyTorch's own kernels (`torch.py`) or a TensorRT engine
(`tensorrt.py`). Around it one kernel turns planes into RGB and pads, another crops, mixes with the
photo and turns back; the three are one graph in each of `slots.py`'s slots.

Statistics of instance norm are carried as on a CPU (`statistics.py`). They go up with the picture
as what they do to each channel, so that no graph depends on them. They are measured by a slot of
its own, in float32, on the very picture, beside those that follow.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, Protocol

import numpy as np
import torch
from stylecam.kernels.launch import problem, remedy
from stylecam.kernels.layout import Layout
from stylecam.kernels.rgb_to_yuv420 import rgb_to_yuv420
from stylecam.kernels.yuv420_to_rgb import yuv420_to_rgb
from torch import Tensor

from ..colour import FULL, Colour
from ..errors import EngineError
from ..frame import Expected
from ..pictures import Yuv420
from .cuda import wrapping_errors
from .slots import Device, Plan, SlotResult, Slots, Work, places
from .statistics import Affine, SmoothedStatistics, Statistics

Painter = Callable[[Tensor, Tensor], Tensor]
"""From a photo (1, 3, H, W) and its affine, float32 (1, 2 C, 1, 1), to the painting (1, 3, H, W).
"""


class Network(Protocol):
    """A style's network on a device."""

    device: torch.device
    dtype: torch.dtype
    """Of the photo it takes: float16 or float32."""
    memory_format: torch.memory_format
    channels: int
    """How many channels are normed; 0 when the style has no norm layers."""

    def affine(self, statistics: Statistics) -> Affine:
        """As `PlanarStyle.affine`."""
        ...

    def painter(self) -> Painter:
        """Make what computes paintings in one slot, with memory of its own."""
        ...

    def measure(self, photo_NCHW: Tensor) -> Tensor:
        """Return the statistics (2, C) of a photo, all in float32."""
        ...


class _Painting:
    """A picture under way, and what it will be."""

    def __init__(self, pending: SlotResult, photo: Yuv420) -> None:
        self.wait, self._pending, self._photo = pending.wait, pending, photo

    def result(self) -> Yuv420:
        """Wait, free the slot and return the painting."""
        samples = self._pending.result()
        return Yuv420(samples, self._photo.height, self._photo.width, self._photo.colour)


class _Prepared(NamedTuple):
    """What is captured for pictures of one layout."""

    painting: Slots
    measuring: Slots | None


class GpuEngine:
    """Paints pictures padded to (height, width). `smoothed`: statistics are carried from frame to
    frame, else each has its own.

    Graphs are captured for pictures as `expected`, and anew when the first one of another size
    before padding, or of another colour, comes. `slots.Device.capture` may run beside other
    threads.
    """

    depth = 3
    planar = True

    def __init__(
        self,
        device: Device,
        network: Network,
        *,
        size: tuple[int, int],
        smoothed: bool,
        title: str,
        expected: Expected | None = None,
    ) -> None:
        self._device, self._network, self._size = device, network, size
        carried = smoothed and network.channels > 0
        self.statistics = SmoothedStatistics(self._measure) if carried else None
        self.description = described(title, network.device)
        self._old: list[_Prepared] = []
        # A GPU that cannot do it says so now, while "auto" can take another engine.
        self._layout = Layout(*size) if expected is None else _layout(*expected)
        self._prepared: _Prepared | None = self._capture(self._layout)

    def submit(self, picture: Yuv420, strength: float = 1.0) -> _Painting:
        """Start on a picture; its samples may be changed when this returns."""
        prepared = self._prepare(picture)
        if self.statistics is not None:
            statistics = self.statistics.step(picture)
        else:
            statistics = self._measure(picture)()
        numbers = np.append(self._network.affine(statistics), strength).astype(np.float32)
        return _Painting(prepared.painting.submit(picture.data, numbers), picture)

    def _measure(self, picture: Yuv420) -> Callable[[], Statistics]:
        measuring = self._prepare(picture).measuring
        if measuring is None:
            return lambda: np.empty((2, 0), np.float32)
        pending = measuring.submit(picture.data)
        return lambda: pending.result().view(np.float32).reshape(2, -1)

    def _prepare(self, picture: Yuv420) -> _Prepared:
        """Return the slots for this picture's layout, made if it is the first of its kind."""
        layout = _layout(picture.height, picture.width, picture.colour)
        if self._prepared is None or layout != self._layout:
            if any(side > most for side, most in zip(layout[:2], self._size, strict=True)):
                raise EngineError(
                    f"a picture of {layout.width}x{layout.height} does not go into the engine's "
                    f"{self._size[1]}x{self._size[0]}"
                )
            if self._prepared is not None:
                self._old.append(self._prepared)  # its last pictures may still be under way
                self._prepared = None
        for old in [old for old in self._old if _is_idle(old)]:  # first: both may not find room
            _close(old)
            self._old.remove(old)
        if self._prepared is None:
            self._prepared, self._layout = self._capture(layout), layout
        return self._prepared

    @wrapping_errors("prepare the network")
    def _capture(self, layout: Layout) -> _Prepared:
        channels = self._network.channels
        numbers = 4 * (2 * channels + 1)
        paint = Plan((layout.samples, numbers), layout.samples, partial(self._paints, layout))
        painting = Slots(self._device, paint, depth=self.depth)
        if not channels:
            return _Prepared(painting, None)
        # Of a clip it is not waited for, and must not hold up the pictures painted meanwhile.
        waited_for = self.statistics is None
        prepare = partial(self._measures, layout)
        measure = Plan((layout.samples,), 4 * 2 * channels, prepare, urgent=waited_for)
        try:
            return _Prepared(painting, Slots(self._device, measure, depth=1))
        except BaseException:
            painting.close()
            raise

    def _planes(self, dtype: torch.dtype) -> Tensor:
        network = self._network
        planes = torch.empty((1, 3, *self._size), dtype=dtype, device=network.device)
        return planes.to(memory_format=network.memory_format)

    def _paints(self, layout: Layout) -> Work:
        photo_NCHW, paint = self._planes(self._network.dtype), self._network.painter()
        at = places((layout.samples,))[-1]
        end = at + 4 * 2 * self._network.channels

        def work(source: Tensor, target: Tensor) -> None:
            frame = source[: layout.samples]
            affine = source[at:end].view(torch.float32).view(1, -1, 1, 1)
            strength = source[end : end + 4].view(torch.float32)
            yuv420_to_rgb(frame, photo_NCHW, layout)
            painting_NCHW = paint(photo_NCHW, affine)
            rgb_to_yuv420(painting_NCHW, target, layout, original=frame, strength=strength)

        return work

    def _measures(self, layout: Layout) -> Work:
        photo_NCHW = self._planes(torch.float32)

        def work(source: Tensor, target: Tensor) -> None:
            yuv420_to_rgb(source[: layout.samples], photo_NCHW, layout)
            measured = self._network.measure(photo_NCHW)
            target.view(torch.float32).copy_(measured.reshape(-1))

        return work

    def close(self) -> None:
        """Wait for what is under way and free the device's memory."""
        if self.statistics is not None:
            self.statistics.settle()
        for prepared in [*self._old, self._prepared]:
            if prepared is not None:
                _close(prepared)
        self._old, self._prepared, self.statistics = [], None, None
        self.__dict__.pop("_network", None)  # with its weights


def described(title: str, device: torch.device) -> str:
    """Return an engine's title, and what makes it slower than it could be."""
    why = problem(device) if device.type == "cuda" else ""
    return f"{title}, slower: {why} ({remedy()})" if why else title


def _layout(height: int, width: int, colour: Colour) -> Layout:
    return Layout(height, width, matrix=colour.matrix, full_range=colour.range == FULL)


def _is_idle(prepared: _Prepared) -> bool:
    measuring = prepared.measuring
    return prepared.painting.idle and (measuring is None or measuring.idle)


def _close(prepared: _Prepared) -> None:
    prepared.painting.close()
    if prepared.measuring is not None:
        prepared.measuring.close()
