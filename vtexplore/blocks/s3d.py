"""S3D, the separable 3-D Inception (Xie et al., "Rethinking Spatiotemporal Feature Learning", arXiv 1712.04851).

A 3-D convolution is split into one over space and one over time; nine Inception blocks of four branches
each follow a short stem, and every clip leaves as a coarse grid of 1024 channels: 8 frames a slot, 32
pixels a place. Two public variants share everything but what ``S3DConfig`` tells, and published weights of one
are worthless in the other:

HOWTO100M    MIL-NCE (Miech et al., arXiv 1912.06430): S3D-G, whose branches are gated; embeds videos and texts
KINETICS     the classifier, the kind of network whose pooled features VideoBERT turns into visual words
TORCHVISION  the same network, trained again on other pixels (its own pool is 7 × 7 places: the same at 224 pixels)

Kept on purpose from the published code: the "same" pools of HOWTO100M always pad after the last row, which is
what TensorFlow does for even sizes only; its stem is one full convolution, separable in neither form; the
classifier of KINETICS averages overlapping pairs of slots, so that the first and last count half; the text
branch takes the maximum over padding, too.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from vtexplore.blocks.bag_of_words import BagConfig, BagOfWords
from vtexplore.errors import ConfigError

Triple = tuple[int, int, int]
Maps = Float[Tensor, "batch channel frame row column"]
Mapped = Float[Tensor, "batch channels frames rows columns"]

MIXED: dict[str, tuple[int, int, int, int, int, int]] = {
    "3b": (64, 96, 128, 16, 32, 32),
    "3c": (128, 128, 192, 32, 96, 64),
    "4b": (192, 96, 208, 16, 48, 64),
    "4c": (160, 112, 224, 24, 64, 64),
    "4d": (128, 128, 256, 24, 64, 64),
    "4e": (112, 144, 288, 32, 64, 64),
    "4f": (256, 160, 320, 32, 128, 128),
    "5b": (256, 160, 320, 32, 128, 128),
    "5c": (384, 192, 384, 48, 128, 128),
}
"""Channels of each block: branch 0, branch 1 (inside, out), branch 2 (inside, out), branch 3."""
POOLS: dict[str, tuple[Triple, Triple]] = {
    "2a": ((1, 3, 3), (1, 2, 2)),
    "3a": ((1, 3, 3), (1, 2, 2)),
    "4a": ((3, 3, 3), (2, 2, 2)),
    "5a": ((2, 2, 2), (2, 2, 2)),
}
"""Kernel and stride of the pools between, frames × rows × columns."""
STEMS = ("space_to_depth", "full", "separable")


@dataclass(frozen=True)
class S3DConfig:
    """What differs between the variants, and the size; the defaults are the published HOWTO100M.

    ``stem``: "space_to_depth" (2×2×2 pixels become channels, then one convolution), "full" (one 3×7×7
    convolution; MIL-NCE without that trick) or "separable"; ``gating`` after conv 2c and in every branch;
    ``same_pools``: pad after the last row only, and keep what is left over; ``divide``: all channels
    divided by 1, 2, 4 or 8 (8 makes a miniature of 128 channels); ``mean`` and ``std`` are taken out
    of pixels in 0..1; ``embedding`` channels of a space joint with ``text`` and ``classes``: 0 = no such head.
    """

    stem: str = "space_to_depth"
    gating: bool = True
    same_pools: bool = True
    divide: int = 1
    eps: float = 1e-5
    momentum: float = 0.1
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    embedding: int = 512
    text: BagConfig | None = BagConfig()
    classes: int = 0
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.stem not in STEMS:
            raise ConfigError(f"S3D has no stem {self.stem!r}; choose one of {', '.join(STEMS)}.")
        if self.divide not in (1, 2, 4, 8):
            raise ConfigError(f"Channels of S3D cannot be divided by {self.divide}; choose 1, 2, 4 or 8.")

    @property
    def out_width(self) -> int:
        """Channels of the grid and of the pooled features."""
        return 1024 // self.divide

    def grid(self, frames: int, height: int, width: int) -> Triple:
        """The grid that leaves the last block: slots × rows × columns, for a clip of this size.

        Raises ``ConfigError`` for odd sizes under "space_to_depth", and for clips too small to leave anything.
        """
        sides = frames, height, width
        if self.stem == "space_to_depth" and any(n % 2 or not n for n in sides):
            even = " × ".join(str(max(n - n % 2, 2)) for n in sides)
            raise ConfigError(
                f"This S3D takes even numbers of frames and pixels, and was given {frames} × {height} × {width}. "
                f"Cut or pad the clip, to {even} for example."
            )
        slots, rows, columns = -(-frames // 4), -(-height // 16), -(-width // 16)  # stem and pools 2a to 4a round up
        grid = tuple(-(-n // 2) if self.same_pools else n // 2 for n in (slots, rows, columns))
        if 0 in grid:
            raise ConfigError(
                f"{frames} × {height} × {width} (frames × pixels) are too few for this S3D. "
                "Give it 5 frames of 17 × 17 pixels at least."
            )
        return grid[0], grid[1], grid[2]


HOWTO100M = S3DConfig()
KINETICS = S3DConfig("separable", False, False, eps=1e-3, momentum=1e-3, embedding=0, text=None, classes=400)
KINETICS = replace(KINETICS, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
TORCHVISION = replace(KINETICS, mean=(0.43216, 0.394666, 0.37645), std=(0.22803, 0.22145, 0.216989), dropout=0.2)


class Unit(nn.Module):
    """Convolution without bias, batch norm, ReLU."""

    def __init__(self, config: S3DConfig, ins: int, outs: int, kernel: Triple, stride: Triple, pad: Triple) -> None:
        super().__init__()
        self.conv = nn.Conv3d(ins, outs, kernel, stride, pad, bias=False)
        self.norm = nn.BatchNorm3d(outs, config.eps, config.momentum)

    def forward(self, x: Maps) -> Mapped:
        """Maps to maps."""
        return F.relu(self.norm(self.conv(x)))


def _point(config: S3DConfig, ins: int, outs: int) -> Unit:
    return Unit(config, ins, outs, (1, 1, 1), (1, 1, 1), (0, 0, 0))


class Separable(nn.Module):
    """A convolution over space, then one over time: k² + k weights for each pair of channels instead of k³."""

    def __init__(self, config: S3DConfig, ins: int, outs: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        k, s, p = kernel, stride, kernel // 2
        self.space = Unit(config, ins, outs, (1, k, k), (1, s, s), (0, p, p))
        self.time = Unit(config, outs, outs, (k, 1, 1), (s, 1, 1), (p, 0, 0))

    def forward(self, x: Maps) -> Mapped:
        """Maps to maps."""
        return self.time(self.space(x))


class Gate(nn.Module):
    """Self-gating: the clip's own mean says how much of each channel passes."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc = nn.Linear(width, width)

    def forward(self, x: Maps) -> Maps:
        """Each channel times a number in 0..1."""
        return self.fc(x.mean((2, 3, 4))).sigmoid()[:, :, None, None, None] * x


