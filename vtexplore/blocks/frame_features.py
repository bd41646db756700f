"""How features of frames, made offline, enter a transformer (HERO, Li et al., arXiv 2005.00200, §3.1).

Norms have an epsilon of 1e-5, unlike those inside the transformers.
"""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from vtexplore.blocks.transformer import initialise
from vtexplore.errors import ConfigError

EPS = 1e-5


class Project(nn.Module):
    """Norm, dropout, a linear layer, ReLU: features to states."""

    def __init__(self, features: int, width: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(features, EPS)
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(features, width)
        initialise(self.linear, width)

    def forward(self, x: Float[Tensor, "*batch feature"]) -> Float[Tensor, "*batch channel"]:
        """Never negative."""
        return F.relu(self.linear(self.dropout(self.norm(x))))


class Places(nn.Module):
    """A place for each position of a sequence is added, then norm and dropout."""

    def __init__(self, places: int, width: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.place = nn.Embedding(places, width)
        self.norm = nn.LayerNorm(width, EPS)
        self.dropout = nn.Dropout(dropout)
        initialise(self.place, width)

    def forward(self, x: Float[Tensor, "batch token channel"]) -> Float[Tensor, "batch token channel"]:
        """Raises ``ConfigError`` for a sequence longer than the places."""
        if x.shape[1] > len(self.place.weight):
            raise ConfigError(
                f"{x.shape[1]} positions are too many for this model; it has {len(self.place.weight)} places."
            )
        return self.dropout(self.norm(x + self.place.weight[: x.shape[1]]))


class Hidden(nn.Module):
    """What stands in place of the features of a hidden frame: learned, the same for all."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.table = nn.Embedding(2, features, padding_idx=0)  # row 0, "not hidden", stays zero

    def forward(
        self, features: Float[Tensor, "*frame feature"], hidden: Bool[Tensor, "*frame"]
    ) -> Float[Tensor, "*frame feature"]:
        """The features with some frames hidden."""
        return features.masked_fill(hidden[..., None], 0) + self.table(hidden.long())


class FrameEmbeddings(nn.Module):
    """Features, normalised and projected, with places and one token type for all, then norm and dropout."""

    def __init__(self, features: int, places: int, width: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.hide = Hidden(features)
        self.norm = nn.LayerNorm(features, EPS)
        self.linear = nn.Linear(features, width)
        self.places = Places(places, width, dropout)
        initialise(self.linear, width)

    def forward(
        self,
        features: Float[Tensor, "batch frame feature"],
        kind: Float[Tensor, "channel"],
        hidden: Bool[Tensor, "batch frame"] | None = None,
    ) -> Float[Tensor, "batch frame channel"]:
        """States of frames, some of them ``hidden``; ``kind``: the token type."""
        x = features if hidden is None else self.hide(features, hidden)
        return self.places(self.linear(self.norm(x)) + kind)
