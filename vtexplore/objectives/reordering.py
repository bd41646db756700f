"""Temporal reordering (MERLOT, Zellers et al., arXiv 2106.02636, §3.3): which of two comes first, if nobody says?

Some frames are given places that tell nothing. Of every pair, of a line and a frame or of two frames, the model says
how they are related: of different videos, of one segment, the first earlier, the first later.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

RELATIONS = ("another video", "the same segment", "before", "after")
KNOWN_WEIGHT = 0.01
"""Weight of a pair whose places are told."""


def slots(
    batch: int, frames: int, rate: float, first_unknown: int, generator: torch.Generator
) -> Int[Tensor, "{batch} {frames}"]:
    """The place that each frame is told: its own, or with probability ``rate`` an item has two or more without one.

    These are told one of ``frames`` places from ``first_unknown`` on, at random, no two the same.
    """
    draw = torch.rand(3, batch, frames, generator=generator, device=generator.device)
    least = min(2, frames)
    count = least + (draw[0, :, :1] * (frames - least + 1)).long().clamp(max=frames - least)  # [batch, 1]
    count = count * (torch.rand(batch, 1, generator=generator, device=draw.device) < rate)
    unknown = draw[1].argsort(dim=1).argsort(dim=1) < count
    place = torch.arange(frames, device=draw.device).expand(batch, -1)
    return torch.where(unknown, first_unknown + draw[2].argsort(dim=1), place)


def pack(
    batch: int, chunks: int, rate: float, generator: torch.Generator
) -> Int[Tensor, "{batch} {chunks}"]:
    """Whose each chunk is: the item's own, or with probability ``rate`` the next item's from some chunk on.

    A single chunk is then the next item's; of several, at least one stays.
    """
    draw = torch.rand(2, batch, 1, generator=generator, device=generator.device)
    stay = min(1, chunks - 1)
    first = stay + (draw[0] * (chunks - stay)).long().clamp(max=chunks - stay - 1)
    other = (torch.arange(chunks, device=draw.device) >= first) & (draw[1] < rate)
    mine = torch.arange(batch, device=draw.device)[:, None]
    return torch.where(other, (mine + 1) % batch, mine)


def relations(
    whose: Int[Tensor, "batch a"], others: Int[Tensor, "batch b"], times: Int[Tensor, "a b"]
) -> Int[Tensor, "batch a b"]:
    """What is true of each pair, as an index of ``RELATIONS``; ``times``: the sign of how much later the second is."""
    inside = torch.where(times == 0, 1, torch.where(times > 0, 2, 3))
    return torch.where(whose[:, :, None] == others[:, None], inside, 0)


def loss(
    logits: Float[Tensor, "batch a b 4"],
    target: Int[Tensor, "batch a b"],
    keep: Bool[Tensor, "batch a b"],
    known: Bool[Tensor, "batch a b"],
) -> Float[Tensor, ""]:
    """Cross-entropy over the pairs to ``keep``, those whose places are ``known`` weighted by 0.01; 0 if there are none.

    A mean over pairs, not over weights.
    """
    if not keep.any():
        return logits.sum() * 0
    each = F.cross_entropy(logits[keep], target[keep], reduction="none")
    return (each * torch.where(known[keep], KNOWN_WEIGHT, 1.0)).mean()


def in_one_video(logits: Float[Tensor, "*pair 4"]) -> Float[Tensor, "*pair"]:
    """log-odds that a pair is of one video, whatever its order."""
    return logits[..., 1:].logsumexp(-1) - logits[..., 0]


def before(logits: Float[Tensor, "*pair 4"]) -> Float[Tensor, "*pair"]:
    """log p of "before", if it is one of "before" and "after"."""
    return logits[..., 2:].log_softmax(-1)[..., 0]
