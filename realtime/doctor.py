"""`stylecam doctor`: what this machine has, and what to do about what it lacks."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import sys
from pathlib import Path
from shlex import quote
from typing import Final

from . import v4l2
from .check import Check
from .errors import EngineError, raise_interrupt
from .machine import usable_cores


def examine() -> list[Check]:
    """Look at everything stylecam can use."""
    return [
        _python(),
        _openvino(),
        _torch(),
        *_gpu(),
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


def _openvino() -> Check:
    try:
        from .engines.openvino import paints_in_8_bits
        from .engines.openvino_library import load

        core = load().Core()
        devices = [
            f"{d} ({core.get_property(d, 'FULL_DEVICE_NAME').strip()})"
            for d in core.available_devices
        ]
        native = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        clips = "int8" if paints_in_8_bits(core, "CPU") else "what OpenVINO takes by itself"
    except (ImportError, RuntimeError) as error:
        raise_interrupt(error)
        remedy = missing_library(error) or "pip install --force-reinstall openvino"
        return Check("engine openvino", False, str(error), remedy)
    fast = [name for name in ("BF16", "FP16", "INT8") if name in native]
    able = f"CPU can {', '.join(fast)}, clips are painted in {clips}"
    return Check("engine openvino", True, f"{', '.join(devices)}; {able}")


def _torch() -> Check:
    if importlib.util.find_spec("torch") is None:
        return Check(
            "engine torch",
            False,
            "not installed (only needed for NVIDIA GPUs and training)",
            'pip install "stylecam[torch]"',
        )
    try:
        import torch
    except (ImportError, OSError) as error:
        raise_interrupt(error)
        remedy = "pip install --force-reinstall torch"
        return Check("engine torch", False, f"does not load: {error}", remedy)
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no NVIDIA GPU"
    return Check("engine torch", True, f"torch {torch.__version__}, {gpu}")


def _gpu() -> list[Check]:
    """The way to an NVIDIA GPU: driver, a PyTorch that reaches it, TensorRT, Triton."""
    from .engines.environment import detect_environment
    from .engines.tensorrt_library import cuda_hint, find

    environment = detect_environment()
    if not environment.driver:
        found = "none: the NVIDIA driver is not loaded (stylecam runs on the CPU)"
        return [Check("nvidia gpu", True, found)]
    version = "" if environment.driver == "found" else f" {environment.driver}"
    if environment.torch is None:
        remedy = 'pip install "stylecam[tensorrt]"'
        return [Check("nvidia gpu", False, f"driver{version}, but no PyTorch to use it", remedy)]
    if not environment.cuda:
        found = f"driver{version}, but PyTorch {environment.packages['torch']} has no CUDA"
        return [Check("nvidia gpu", False, found, cuda_hint(environment))]
    import torch

    if not torch.cuda.is_available():
        found = f"driver{version}, but PyTorch {torch.__version__} cannot use it"
        remedy = f"a driver for CUDA {torch.version.cuda} or newer; then nvidia-smi lists the GPU"
        if torch.version.cuda is None:
            remedy = cuda_hint(environment)
        return [Check("nvidia gpu", False, found, remedy)]
    name, (major, second) = torch.cuda.get_device_name(), torch.cuda.get_device_capability()
    checks = [Check("nvidia gpu", True, f"{name} ({major}.{second}), driver{version}")]
    try:
        library = find(environment)
    except EngineError as error:
        checks.append(Check("engine tensorrt", False, error.message, error.hint))
    else:
        found = f"{library.module}, engines built by {library.built_by}"
        checks.append(Check("engine tensorrt", True, found))
    from stylecam.kernels import launch

    problem = launch.problem(torch.device("cuda"))
    found = f"{problem}: colours are converted slower" if problem else "Triton compiles them"
    return [*checks, Check("gpu kernels", not problem, found, launch.remedy() if problem else "")]


def _opencv() -> Check:
    try:
        import cv2
    except ImportError as error:
        raise_interrupt(error)
        return Check("opencv", False, str(error), missing_library(error))
    return Check("opencv", True, cv2.__version__)


def _cameras() -> Check:
    from .sources.listing import cameras

    found = [camera for camera in cameras() if not camera.note.startswith("virtual")]
    if not found:
        return Check("cameras", False, "none", "plug one in; until then: stylecam --webcam pattern")
    locked = [camera for camera in found if camera.note]
    remedy = v4l2.JOIN_GROUP if locked else ""
    names = ", ".join(f"{camera.use} ({camera.name})" for camera in found)
    return Check("cameras", not locked, names, remedy)


def _display() -> Check:
    from .sinks.display import display_problem

    problem = display_problem()
    remedy = "run on the desktop, or record with -o" if problem else ""
    return Check("display", not problem, problem or "there is one", remedy)


def _virtual_camera() -> list[Check]:
    """Each link of the chain from pyvirtualcam to a device that takes pictures."""
    from .sinks.virtual_camera import INSTALL, OBS

    try:
        import pyvirtualcam
    except ImportError as error:
        raise_interrupt(error)
        return [Check("virtual camera", False, str(error), INSTALL)]
    version = importlib.metadata.version("pyvirtualcam")
    library = Check("virtual camera", True, f"pyvirtualcam {version}")
    if sys.platform == "linux":
        from .sinks.loopback import examine as examine_loopback

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
    from .sinks.codecs import CODECS
    from .sinks.formats import try_encoder

    found = [
        encoder
        for codec in CODECS.values()
        for encoder in codec.hardware
        if not all(try_encoder(encoder, {}, pix_fmt) for pix_fmt in codec.formats)
    ]
    use = "; use --encoder auto" if found else " works here; software encoders do"
    return Check("encoder hardware", True, (", ".join(found) or "none") + use)


def _decoder() -> Check:
    from .sources.hardware import nvdec_problem

    problem = nvdec_problem()
    use = f"the CPU decodes; NVDEC: {problem}" if problem else "NVDEC; --decoder auto takes it"
    return Check("decoder", True, use)


def unfinished(folder: Path = Path()) -> Check:
    """What runs left in a folder that were killed or ran out of disk: work folders, and files that
    had not got their names yet.
    """
    from .sinks.partial import left_behind
    from .sinks.workfolder import unfinished as begun
    from .sinks.workfolder import work_folder

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


PACKAGES = {
    "libGL.so": "libgl1",
    "libEGL.so": "libegl1",
    "libglib-2.0.so": "libglib2.0-0",
    "libgthread-2.0.so": "libglib2.0-0",
    "libxcb.so": "libxcb1",
    "libX11.so": "libx11-6",
    "libSM.so": "libsm6",
    "libICE.so": "libice6",
    "libXext.so": "libxext6",
    "libXrender.so": "libxrender1",
    "libfontconfig.so": "libfontconfig1",
    "libdbus-1.so": "libdbus-1-3",
}


_WINDOWS_LIBRARIES: Final = (
    "install Microsoft's C++ runtime (https://aka.ms/vs/17/release/vc_redist.x64.exe); on "
    "Windows N the Media Feature Pack too (Settings > System > Optional features)"
)


def missing_library(error: Exception) -> str:
    """Return the command that installs the system library an import failed on, or ""."""
    if "DLL load failed" in str(error):
        return _WINDOWS_LIBRARIES
    for library, package in PACKAGES.items():
        if library in str(error):
            rest = sorted({"libgl1", "libglib2.0-0"} - {package})
            return f"sudo apt install {package} {' '.join(rest)}".rstrip()
    return ""
