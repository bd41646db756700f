"""Do these words and these moments belong together? (VideoBERT, Sun et al., arXiv 1904.01766)

Half of the pairs are what they were, the others get another item's text. Narration comes early or late and at its own
pace, hence ``subsample``: at a rate of r, every r-th visual word stays.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from vtexplore.objectives.matching import others


def partners(batch: int, generator: torch.Generator, groups: int | None = None) -> Int[Tensor, "{batch}"]:
    """Whose text each video is shown: its own with probability ½, or else another's of its group."""
    mine = torch.arange(batch, device=generator.device)
    foil = others(batch, generator, 2, groups)
    coin = torch.rand(batch, generator=generator, device=generator.device) < 0.5
    return torch.where(coin, mine, foil[:, 0]) if foil.shape[1] else mine


def subsample(
    codes: Int[Tensor, "batch word"], rates: Int[Tensor, "batch"]
) -> tuple[Int[Tensor, "batch word"], Bool[Tensor, "batch word"]]:
    """Every ``rates``-th word of each row, moved to the front, and where there is one; 0 elsewhere."""
    length = codes.shape[1]
    at = torch.arange(length, device=codes.device) * rates[:, None]
    real = at < length
    return codes.gather(1, at.clamp(max=length - 1)).masked_fill(~real, 0), real


def loss(
    logits: Float[Tensor, "batch 2"], aligned: Bool[Tensor, "batch"], keep: Bool[Tensor, "batch"]
) -> Float[Tensor, ""]:
    """Cross-entropy of "aligned" (0) against "not" (1), over the items to ``keep``; 0 if there are none."""
    if not keep.any():
        return logits.sum() * 0
    return F.cross_entropy(logits[keep], (~aligned[keep]).long())
