"""A head for pairs (MERLOT, Zellers et al., arXiv 2106.02636, §3.3): two states side by side, and four relations."""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from vtexplore.blocks.transformer import initialise


class RelationHead(nn.Module):
    """How is each of some states related to each of others?"""

    def __init__(self, width: int, relations: int = 4, eps: float = 1e-5) -> None:
        super().__init__()
        self.inner = nn.Linear(2 * width, width)
        self.norm = nn.LayerNorm(width, eps)
        self.out = nn.Linear(width, relations)
        self.apply(partial(initialise, width=width))

    def forward(
        self, a: Float[Tensor, "batch a channel"], b: Float[Tensor, "batch b channel"]
    ) -> Float[Tensor, "batch a b relation"]:
        """Scores of the relations of every pair."""
        pairs = torch.cat(
            [a[:, :, None].expand(-1, -1, b.shape[1], -1), b[:, None].expand(-1, a.shape[1], -1, -1)], dim=-1
        )
        return self.out(self.norm(F.gelu(self.inner(pairs))))


class Contrast(nn.Sequential):
    """Dense, GELU, norm, dense: a state as it is compared with those of another kind."""

    def __init__(self, width: int, eps: float = 1e-5) -> None:
        super().__init__(nn.Linear(width, width), nn.GELU(), nn.LayerNorm(width, eps), nn.Linear(width, width))
        self.apply(partial(initialise, width=width))
