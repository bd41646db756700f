"""Masked frames with noise contrast (HERO, Li et al., arXiv 2005.00200, §3.2): what did the hidden frame look like?

The answer is one of the hidden frames' features. What the model would say of all other frames are further wrong
answers: predictions, not features, and of padding as well, as published.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor


def draw(may: Bool[Tensor, "batch frame"], rate: float, generator: torch.Generator) -> Bool[Tensor, "batch frame"]:
    """Frames to hide: each that ``may`` be with probability ``rate``, and at least one of each video that has any."""
    noise = torch.rand(may.shape, generator=generator, device=generator.device).to(may.device)
    noise = noise.masked_fill(~may, 2.0)
    first = torch.zeros_like(may).scatter(1, noise.argmin(dim=1, keepdim=True), True)
    return may & ((noise < rate) | first)


def nce(
    said: Float[Tensor, "hidden feature"],
    true: Float[Tensor, "hidden feature"],
    others: Float[Tensor, "other feature"],
    temperature: float = 1.0,
) -> Float[Tensor, "hidden"]:
    """−log of the share of a hidden frame's own features among all answers, one number a frame.

    ``others``: what the model says of frames that are not hidden.
    """
    scores = said @ torch.cat([true, others]).T / temperature
    return F.cross_entropy(scores, torch.arange(len(said), device=said.device), reduction="none")


def loss(
    said: Float[Tensor, "batch frame feature"],
    true: Float[Tensor, "batch frame feature"],
    hidden: Bool[Tensor, "batch frame"],
) -> Float[Tensor, ""]:
    """The mean over hidden frames; 0 if there are none."""
    if not hidden.any():
        return said.sum() * 0
    return nce(said[hidden], true[hidden], said[~hidden]).mean()
