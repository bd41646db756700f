"""Video Swin Transformer (Liu et al., "Video Swin Transformer", arXiv 2106.13230).

Tubes of pixels become tokens; each block attends inside windows of frame × row × column, every second
block with the windows shifted by half; four neighbours merge into one token between stages. Two
papers' variants differ only in the stride of the patch embedding in time: 2 in the original, 1 in
VIOLET (arXiv 2111.12681), where slot t sees frames t and t + 1. Everything is kept channels-last:
[batch, frame, row, column, channel].

Kept on purpose from the published code, since published weights were trained with it: padding
positions are keys like any other; shifted regions are kept apart by −100, not −inf; and where a window
is smaller than the configured one, the bias of its pairs is read from the top left corner of the
index of the full window, which is exact if only time shrinks and scrambles pairs otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from math import ceil, isqrt

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from vtexplore.blocks.tap import Tap, attend
from vtexplore.blocks.windows import Grid, relative_index, windows
from vtexplore.types import Stream, Tokens, TokensOfBatch

Place = Callable[[Grid], TokensOfBatch]
"""Says what the tokens of a frame-major grid stand for."""


@dataclass(frozen=True)
class SwinConfig:
    """Sizes of a Video Swin; the defaults are Small with the original stride in time.

    ``patch`` frames × pixels × pixels of one token; ``time_stride`` 2 (original) or 1 (VIOLET);
    ``width`` channels of the first stage, doubled by every merging; ``depths`` and ``heads`` one a
    stage; ``window`` frames × rows × columns; ``drop_path`` rises linearly to this over the blocks.
    """

    patch: Grid = (2, 4, 4)
    time_stride: int = 2
    width: int = 96
    depths: tuple[int, ...] = (2, 2, 18, 2)
    heads: tuple[int, ...] = (3, 6, 12, 24)
    window: Grid = (8, 7, 7)
    mlp_ratio: float = 4.0
    drop_path: float = 0.1
    eps: float = 1e-5

    @property
    def out_width(self) -> int:
        """Channels after the last stage."""
        return self.width * 2 ** (len(self.depths) - 1)

    @property
    def patch_px(self) -> int:
        """Pixels on a side of what a token of the last stage stands for."""
        return self.patch[1] * 2 ** (len(self.depths) - 1)

    def grid(self, frames: int, height: int, width: int) -> Grid:
        """The grid that leaves the last stage, for a clip of this size."""
        rows, columns = ceil(height / self.patch[1]), ceil(width / self.patch[2])
        for _ in self.depths[1:]:
            rows, columns = ceil(rows / 2), ceil(columns / 2)
        return ceil(frames / self.time_stride), rows, columns


class DropPath(nn.Module):
    """Leave a branch out for whole items while training (stochastic depth, Huang et al. 2016)."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, branch: Float[Tensor, "batch *rest"]) -> Float[Tensor, "batch *rest"]:
        """The same, with items set to 0 at ``rate`` and the rest scaled up."""
        if not self.training or self.rate == 0:
            return branch
        keep = branch.new_empty(len(branch), *[1] * (branch.dim() - 1)).bernoulli_(1 - self.rate)
        return branch * keep / (1 - self.rate)


