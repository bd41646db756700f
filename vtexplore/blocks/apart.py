"""Pre-norm transformers that may keep the frames of a video apart, in one sequence.

MERLOT (Zellers et al., arXiv 2106.02636) looks at each frame by itself, and then at frames and words together, with
the same kind of layer: a norm before each branch, and one after the last layer.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from vtexplore.blocks.tap import Tap, attend
from vtexplore.blocks.transformer import initialise, weight_std
from vtexplore.blocks.vit import Block, ViT, ViTConfig, frame_groups, heads_of, unnamed
from vtexplore.errors import ConfigError
from vtexplore.types import Stream, TokensOfBatch

ELSE = 0.3
"""Share of itself that a key keeps where it begins as what is asked."""


class ApartAttention(nn.Module):
    """Tokens look at those of their own part of the sequence: one of equal ``parts``, or all of it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            raise ConfigError(f"{heads} heads cannot share a width of {width} equally; choose a divisor of it.")
        self.heads, self.tap = heads, Tap()
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, stream: Stream, parts: int = 1) -> Float[Tensor, "batch token channel"]:
        """What each token hears."""
        q, k, v = (heads_of(x, self.heads) for x in self.qkv(stream.hidden).chunk(3, dim=-1))
        if parts == 1:
            return self._heard(stream, stream, q, k, v)

        def by_part(x: Tensor) -> Tensor:  # [batch, part · head, token, channel]
            return x.unflatten(2, (parts, -1)).transpose(1, 2).flatten(1, 2)

        mask = by_part(stream.mask[:, None, :, None].expand(-1, self.heads, -1, -1))[..., 0][:, :, None]
        groups = frame_groups(parts, q.shape[2] // parts, 0, str(q.device))
        heard = attend(
            self.tap,
            by_part(q),
            by_part(k),
            by_part(v),
            queries=stream.tokens,
            keys=stream.tokens,
            mask=mask,
            groups=groups,
        )
        heard = heard.unflatten(1, (parts, self.heads)).transpose(2, 3)  # [batch, part, token, head, channel]
        return self.proj(heard.flatten(3).flatten(1, 2))

    def ask(self, asking: Stream, stream: Stream) -> Float[Tensor, "batch query channel"]:
        """What each token of ``asking``, some of ``stream``, hears of all of it."""
        width = stream.hidden.shape[-1]
        q = F.linear(asking.hidden, self.qkv.weight[:width], self.qkv.bias[:width])
        k, v = F.linear(stream.hidden, self.qkv.weight[width:], self.qkv.bias[width:]).chunk(2, dim=-1)
        return self._heard(asking, stream, *(heads_of(x, self.heads) for x in (q, k, v)))

    def _heard(self, asking: Stream, stream: Stream, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        heard = attend(self.tap, q, k, v, queries=asking.tokens, keys=stream.tokens, mask=stream.mask)
        return self.proj(heard.transpose(1, 2).flatten(2))


def look_at_like(module: nn.Module) -> None:
    """Keys of an attention begin as what is asked, so that each token first looks at its like: those of its frame, say.

    After Trockman and Kolter (arXiv 2305.09828), who saw it in transformers that had learned for long.
    """
    if isinstance(module, ApartAttention):
        query, key, _ = module.qkv.weight.data.chunk(3)
        key.mul_(ELSE).add_(query)


class PreNorm(nn.Module):
    """``depth`` layers and a last norm.

    ``alike``: each token first looks at its like, see ``look_at_like``.
    """

    def __init__(self, depth: int, width: int, heads: int, inner: int, eps: float = 1e-5, alike: bool = False) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Block(width, heads, inner, eps, attention=ApartAttention) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps)
        self.apply(partial(initialise, width=width))
        if alike:
            self.apply(look_at_like)

    def forward(self, stream: Stream, parts: int = 1, only: list[int] | None = None) -> Stream:
        """[batch, token, channel] to the same; ``parts``: equal parts of the sequence that do not see each other.

        ``only``: some positions after the last layer, which saves the others; they see the whole sequence.
        """
        whole = self.layers if only is None else self.layers[:-1]
        for layer in whole:
            stream = layer(stream, parts)
        if only is not None:
            last: Any = self.layers[-1]
            normed = stream.with_hidden(last.norm1(stream.hidden))
            stream = last.after(stream[only], last.attention.ask(normed[only], normed))
        return stream.with_hidden(self.norm(stream.hidden))


class StillViT(ViT):
    """A ViT that looks at each frame by itself, each with a [CLS] of its own: pixels to maps."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__(config, ApartAttention)

    def forward(
        self, pixels: Float[Tensor, "batch frame rgb height width"], tokens: TokensOfBatch | None = None
    ) -> Float[Tensor, "batch frame row column channel"]:
        """Normalised pixels to what leaves the last block, normed; ``tokens``: [CLS] and patches of each frame."""
        batch, frames = pixels.shape[:2]
        x = self.embed(pixels.flatten(0, 1)[:, None])  # [batch · frame, 1 + patch, channel]
        each, side = x.shape[1], self.config.side
        x = x.view(batch, frames * each, -1)
        mask = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
        stream = Stream(x, mask, tokens or unnamed(batch, frames * each))
        for block in self.blocks:
            stream = block(stream, frames)
        maps = self.norm(stream.hidden).unflatten(1, (frames, each))[:, :, 1:]
        return maps.unflatten(2, (side, side))


class FrameEncoder(nn.Module):
    """MERLOT's ViT over the maps of a stem: two [CLS] and the cells of each frame, which then become half as fine.

    The first [CLS] goes on with the cells, the second is compared with what is said.
    """

    def __init__(self, maps: int, width: int, depth: int, heads: int, inner: int, side: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.enter = nn.Linear(maps, width)
        self.places = CellPlaces(side, width, 2)
        self.norm = nn.LayerNorm(width, eps)
        self.layers = PreNorm(depth, width, heads, inner, eps)
        initialise(self.enter, width)

    def forward(
        self, maps: Float[Tensor, "batch frame row column map_"], tokens: TokensOfBatch
    ) -> tuple[Float[Tensor, "batch frame place channel"], Float[Tensor, "batch frame channel"]]:
        """[CLS] and pooled cells, and what is compared; ``tokens``: two [CLS] and the cells of each frame."""
        batch, frames, rows, columns, _ = maps.shape
        x = self.enter(maps).flatten(2, 3)
        x = torch.cat([x.new_zeros(batch, frames, 2, x.shape[3]), x], dim=2) + self.places(rows, columns)
        x = self.norm(x).flatten(1, 2)
        mask = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
        first, second, cells = (
            self.layers(Stream(x, mask, tokens), frames)
            .hidden.unflatten(1, (frames, -1))
            .split([1, 1, rows * columns], dim=2)
        )
        pooled = cells.unflatten(2, (rows // 2, 2, columns // 2, 2)).mean((3, 5)).flatten(2, 3)
        return torch.cat([first, pooled], dim=2), second[:, :, 0]


class CellPlaces(nn.Module):
    """A place for each cell of a frame from a square table, and one for each [CLS] before them, drawn with ``std``."""

    def __init__(self, side: int, width: int, cls: int, std: float | None = None) -> None:
        super().__init__()
        std = weight_std(width) if std is None else std
        self.cls = nn.Parameter(torch.randn(cls, width) * std)
        self.cell = nn.Parameter(torch.randn(side, side, width) * std)

    def forward(self, rows: int, columns: int) -> Float[Tensor, "place channel"]:
        """[cls + row · column, channel] for a grid of this size. Raises ``ConfigError`` for one beyond the table."""
        if max(rows, columns) > len(self.cell):
            raise ConfigError(f"{rows} × {columns} cells are too many for a table of {len(self.cell)} on a side.")
        return torch.cat([self.cls, self.cell[:rows, :columns].flatten(0, 1)])
