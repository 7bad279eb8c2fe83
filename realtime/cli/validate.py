"""What is checked of the flags at once, before anything is opened."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Final

from ..errors import UsageError

_LIVE_ONLY: Final = (
    "virtual_camera",
    "virtual_camera_size",
    "virtual_camera_fps",
    "camera_size",
    "camera_fps",
    "mirror",
    "denoise",
    "no_window",
    "seconds",
)
_FILES_ONLY: Final = ("start", "duration", "no_audio", "decoder", "keep_hdr", "allow_truncated")


def check_mode(options: argparse.Namespace, defaults: argparse.ArgumentParser) -> None:
    """Raise UsageError for what would do nothing, of a camera for files and of files for a camera,
    and for what cannot be meant.
    """
    live = options.webcam is not None
    # --virtual-camera alone is "".
    for name in (n for n, value in vars(options).items() if value == "" and n != "virtual_camera"):
        raise UsageError(f"--{_flag(name)} is empty", hint="give it a value, or leave it out")
    idle = [
        f"--{_flag(name)}"
        for name in (_FILES_ONLY if live else _LIVE_ONLY)
        if getattr(options, name) != defaults.get_default(name)
    ]
    if idle:
        what = "for files only, not with --webcam" if live else "for --webcam only"
        instead = {
            "--duration": "; --seconds 10 ends a live run",
            "--seconds": "; --duration 10 takes a part of a file",
        }
        remedy = "".join(text for flag, text in instead.items() if flag in idle)
        raise UsageError(f"{', '.join(idle)}: {what}", hint=f"remove it{remedy}")
    if live:
        _check_live(options, defaults)
    _check_engine(options.engine, options.device)
    _check_input(options.inputs)
    _check_output(options.output, live=live)
    if options.output != "-" and options.format != defaults.get_default("format"):
        raise UsageError(
            f"--format {options.format}: for standard output only",
            hint="add -o -, or leave it out: a file's suffix decides",
        )
    if options.seconds is not None and not 0 < options.seconds < float("inf"):
        raise UsageError("--seconds must be above 0", hint="for example --seconds 10")
    if not 0 <= options.strength <= 1:
        raise UsageError("--strength must be between 0 and 1", hint="for example --strength 0.7")
    if options.quality is not None and not 0 <= options.quality <= 100:
        raise UsageError("--quality must be between 0 and 100", hint="for example --quality 80")


def _check_live(options: argparse.Namespace, defaults: argparse.ArgumentParser) -> None:
    """Refuse what a source other than a camera, or a run without a virtual one, would ignore."""

    def given(*names: str) -> str:
        changed = (name for name in names if getattr(options, name) != defaults.get_default(name))
        return ", ".join(f"--{_flag(name)}" for name in changed)

    name = options.webcam
    flags = given("camera_size", "camera_fps")
    if flags and ("://" in name or Path(name).is_file()):
        raise UsageError(
            f"{flags}: for cameras, not for {name}", hint="remove it; --size sets the painting size"
        )
    flags = given("virtual_camera_size", "virtual_camera_fps")
    if flags and options.virtual_camera is None:
        raise UsageError(f"{flags} needs --virtual-camera", hint="add --virtual-camera")
    output = options.output
    if options.no_window and output is None and options.virtual_camera is None:
        raise UsageError(
            "--no-window shows nothing and records nothing",
            hint="add -o out.mp4 or --virtual-camera",
        )
    if output and (output[-1] in "/\\" or Path(output).is_dir()):
        raise UsageError(
            f"-o {output}: what a camera shows has no name of its own",
            hint=f"-o {Path(output) / 'out.mp4'}",
        )


def _flag(name: str) -> str:
    return name.replace("_", "-")


def _check_engine(engine: str, device: str | None) -> None:
    kind = (device or "").lower().partition(":")[0]
    if engine in ("auto", "openvino") and kind in ("cuda", "mps"):
        raise UsageError(
            f"--device {device}: OpenVINO, which --device is for by default, has no such device",
            hint="add --engine torch; without --device an NVIDIA GPU is found by itself",
        )


def _check_input(inputs: list[Path]) -> None:
    if Path("-") in inputs and sys.stdin is not None and sys.stdin.isatty():
        raise UsageError(
            "- would read a video from the terminal",
            hint="name a file, or let a program write it: ffmpeg ... -f matroska - | stylecam -",
        )
    for path in inputs:
        if re.match(r"\w{2,}:[/\\]", str(path)) and not path.exists():  # as Path has http://host
            raise UsageError(
                f"{path} is an address, which only --webcam reads from",
                hint="all of it: ffmpeg -i URL -c copy -f matroska - | stylecam - -o out.mkv; "
                "live: stylecam --webcam URL",
            )


def _check_output(output: str | None, *, live: bool) -> None:
    if output == "-" and sys.stdout is not None and sys.stdout.isatty():
        raise UsageError(
            "-o - would write a video to the terminal",
            hint="name a file, or let a program read it: ... -o - | ffplay -",
        )
    if output is not None and "://" in output:
        form = "flv" if output.startswith("rtmp") else "mpegts"
        pace = "" if live else "-re "
        raise UsageError(
            f"{output}: stylecam writes files, it does not stream",
            hint=f"let FFmpeg: stylecam ... -o - | ffmpeg {pace}-i - -c copy -f {form} {output}",
        )


def size(flag: str, text: str) -> tuple[int, int]:
    """Return (height, width) of an option's WxH."""
    try:
        width, height = (int(side) for side in text.lower().split("x"))
    except ValueError:
        width = height = 0
    if not (16 <= width <= 8192 and 16 <= height <= 8192):
        raise UsageError(
            f"{flag} {text!r} is not a size",
            hint="WxH, as in 1280x720; each side must be between 16 and 8192 pixels",
        )
    return height, width


def rate(flag: str, fps: float) -> float:
    """Return a rate that a camera may have."""
    if not 1 <= fps <= 240:
        raise UsageError(f"{flag} {fps:g} is not a frame rate", hint="1 to 240, as in 30")
    return fps
