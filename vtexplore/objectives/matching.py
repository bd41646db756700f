"""Video-text matching (VIOLET, §3.2): find a video's own text among a few."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from vtexplore.errors import ConfigError

TEMPERATURE = 0.05
CANDIDATES = 4


def others(
    batch: int, generator: torch.Generator, candidates: int = CANDIDATES, groups: int | None = None
) -> Int[Tensor, "{batch} candidate"]:
    """For each item, distinct random other items whose texts are not its own.

    There are min(items, ``candidates``) − 1 of them. ``groups``: items are drawn among each ``groups``
    consecutive ones only, as on the paper's GPUs, each of which held a batch of its own; it divides the
    batch, or else ``ConfigError``.
    """
    groups = batch if groups is None else min(groups, batch)
    if groups < 1 or batch % groups:
        raise ConfigError(f"A batch of {batch} cannot be cut into groups of {groups}; choose a divisor.")
    draw = torch.rand(batch, groups, generator=generator, device=generator.device)
    mine = torch.arange(batch, device=draw.device)
    draw[mine, mine % groups] = 2.0  # never oneself: sorts last
    order = draw.argsort(dim=1)[:, : min(groups, candidates) - 1]
    return order + (mine // groups * groups)[:, None]


def loss(
    scores: Float[Tensor, "batch candidate"],
    keep: Bool[Tensor, "batch"] | None = None,
    temperature: float = TEMPERATURE,
) -> Float[Tensor, ""]:
    """Softmax cross-entropy of ``scores`` / ``temperature``; the own text is column 0.

    ``keep``: items that count (a clip that was dropped matches nothing); 0 if there are
    none, or if there is but one candidate.
    """
    if keep is not None:
        scores = scores[keep]
    if len(scores) == 0 or scores.shape[1] < 2:
        return scores.sum() * 0
    return F.cross_entropy(scores / temperature, scores.new_zeros(len(scores), dtype=torch.long))
