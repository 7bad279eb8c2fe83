"""The flags of `stylecam`. Argparse alone: help must not wait for anything else."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final, NoReturn

from ..errors import UsageError
from ..release import release

EXAMPLES: Final = """\
examples:
  stylecam --demo                               try it on the clip that comes with it
  stylecam clip.mp4                             makes clip.great-wave.mp4, sound kept
  stylecam clip.mp4 -o out.mkv --style starry-night
  stylecam clip.mp4 --style great-wave:0.6,starry-night:0.4    a blend of two
  stylecam photo.jpg -o painted.jpg --strength 0.7
  stylecam *.mp4 -o out/                        one after another; run it again to resume
  stylecam clip.mp4 --size 360                  paint at 360 lines: faster, same output size
  stylecam --webcam                             your camera in a window; h: help, q: quit
  stylecam --webcam 1 -o call.mp4               camera 1, shown and recorded
  stylecam --webcam clip.mp4                    a file played as if it were a camera
  stylecam --webcam --virtual-camera            a camera that you can choose in a call
  stylecam clip.mp4 --style path/to/model.onnx  any other ONNX style network

more commands:
  stylecam cameras     list the cameras and their modes
  stylecam styles      list the built-in styles, their artists and licences
  stylecam build -h    build TensorRT engines in advance, for an NVIDIA GPU
  stylecam train -h    train your own style from any painting
  stylecam doctor      check this machine, and how to fix what is missing
  stylecam bench -h    measure speed and latency here
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the main command."""
    made = _Parser(
        prog="stylecam",
        description="Turn a webcam, a video or a photo into a painting, in real time.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument(
        "inputs", nargs="*", type=Path, metavar="INPUT", help="videos or photos; - is stdin"
    )
    made.add_argument(
        "-o",
        "--output",
        help="output file; its suffix sets the format; - is stdout, NAME/ a folder",
    )
    made.add_argument("--demo", action="store_true", help="stylize the bundled clip")
    made.add_argument(
        "--webcam",
        nargs="?",
        const="auto",
        metavar="CAMERA",
        help="live from a camera (index, name or part of it, /dev/videoN) [the first], a URL, a "
        "video or photo, or 'pattern' (a test pattern)",
    )
    live = made.add_argument_group("live")
    live.add_argument(
        "--virtual-camera",
        nargs="?",
        const="",
        metavar="DEVICE",
        help="send to a virtual camera for calls [the one named stylecam, else the first]",
    )
    live.add_argument(
        "--virtual-camera-size",
        default="1280x720",
        metavar="WxH",
        help="picture size sent to the call [%(default)s]",
    )
    live.add_argument(
        "--virtual-camera-fps",
        type=float,
        default=30.0,
        metavar="FPS",
        help="frame rate sent to the call [30]",
    )
    live.add_argument("--camera-size", metavar="WxH", help="size to ask the camera for [640x480]")
    live.add_argument("--camera-fps", type=float, metavar="FPS", help="rate to ask for [30]")
    live.add_argument("--mirror", action="store_true", help="flip left and right")
    live.add_argument("--denoise", action="store_true", help="reduce camera noise over time")
    live.add_argument(
        "--no-window", action="store_true", help="no window (needs -o or --virtual-camera)"
    )
    live.add_argument("--seconds", type=float, help="stop after this many seconds")
    look = made.add_argument_group("look")
    look.add_argument("--style", help="a built-in style [great-wave], an .onnx file, or a blend")
    look.add_argument("--strength", type=float, default=1.0, help="0 (photo) to 1 (painting) [1]")
    look.add_argument("--size", help="size to paint at: short side or WxH [the input's]")
    file = made.add_argument_group("files and recordings")
    file.add_argument("--start", metavar="TIME", help="start at: seconds, or h:mm:ss")
    file.add_argument("--duration", metavar="TIME", help="length to process, as --start")
    file.add_argument("--no-audio", action="store_true", help="drop the sound")
    file.add_argument(
        "--codec", type=str.lower, help="h264, hevc, av1, vp9, prores or ffv1 [the container's]"
    )
    file.add_argument("--quality", type=int, help="0 (smallest) to 100 (best) [75; photos 95]")
    file.add_argument("--pix-fmt", metavar="FORMAT", help="as FFmpeg names it: yuv420p10le, ...")
    file.add_argument(
        "--encoder",
        default="software",
        help="software, auto (hardware that works, else software) or a name [software]",
    )
    file.add_argument(
        "--decoder",
        choices=("software", "auto"),
        default="software",
        help="software, or auto: an NVIDIA GPU's if it works [software]",
    )
    file.add_argument("--keep-hdr", action="store_true", help="do not tone-map PQ and HLG to SDR")
    file.add_argument(
        "--format",
        choices=("matroska", "y4m"),
        default="matroska",
        help="what -o - sends [matroska]",
    )
    how = made.add_argument_group("other")
    how.add_argument("--force", action="store_true", help="overwrite an existing output")
    how.add_argument("--allow-truncated", action="store_true", help="accept a file that is cut off")
    how.add_argument(
        "--engine",
        default="auto",
        help="auto, openvino, tensorrt, torch, or echo (no painting, for measuring) [auto]",
    )
    how.add_argument("--device", help="openvino: CPU, GPU, NPU; torch: cuda, mps, cpu")
    how.add_argument(
        "--precision",
        choices=("int8", "f32", "bf16", "f16"),
        help="numbers to compute with [best for the device]",
    )
    how.add_argument(
        "--style-range",
        metavar="RANGE",
        help="input range of an .onnx style: 0-1, 0-255 or =-1-1 [detected]",
    )
    how.add_argument("--json", action="store_true", help="report as JSON")
    how.add_argument("--version", action=_Version, nargs=0, help="print the version")
    return made


class _Parser(argparse.ArgumentParser):
    """Refuses as the rest of the program does, in two lines."""

    def error(self, message: str) -> NoReturn:
        hint = "stylecam --help says what it takes"
        found, _, words = message.partition("unrecognized arguments: ")
        if not found and (files := [word for word in words.split() if Path(word).is_file()]):
            hint = f"a name that begins with a dash: ./{files[0]}"
        raise UsageError(message, hint=hint)


class _Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        print(f"stylecam {release()}")
        parser.exit()
