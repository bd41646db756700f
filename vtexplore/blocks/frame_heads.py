"""What HERO reads off its transformers (Li et al., arXiv 2005.00200): order, features, moments, a query's vector."""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from vtexplore.blocks.frame_features import EPS, Places, Project
from vtexplore.blocks.transformer import SelfAttention, initialise
from vtexplore.types import Stream


class QueryPooling(nn.Module):
    """A sentence as one vector: projected, one more look around, then a weighted mean of its words."""

    def __init__(self, places: int, width: int, heads: int, dropout: float = 0.1, eps: float = 1e-12) -> None:
        super().__init__()
        self.project = Project(width, width, dropout)
        self.places = Places(places, width, dropout)
        self.attention = SelfAttention(width, heads, dropout)
        self.norm = nn.LayerNorm(width, eps)
        self.dropout = nn.Dropout(dropout)
        self.weigh = nn.Linear(width, 1, bias=False)
        self.attention.apply(partial(initialise, width=width))
        initialise(self.weigh, width)

    def forward(self, text: Stream) -> Float[Tensor, "batch channel"]:
        """States of words to a vector; padding has no weight."""
        stream = text.with_hidden(self.places(self.project(text.hidden)))
        x = self.norm(stream.hidden + self.dropout(self.attention(stream, stream)))
        self.attention.tap.see(stream.with_hidden(x))
        weight = self.weigh(x).squeeze(-1).masked_fill(~text.mask, -1e4).softmax(1)  # [batch, word]
        return torch.einsum("bw,bwc->bc", weight, x)


class OrderHead(nn.Module):
    """Where does a frame belong? A score for each position that a video may have."""

    def __init__(self, width: int, positions: int) -> None:
        super().__init__()
        self.inner = nn.Linear(width, 2 * width)
        self.norm = nn.LayerNorm(2 * width, EPS)
        self.out = nn.Linear(2 * width, positions)
        self.apply(partial(initialise, width=width))

    def forward(self, hidden: Float[Tensor, "*frame channel"]) -> Float[Tensor, "*frame position"]:
        """States of frames to scores of positions."""
        return self.out(self.norm(F.gelu(self.inner(hidden))))


class FeatureHead(nn.Sequential):
    """What would the features of this frame be?"""

    def __init__(self, width: int, features: int) -> None:
        norm = nn.LayerNorm(width, EPS)
        super().__init__(nn.Linear(width, width), nn.GELU(), norm, nn.Linear(width, features))
        self.apply(partial(initialise, width=width))


class SpanHead(nn.Module):
    """Where does what a query tells begin, and where does it end? Scores of frames, smoothed over five."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(width, width)
        self.start, self.end = (nn.Conv1d(1, 1, 5, padding=2, bias=False) for _ in range(2))
        initialise(self.query, width)

    def forward(
        self,
        query: Float[Tensor, "query channel"],
        frames: Float[Tensor, "query frame channel"],
        mask: Bool[Tensor, "query frame"],
    ) -> Float[Tensor, "query frame 2"]:
        """Start and end of each query in a video of its own; −1e4 where there is no frame."""
        alike = torch.einsum("qc,qfc->qf", self.query(query), frames)[:, None]  # [query, 1, frame]
        scores = torch.cat([self.start(alike), self.end(alike)], dim=1).transpose(1, 2)
        return scores.masked_fill(~mask[..., None], -1e4)


class Unasked(nn.Module):
    """What HERO's files hold and no objective asks: two poolers, and rows of zeros that once made lengths even."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.poolers = nn.ModuleList(nn.Linear(width, width) for _ in range(2))
        for name in ("pad", "local_pad"):
            self.register_buffer(name, torch.zeros(8, width), persistent=False)
