"""Models with fresh weights that can be asked something."""

from typing import Any

import torch
from torch import nn

from vtexplore import registry
from vtexplore.blocks.clip_features import ClipFeatures
from vtexplore.blocks.clip_words import ClipWords
from vtexplore.visual_words import VisualWords


def fresh(name: str, **overrides: Any) -> Any:
    """A family's miniature before any training, the same each time."""
    torch.manual_seed(0)
    return ready(registry.build(name, **overrides))


@torch.no_grad()
def ready(model: Any) -> Any:
    """A model that reads video in words gets some, of noise: a fresh one has a single word, and so sees nothing.

    Their rows of the vocabulary stay random, since untrained eyes tell noise from noise, but hardly. One that reads
    features as they are gets eyes whose batch norms know noise, or else all features would be as one.
    """
    eyes = getattr(model, "eyes", None)
    if not isinstance(eyes, ClipFeatures):
        return model
    noise = torch.rand(80, eyes.window, 3, model.inputs.size_px, model.inputs.size_px)
    if isinstance(eyes, ClipWords):
        eyes.take(VisualWords.fit(eyes.features(noise)[:, 0], eyes.branching, eyes.levels, smallest=eyes.branching))
    else:
        for norm in (m for m in eyes.modules() if isinstance(m, nn.BatchNorm3d)):
            norm.train().momentum = 0.97  # all of it, and rounding would grow from layer to layer
        eyes.features(noise)
        eyes.eval()
    return model
