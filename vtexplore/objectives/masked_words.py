"""Masked words (Devlin et al. 2018): hide some, and ask what stood there."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

IGNORE = -1
"""The target of positions that are not asked about."""


def choose(may: Tensor, rate: float, generator: torch.Generator) -> Tensor:
    """Each position that ``may`` be masked is, independently, with probability ``rate``: bool [batch, word]."""
    draw = torch.rand(may.shape, generator=generator, device=generator.device)
    return may & (draw < rate).to(may.device)


def corrupt(word_ids: Tensor, chosen: Tensor, mask_id: int) -> tuple[Tensor, Tensor]:
    """Every ``chosen`` word becomes ``mask_id`` (no random or kept words): ids and targets [batch, word]."""
    return word_ids.masked_fill(chosen, mask_id), word_ids.masked_fill(~chosen, IGNORE)


def loss(logits: Tensor, target: Tensor) -> Tensor:
    """Mean cross-entropy over the positions asked about; 0, not NaN, if there are none.

    ``logits`` [..., class], ``target`` [...] with −1 where nothing is asked.
    """
    if not (target >= 0).any():
        return logits.sum() * 0
    return F.cross_entropy(logits.flatten(0, -2), target.flatten(), ignore_index=IGNORE)