class WindowAttention(nn.Module):
    """Attention inside windows with a learned bias for each relative position (§3.1)."""

    def __init__(self, width: int, heads: int, window: Grid) -> None:
        super().__init__()
        self.heads, self.window = heads, window
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        t, h, w = (2 * side - 1 for side in window)
        self.bias_table = nn.Parameter(torch.zeros(t * h * w, heads))
        self.bias_index: Tensor
        self.register_buffer("bias_index", relative_index(window), persistent=False)
        self.tap = Tap()

    def forward(
        self, x: Float[Tensor, "batch frame row column channel"], shifted: bool, place: Place
    ) -> Float[Tensor, "batch frame row column channel"]:
        """Normalised tokens to what each of them hears."""
        batch, frames, rows, columns, width = x.shape
        grid = frames, rows, columns
        cut = windows(grid, self.window, shifted, str(x.device))
        (a, t), (b, h), (c, w) = zip(cut.counts, cut.size, strict=True)
        n, count, heads = t * h * w, a * b * c, self.heads
        x = cut.cut(x)
        qkv = self.qkv(x).view(batch, a, t, b, h, c, w, 3, heads, width // heads)
        qkv = qkv.permute(7, 0, 1, 3, 5, 8, 2, 4, 6, 9)
        q, k, v = qkv.reshape(3, batch, count * heads, n, -1)  # [batch, window·head, n, channel]
        bias = self.bias_table[self.bias_index[:n, :n].reshape(-1)].T.reshape(1, heads, n, n)
        bias = bias.expand(count, -1, -1, -1) if cut.mask is None else bias + cut.mask
        tokens = place(grid)
        x = attend(
            self.tap,
            q,
            k,
            v,
            queries=tokens,
            keys=tokens,
            bias=bias.reshape(1, count * heads, n, n),
            groups=cut.groups,
        )
        x = x.view(batch, a, b, c, heads, t, h, w, -1).permute(0, 1, 5, 2, 6, 3, 7, 4, 8)
        x = self.proj(x.reshape(batch, a * t, b * h, c * w, width))
        return cut.uncut(x, grid)  # [batch, frame, row, column, channel]


class SwinBlock(nn.Module):
    """Pre-norm: window attention, then an MLP, each beside a residual path (eq. 2)."""

    def __init__(self, config: SwinConfig, width: int, heads: int, shifted: bool, drop: float) -> None:
        super().__init__()
        self.shifted = shifted
        inner = int(width * config.mlp_ratio)
        self.norm1 = nn.LayerNorm(width, config.eps)
        self.attention = WindowAttention(width, heads, config.window)
        self.norm2 = nn.LayerNorm(width, config.eps)
        self.mlp = nn.Sequential(nn.Linear(width, inner), nn.GELU(), nn.Linear(inner, width))
        self.drop = DropPath(drop)

    def forward(
        self, x: Float[Tensor, "batch frame row column channel"], place: Place
    ) -> Float[Tensor, "batch frame row column channel"]:
        """Tokens to tokens."""
        x = x + self.drop(self.attention(self.norm1(x), self.shifted, place))
        x = x + self.drop(self.mlp(self.norm2(x)))
        flat = x.flatten(1, 3)  # [batch, token, channel], a view
        seen = torch.ones((), dtype=torch.bool, device=x.device).expand(flat.shape[:2])
        self.attention.tap.see(Stream(flat, seen, place((x.shape[1], x.shape[2], x.shape[3]))))
        return x


class PatchMerging(nn.Module):
    """Four neighbouring tokens of a frame become one of twice the width."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * width, eps)
        self.reduction = nn.Linear(4 * width, 2 * width, bias=False)

    def forward(
        self, x: Float[Tensor, "batch frame row column channel"]
    ) -> Float[Tensor, "batch frame half_rows half_columns 2*channel"]:
        """Half the rows and columns, rounded up, and twice the channels."""
        batch, frames, rows, columns, width = x.shape
        if rows % 2 or columns % 2:
            x = F.pad(x, (0, 0, 0, columns % 2, 0, rows % 2))
        x = x.view(batch, frames, (rows + 1) // 2, 2, (columns + 1) // 2, 2, width)
        # the row's parity varies fastest: published order of the four
        return self.reduction(self.norm(x.permute(0, 1, 2, 4, 5, 3, 6).flatten(4)))


class Stage(nn.Module):
    """Blocks on one grid, then merging (not after the last stage)."""

    def __init__(self, config: SwinConfig, index: int) -> None:
        super().__init__()
        width, last = config.width * 2**index, index == len(config.depths) - 1
        before, total = sum(config.depths[:index]), sum(config.depths)
        drops = [config.drop_path * i / max(total - 1, 1) for i in range(total)]
        self.blocks = nn.ModuleList(
            SwinBlock(config, width, config.heads[index], i % 2 == 1, drops[before + i])
            for i in range(config.depths[index])
        )
        self.merge: nn.Module = nn.Identity() if last else PatchMerging(width, config.eps)

    def forward(
        self, x: Float[Tensor, "batch frame row column channel"], place: Place
    ) -> Float[Tensor, "batch frame rows columns channels"]:
        """Tokens to those of the next stage's grid."""
        for block in self.blocks:
            x = block(x, place)
        return self.merge(x)


class PatchEmbedding(nn.Module):
    """Tubes of ``patch`` to tokens; zeros are appended so that every frame begins a tube."""

    def __init__(self, config: SwinConfig) -> None:
        super().__init__()
        self.patch, self.stride = config.patch, (config.time_stride, *config.patch[1:])
        self.proj = nn.Conv3d(3, config.width, config.patch, self.stride)
        self.norm = nn.LayerNorm(config.width, config.eps)

    def forward(
        self, video: Float[Tensor, "batch frame rgb height width"]
    ) -> Float[Tensor, "batch slot row column channel"]:
        """Normalised pixels to tokens."""
        sides = (video.shape[1], *video.shape[3:])
        short = [(ceil(n / s) - 1) * s + p - n for n, s, p in zip(sides, self.stride, self.patch, strict=True)]
        x = video.transpose(1, 2)  # [batch, rgb, frame, height, width]
        x = F.pad(x, (0, max(short[2], 0), 0, max(short[1], 0), 0, max(short[0], 0)))
        return self.norm(self.proj(x).permute(0, 2, 3, 4, 1))


class VideoSwin(nn.Module):
    """The whole backbone; any number of stages."""

    def __init__(self, config: SwinConfig) -> None:
        super().__init__()
        self.config = config
        self.patch = PatchEmbedding(config)
        self.stages = nn.ModuleList(Stage(config, i) for i in range(len(config.depths)))
        self.norm = nn.LayerNorm(config.out_width, config.eps)
        self.apply(_initialise)

    def forward(
        self, video: Float[Tensor, "batch frame rgb height width"], place: Place | None = None
    ) -> Float[Tensor, "batch slot row column channel"]:
        """Normalised pixels to tokens, one slot for every ``time_stride`` frames.
        ``place`` names the tokens of a grid for whoever listens to the taps.
        """
        place = place or partial(unnamed, len(video))
        x = self.patch(video)  # [batch, slot, row, column, channel]
        for stage in self.stages:
            x = stage(x, place)
        return self.norm(x)

    def steps(self, video: Tensor) -> Iterator[tuple[str, Tensor]]:
        """The same, with everything on the way by its published name: patch_embed, layer0.block0 …, layer0 …, final."""
        place = partial(unnamed, len(video))
        yield "patch_embed", (x := self.patch(video))
        for i, stage in enumerate(self.stages):
            assert isinstance(stage, Stage)
            for j, block in enumerate(stage.blocks):
                yield f"layer{i}.block{j}", (x := block(x, place))
            yield f"layer{i}", (x := stage.merge(x))
        yield "final", self.norm(x)


def normalise(video: Float[Tensor, "*frame rgb height width"]) -> Float[Tensor, "*frame rgb height width"]:
    """Pixels in 0..1 with ImageNet's mean and deviation taken out."""
    mean = video.new_tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    return (video - mean) / video.new_tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


def spread_over_time(swin: VideoSwin) -> None:
    """Give every offset in time the bias of offset 0, in place: a Swin that saw stills can see clips (§3.3)."""
    with torch.no_grad():
        for module in swin.modules():
            if isinstance(module, WindowAttention):
                times = 2 * module.window[0] - 1
                table = module.bias_table.view(times, -1, module.heads)
                table.copy_(table[times // 2].clone().expand_as(table))


def unnamed(batch: int, grid: Grid) -> TokensOfBatch:
    """Tokens of a grid of which nothing but frame, row and column is known."""
    names = [f"{t}:{r},{c}" for t, r, c in np.ndindex(grid)]
    return lambda: [Tokens.make(names, [["video"]] * len(names))] * batch


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, WindowAttention):
        nn.init.trunc_normal_(module.bias_table, std=0.02)


# ── published files ───────────────────────────────────────────────────────────────────────────────

NAMES = (
    (r"patch_embed\.(proj|norm)\.(weight|bias)", r"patch.\1.\2"),
    (r"layers\.(\d+)\.blocks\.(\d+)\.(norm[12])\.(\w+)", r"stages.\1.blocks.\2.\3.\4"),
    (
        r"layers\.(\d+)\.blocks\.(\d+)\.attn\.(qkv|proj)\.(\w+)",
        r"stages.\1.blocks.\2.attention.\3.\4",
    ),
    (
        r"layers\.(\d+)\.blocks\.(\d+)\.attn\.relative_position_bias_table",
        r"stages.\1.blocks.\2.attention.bias_table",
    ),
    (
        r"layers\.(\d+)\.blocks\.(\d+)\.attn\.relative_position_index",
        r"stages.\1.blocks.\2.attention.bias_index",
    ),
    (r"layers\.(\d+)\.blocks\.(\d+)\.mlp\.fc1\.(\w+)", r"stages.\1.blocks.\2.mlp.0.\3"),
    (r"layers\.(\d+)\.blocks\.(\d+)\.mlp\.fc2\.(\w+)", r"stages.\1.blocks.\2.mlp.2.\3"),
    (r"layers\.(\d+)\.downsample\.(norm|reduction)\.(\w+)", r"stages.\1.merge.\2.\3"),
    (r"norm\.(weight|bias)", r"norm.\1"),
)
"""Published names to ours, patterns that match a whole name."""


def inflate(flat: Mapping[str, Tensor], patch_frames: int, window: Grid) -> dict[str, Tensor]:
    """Tensors of a 2-D Swin (published names) as those of a Video Swin (§3.3).

    The patch kernel is repeated in time and divided; a bias table is resized bicubically to the window
    if it was trained with another one, and every offset in time gets the same copy.
    """
    out = {}
    t, h, w = (2 * side - 1 for side in window)
    for name, tensor in flat.items():
        if name.endswith(("relative_position_index", "attn_mask")):
            continue
        if name == "patch_embed.proj.weight":
            tensor = tensor.unsqueeze(2).repeat(1, 1, patch_frames, 1, 1) / patch_frames
        elif name.endswith("relative_position_bias_table"):
            rows, heads = tensor.shape
            if rows != h * w:
                square = tensor.T.reshape(1, heads, isqrt(rows), isqrt(rows))
                square = F.interpolate(square, (h, w), mode="bicubic", align_corners=False)
                tensor = square.reshape(heads, h * w).T
            tensor = tensor.repeat(t, 1)
        out[name] = tensor
    return out
