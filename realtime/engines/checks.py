"""What `stylecam doctor` checks of the engines."""

from __future__ import annotations

import importlib.util

from ..check import Check
from ..errors import EngineError, raise_interrupt
from ..system_libraries import missing_library
from .environment import detect_environment
from .tensorrt_library import cuda_hint, find


def check_openvino() -> Check:
    """Whether OpenVINO loads, and for which devices."""
    try:
        from .openvino import paints_in_8_bits
        from .openvino_library import load

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


def check_torch() -> Check:
    """Whether PyTorch is there and loads, and for which device."""
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


def check_gpu() -> list[Check]:
    """Check the way to an NVIDIA GPU: driver, a PyTorch that reaches it, TensorRT, Triton."""
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
