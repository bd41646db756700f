"""The discrete VAE of DALL·E (Ramesh et al., arXiv 2102.12092), which gives VIOLET its visual words.

A convolutional encoder looks at a frame at an eighth of its resolution and names one of ``codes``
entries for each place; the decoder paints the frame from those names alone.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

GROUPS = 4
STRIDE_PX = 8
"""Pixels of a frame for each code: three max-pools between four groups."""
_EPS = 0.1


@dataclass(frozen=True)
class DVAEConfig:
    """Sizes; the defaults are the published ones.

    ``width`` channels of the first encoder group (the others have 2, 4, 8 times as many), ``blocks`` a
    group, ``codes`` entries of the vocabulary, ``decoder_width`` channels that a code becomes.
    """

    width: int = 256
    blocks: int = 2
    codes: int = 8192
    decoder_width: int = 128


def map_pixels(x: Tensor) -> Tensor:
    """0..1 to 0.1..0.9, so that the logit of a pixel is finite (App. A.3)."""
    return (1 - 2 * _EPS) * x + _EPS


def unmap_pixels(x: Tensor) -> Tensor:
    """The inverse of ``map_pixels``, clamped to 0..1."""
    return ((x - _EPS) / (1 - 2 * _EPS)).clamp(0, 1)


class Bottleneck(nn.Module):
    """Four convolutions at a quarter of the width beside a skip path; ``kernels`` tells their sizes."""

    def __init__(self, wide_in: int, wide_out: int, gain: float, kernels: tuple[int, ...]) -> None:
        super().__init__()
        narrow, self.gain = wide_out // 4, gain
        widths = [wide_in, narrow, narrow, narrow, wide_out]
        same = wide_in == wide_out
        self.skip: nn.Module = nn.Identity() if same else nn.Conv2d(wide_in, wide_out, 1)
        self.path = nn.Sequential()
        for i, kernel in enumerate(kernels):
            self.path.add_module(f"relu_{i + 1}", nn.ReLU())
            convolution = nn.Conv2d(widths[i], widths[i + 1], kernel, padding=kernel // 2)
            self.path.add_module(f"conv_{i + 1}", convolution)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, channel, row, column] to the same grid."""
        return self.skip(x) + self.gain * self.path(x)


def _group(
    wide_in: int, wide_out: int, blocks: int, kernels: tuple[int, ...], resize: nn.Module | None
) -> nn.Sequential:
    # the branch is scaled by 1 / layers² with layers counted over the whole network
    gain = 1 / (GROUPS * blocks) ** 2
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    for i in range(blocks):
        parts[f"block_{i + 1}"] = Bottleneck(wide_out if i else wide_in, wide_out, gain, kernels)
    if resize is not None:
        parts["resize"] = resize
    return nn.Sequential(parts)


