"""From pixels to visual words: a frozen backbone looks at stretches of a clip, a tree of clusters names them.

This is how VideoBERT (Sun et al., arXiv 1904.01766) reads a video: every 30 frames, 1.5 s at 20 a second, become one
word. Nothing here is learned with the words; the tree comes from ``VisualWords.fit``, once, before.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from vtexplore.blocks.clip_features import ClipFeatures
from vtexplore.blocks.s3d import S3DConfig
from vtexplore.errors import ConfigError
from vtexplore.visual_words import VisualWords


class ClipWords(ClipFeatures):
    """An S3D and a tree of at most ``branching`` ** ``levels`` words; without ``tree`` it can only look.

    The tree stands in buffers as large as it could be, so that all trees of one shape fit one file: the first
    ``tree_size`` of nodes, and of words, are real. A fresh one has a single node, and a single word.
    """

    def __init__(self, s3d: S3DConfig, window: int, branching: int, levels: int, tree: bool = True) -> None:
        super().__init__(s3d, window)
        self.branching, self.levels, self.has_tree = branching, levels, tree
        self.made: dict[str, Any] = {}  # what the words taken know of their making; a file of weights does not hold it
        if tree:
            nodes = sum(branching**level for level in range(levels + 1))
            self.register_buffer("centroids", torch.zeros(nodes, s3d.out_width))
            self.register_buffer("below", torch.full((nodes, branching), -1))
            self.register_buffer("exemplars", torch.zeros(branching**levels, dtype=torch.long))
            self.register_buffer("tree_size", torch.ones(2, dtype=torch.long))

    @property
    def words(self) -> VisualWords:
        """The tree. Raises ``ConfigError`` if this was built without one."""
        if not self.has_tree:
            raise ConfigError("This model has no visual words, since nobody published any. Cluster features first.")
        nodes, words = self.get_buffer("tree_size").tolist()
        parts = self.get_buffer("centroids")[:nodes], self.get_buffer("below")[:nodes]
        made = self.made | {"branching": self.branching, "levels": self.levels}
        return VisualWords(parts[0].cpu(), parts[1].cpu(), self.get_buffer("exemplars")[:words].cpu(), made)

    def take(self, words: VisualWords) -> None:
        """Use these words from now on. Raises ``ConfigError`` for a tree that does not fit."""
        _ = self.words
        size = len(words.centroids), len(words)
        for name, mine in (
            ("centroids", words.centroids),
            ("below", words.children),
            ("exemplars", words.exemplars),
        ):
            whole = self.get_buffer(name)
            if len(mine) > len(whole) or mine.shape[1:] != whole.shape[1:]:
                raise ConfigError(
                    f"{name} are {tuple(mine.shape)} and have room for {tuple(whole.shape)}. Make the words with "
                    f"{self.branching} branches, {self.levels} levels, and the features of this model."
                )
            whole.fill_(-1 if name == "below" else 0)
            whole[: len(mine)] = mine.to(whole)
        self.get_buffer("tree_size").copy_(torch.tensor(size))
        self.made = dict(words.made)

    def forward(self, video: Float[Tensor, "batch frame rgb height width"]) -> Int[Tensor, "batch word"]:
        """The visual word of each stretch, found from the top of the tree."""
        features = self.features(video)
        return self.words.descend(features.flatten(0, 1)).view(features.shape[:2]).to(video.device)
