"""The generator: one architecture for every style, weights apart.

An hourglass with additive skips. It works at 1/2, 1/4 and 1/8 of the picture's size, where
convolutions are cheap, and carries detail past the bottom through the skips:

    RGB --stem 4x4/2--> 1/2 --> 1/4 --> 1/8 --residual blocks--> 1/8
                         |       |                                |
    RGB <--head+shuffle-- + <---- + <------- 1x1, bilinear up <----+

Near the picture's border, where it must guess what lies beyond, it has weights of its own: what
`Border` adds to two layers at 1/8, whose features reach furthest.

Instance norm carries the style (Ulyanov, Vedaldi, Lempitsky 2017, arXiv:1701.02096); there is no
skip from the input picture itself, because instance norm and such a skip fight each other.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MULTIPLE: Final = 8
"""Height and width of the input must be multiples of this."""


class Size(NamedTuple):
    """Channels at 1/2, 1/4 and 1/8 of the picture's size, and blocks at 1/4 and 1/8."""

    half: int
    quarter: int
    eighth: int
    quarter_blocks: int
    eighth_blocks: int


SIZES: Final[dict[str, Size]] = {
    "small": Size(half=16, quarter=32, eighth=48, quarter_blocks=1, eighth_blocks=3),
    "large": Size(half=32, quarter=64, eighth=128, quarter_blocks=2, eighth_blocks=5),
}


class Border(nn.Module):
    """Adds to features near the border, two features deep, and nothing inside.

    What is added is a convolution of ones, which is the same everywhere but where zeros are padded,
    less what it is inside.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels, 1, 5, 5))

    def forward(self, x_NCHW: Tensor) -> Tensor:
        # By a convolution: a graph of dynamic size would else be full of arithmetic of shapes.
        nothing = torch.zeros(1, len(self.weight), 1, 1).to(x_NCHW)
        ones = F.conv2d(x_NCHW, nothing, torch.ones(1).to(x_NCHW))
        inside = self.weight.sum((1, 2, 3))
        return x_NCHW + F.conv2d(ones, self.weight, -inside, padding=2)


class ConvNorm(nn.Module):
    """Convolution, instance norm over each picture, and ReLU unless it is the last of a block."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        stride: int = 1,
        relu: bool = True,
        border: bool = False,
    ) -> None:
        super().__init__()
        padding = (kernel - stride + 1) // 2 if kernel % 2 == 0 else kernel // 2
        # Zeros would tell the network where the border is, and it paints there what fits nowhere
        # else.
        mode: Literal["replicate", "zeros"] = "replicate" if padding else "zeros"
        self.conv = nn.Conv2d(
            inputs, outputs, kernel, stride, padding, bias=False, padding_mode=mode
        )
        self.norm = nn.InstanceNorm2d(outputs, affine=True)
        self.border = Border(outputs) if border else nn.Identity()
        self.relu = relu

    def forward(self, x_NCHW: Tensor) -> Tensor:
        x_NCHW = self.border(self.norm(self.conv(x_NCHW)))
        return F.relu(x_NCHW) if self.relu else x_NCHW


class Residual(nn.Module):
    """Two 3x3 convolutions added to their input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = ConvNorm(channels, channels, 3)
        self.second = ConvNorm(channels, channels, 3, relu=False)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        out: Tensor = x_NCHW + self.second(self.first(x_NCHW))
        return out


class Head(nn.Module):
    """Half-size features to RGB of full size: a 3x3 convolution whose four outputs a colour are the
    four pixels of a 2x2 cell.

    Left free, the four differ where nothing does, and training covers flat areas with a mesh of
    2 pixels, because Gram matrices reward it. So `settle` holds the four kernels to equal sums:
    flat features give flat colour.
    """

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, 12, 3, padding=1, padding_mode="replicate")
        self.settle()

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return F.pixel_shuffle(self.conv(x_NCHW), 2)

    @torch.no_grad()
    def settle(self) -> None:
        """Project onto equal sums. Call after every step of the optimizer."""
        for parameter in self.conv.parameters():
            kernels = parameter.view(3, 4, -1, 9 if parameter.ndim > 1 else 1)
            sums = kernels.mean(3, keepdim=True)
            kernels += sums.mean(1, keepdim=True) - sums


def _double(x_NCHW: Tensor) -> Tensor:
    # Not "nearest": its blocks tell the next convolution where it is on the grid, and training
    # then fills flat areas with a mesh of that period.
    return F.interpolate(x_NCHW, scale_factor=2.0, mode="bilinear")


class Generator(nn.Module):
    """Photo in, painting out: float (N, 3, H, W) in 0..1, H and W multiples of `MULTIPLE`."""

    def __init__(self, size: str = "small") -> None:
        super().__init__()
        self.size = size
        half, quarter, eighth, quarter_blocks, eighth_blocks = SIZES[size]
        self.stem = ConvNorm(3, half, 4, stride=2)
        self.down_quarter = ConvNorm(half, quarter, 3, stride=2)
        self.down_eighth = ConvNorm(quarter, eighth, 3, stride=2, border=True)
        self.eighth = nn.Sequential(*(Residual(eighth) for _ in range(eighth_blocks)))
        self.up_quarter = ConvNorm(eighth, quarter, 1, border=True)
        self.quarter = nn.Sequential(*(Residual(quarter) for _ in range(quarter_blocks)))
        self.up_half = ConvNorm(quarter, half, 1)
        self.head = Head(half)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        half = self.stem(x_NCHW)
        quarter = self.down_quarter(half)
        eighth = self.eighth(self.down_eighth(quarter))
        quarter = self.quarter(_double(self.up_quarter(eighth)) + quarter)
        half = _double(self.up_half(quarter)) + half
        return torch.sigmoid(self.head(half))

    def borders(self) -> dict[str, nn.Parameter]:
        """Return the border's weights by name, among those of the network."""
        return {
            f"{name}.weight": layer.weight
            for name, layer in self.named_modules()
            if isinstance(layer, Border)
        }

    @torch.no_grad()
    def mean_with(self, other: Generator, share: float) -> Generator:
        """Return the network of the mean of both's weights, `share` of it this one's."""
        mixed = Generator(self.size).requires_grad_(False)
        theirs = other.state_dict()
        mixed.load_state_dict({
            name: torch.lerp(theirs[name].to(value), value, share)
            for name, value in self.state_dict().items()
        })  # fmt: skip
        return mixed


class StyleGraph(nn.Module):
    """The generator as it is shipped: uint8 RGB (N, H, W, 3) in and out.

    Normalising, layout, rounding and clipping are inside, so every engine computes the same.
    """

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, image_NHWC: Tensor) -> Tensor:
        x_NCHW = image_NHWC.permute(0, 3, 1, 2).float() * (1 / 255)
        y_NCHW: Tensor = self.generator(x_NCHW) * 255 + 0.5
        return y_NCHW.clamp(0, 255).permute(0, 2, 3, 1).to(torch.uint8)