class Encoder(nn.Module):
    """Frames to logits over the codes."""

    def __init__(self, config: DVAEConfig) -> None:
        super().__init__()
        widths = [config.width * 2 ** max(g - 1, 0) for g in range(GROUPS + 1)]
        self.input = nn.Conv2d(3, config.width, 7, padding=3)
        for g in range(GROUPS):
            pool = nn.MaxPool2d(2) if g < GROUPS - 1 else None
            group = _group(widths[g], widths[g + 1], config.blocks, (3, 3, 3, 1), pool)
            self.add_module(f"group_{g + 1}", group)
        self.output = nn.Conv2d(widths[-1], config.codes, 1)

    def forward(self, pixels: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch code row column"]:
        """Mapped pixels to logits."""
        x = self.input(pixels)
        for g in range(GROUPS):
            x = self.get_submodule(f"group_{g + 1}")(x)
        return self.output(F.relu(x))


class Decoder(nn.Module):
    """Codes, or mixtures of codes, to the two parameters of a distribution for each pixel."""

    def __init__(self, config: DVAEConfig) -> None:
        super().__init__()
        widths = [config.decoder_width] + [config.width * 2**g for g in reversed(range(GROUPS))]
        self.input = nn.Conv2d(config.codes, config.decoder_width, 1)
        for g in range(GROUPS):
            grow = nn.Upsample(scale_factor=2, mode="nearest") if g < GROUPS - 1 else None
            group = _group(widths[g], widths[g + 1], config.blocks, (1, 3, 3, 3), grow)
            self.add_module(f"group_{g + 1}", group)
        self.output = nn.Conv2d(widths[-1], 6, 1)

    def forward(self, codes: Float[Tensor, "batch code row column"]) -> Float[Tensor, "batch 6 8*row 8*column"]:
        """Weights over the codes to location and log-scale of each channel of each pixel."""
        x = self.input(codes)
        for g in range(GROUPS):
            x = self.get_submodule(f"group_{g + 1}")(x)
        return self.output(F.relu(x))


class DiscreteVAE(nn.Module):
    """Encoder and decoder; ``codes`` and ``decode`` are the two ways through."""

    def __init__(self, config: DVAEConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module.bias is not None:
                nn.init.normal_(module.weight, std=module.weight[0].numel() ** -0.5)
                nn.init.zeros_(module.bias)

    def forward(self, frames: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch code row column"]:
        """Frames in 0..1, sides divisible by 8, to logits over the codes."""
        return self.encoder(map_pixels(frames))

    @torch.no_grad()
    def codes(
        self, frames: Float[Tensor, "*frame 3 height width"], grid: tuple[int, int] | None = None
    ) -> Int[Tensor, "*frame row column"]:
        """The visual words of frames in 0..1.

        ``grid``: how many rows and columns are wanted; the frames are resized to 8 times as many pixels.
        """
        flat = frames.reshape(-1, *frames.shape[-3:])
        if grid is not None:
            size = [STRIDE_PX * side for side in grid]
            flat = F.interpolate(flat, size, mode="bilinear", antialias=True, align_corners=False)
        ids = self(flat).argmax(1)
        return ids.reshape(*frames.shape[:-3], *ids.shape[1:])

    def decode(self, codes: Int[Tensor, "*frame row column"]) -> Float[Tensor, "*frame 3 8*row 8*column"]:
        """Frames in 0..1 from visual words."""
        lead = codes.shape[:-2]
        flat = F.one_hot(codes.reshape(-1, *codes.shape[-2:]), self.config.codes)
        frames = self.paint(self.decoder(flat.permute(0, 3, 1, 2).to(self.decoder.input.weight)))
        return frames.reshape(*lead, *frames.shape[1:])

    @staticmethod
    def paint(raw: Float[Tensor, "batch 6 height width"]) -> Float[Tensor, "batch 3 height width"]:
        """The most likely pixels in 0..1 from the decoder's output."""
        return unmap_pixels(raw[:, :3].sigmoid())


# ── published files ───────────────────────────────────────────────────────────────────────────────

NAMES = (
    (r"((?:en|de)coder)\.blocks\.input\.w", r"\1.input.weight"),
    (r"((?:en|de)coder)\.blocks\.input\.b", r"\1.input.bias"),
    (r"((?:en|de)coder)\.blocks\.output\.conv\.w", r"\1.output.weight"),
    (r"((?:en|de)coder)\.blocks\.output\.conv\.b", r"\1.output.bias"),
    (r"(.*coder)\.blocks\.(group_\d\.block_\d+)\.id_path\.w", r"\1.\2.skip.weight"),
    (r"(.*coder)\.blocks\.(group_\d\.block_\d+)\.id_path\.b", r"\1.\2.skip.bias"),
    (r"(.*coder)\.blocks\.(group_\d\.block_\d+)\.res_path\.(conv_\d)\.w", r"\1.\2.path.\3.weight"),
    (r"(.*coder)\.blocks\.(group_\d\.block_\d+)\.res_path\.(conv_\d)\.b", r"\1.\2.path.\3.bias"),
)
"""Published names to ours, patterns that match a whole name."""
