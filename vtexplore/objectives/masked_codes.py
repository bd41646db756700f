"""Masked visual tokens (VIOLET, §3.2): patches go black, and the model names their visual words.

The visual words are a discrete VAE's (Ramesh et al. 2021), one for each patch.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vtexplore.objectives.masked_words import IGNORE, loss

__all__ = ["hide", "loss", "targets"]


def hide(video: Tensor, patches: Tensor, patch_px: int) -> Tensor:
    """The video with whole patches black (0 before any normalisation).

    ``video`` [batch, frame, rgb, height, width], ``patches`` bool [batch, frame, row, column].
    """
    row = torch.arange(video.shape[3], device=video.device) // patch_px
    column = torch.arange(video.shape[4], device=video.device) // patch_px
    hidden = patches[:, :, None, row[:, None], column]  # [batch, frame, 1, height, width]
    return video.masked_fill(hidden, 0)


def targets(codes: Tensor, patches: Tensor) -> Tensor:
    """The codes of the hidden patches, −1 elsewhere: [batch, frame, row, column]."""
    return codes.masked_fill(~patches, IGNORE)
