"""stylecam in a program of your own: a picture in, its painting out.

>>> from stylecam.realtime.stylizer import Stylizer
>>> with Stylizer("great-wave") as paint:
...     painting = paint(picture)
"""

from __future__ import annotations

import dataclasses
import os
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from numbers import Real
from typing import Any, Final, Literal, NamedTuple

import cv2  # before PyAV: opening a window hangs otherwise
import numpy as np
import numpy.typing as npt

from .colour import BT709
from .engines import NAMES, Engine, EngineOptions, Pending, open_engine
from .engines.on_demand import OnDemandEngine
from .errors import StylecamError, UsageError
from .fit import Fit, fit, sides
from .frame import Expected
from .pictures import Converter, Image, as_rgb, mix
from .styles import DEFAULT, Style, find

ORDERS: Final = ("rgb", "bgr")


class _Begun(NamedTuple):
    """A picture whose painting is under way."""

    image: Image
    fit: Fit
    pending: Pending
    engine: Engine


class Stylizer:
    """A style, as a function of pictures: uint8 (H, W, 3) in, a new array of that size out.

    Calls are taken for the frames of one clip, in order: what instance norm measures is carried
    from each to the next, so that the painting holds still. It starts over at a cut, and with
    `restart`. `clip=False` is for pictures that have nothing to do with each other.

    `style` is a built-in name (`stylecam styles` lists them), the path of an `.onnx` file or a
    blend ("great-wave:0.6,comic:0.4"); `strength` how much of the painting is mixed with the
    picture, 0 to 1, and may be set between pictures; `size` the working size: a short side (360) or
    "640x360". `order` says how channels lie: "rgb", or "bgr" as OpenCV has them. `engine` is
    "auto", "openvino", "tensorrt", "torch" or "echo" (no painting), or to say more an
    `EngineOptions` of `stylecam.realtime.engines`; it is built for the first picture (a second or
    so), and again when the size of pictures changes.
    For one thread, of the process in which it was made.

    Raises `StylecamError` of `stylecam.realtime.errors` with the remedy in its `hint`.
    """

    def __init__(
        self,
        style: str | os.PathLike[str] = DEFAULT,
        *,
        strength: float = 1.0,
        size: str | int | None = None,
        order: str = "rgb",
        clip: bool = True,
        engine: str | EngineOptions = "auto",
    ) -> None:
        options = engine if isinstance(engine, EngineOptions) else EngineOptions(engine)
        for name, value, known in (("order", order, ORDERS), ("engine", options.name, NAMES)):
            if value not in known:
                raise UsageError(
                    f"{name}={value!r} is not known", hint=f"one of {', '.join(known)}"
                )
        if not isinstance(style, (str, os.PathLike)):
            raise UsageError(f"style={style!r} is not known", hint="a name, as in great-wave")
        if size is not None:
            sides(size)
        self._style = find(os.fspath(style))
        self.strength = strength
        self._size, self._order = size, order
        statistics: Literal["smoothed", "frame"] = "smoothed" if clip else "frame"
        options = dataclasses.replace(options, statistics=statistics)
        self._lock = threading.Lock()
        self._for_calls = OnDemandEngine(partial(_build, options, self._style, live=True))
        self._for_streams = OnDemandEngine(partial(_build, options, self._style, live=False))
        self._latest: object = None
        self._converter = Converter()

    @property
    def style(self) -> Style:
        """What is painted in. For another one make another Stylizer."""
        return self._style

    @property
    def strength(self) -> float:
        """Parts of painting in the mix, 0 to 1."""
        return self._strength

    @strength.setter
    def strength(self, strength: float) -> None:
        if not (isinstance(strength, (float, Real)) and 0 <= strength <= 1):
            raise UsageError(
                f"strength={strength!r} is out of range", hint="0 (picture) to 1 (painting)"
            )
        self._strength = float(strength)

    def __call__(self, picture: npt.NDArray[Any]) -> Image:
        """Return the painting of one picture, with the lowest latency."""
        with self._alone(self._for_calls):
            return self._end(self._begin(picture, self._for_calls))

    def stream(self, pictures: Iterable[npt.NDArray[Any]]) -> Generator[Image]:
        """Yield the painting of each picture, in order, while the next ones are being painted:
        more pictures a second than one call after another, each a little later. A picture must
        stay as it is until its painting came. A stream is a clip of its own; take all of it, or
        close the iterator, before the next and before `close`.
        """
        begun: deque[_Begun] = deque()
        own = object()
        try:
            for picture in pictures:
                if begun and begun[-1].image.shape != np.shape(picture):
                    while begun:
                        yield self._next(begun)
                if begun:
                    self._demand_open(begun[0])
                with self._alone(self._for_streams):
                    if self._latest is not own:
                        self._take_over(own)
                    begun.append(self._begin(picture, self._for_streams))
                if len(begun) == begun[0].engine.depth:
                    yield self._next(begun)
            while begun:
                yield self._next(begun)
        finally:
            if begun and self._for_streams.is_now(begun[0].engine):  # their slots are still taken
                self._for_streams.close()
            if self._latest is own:
                self._latest = None

    def restart(self) -> None:
        """Forget the clip so far: the next picture is the first of another."""
        for engine in (self._for_calls, self._for_streams):
            engine.restart()

    def close(self) -> None:
        """Give back the engine. A further picture builds another."""
        for engine in (self._for_calls, self._for_streams):
            engine.close()

    def __enter__(self) -> Stylizer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begin(self, picture: npt.NDArray[Any], painter: OnDemandEngine) -> _Begun:
        image = self._rgb(picture)
        height, width = image.shape[:2]
        into = fit(height, width, size=self._size)
        engine = painter.fitting(into)
        taken: Any = self._converter.to_planes(image, BT709) if engine.planar else image
        return _Begun(image, into, engine.submit(into.to_network(taken)), engine)

    def _end(self, begun: _Begun) -> Image:
        painting = as_rgb(begun.fit.from_network(begun.pending.result()))
        mixed = as_rgb(mix(begun.image, painting, self.strength, self._converter))
        return _swapped(mixed) if self._order == "bgr" else mixed

    def _next(self, begun: deque[_Begun]) -> Image:
        self._demand_open(begun[0])
        with self._alone(self._for_streams):
            return self._end(begun.popleft())

    @contextmanager
    def _alone(self, painter: OnDemandEngine) -> Iterator[None]:
        """Paint in the block, as the only thread. What Ctrl-C breaks off, as in a notebook, may
        hold a slot or half a measurement: the next picture then has another engine.
        """
        if not self._lock.acquire(blocking=False):
            raise UsageError(
                "a Stylizer paints for one thread at a time", hint="make one for each thread"
            )
        try:
            yield
        except StylecamError:
            raise
        except BaseException:
            painter.close()
            raise
        finally:
            self._lock.release()

    def _take_over(self, stream: object) -> None:
        """Begin a stream's clip. One that is still being taken has lost its pictures."""
        if self._latest is not None:
            self._for_streams.close()
        self._for_streams.restart()
        self._latest = stream

    def _demand_open(self, begun: _Begun) -> None:
        if not self._for_streams.is_now(begun.engine):
            raise UsageError(
                "the Stylizer was closed, or had another stream, before this one was taken, and "
                "pictures are lost",
                hint="take all of a stream, or close the iterator, before another and before close",
            )

    def _rgb(self, picture: Any) -> Image:
        shape, kind = getattr(picture, "shape", None), getattr(picture, "dtype", None)
        if kind != np.uint8 or shape is None or len(shape) != 3 or shape[2] != 3 or 0 in shape:
            found = type(picture).__name__ if shape is None else f"{kind} of shape {shape}"
            raise UsageError(
                f"a picture is a uint8 array (height, width, 3), not {found}",
                hint="of values in 0..1: (x * 255).astype(np.uint8); of grey: np.dstack([x] * 3); "
                "of RGBA: x[..., :3]; of a Pillow image: np.asarray(x.convert('RGB'))",
            )
        if self._order == "bgr":
            return _swapped(picture)
        return np.require(picture, requirements=["C", "W"])  # Pillow's arrays are read-only


def _swapped(picture: Image) -> Image:
    """Return red and blue exchanged. At 1280x720 NumPy takes 3 ms for it, OpenCV 0.1."""
    return cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)  # type: ignore[return-value]


def _build(options: EngineOptions, style: Style, into: Fit, *, live: bool) -> Engine:
    height, width = into.padded
    return open_engine(
        options,
        style,
        height=height,
        width=width,
        live=live,
        expected=Expected(*into.work, BT709),
    )
