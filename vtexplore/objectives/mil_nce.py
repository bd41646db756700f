"""MIL-NCE (Miech et al., "End-to-End Learning of Visual Representations from Uncurated Instructional Videos",
arXiv 1912.06430): a video may match any of a few sentences said near it.

Narration is seldom on time. Each video comes with several candidate sentences, of which one or more are right;
together they must outweigh all other pairs of the batch. There is no temperature and no normalisation.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from vtexplore.errors import ConfigError


def scores(
    video: Float[Tensor, "batch channel"], text: Float[Tensor, "text channel"]
) -> Float[Tensor, "batch batch candidate"]:
    """Dot products of every video with every candidate of every item.

    ``text``: the candidates of the first video, then those of the second, and so on. Raises ``ConfigError``
    if they cannot be shared out evenly.
    """
    if len(video) == 0 or len(text) == 0 or len(text) % len(video):
        raise ConfigError(f"{len(text)} texts cannot be shared out among {len(video)} videos. Give each as many.")
    return (video @ text.T).unflatten(1, (len(video), -1))


def loss(video: Float[Tensor, "batch channel"], text: Float[Tensor, "text channel"]) -> Float[Tensor, ""]:
    """−log of the share that an item's own candidates have of all pairs that it is part of, a mean over items.

    Texts as for ``scores``. The video with all texts and its texts with all videos stand in one denominator,
    where the item's own pairs occur twice, as in the published code: the loss of perfect embeddings is log 2.
    """
    pairs = scores(video, text)  # [video, item, candidate]
    own = pairs.diagonal(dim1=0, dim2=1).T  # [item, candidate]
    either = torch.cat([pairs, pairs.transpose(0, 1)], dim=1).flatten(1)  # [item, 2·item·candidate]
    return (either.logsumexp(1) - own.logsumexp(1)).mean()
