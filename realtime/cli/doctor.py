"""`stylecam doctor`: what this machine has, and what to do about what it lacks."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from pathlib import Path
from shlex import quote

from .. import v4l2
from ..check import Check
from ..engines.checks import check_gpu, check_openvino, check_torch
from ..errors import raise_interrupt
from ..machine import usable_cores
from ..system_libraries import missing_library


def examine() -> list[Check]:
    """Look at everything stylecam can use."""
    return [
        _python(),
        check_openvino(),
        check_torch(),
        *check_gpu(),
        _opencv(),
        _cameras(),
        _display(),
        *_virtual_camera(),
        *_codecs(),
        _hardware(),
        _decoder(),
        unfinished(),
    ]


def _python() -> Check:
    found = f"Python {platform.python_version()}, {usable_cores()} CPU cores"
    return Check("machine", True, found)


def _opencv() -> Check:
    try:
        import cv2
    except ImportError as error:
        raise_interrupt(error)
        return Check("opencv", False, str(error), missing_library(error))
    return Check("opencv", True, cv2.__version__)


def _cameras() -> Check:
    from ..sources.listing import cameras

    found = [camera for camera in cameras() if not camera.note.startswith("virtual")]
    if not found:
        return Check("cameras", False, "none", "plug one in; until then: stylecam --webcam pattern")
    locked = [camera for camera in found if camera.note]
    remedy = v4l2.JOIN_GROUP if locked else ""
    names = ", ".join(f"{camera.use} ({camera.name})" for camera in found)
    return Check("cameras", not locked, names, remedy)


def _display() -> Check:
    from ..sinks.display import display_problem

    problem = display_problem()
    remedy = "run on the desktop, or record with -o" if problem else ""
    return Check("display", not problem, problem or "there is one", remedy)


def _virtual_camera() -> list[Check]:
    """Each link of the chain from pyvirtualcam to a device that takes pictures."""
    from ..sinks.virtual_camera import INSTALL, OBS

    try:
        import pyvirtualcam
    except ImportError as error:
        raise_interrupt(error)
        return [Check("virtual camera", False, str(error), INSTALL)]
    version = importlib.metadata.version("pyvirtualcam")
    library = Check("virtual camera", True, f"pyvirtualcam {version}")
    if sys.platform == "linux":
        from ..sinks.loopback import examine as examine_loopback

        return [library, *examine_loopback()]
    try:
        with pyvirtualcam.Camera(1280, 720, 30) as camera:
            return [library, Check("virtual device", True, camera.device)]
    except (RuntimeError, ValueError) as error:
        found = " ".join(str(error).split())
        return [library, Check("virtual device", False, found, OBS.get(sys.platform, ""))]


def _codecs() -> list[Check]:
    import av

    wanted = {
        "H.264": ("libx264", "h264_nvenc", "h264_videotoolbox"),
        "HEVC": ("libx265",),
        "VP9": ("libvpx-vp9",),
        "AV1": ("libsvtav1", "libaom-av1"),
        "Opus": ("libopus",),
    }
    checks = []
    for name, encoders in wanted.items():
        found = [encoder for encoder in encoders if encoder in av.codecs_available]
        remedy = "" if found else "pip install --force-reinstall av"
        checks.append(Check(f"encoder {name}", bool(found), ", ".join(found) or "none", remedy))
    version = importlib.metadata.version("av")
    return [Check("ffmpeg", True, f"{av.ffmpeg_version_info} in PyAV {version}"), *checks]


def _hardware() -> Check:
    """Hardware encoders that FFmpeg names are tried on one frame: most need a device or driver."""
    from ..sinks.codecs import CODECS
    from ..sinks.formats import try_encoder

    found = [
        encoder
        for codec in CODECS.values()
        for encoder in codec.hardware
        if not all(try_encoder(encoder, {}, pix_fmt) for pix_fmt in codec.formats)
    ]
    use = "; use --encoder auto" if found else " works here; software encoders do"
    return Check("encoder hardware", True, (", ".join(found) or "none") + use)


def _decoder() -> Check:
    from ..sources.hardware import nvdec_problem

    problem = nvdec_problem()
    use = f"the CPU decodes; NVDEC: {problem}" if problem else "NVDEC; --decoder auto takes it"
    return Check("decoder", True, use)


def unfinished(folder: Path = Path()) -> Check:
    """What runs left in a folder that were killed or ran out of disk: work folders, and files that
    had not got their names yet.
    """
    from ..sinks.partial import left_behind
    from ..sinks.workfolder import unfinished as begun
    from ..sinks.workfolder import work_folder

    outputs, files = begun(folder), left_behind(folder)
    if not outputs and not files:
        return Check("unfinished", True, "nothing in this folder")
    remedies = []
    if outputs:
        folders = " ".join(quote(str(work_folder(path))) for path in outputs)
        remedies.append(f"run the same command again to resume, or: rm -r {folders}")
    for path, final in files.items():
        here, there = quote(str(path)), quote(str(final))
        remedies.append(f"mv {here} {there}" if _plays(path) else f"rm {here}")
    found = ", ".join(map(str, [*outputs, *files]))
    return Check("unfinished", False, found, "; ".join(remedies))


def _plays(path: Path) -> bool:
    """Whether there is a picture in it."""
    import av

    try:
        with av.open(path) as container:
            return next(container.decode(video=0), None) is not None
    except (av.FFmpegError, OSError, ValueError, IndexError):
        return False
