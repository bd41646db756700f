"""Contrast of pairs within a batch (BridgeFormer, arXiv 2201.04850, §3.4): each row finds its own column, and back."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

TEMPERATURE = 0.05
NORM_FLOOR = 1e-8


def cosine(a: Float[Tensor, "row channel"], b: Float[Tensor, "column channel"]) -> Float[Tensor, "row column"]:
    """Cosine of every row of ``a`` with every row of ``b``; a length of 0 counts as 1e-8."""
    with torch.autocast(a.device.type, enabled=False):  # a temperature of 0.05 asks for more digits than bf16 has
        a, b = (x.to(torch.promote_types(x.dtype, torch.float32)) for x in (a, b))
        return unit(a) @ unit(b).T


def unit(x: Float[Tensor, "*any channel"]) -> Float[Tensor, "*any channel"]:
    """Vectors at length 1."""
    return x / x.norm(dim=-1, keepdim=True).clamp(min=NORM_FLOOR)


def loss(
    similarity: Float[Tensor, "item item"],
    keep: Bool[Tensor, "item"] | None = None,
    temperature: float = TEMPERATURE,
) -> Float[Tensor, ""]:
    """Cross-entropy of rows over ``temperature``, plus that of columns: summed, not averaged, as published.

    Pairs are on the diagonal. ``keep``: items that take part (a clip that was dropped has no pair); 0 if fewer
    than two do.
    """
    if keep is not None:
        similarity = similarity[keep][:, keep]
    if len(similarity) < 2:
        return similarity.sum() * 0
    own = torch.arange(len(similarity), device=similarity.device)
    return F.cross_entropy(similarity / temperature, own) + F.cross_entropy(similarity.T / temperature, own)
