"""The same clip through another tool's command and through ours, in turns."""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import av
from stylecam.realtime.errors import StylecamError

from .pipeline import command

PEERS: Final = {
    "styletransfer-lite": ["video", "{clip}", "-o", "{output}", "-s", "7"],
}
"""The arguments that stylize a video, for each peer that can be measured."""


def against(
    name: str, clip: Path, style: str, *, executable: str | None = None, rounds: int = 3
) -> dict[str, Any]:
    """Time whole commands, start-up included, alternately; the row has medians and their ratio.

    Raises StylecamError when the peer is not installed.
    """
    found = executable or shutil.which(name)
    if found is None:
        raise StylecamError(
            f"{name} is not installed",
            hint=f"pip install '{name}[video]' in an environment of its own, then --peer PATH",
        )
    with av.open(str(clip)) as container:
        frames = sum(1 for _ in container.decode(video=0))
    with tempfile.TemporaryDirectory() as folder:
        output = str(Path(folder) / "peer.mp4")
        theirs = [found, *(word.format(clip=clip, output=output) for word in PEERS[name])]
        ours = [sys.executable, "-m", "stylecam.realtime.cli", str(clip), "--force"]
        ours += ["-o", str(Path(folder) / "ours.mp4"), "--style", style]
        seconds: dict[str, list[float]] = {"peer": [], "ours": []}
        for _ in range(rounds):
            seconds["peer"].append(command(theirs))
            seconds["ours"].append(command(ours))
    pairs = zip(seconds["peer"], seconds["ours"], strict=True)
    return {
        "case": "whole command",
        "peer": name,
        "clip": clip.name,
        "frames": frames,
        "rounds": rounds,
        "peer_fps": round(frames / statistics.median(seconds["peer"]), 1),
        "our_fps": round(frames / statistics.median(seconds["ours"]), 1),
        "ratio": round(statistics.median(theirs / ours for theirs, ours in pairs), 2),
    }
