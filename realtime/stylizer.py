"""stylecam in a program of your own: a picture in, its painting out.

>>> from stylecam.realtime.stylizer import Stylizer
>>> with Stylizer("great-wave") as paint:
...     painting = paint(picture)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

import numpy as np

from .engines import Engine, EngineOptions, Pending, open_engine
from .errors import UsageError
from .fit import Fit, fit
from .frame import BT709, Image, as_rgb
from .pipeline import mix
from .planar import Converter
from .styles import DEFAULT, find

ORDERS: Final = ("rgb", "bgr")


class _Begun(NamedTuple):
    """A picture whose painting is under way."""

    image: Image
    fit: Fit
    pending: Pending


class Stylizer:
    """A style, as a function of pictures: uint8 (H, W, 3) in, a new array of that size out.

    Calls are taken for the frames of one clip, in order: what instance norm measures is carried
    from each to the next, so that the painting holds still. It starts anew at a cut, and with
    `restart`. `clip=False` is for pictures that have nothing to do with each other.

    `style` is a built-in name, the path of an `.onnx` file or a blend ("great-wave:0.6,comic:0.4");
    `strength` how much of the painting is mixed with the picture, 0 to 1, and may be set between
    pictures; `size` the working size, as `--size` has it. `order` says how channels lie: "rgb", or
    "bgr" as OpenCV has them. `engine` is one of `engines.NAMES`, built for the first picture and
    again when the size of pictures changes. For one thread.

    Raises StylecamError with the remedy in its `hint`.
    """

    def __init__(
        self,
        style: str = DEFAULT,
        *,
        strength: float = 1.0,
        size: str | None = None,
        order: str = "rgb",
        clip: bool = True,
        engine: str = "auto",
    ) -> None:
        if order not in ORDERS:
            raise UsageError(f"order={order!r} is none", hint=f"one of {', '.join(ORDERS)}")
        self.style = find(style)
        self.strength = strength
        self._size, self._order = size, order
        self._options = EngineOptions(engine, statistics="smoothed" if clip else "frame")
        self._engine: Engine | None = None
        self._built_for: tuple[int, int, bool] | None = None
        self._converter = Converter()

    def __call__(self, picture: Image) -> Image:
        """Return the painting of a picture, as soon as it can be had."""
        return self._end(self._begin(picture, live=True))

    def stream(self, pictures: Iterable[Image]) -> Iterator[Image]:
        """Yield the painting of each picture, in order, while the next ones are being painted:
        more pictures a second than one call after another, each a little later. A picture must
        stay as it is until its painting came. Take all, or close the iterator, before any other
        call.
        """
        begun: deque[_Begun] = deque()
        try:
            for picture in pictures:
                if begun and begun[-1].image.shape != np.shape(picture):
                    yield from map(self._end, _drained(begun))
                begun.append(self._begin(picture, live=False))
                assert self._engine is not None
                if len(begun) == self._engine.depth:
                    yield self._end(begun.popleft())
            yield from map(self._end, _drained(begun))
        finally:
            if begun:  # their slots are still taken
                self.close()

    def restart(self) -> None:
        """Forget the clip so far: the next picture is the first of another."""
        if self._engine is not None and self._engine.statistics is not None:
            self._engine.statistics.forget()

    def close(self) -> None:
        """Give back the engine. A further picture opens another."""
        if self._engine is not None:
            self._engine.close()
        self._engine = self._built_for = None

    def __enter__(self) -> Stylizer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begin(self, picture: Image, *, live: bool) -> _Begun:
        image = self._rgb(picture)
        height, width = image.shape[:2]
        into = fit(height, width, size=self._size)
        engine = self._open(into, live=live)
        taken: Any = self._converter.to_planes(image, BT709) if engine.planar else image
        return _Begun(image, into, engine.submit(into.enter(taken)))

    def _end(self, begun: _Begun) -> Image:
        painting = as_rgb(begun.fit.leave(begun.pending.result()))
        mixed = as_rgb(mix(begun.image, painting, self.strength))
        return np.ascontiguousarray(mixed[..., ::-1]) if self._order == "bgr" else mixed

    def _open(self, into: Fit, *, live: bool) -> Engine:
        height, width = into.padded
        wanted = (height, width, live)
        if self._engine is None or self._built_for != wanted:
            self.close()
            self._engine = open_engine(
                self._options, self.style, height=height, width=width, live=live
            )
            self._built_for = wanted
        return self._engine

    def _rgb(self, picture: Any) -> Image:
        shape, kind = getattr(picture, "shape", None), getattr(picture, "dtype", None)
        if kind != np.uint8 or shape is None or len(shape) != 3 or shape[2] != 3 or 0 in shape:
            found = type(picture).__name__ if shape is None else f"{kind} of shape {shape}"
            raise UsageError(
                f"a picture is a uint8 array (height, width, 3), not {found}",
                hint="of values in 0..1: (x * 255).astype(np.uint8); of grey: np.dstack([x] * 3)",
            )
        return np.ascontiguousarray(picture[..., ::-1] if self._order == "bgr" else picture)


def _drained(begun: deque[_Begun]) -> Iterator[_Begun]:
    while begun:
        yield begun.popleft()
