"""Stretches of a clip as features: a frozen S3D looks at windows of frames, as the papers did offline.

VideoBERT (Sun et al., arXiv 1904.01766) clusters them; HERO (Li et al., arXiv 2005.00200) reads them as they are.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vtexplore.blocks.s3d import S3D, S3DConfig
from vtexplore.errors import ConfigError


class ClipFeatures(nn.Module):
    """An S3D whose pooled features stand for ``window`` frames each. It never learns."""

    def __init__(self, s3d: S3DConfig, window: int) -> None:
        super().__init__()
        self.s3d = S3D(s3d).requires_grad_(False)
        self.window = window

    def train(self, mode: bool = True) -> ClipFeatures:
        """Always in evaluation mode: the backbone's statistics are fixed, as its weights are."""
        return super().train(False)

    @torch.no_grad()
    def features(self, video: Float[Tensor, "batch frame rgb height width"]) -> Float[Tensor, "batch window channel"]:
        """What the backbone makes of each ``window`` of frames. Raises ``ConfigError`` for a window begun only."""
        batch, frames = video.shape[:2]
        if not frames or frames % self.window:
            raise ConfigError(f"{frames} frames are not whole stretches of {self.window}. Sample a multiple.")
        return self.s3d.features(video.reshape(-1, self.window, *video.shape[2:])).unflatten(0, (batch, -1))

    def forward(self, video: Float[Tensor, "batch frame rgb height width"]) -> Tensor:
        """The features of each stretch: [batch, window, channel]."""
        return self.features(video)
