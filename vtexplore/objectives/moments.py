"""Video-subtitle matching (HERO, Li et al., arXiv 2005.00200, §3.2): a line taken out finds its video and moment.

Globally, the score of a video is that of its likeliest frame, and the own video must score higher than others by a
margin, and the own line higher than those of others. Locally, start and end are classified among the frames.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from vtexplore.objectives.contrastive import unit

MARGIN = 0.1
NOWHERE = -1e4
"""Score of a frame that is not there."""
HARD, EASY = 10.0, 0.1
"""Weights of the hardest wrong answers, and of all others."""


def of_videos(
    query: Float[Tensor, "query channel"],
    frames: Float[Tensor, "video frame channel"],
    mask: Bool[Tensor, "video frame"],
) -> Float[Tensor, "query video"]:
    """How well each query fits each video: the cosine with its likeliest frame, −1e4 if it has none."""
    cosines = torch.einsum("qc,vfc->qvf", unit(query), unit(frames))
    return cosines.masked_fill(~mask, NOWHERE).amax(-1)


def of_own(
    query: Float[Tensor, "item channel"], frames: Float[Tensor, "item frame channel"], mask: Bool[Tensor, "item frame"]
) -> Float[Tensor, "item"]:
    """The same of each query with a video of its own."""
    return torch.einsum("ic,ifc->if", unit(query), unit(frames)).masked_fill(~mask, NOWHERE).amax(-1)


def draw(lines: Bool[Tensor, "batch line"], most: int, generator: torch.Generator) -> Bool[Tensor, "batch line"]:
    """Up to ``most`` of the ``lines`` of each video that may be taken out, at random."""
    noise = torch.rand(lines.shape, generator=generator, device=generator.device).to(lines.device)
    rank = noise.masked_fill(~lines, 2.0).argsort(dim=1).argsort(dim=1)
    return lines & (rank < most)


def spans(member: Bool[Tensor, "query frame"]) -> Int[Tensor, "query 2"]:
    """First and last frame of each query; the last is one later than the first at least, if there is room."""
    count = member.shape[1]
    place = torch.arange(count, device=member.device)
    first = torch.where(member, place, count).amin(1).clamp(max=count - 1)
    last = torch.where(member, place, -1).amax(1)
    return torch.stack([first, torch.maximum(first + 1, last).clamp(max=count - 1)], dim=1)


def span_loss(logits: Float[Tensor, "query frame 2"], target: Int[Tensor, "query 2"]) -> Float[Tensor, ""]:
    """Cross-entropy of starts, plus that of ends; 0 if nothing is asked."""
    if not len(target):
        return logits.sum() * 0
    return F.cross_entropy(logits[..., 0], target[:, 0]) + F.cross_entropy(logits[..., 1], target[:, 1])


def ranking_loss(
    scores: Float[Tensor, "query video"], own: Int[Tensor, "query"], hardest: int = 0, margin: float = MARGIN
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """How far other videos come within ``margin`` of a query's own, and queries of other videos likewise.

    ``own``: the video of each query. Averaged over wrong answers, then over queries. ``hardest``: so many wrong
    answers weigh ten times as much, the others a tenth; 0 = all alike. 0 without a wrong answer.
    """
    if not len(own):
        return scores.sum() * 0, scores.sum() * 0
    right = scores.gather(1, own[:, None])  # [query, 1]
    foreign = own[:, None] != torch.arange(scores.shape[1], device=own.device)  # [query, video]
    theirs = own[:, None] != own  # [query, query]: lines of other videos
    videos = _hinge(scores - right + margin, foreign, hardest)
    return videos, _hinge(scores.T[own] - right + margin, theirs, hardest)


def _hinge(over: Float[Tensor, "query other"], wrong: Bool[Tensor, "query other"], hardest: int) -> Tensor:
    over = over.clamp(min=0).masked_fill(~wrong, 0)
    if hardest:
        rank = over.detach().masked_fill(~wrong, -1).argsort(dim=1, descending=True).argsort(dim=1)
        over = over * torch.where(rank < hardest, HARD, EASY)
    return (over.sum(1) / wrong.sum(1).clamp(min=1)).mean()
