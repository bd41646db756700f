"""Masked visual tokens (VIOLET, §3.2): patches go black, and the model names their visual words.

The visual words are a discrete VAE's (Ramesh et al. 2021), one for each patch.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from vtexplore.objectives.masked_words import IGNORE, loss

__all__ = ["hide", "loss", "targets"]


def hide(
    video: Float[Tensor, "batch frame rgb height width"], patches: Bool[Tensor, "batch frame row column"], patch_px: int
) -> Float[Tensor, "batch frame rgb height width"]:
    """The video with whole patches black (0 before any normalisation), each ``patch_px`` on a side."""
    row = torch.arange(video.shape[3], device=video.device) // patch_px
    column = torch.arange(video.shape[4], device=video.device) // patch_px
    hidden = patches[:, :, None, row[:, None], column]  # [batch, frame, 1, height, width]
    return video.masked_fill(hidden, 0)


def targets(
    codes: Int[Tensor, "batch frame row column"], patches: Bool[Tensor, "batch frame row column"]
) -> Int[Tensor, "batch frame row column"]:
    """The codes of the hidden patches, −1 elsewhere."""
    return codes.masked_fill(~patches, IGNORE)
