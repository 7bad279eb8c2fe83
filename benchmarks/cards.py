"""Style files as measurements see them: known by what they compute, with their figures inside."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from stylecam.realtime.atomic import write_whole
from stylecam.realtime.styles import Style


def network_sha256(path: Path) -> str:
    """Return the first 16 digits of the SHA-256 of an ONNX file's graph: nodes and weights.

    Not of the file, as figures are written into its card after they were measured.
    """
    import onnx

    graph = onnx.load(path).graph.SerializeToString(deterministic=True)
    return hashlib.sha256(graph).hexdigest()[:16]


def write_card(style: Style, row: dict[str, Any]) -> None:
    """Put the figures of a row into a style file's card."""
    import onnx

    model = onnx.load(style.path)
    figures = {key: value for key, value in row.items() if key not in ("style", "network_sha256")}
    card = style.card | {"quality": figures}
    onnx.helper.set_model_props(model, {"stylecam": json.dumps(card, ensure_ascii=False)})
    write_whole(style.path, model.SerializeToString())
