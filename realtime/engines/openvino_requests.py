"""What OpenVINO has under way: pictures being painted, and one being measured."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress

import numpy as np
import openvino as ov

from ..errors import EngineError
from ..pictures import Image
from .statistics import Statistics


class Request:
    """A picture being painted by one of an engine's infer requests, which goes back to `free`
    afterwards. The picture and the painting are the caller's own arrays, so nothing is copied.

    `free` holds no `Request`: a cycle would keep an engine that nobody closed, 30 MB for 1280x720.
    """

    def __init__(
        self,
        free: deque[ov.InferRequest],
        image_NHWC: Image,
        shape: tuple[int, ...],
        statistics: Statistics | None,
    ) -> None:
        """Begin on (1, H, W, 3), which must stay unchanged; the painting has `shape`."""
        self._free, self._request = free, free.popleft()
        # A tensor of shared memory does not keep its array alive, and it may be submit's own copy.
        self._picture: Image | None = image_NHWC
        self._painting: Image | None = np.empty(shape, np.uint8)
        self._request.set_input_tensor(0, ov.Tensor(image_NHWC, shared_memory=True))
        if statistics is not None:
            self._request.set_input_tensor(1, ov.Tensor(statistics))
        self._request.set_output_tensor(ov.Tensor(self._painting, shared_memory=True))
        self._request.start_async()

    def wait(self) -> None:
        """Return when it is done; an error is left to `result`."""
        with suppress(RuntimeError):
            self._request.wait()

    def result(self) -> Image:
        """Wait, free the request and return the painting (H, W, 3)."""
        painting = self._painting
        assert painting is not None
        try:
            self._request.wait()
        except RuntimeError as error:
            raise EngineError(f"the network failed: {error}") from error
        finally:
            self._picture = self._painting = None
            self._free.append(self._request)
        first: Image = painting[0]
        return first


class Measuring:
    """Measures statistics beside the pictures, from a copy, one at a time."""

    def __init__(self, request: ov.InferRequest) -> None:
        self._request = request

    def __call__(self, image: Image) -> Callable[[], Statistics]:
        """Begin on (H, W, 3), and return how to wait for the result."""
        self._request.set_input_tensor(ov.Tensor(image[np.newaxis]))
        self._request.start_async()
        return self._result

    def _result(self) -> Statistics:
        try:
            self._request.wait()
        except RuntimeError as error:
            raise EngineError(f"the network failed: {error}") from error
        return np.array(self._request.get_output_tensor().data)
