"""Temporal reordering (MERLOT, Zellers et al., arXiv 2106.02636, §3.3): which of two comes first, if nobody says?

Some frames are given places that tell nothing. Of every pair, of a line and a frame or of two frames, the model says
how they are related: of different videos, of one segment, the first earlier, the first later.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from vtexplore.types import Stream

RELATIONS = ("another video", "the same segment", "before", "after")
KNOWN_WEIGHT = 0.01
"""Weight of a pair whose places are told."""


def slots(
    there: Bool[Tensor, "batch frame"], rate: float, first_unknown: int, generator: torch.Generator
) -> Int[Tensor, "batch frame"]:
    """The place that each frame is told: its own, or with probability ``rate`` an item has two or more without one.

    These are told one of as many places from ``first_unknown`` on, at random, no two the same. Of ``there`` only the
    shape is looked at.
    """
    batch, frames = there.shape
    draw = torch.rand(3, batch, frames, generator=generator, device=generator.device)
    least = min(2, frames)
    count = least + (draw[0, :, :1] * (frames - least + 1)).long().clamp(max=frames - least)  # [batch, 1]
    count = count * (torch.rand(batch, 1, generator=generator, device=draw.device) < rate)
    unknown = draw[1].argsort(dim=1).argsort(dim=1) < count
    place = torch.arange(frames, device=draw.device).expand(batch, -1)
    return torch.where(unknown, first_unknown + draw[2].argsort(dim=1), place)


def pack(batch: int, chunks: int, rate: float, generator: torch.Generator) -> Int[Tensor, "{batch} {chunks}"]:
    """Whose each chunk is: the item's own, or with probability ``rate`` the next item's from some chunk on.

    A single chunk is then the next item's; of several, at least one stays.
    """
    draw = torch.rand(2, batch, 1, generator=generator, device=generator.device)
    stay = min(1, chunks - 1)
    first = stay + (draw[0] * (chunks - stay)).long().clamp(max=chunks - stay - 1)
    other = (torch.arange(chunks, device=draw.device) >= first) & (draw[1] < rate)
    mine = torch.arange(batch, device=draw.device)[:, None]
    return torch.where(other, (mine + 1) % batch, mine)


def taken(
    x: Shaped[Tensor, "batch token *channel"], whose: Int[Tensor, "batch chunk"]
) -> Shaped[Tensor, "batch token *channel"]:
    """A sequence of equal chunks, each from the item that ``whose`` names."""
    chunks = torch.arange(whose.shape[1], device=x.device)
    return x.unflatten(1, (whose.shape[1], -1))[whose, chunks].flatten(1, 2)


def taken_stream(stream: Stream, whose: Int[Tensor, "batch chunk"]) -> Stream:
    """The same of a stream, whose tokens are called what they were."""
    return Stream(taken(stream.hidden, whose), taken(stream.mask, whose), stream.tokens)


class Side(NamedTuple):
    """One side of all pairs, frames or lines: ``whose`` each is, if it is ``there``, and if its place is ``known``.

    All [batch, chunk]; a line's place is known if its frame's is.
    """

    whose: Tensor
    there: Tensor
    known: Tensor


def whole(whose: Int[Tensor, "batch 1"]) -> Side:
    """A single line over all frames, of which nobody asks when it is said."""
    return Side(whose, torch.ones_like(whose, dtype=torch.bool), torch.zeros_like(whose, dtype=torch.bool))


def relations(first: Side, second: Side) -> Int[Tensor, "batch a b"]:
    """What is true of each pair, as an index of ``RELATIONS``; one line over many frames is of their segment."""
    a, b = (torch.arange(side.whose.shape[1], device=side.whose.device) for side in (first, second))
    later = b - a[:, None] if len(a) == len(b) else torch.zeros_like(b - a[:, None])
    inside = torch.where(later == 0, 1, torch.where(later > 0, 2, 3))
    return torch.where(first.whose[:, :, None] == second.whose[:, None], inside, 0)


def loss(logits: Float[Tensor, "batch a b 4"], first: Side, second: Side) -> Float[Tensor, ""]:
    """Cross-entropy over the pairs that are there; those whose places are both known weigh 0.01. 0 if there are none.

    A mean over pairs, not over weights.
    """
    keep = first.there[:, :, None] & second.there[:, None]
    if not keep.any():
        return logits.sum() * 0
    known = (first.known[:, :, None] & second.known[:, None])[keep]
    each = F.cross_entropy(logits[keep], relations(first, second)[keep], reduction="none")
    return (each * torch.where(known, KNOWN_WEIGHT, 1.0)).mean()


def in_one_video(logits: Float[Tensor, "*pair 4"]) -> Float[Tensor, "*pair"]:
    """log-odds that a pair is of one video, whatever its order."""
    return logits[..., 1:].logsumexp(-1) - logits[..., 0]


def before(logits: Float[Tensor, "*pair 4"]) -> Float[Tensor, "*pair"]:
    """log p of "before", if it is one of "before" and "after"."""
    return logits[..., 2:].log_softmax(-1)[..., 0]