class SpaceToDepth(nn.Module):
    """2×2×2 pixels become channels, colour fastest; then one convolution sees 4 frames of 8 × 8 pixels.

    Slot t of the result has seen frames 2t to 2t + 3, place y rows 2y − 2 to 2y + 5.
    """

    def __init__(self, config: S3DConfig, width: int) -> None:
        super().__init__()
        self.unit = Unit(config, 24, width, (2, 4, 4), (1, 1, 1), (1, 2, 2))

    def forward(self, x: Maps) -> Mapped:
        """Pixels to maps."""
        batch, colours, frames, height, width = x.shape
        x = x.reshape(batch, colours, frames // 2, 2, height // 2, 2, width // 2, 2)
        x = x.permute(0, 3, 5, 7, 1, 2, 4, 6).flatten(1, 4)  # [batch, 24, slot, row, column]
        return self.unit(x)[:, :, 1:, 1:, 1:]  # an even kernel gives one too many on each axis


class Pool(nn.Module):
    """A maximum between stages; ``same``: padded after the last only, with zeros, and never short of a window."""

    def __init__(self, kernel: Triple, stride: Triple, same: bool) -> None:
        super().__init__()
        self.kernel, self.stride, self.same = kernel, stride, same

    def forward(self, x: Maps) -> Mapped:
        """Maps, none of them negative, to smaller maps."""
        if not self.same:
            around = [k // 2 if k == 3 else 0 for k in self.kernel]
            return F.max_pool3d(x, self.kernel, self.stride, around)
        t, r, c = (
            max(k - s, 0) for k, s in zip(self.kernel, self.stride)
        )  # at most 1: half of it, rounded down, would go before
        return F.max_pool3d(F.pad(x, (0, c, 0, r, 0, t)), self.kernel, self.stride, ceil_mode=True)


class Inception(nn.Module):
    """Four views of the same maps, side by side: a point, two separable 3×3×3, a maximum."""

    def __init__(self, config: S3DConfig, ins: int, name: str) -> None:
        super().__init__()
        n0, m1, n1, m2, n2, n3 = (n // config.divide for n in MIXED[name])
        self.out_width = n0 + n1 + n2 + n3
        branches: tuple[dict[str, nn.Module], ...] = (
            {"point": _point(config, ins, n0)},
            {"point": _point(config, ins, m1), "separable": Separable(config, m1, n1, 3)},
            {"point": _point(config, ins, m2), "separable": Separable(config, m2, n2, 3)},
            {"pool": nn.MaxPool3d(3, 1, 1), "point": _point(config, ins, n3)},
        )
        for branch, width in zip(branches, (n0, n1, n2, n3)):
            if config.gating:
                branch["gate"] = Gate(width)
        self.branches = nn.ModuleList(nn.Sequential(OrderedDict(branch)) for branch in branches)

    def forward(self, x: Maps) -> Float[Tensor, "batch channels frame row column"]:
        """Maps to maps of the same grid."""
        return torch.cat([branch(x) for branch in self.branches], dim=1)


class S3D(nn.Module):
    """The whole network, with the heads that its config asks for."""

    def __init__(self, config: S3DConfig) -> None:
        super().__init__()
        self.config = config
        narrow, width = 64 // config.divide, 192 // config.divide
        self.stem: nn.Module
        if config.stem == "space_to_depth":
            self.stem = SpaceToDepth(config, narrow)
        elif config.stem == "full":
            self.stem = Unit(config, 3, narrow, (3, 7, 7), (2, 2, 2), (1, 3, 3))
        else:
            self.stem = Separable(config, 3, narrow, 7, stride=2)
        self.conv_2b = _point(config, narrow, narrow)
        self.conv_2c = Separable(config, narrow, width, 3)
        self.gate: nn.Module = Gate(width) if config.gating else nn.Identity()
        self.pools = nn.ModuleDict({name: Pool(*pool, config.same_pools) for name, pool in POOLS.items()})
        self.mixed = nn.ModuleDict()
        for name in MIXED:
            block = self.mixed[name] = Inception(config, width, name)
            width = block.out_width
        self.project = nn.Linear(width, config.embedding) if config.embedding else None
        self.text = BagOfWords(config.text, config.embedding) if config.text and config.embedding else None
        self.dropout = nn.Dropout(config.dropout)
        self.classify = nn.Conv3d(width, config.classes, 1) if config.classes else None

    def steps(self, video: Float[Tensor, "batch frame rgb height width"]) -> Iterator[tuple[str, Tensor]]:
        """All maps on the way [batch, channel, frame, row, column], by name: stem, 2a, 2b, 2c, gate, 3a, 3b … 5c."""
        self.config.grid(video.shape[1], *video.shape[3:])  # a size that cannot be is refused here
        mean, std = (video.new_tensor(numbers).view(3, 1, 1) for numbers in (self.config.mean, self.config.std))
        x = ((video - mean) / std).transpose(1, 2)  # [batch, rgb, frame, height, width]
        yield "stem", (x := self.stem(x))
        yield "2a", (x := self.pools["2a"](x))
        yield "2b", (x := self.conv_2b(x))
        yield "2c", (x := self.conv_2c(x))
        yield "gate", (x := self.gate(x))
        for name in sorted([*self.mixed, "3a", "4a", "5a"]):
            yield name, (x := (self.mixed if name in self.mixed else self.pools)[name](x))

    def forward(
        self, video: Float[Tensor, "batch frame rgb height width"]
    ) -> Float[Tensor, "batch slot row column channel"]:
        """Pixels in 0..1 to the last grid. Raises ``ConfigError`` for a size that the stem cannot take."""
        for _, x in self.steps(video):
            last = x
        return last.movedim(1, -1)

    def features(self, video: Float[Tensor, "batch frame rgb height width"]) -> Float[Tensor, "batch channel"]:
        """The mean over the last grid: what VideoBERT clusters into visual words."""
        return self(video).mean((1, 2, 3))

    def embed(self, video: Float[Tensor, "batch frame rgb height width"]) -> Float[Tensor, "batch embedding"]:
        """Into the space of texts, to be compared by a plain dot product. Raises ``ConfigError`` without that head."""
        if self.project is None:
            raise ConfigError("This S3D embeds nothing. Build it with an ``embedding``, as HOWTO100M has.")
        return self.project(self.features(video))

    def logits(self, video: Float[Tensor, "batch frame rgb height width"]) -> Float[Tensor, "batch class"]:
        """Scores of the classes, from two slots (13 frames) or more. Raises ``ConfigError`` without that head."""
        if self.classify is None:
            raise ConfigError("This S3D names no classes. Build it with ``classes``, as KINETICS has.")
        pooled = window_mean(self(video))  # the mean of the windows' scores is the score of their mean
        return self.classify(self.dropout(pooled)[:, :, None, None, None]).flatten(1)


def window_mean(grid: Float[Tensor, "batch slot row column channel"]) -> Float[Tensor, "batch channel"]:
    """The mean over all windows of two neighbouring slots, so that the first slot and the last count half.

    Raises ``ConfigError`` for a grid of one slot.
    """
    slots = grid.mean((2, 3))  # [batch, slot, channel]
    if slots.shape[1] < 2:
        raise ConfigError("Windows of two slots need two slots. Give the classifier 13 frames at least.")
    return (slots[:, 1:] + slots[:, :-1]).mean(1) / 2
