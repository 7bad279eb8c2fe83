"""Built engines in the user's cache folder: nothing is built twice, and nothing stale is used."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from pathlib import Path
from typing import Any, Final

from ..atomic import write_whole
from ..cache import cache_folder

FORMAT: Final = 2
"""Of the file and of what is asked of an engine; one more makes all that were kept stale."""
_MAGIC: Final = b"stylecam engine\n"


@dataclasses.dataclass(frozen=True)
class EngineKey:
    """Everything that makes an engine stale when it changes."""

    architecture: str
    """Hash of the network's layers and shapes, not of its weights."""
    size_name: str
    """The network's name for people: small, large."""
    height: int
    width: int
    precision: str
    gpu: str
    capability: str
    """Compute capability, as in 8.9."""
    torch: str
    builder: str
    """What built it, with its version: torch-tensorrt 2.13.0, or the ONNX parser."""
    tensorrt: str
    """The library and its version: tensorrt_rtx 1.5.0.114."""
    weights: str = ""
    """Hash of the style, for an engine that cannot be given another style's weights."""

    def __str__(self) -> str:
        return f"engine for {self.width}x{self.height}"

    @property
    def path(self) -> Path:
        """Where the engine lies: a name that says what it is, and a hash of everything."""
        text = json.dumps([FORMAT, dataclasses.asdict(self)], sort_keys=True)
        gpu = re.sub(r"[^a-z0-9]+", "-", self.gpu.lower().replace("nvidia", "")).strip("-")
        name = f"{self.size_name}-{self.width}x{self.height}-{self.precision}-{gpu}"
        digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        return cache_folder("engines") / f"{name}-{digest}.engine"


@dataclasses.dataclass(frozen=True)
class EngineFile:
    """An engine as it is kept."""

    engine: bytes
    weights: str
    """Hash of the style whose weights it holds."""


def write(key: EngineKey, built: EngineFile) -> Path:
    """Keep it; the file appears whole or not at all."""
    header: dict[str, Any] = {
        **dataclasses.asdict(key),
        "holds": built.weights,
        "sha256": hashlib.sha256(built.engine).hexdigest(),
    }
    path = key.path
    write_whole(path, _MAGIC + json.dumps(header).encode() + b"\n" + built.engine)
    return path


def read(key: EngineKey) -> EngineFile | None:
    """Return the engine that is kept under this key, or None. Raises ValueError when its file is
    damaged.
    """
    try:
        data = key.path.read_bytes()
    except FileNotFoundError:
        return None
    if not data.startswith(_MAGIC):
        raise ValueError("it is not an engine file")
    head, _, engine = data[len(_MAGIC) :].partition(b"\n")
    header = json.loads(head)
    if header.get("sha256") != hashlib.sha256(engine).hexdigest():
        raise ValueError("its checksum is wrong")
    if {name: header.get(name) for name in dataclasses.asdict(key)} != dataclasses.asdict(key):
        raise ValueError("it was made for something else")
    return EngineFile(engine, str(header["holds"]))
