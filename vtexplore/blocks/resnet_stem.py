"""MERLOT's stem (Zellers et al., arXiv 2106.02636, App. A): a ResNet-50 without its last stage, for small batches.

Weights are standardised (Qiao et al., arXiv 1903.10520) and channels normalised in groups, so that nothing depends on
the rest of a batch; three small convolutions begin, and strides are average pools. A place of the map is 16 pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

GROUP_EPS = 1e-4
STRIDE_PX = 16


@dataclass(frozen=True)
class StemConfig:
    """Sizes; the defaults are the paper's. The last stage leaves four times its width."""

    depths: tuple[int, ...] = (3, 4, 9)
    widths: tuple[int, ...] = (64, 128, 256)
    groups: int = 32
    std: float = 1.0  # pixels enter at −½ … ½

    @property
    def patch_px(self) -> int:
        """Pixels on a side of a place."""
        return STRIDE_PX

    @property
    def out_width(self) -> int:
        """Channels of the map."""
        return 4 * self.widths[-1]


class StandardisedConv(nn.Conv2d):
    """A convolution whose filters have mean 0 and variance 1, whatever is learned; without a bias."""

    def __init__(self, width: int, out: int, kernel: int, stride: int = 1) -> None:
        super().__init__(width, out, kernel, stride, padding=kernel // 2, bias=False)

    def forward(self, x: Float[Tensor, "batch channel row column"]) -> Tensor:
        """[batch, out, row, column]."""
        variance, mean = torch.var_mean(self.weight, dim=(1, 2, 3), keepdim=True, correction=0)
        return F.conv2d(x, (self.weight - mean) * (variance + 1e-10).rsqrt(), None, self.stride, self.padding)


class Unit(nn.Sequential):
    """A convolution, a norm over groups of channels, and ReLU unless it is the last of a branch."""

    def __init__(self, width: int, out: int, kernel: int, groups: int, stride: int = 1, relu: bool = True) -> None:
        norm = nn.GroupNorm(min(groups, out), out, GROUP_EPS)
        super().__init__(StandardisedConv(width, out, kernel, stride), norm, *[nn.ReLU()] * relu)


class Bottleneck(nn.Module):
    """1 × 1, 3 × 3 and 1 × 1, beside a way around; a stride is an average pool on both."""

    def __init__(self, width: int, inner: int, stride: int, groups: int) -> None:
        super().__init__()
        self.stride, out = stride, 4 * inner
        self.branch = nn.ModuleList(
            [Unit(width, inner, 1, groups), Unit(inner, inner, 3, groups), Unit(inner, out, 1, groups, relu=False)]
        )
        self.around = Unit(width, out, 1, groups, relu=False) if stride > 1 or width != out else nn.Identity()

    def pool(self, x: Tensor) -> Tensor:
        """Every ``stride`` × ``stride`` places as one."""
        return F.avg_pool2d(x, self.stride) if self.stride > 1 else x

    def forward(self, x: Float[Tensor, "batch channel row column"]) -> Tensor:
        """[batch, 4 · inner, row, column], sides divided by the stride."""
        first, middle, last = self.branch
        return F.relu(last(self.pool(middle(first(x)))) + self.around(self.pool(x)))


class ResNetStem(nn.Module):
    """Pixels in −½ … ½ to maps, each frame by itself."""

    def __init__(self, config: StemConfig) -> None:
        super().__init__()
        self.config, g, first = config, config.groups, config.widths[0]
        self.first = nn.Sequential(
            Unit(3, first // 2, 3, g, stride=2), Unit(first // 2, first // 2, 3, g), Unit(first // 2, first, 3, g)
        )
        blocks, width = [], first
        for number, (depth, inner) in enumerate(zip(config.depths, config.widths, strict=True)):
            for i in range(depth):
                blocks.append(Bottleneck(width, inner, 2 if number and not i else 1, g))
                width = 4 * inner
        self.blocks = nn.Sequential(*blocks)

    def forward(
        self, pixels: Float[Tensor, "batch frame rgb height width"], tokens: object = None
    ) -> Float[Tensor, "batch frame row column channel"]:
        """``tokens`` are not asked for: nothing attends here."""
        x = F.avg_pool2d(self.first(pixels.flatten(0, 1)), 2)
        maps: Tensor = self.blocks(x).unflatten(0, pixels.shape[:2])
        return maps.movedim(2, -1)
