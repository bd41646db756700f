"""A vision transformer over the frames of a video (Dosovitskiy et al., arXiv 2010.11929), its attention divided.

One [CLS] stands before the patches of all frames. It looks at everything; a patch looks at the patches of its
own frame and at the [CLS] (the spatial half of Bertasius et al., arXiv 2102.05095, as BridgeFormer, arXiv
2201.04850, uses it). Places are those of a picture, the same in every frame, and there is no other word of
time: what leaves does not depend on the order of frames. Norms stand before each branch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vtexplore.blocks.tap import Tap, attend
from vtexplore.blocks.transformer import weight_std
from vtexplore.errors import ConfigError
from vtexplore.types import Batch, Stream, Tokens, TokensOfBatch


class QuickGELU(nn.Module):
    """x · sigmoid(1.702 x), OpenAI's stand-in for GELU."""

    def forward(self, x: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
        """The same shape."""
        return x * torch.sigmoid(1.702 * x)


@dataclass(frozen=True)
class ViTConfig:
    """Sizes of a ViT; the defaults are B/16's.

    ``patch_bias`` and ``norm_first`` (a norm before the first block) tell OpenAI's CLIP from the others, which
    also has another ``activation`` and ``eps``.
    """

    size_px: int = 224
    patch_px: int = 16
    width: int = 768
    depth: int = 12
    heads: int = 12
    inner: int = 3072
    eps: float = 1e-6
    patch_bias: bool = True
    norm_first: bool = False
    activation: Callable[[], nn.Module] = nn.GELU
    std: float = 0.02

    @property
    def out_width(self) -> int:
        """Channels that leave the last block."""
        return self.width

    @property
    def side(self) -> int:
        """Patches on a side of a frame."""
        return self.size_px // self.patch_px


# ── attention ─────────────────────────────────────────────────────────────────────────────────────


def heads_of(x: Float[Tensor, "batch token channel"], heads: int) -> Float[Tensor, "batch head token part"]:
    """Channels shared among heads."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


@lru_cache(maxsize=64)
def frame_groups(frames: int, each: int, shared: int, device: str = "cpu") -> Tensor:
    """Who stands in which frame: index [frame, shared + each] into ``shared`` + frame · ``each`` tokens."""
    own = shared + torch.arange(frames * each, device=device).view(frames, each)
    return torch.cat([torch.arange(shared, device=device).expand(frames, shared), own], dim=1)


def divided(
    cls: Tap,
    tap: Tap,
    q: Float[Tensor, "batch head query part"],
    k: Float[Tensor, "batch head key part"],
    v: Float[Tensor, "batch head key part"],
    asking: Stream,
    heard: Stream,
    frames: int,
) -> Float[Tensor, "batch query head*part"]:
    """Attention of [CLS] to all keys, and of each frame's tokens to those of their frame.

    Queries are a [CLS] and frame · m tokens, frame by frame; keys are frame · n tokens, behind a [CLS] or not.
    If there is one, all frames hear it, too.
    """
    batch, heads, keys, _ = k.shape
    m, (n, shared) = (q.shape[2] - 1) // frames, divmod(keys, frames)

    def by_frame(x: Tensor) -> Tensor:  # [batch, frame · head, shared + n, part]
        own = x[:, :, shared:].unflatten(2, (frames, n)).transpose(1, 2)
        common = x[:, None, :, :shared].expand(-1, frames, -1, -1, -1)
        return torch.cat([common, own], dim=3).flatten(1, 2)

    mask = by_frame(heard.mask[:, None, :, None].expand(-1, heads, -1, -1))[..., 0][:, :, None]
    first = attend(cls, q[:, :, :1], k, v, queries=asking[:1].tokens, keys=heard.tokens, mask=heard.mask)
    rest = attend(
        tap,
        q[:, :, 1:].unflatten(2, (frames, m)).transpose(1, 2).flatten(1, 2),  # [batch, frame · head, m, part]
        by_frame(k),
        by_frame(v),
        queries=asking[1:].tokens,
        keys=heard.tokens,
        mask=mask,
        groups=frame_groups(frames, m, 0, str(q.device)),
        key_groups=frame_groups(frames, n, shared, str(q.device)),
    )
    rest = rest.unflatten(1, (frames, heads)).transpose(1, 2).flatten(2, 3)  # [batch, head, frame · m, part]
    return torch.cat([first, rest], dim=2).transpose(1, 2).flatten(2)


class DividedAttention(nn.Module):
    """[CLS] looks at everything, any other token at its own frame and at the [CLS]."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            raise ConfigError(f"{heads} heads cannot share a width of {width} equally; choose a divisor of it.")
        self.heads = heads
        self.tap, self.cls = Tap(), Tap()
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, stream: Stream, frames: int) -> Float[Tensor, "batch token channel"]:
        """What each token hears of its frame: the sequence is a [CLS] and then ``frames`` equal parts."""
        q, k, v = (heads_of(x, self.heads) for x in self.qkv(stream.hidden).chunk(3, dim=-1))
        return self.proj(divided(self.cls, self.tap, q, k, v, stream, stream, frames))


