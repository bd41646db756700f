"""Masking by attention (MERLOT, Zellers et al., arXiv 2106.02636, §3.3): hide what the text itself attends to most.

Speech is full of words that any model guesses. So half of what is hidden begins at the tokens that receive most
attention in a pass over the language alone, and may go on by a token or two to either side (after SpanBERT).
"""

from __future__ import annotations

from itertools import chain

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from vtexplore.objectives.masked_words import IGNORE

TOP = 0.2
"""Share of the tokens that count as attended to most."""
FURTHER = (0.625, 0.25, 0.125)
"""How often a span goes on by 0, 1 and 2 tokens, at each end."""


def draw(
    received: Float[Tensor, "batch token"],
    may: Bool[Tensor, "batch token"],
    rate: float,
    generator: torch.Generator,
    attended: float = 0.5,
) -> Bool[Tensor, "batch token"]:
    """``rate`` of the tokens of each item that ``may`` be hidden.

    ``received``: attention. With probability ``attended`` a span begins at one of the 20 % that receive most, else at
    any token; a span holds no token that may not be hidden.
    """
    batch, length = may.shape
    draws = torch.rand(4, batch, length, generator=generator, device=generator.device).cpu()
    edges = torch.tensor(FURTHER).cumsum(0)[:-1]
    left, right = (torch.bucketize(d, edges, right=True).tolist() for d in draws[:2])
    order, coins = draws[2].argsort(dim=1).tolist(), (draws[3] < attended).tolist()
    rank = received.masked_fill(~may, -1.0).argsort(dim=1, descending=True).cpu().tolist()
    out = torch.zeros(batch, length, dtype=torch.bool)
    for item, allowed in enumerate(may.cpu().tolist()):
        there = sum(allowed)
        top = set(rank[item][: round(TOP * there)])
        mine = [i for i in order[item] if allowed[i]]
        best, any_ = iter([i for i in mine if i in top]), iter(mine)
        hidden: set[int] = set()
        for coin in coins[item]:
            if len(hidden) >= round(rate * there):
                break
            for start in chain(best, any_) if coin else any_:
                span = range(start - left[item][start], start + right[item][start] + 1)
                if start not in hidden:
                    hidden |= {i for i in span if 0 <= i < length and allowed[i]}
                    break
        out[item, sorted(hidden)] = True
    return out.to(may.device)


def corrupt(
    ids: Int[Tensor, "batch token"],
    chosen: Bool[Tensor, "batch token"],
    mask_id: int,
    first: int,
    vocabulary: int,
    generator: torch.Generator,
) -> tuple[Int[Tensor, "batch token"], Int[Tensor, "batch token"]]:
    """BERT's way, but that a random word is never one of the special ones, whose ids lie below ``first``."""
    coin = torch.rand(ids.shape, generator=generator, device=generator.device).to(ids.device)
    other = torch.randint(first, vocabulary, ids.shape, generator=generator, device=generator.device).to(ids.device)
    hidden = torch.where(coin < 0.8, mask_id, torch.where(coin < 0.9, other, ids))
    return torch.where(chosen, hidden, ids), ids.masked_fill(~chosen, IGNORE)
