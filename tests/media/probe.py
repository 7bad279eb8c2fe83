"""ffprobe's view of a file: the reference for what was written."""

from __future__ import annotations

import json
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

needs_ffprobe = pytest.mark.skipif(shutil.which("ffprobe") is None, reason="there is no ffprobe")


def ffprobe(path: Path) -> dict[str, Any]:
    """Return streams, chapters and format as ffprobe reads them, packets counted."""
    return _run("-show_streams", "-show_chapters", "-show_format", "-count_packets", path)


def _run(*arguments: object) -> dict[str, Any]:
    done = subprocess.run(
        ["ffprobe", "-v", "error", "-of", "json", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def streams(path: Path, kind: str) -> list[dict[str, Any]]:
    """Return the streams of a kind, covers apart ("cover"), chapter tracks left out."""
    found = []
    for stream in ffprobe(path)["streams"]:
        cover = stream["disposition"]["attached_pic"]
        chapter_track = stream["codec_type"] == "data" and stream["codec_tag_string"] == "text"
        if not chapter_track and kind == ("cover" if cover else stream["codec_type"]):
            found.append(stream)
    return found


def table(path: Path, fields: list[str]) -> list[dict[str, Any]]:
    """Return the chosen fields of every stream, sorted by kind, in words that do not depend on
    how the container writes them.
    """
    rows = []
    for kind in ("video", "audio", "subtitle", "data", "attachment", "cover"):
        for stream in streams(path, kind):
            row = {name: stream.get(name) for name in fields}
            row["kind"], row["language"] = kind, stream.get("tags", {}).get("language")
            rows.append(row)
    return rows


def frame_times(path: Path) -> list[Fraction]:
    """Return the time in seconds of every picture shown, exactly."""
    entries = "stream=time_base:frame=best_effort_timestamp,pkt_duration"
    found = _run("-select_streams", "v:0", "-show_entries", entries, path)
    base, times = Fraction(found["streams"][0]["time_base"]), list[Fraction]()
    for frame in found["frames"]:
        following = times[-1] / base + int(frame.get("pkt_duration", 0)) if times else 0
        times.append(int(frame.get("best_effort_timestamp", following)) * base)
    return times
