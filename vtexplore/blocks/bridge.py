"""BridgeFormer's bridge (Ge et al., arXiv 2201.04850, §3.3): a question asks the layers of a video encoder.

    video entering block i ──▶ keys, values ─┐
    question after layer j ──▶ queries ──────┴─▶ heard + what was heard before ─▶ divided attention ─▶ MLP

The question's [CLS] looks at all patches; each other token is repeated for every frame and looks at that frame
alone. The video hears nothing of it: a bridge may be taken away, and the video's features stay what they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from vtexplore.blocks.tap import Tap
from vtexplore.blocks.transformer import weight_std
from vtexplore.blocks.vit import DividedAttention, divided, heads_of, mlp
from vtexplore.types import Stream, Tokens


class CrossAttention(nn.Module):
    """The question hears the patches, its [CLS] those of all frames."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.tap, self.cls = Tap(), Tap()
        self.query, self.kv, self.proj = nn.Linear(width, width), nn.Linear(width, 2 * width), nn.Linear(width, width)

    def forward(self, asking: Stream, video: Stream, frames: int) -> Float[Tensor, "batch query channel"]:
        """What each token of a question ``in_frames`` hears of the patches (without a [CLS])."""
        q = heads_of(self.query(asking.hidden), self.heads)
        k, v = (heads_of(x, self.heads) for x in self.kv(video.hidden).chunk(2, dim=-1))
        return self.proj(divided(self.cls, self.tap, q, k, v, asking, video, frames))


class BridgeLayer(nn.Module):
    """Cross-attention, added to what the bridge knows, then divided attention within the question, and an MLP."""

    def __init__(self, width: int, heads: int, inner: int, eps: float) -> None:
        super().__init__()
        self.norm_video, self.norm_question = nn.LayerNorm(width, eps), nn.LayerNorm(width, eps)
        self.cross = CrossAttention(width, heads)
        self.norm1, self.norm2 = nn.LayerNorm(width, eps), nn.LayerNorm(width, eps)
        self.attention = DividedAttention(width, heads)
        self.mlp = mlp(width, inner)

    def forward(self, question: Stream, video: Stream, frames: int, before: Stream | None) -> Stream:
        """``question`` is repeated for each frame, ``video`` patches; ``before``: what the layer below said."""
        asking = question.with_hidden(self.norm_question(question.hidden))
        x = self.cross(asking, video.with_hidden(self.norm_video(video.hidden)), frames)
        x = x if before is None else x + before.hidden  # the question itself is never added
        x = x + self.attention(question.with_hidden(self.norm1(x)), frames)
        x = x + self.mlp(self.norm2(x))
        return self.attention.tap.see(question.with_hidden(x))


class Bridge(nn.Module):
    """A layer for each block of the video encoder, and a norm for what is read off the question's [CLS]."""

    def __init__(self, depth: int, width: int, heads: int, inner: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.layers = nn.ModuleList(BridgeLayer(width, heads, inner, eps) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=weight_std(width))
                nn.init.zeros_(module.bias)

    def states(self, video: Sequence[Stream], question: Sequence[Stream], frames: int) -> list[Stream]:
        """What each layer says: Streams [batch, 1 + frame · (word − 1), channel].

        ``video``: what enters each block, [CLS] first; ``question``: what enters each layer of the text encoder.
        Layer i asks with the question as it is i / depth of the way through: with half as many text layers as
        layers here, as published, each of them asks twice.
        """
        out: list[Stream] = []
        for i, layer in enumerate(self.layers):
            patches = video[i][1:]
            asked = in_frames(question[i * len(question) // len(self.layers)], patches, frames)
            out.append(layer(asked, patches, frames, out[-1] if out else None))
        return out

    def forward(
        self, video: Sequence[Stream], question: Sequence[Stream], frames: int
    ) -> Float[Tensor, "batch channel"]:
        """The answer, as read off the question's [CLS] after the last layer."""
        return self.norm(self.states(video, question, frames)[-1].hidden[:, 0])


def in_frames(question: Stream, patches: Stream, frames: int) -> Stream:
    """A question's [CLS], and then its other tokens once for each frame, whose time they have."""

    def spread(x: Tensor) -> Tensor:
        return torch.cat([x[:, :1], x[:, 1:].repeat(1, frames, *[1] * (x.dim() - 2))], dim=1)

    def tokens() -> list[Tokens]:
        each = len(patches) // frames
        return [_in_frames(q, p.span_s[::each]) for q, p in zip(question.tokens(), patches.tokens(), strict=True)]

    return Stream(spread(question.hidden), spread(question.mask), cache(tokens))


def _in_frames(question: Tokens, spans_s: np.ndarray) -> Tokens:
    cls, rest = question[:1], question[1:]
    for span in spans_s:
        cls = cls + Tokens(rest.labels, rest.modality, rest.box, span[None].repeat(len(rest), axis=0), rest.word)
    return cls


# ── published files ───────────────────────────────────────────────────────────────────────────────

NAMES = (
    (r"crossattn\.q_question\.(\w+)", r"cross.query.\1"),
    (r"crossattn\.kv_video\.(\w+)", r"cross.kv.\1"),
    (r"crossattn\.proj\.(\w+)", r"cross.proj.\1"),
    (r"bridgeattn\.(qkv|proj)\.(\w+)", r"attention.\1.\2"),
    (r"bridge_mlp\.fc1\.(\w+)", r"mlp.0.\1"),
    (r"bridge_mlp\.fc2\.(\w+)", r"mlp.2.\1"),
    (r"norm4\.(\w+)", r"norm_video.\1"),
    (r"norm5\.(\w+)", r"norm_question.\1"),
    (r"norm7\.(\w+)", r"norm1.\1"),
    (r"norm6\.(\w+)", r"norm2.\1"),
)
"""Published names of what a video block holds of the bridge to those of a layer here."""