class CausalAttention(nn.Module):
    """Every token looks at itself and at those before it; query, key and value come from one matrix."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.tap = heads, Tap()
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, stream: Stream, frames: int = 1) -> Float[Tensor, "batch token channel"]:
        """What each token hears of those before it; ``frames`` is not looked at."""
        q, k, v = (heads_of(x, self.heads) for x in self.qkv(stream.hidden).chunk(3, dim=-1))
        before = torch.ones(len(stream), len(stream), dtype=torch.bool, device=q.device).tril()
        heard = attend(self.tap, q, k, v, queries=stream.tokens, keys=stream.tokens, mask=before[None, None])
        return self.proj(heard.transpose(1, 2).flatten(2))


# ── blocks ────────────────────────────────────────────────────────────────────────────────────────


def mlp(width: int, inner: int, activation: Callable[[], nn.Module] = nn.GELU) -> nn.Sequential:
    """Two linear maps with an activation between them."""
    return nn.Sequential(nn.Linear(width, inner), activation(), nn.Linear(inner, width))


class Block(nn.Module):
    """Pre-norm: attention, then an MLP, each beside a residual path."""

    def __init__(
        self,
        width: int,
        heads: int,
        inner: int,
        eps: float = 1e-6,
        activation: Callable[[], nn.Module] = nn.GELU,
        attention: type[nn.Module] = DividedAttention,
    ) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, eps), nn.LayerNorm(width, eps)
        self.attention: Any = attention(width, heads)
        self.mlp = mlp(width, inner, activation)

    def forward(self, stream: Stream, frames: int = 1) -> Stream:
        """[batch, token, channel] to the same."""
        return self.after(stream, self.attention(stream.with_hidden(self.norm1(stream.hidden)), frames))

    def after(self, stream: Stream, heard: Float[Tensor, "batch token channel"]) -> Stream:
        """What becomes of tokens that heard this."""
        x = stream.hidden + heard
        x = x + self.mlp(self.norm2(x))
        return self.attention.tap.see(stream.with_hidden(x))


class ViT(nn.Module):
    """The tower: patches, places, blocks, and a norm for what is read off its [CLS]."""

    def __init__(self, config: ViTConfig, attention: type[nn.Module] = DividedAttention) -> None:
        super().__init__()
        c = self.config = config
        self.patch = nn.Conv2d(3, c.width, c.patch_px, c.patch_px, bias=c.patch_bias)
        self.cls = nn.Parameter(torch.randn(1, 1, c.width) * c.std)
        self.place = nn.Parameter(torch.randn(1, 1 + c.side**2, c.width) * c.std)
        self.norm_first: nn.Module = nn.LayerNorm(c.width, c.eps) if c.norm_first else nn.Identity()
        self.blocks = nn.ModuleList(
            Block(c.width, c.heads, c.inner, c.eps, c.activation, attention) for _ in range(c.depth)
        )
        self.norm = nn.LayerNorm(c.width, c.eps)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=weight_std(c.width))
                nn.init.zeros_(module.bias)

    def embed(self, pixels: Float[Tensor, "batch frame rgb height width"]) -> Float[Tensor, "batch token channel"]:
        """Normalised pixels to a [CLS] and patches, frame by frame, row by row, with their places.

        Raises ``ConfigError`` for frames of another size than the places were made for.
        """
        if set(pixels.shape[3:]) != {self.config.size_px}:
            height, width = pixels.shape[3:]
            raise ConfigError(f"This model has places for {self.config.size_px} px a side, not {height} × {width}.")
        x = self.patch(pixels.flatten(0, 1)).flatten(2).transpose(1, 2)  # [batch · frame, place, channel]
        place = self.place.view(-1, x.shape[2])
        x = (x + place[1:]).unflatten(0, pixels.shape[:2]).flatten(1, 2)
        first = (self.cls.view(-1) + place[0]).expand(len(x), 1, -1)
        return self.norm_first(torch.cat([first, x], dim=1))

    def states(
        self,
        pixels: Float[Tensor, "batch frame rgb height width"],
        tokens: TokensOfBatch | None = None,
        mask: Tensor | None = None,
    ) -> list[Stream]:
        """What enters each block, and what leaves the last: depth + 1 Streams [batch, 1 + frame · place, channel].

        ``tokens`` say what the positions stand for and ``mask`` [batch, token] which of them may be seen (all). In
        training, patches that are hidden are left out, as in FLIP (Li et al., arXiv 2212.00794): fewer places.
        """
        x, frames = self.embed(pixels), pixels.shape[1]
        seen = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device) if mask is None else mask
        out = [Stream(x, seen, tokens or unnamed(x.shape[0], x.shape[1]))]
        if self.training and mask is not None:
            out = [without_hidden(out[0], frames)]
        for block in self.blocks:
            out.append(block(out[-1], frames))
        return out

    def forward(self, pixels: Float[Tensor, "batch frame rgb height width"]) -> Float[Tensor, "batch token channel"]:
        """Normalised pixels to what leaves the last block, normed."""
        return self.norm(self.states(pixels)[-1].hidden)

    def read(
        self, pixels: Float[Tensor, "batch frame rgb height width"], early: Sequence[int] = ()
    ) -> tuple[Float[Tensor, "place_in_depth batch frame row column channel"], Float[Tensor, "batch channel"]]:
        """The same as a grid of patches, and the [CLS]; before it, grids as they were ``early`` blocks ago, normed."""
        grid, states = (pixels.shape[1], self.config.side, self.config.side), self.states(pixels)
        deep = [self.norm(states[-1 - ago].hidden) for ago in (*early, 0)]
        return torch.stack([x[:, 1:].unflatten(1, grid) for x in deep]), deep[-1][:, 0]


def without_hidden(stream: Stream, frames: int) -> Stream:
    """A [CLS] and patches without those that nobody may see: as many remain in each frame as the fullest one shows."""
    seen = stream.mask[:, 1:].unflatten(1, (frames, -1))  # [batch, frame, patch]
    most, patches = max(1, int(seen.sum(2).max())), seen.shape[2]
    if most == patches:
        return stream
    first = seen.byte().argsort(dim=2, descending=True, stable=True)[:, :, :most]
    at = 1 + first + patches * torch.arange(frames, device=first.device)[:, None]
    at = nn.functional.pad(at.flatten(1), (1, 0))
    hidden = stream.hidden.gather(1, at[..., None].expand(-1, -1, stream.hidden.shape[2]))
    return Stream(hidden, stream.mask.gather(1, at), unnamed(*at.shape))


# ── what the positions stand for ──────────────────────────────────────────────────────────────────


def sees(batch: Batch, grid: tuple[int, int, int]) -> Tensor:
    """Which of a [CLS] and the patches behind it may be seen: bool [batch, 1 + frame · row · column]."""
    return nn.functional.pad(batch.sees(grid), (1, 0), value=True)


def behind_cls(patches: TokensOfBatch) -> TokensOfBatch:
    """The Tokens of a [CLS] of the whole clip, and then those of the patches."""
    first = Tokens.make(["[CLS] of the clip"], [{"video", "special"}])
    return cache(lambda: [first + tokens for tokens in patches()])


def unnamed(batch: int, tokens: int) -> TokensOfBatch:
    """Tokens of which nothing is known but their number."""
    return lambda: [Tokens.make([str(i) for i in range(tokens)], [{"video"}] * tokens)] * batch


# ── published files ───────────────────────────────────────────────────────────────────────────────

BLOCK_NAMES = (
    (r"norm([12])\.(\w+)", r"norm\1.\2"),
    (r"attn\.(qkv|proj)\.(\w+)", r"attention.\1.\2"),
    (r"mlp\.fc1\.(\w+)", r"mlp.0.\1"),
    (r"mlp\.fc2\.(\w+)", r"mlp.2.\1"),
)
"""timm's names of what is in a block to ours."""
