"""Masked words (Devlin et al. 2018): hide some, and ask what stood there."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

IGNORE = -1
"""The target of positions that are not asked about."""


def choose(
    may: Bool[Tensor, "batch word"], rate: float | Float[Tensor, "batch word"], generator: torch.Generator
) -> Bool[Tensor, "batch word"]:
    """Each position that ``may`` be masked is, independently, with probability ``rate``: bool [batch, word].

    ``rate``: one for all, or [batch, word].
    """
    draw = torch.rand(may.shape, generator=generator, device=generator.device)
    return may & (draw < rate).to(may.device)


def corrupt(
    word_ids: Int[Tensor, "batch word"], chosen: Bool[Tensor, "batch word"], mask_id: int
) -> tuple[Int[Tensor, "batch word"], Int[Tensor, "batch word"]]:
    """Every ``chosen`` word becomes ``mask_id`` (no random or kept words): ids and targets [batch, word]."""
    return word_ids.masked_fill(chosen, mask_id), word_ids.masked_fill(~chosen, IGNORE)


def hide_bert(
    ids: Int[Tensor, "batch word"],
    may: Bool[Tensor, "batch word"],
    rate: float | Float[Tensor, "batch word"],
    mask_id: int,
    vocabulary: int,
    generator: torch.Generator,
) -> tuple[Int[Tensor, "batch word"], Int[Tensor, "batch word"]]:
    """BERT's way: of those chosen at ``rate``, 80 % become ``mask_id``, 10 % any of the vocabulary, 10 % stay.

    Returns ids and targets, −1 where nothing is asked.
    """
    chosen = choose(may, rate, generator)
    coin = torch.rand(ids.shape, generator=generator, device=generator.device).to(ids.device)
    other = torch.randint(vocabulary, ids.shape, generator=generator, device=generator.device).to(ids.device)
    hidden = torch.where(coin < 0.8, mask_id, torch.where(coin < 0.9, other, ids))
    return torch.where(chosen, hidden, ids), ids.masked_fill(~chosen, IGNORE)


def loss(logits: Float[Tensor, "*position answer"], target: Int[Tensor, "*position"]) -> Float[Tensor, ""]:
    """Mean cross-entropy over the positions asked about; 0, not NaN, if there are none.

    ``target`` is −1 where nothing is asked.
    """
    if not (target >= 0).any():
        return logits.sum() * 0
    return F.cross_entropy(logits.flatten(0, -2), target.flatten(), ignore_index=IGNORE)
