"""Visual words: moments of video, clustered into a vocabulary (VideoBERT, Sun et al., arXiv 1904.01766).

A clip's pooled features become one of some thousand words by k-means upon k-means: the items are split into
``branching`` clusters, each of those again, ``levels`` times. VideoBERT has 12 branches at 4 levels, 20736 words at
most; how many there are depends on the data, since what is too small to be split stays one word. A word is shown as
its exemplar, the training item nearest its centroid.

    words = VisualWords.fit(features)       features [item, channel], an S3D's for example
    words.descend(features)                 which word each of them is: int64 [item]
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from vtexplore.errors import ConfigError, WeightsError
from vtexplore.files import writing

FORMAT = "visual words 1"
MANY = 20_000  # items of a node above which k-means looks at mini-batches, for the time it takes
RESTARTS = 3
_NUMBERS = 2**22  # held at a time, in double precision


@dataclass(frozen=True, eq=False)
class VisualWords:
    """A tree of centroids whose leaves are the words.

    ``centroids`` float32 [node, channel], node 0 being all items together · ``children`` int64 [node, branch],
    the nodes that a node was split into, −1 where there are fewer; children come after their parent, and words
    are counted in the order of their nodes · ``exemplars`` int64 [word], the training item nearest each word's
    centroid · ``made`` what is known of the making, anything that JSON can hold; from ``fit`` also "counts",
    how many of the items were each word.
    """

    centroids: Tensor
    children: Tensor
    exemplars: Tensor
    made: dict[str, Any]

    def __post_init__(self) -> None:
        nodes, real = len(self.centroids), self.children >= 0
        sound = self.children.dim() == 2 and len(self.children) == nodes > 0
        sound = sound and sorted(self.children[real].tolist()) == list(range(1, nodes))
        if not sound or len(self.exemplars) != len(self):
            raise ConfigError(
                f"{nodes} centroids, children {tuple(self.children.shape)} and {len(self.exemplars)} exemplars are no "
                "tree. Make every node but the first the child of one other, and give each leaf an exemplar."
            )
        if (real & (self.children <= torch.arange(nodes)[:, None])).any():
            raise ConfigError("Some children stand before their parent. Number the nodes from the root down.")

    @cached_property
    def leaves(self) -> Tensor:
        """The node of each word: int64 [word]."""
        return (self.children < 0).all(1).nonzero().flatten()

    @cached_property
    def _parents(self) -> dict[int, tuple[int, int]]:
        """The parent of each node but the first, and by which branch one comes from there."""
        table = self.children.tolist()
        return {child: (node, b) for node, row in enumerate(table) for b, child in enumerate(row) if child > 0}

    def __len__(self) -> int:
        return len(self.leaves)

    @property
    def word_centroids(self) -> Tensor:
        """float32 [word, channel]: what VideoBERT starts its embeddings of visual words from."""
        return self.centroids[self.leaves]

    @staticmethod
    def fit(
        features: Float[Tensor, "item channel"],
        branching: int = 12,
        levels: int = 4,
        seed: int = 0,
        smallest: int | None = None,
    ) -> VisualWords:
        """Cluster items into words; the defaults are VideoBERT's.

        A node of fewer than ``smallest`` items (None: twice ``branching``) is not split, nor is one whose items are
        all alike. The same features and seed give the same words. Raises ``ConfigError`` for features that are empty
        or not finite, and for settings that cannot be.
        """
        smallest = 2 * branching if smallest is None else smallest
        if branching < 2 or levels < 1 or smallest < branching:
            raise ConfigError(
                f"{branching} branches, {levels} levels, no split below {smallest} items: that is no tree. "
                "Take 2 branches and 1 level at least, and no fewer items than branches."
            )
        items = _checked(features).double().cpu().numpy()
        if not len(items):
            raise ConfigError("There are no items to cluster. Give features of at least one.")
        centroids: list[np.ndarray] = []
        sizes: list[int] = []
        children: list[list[int]] = []
        waiting = [(np.arange(len(items)), 0, -1)]  # members, level, parent; the last one is next
        while waiting:
            members, level, parent = waiting.pop()
            node = len(centroids)
            centroids.append(items[members].mean(0))
            sizes.append(len(members))
            children.append([])
            if parent >= 0:
                children[parent].append(node)
            if level < levels and len(members) >= smallest:
                parts = _split(items[members], branching, seed, node)
                waiting += [(members[part], level + 1, node) for part in reversed(parts)]
        table = torch.full((len(children), branching), -1)
        for row, mine in zip(table, children):
            row[: len(mine)] = torch.tensor(mine, dtype=torch.long)
        means = torch.from_numpy(np.stack(centroids)).float()
        leaves = (table < 0).all(1)
        exemplars = _nearest(means[leaves], torch.from_numpy(items))
        made: dict[str, Any] = {"branching": branching, "levels": levels, "seed": seed, "smallest": smallest}
        made |= {"items": len(items), "counts": torch.tensor(sizes)[leaves].tolist()}
        return VisualWords(means, table, exemplars, made)

    def descend(self, features: Float[Tensor, "item channel"]) -> Int[Tensor, "item"]:
        """The word of each item, from the top: at every node, on to the child with the nearest centroid.

        This is how the tree was grown, so that an item of the training set gets the word in whose cluster it lay,
        and costs branching × levels comparisons. It need not end at the nearest word (see ``nearest``).
        """
        found = [self._descend(some) for some in self._chunks(features, self.children.shape[1] * features.shape[1])]
        return torch.cat(found) if found else torch.zeros(0, dtype=torch.long)

    def nearest(self, features: Float[Tensor, "item channel"]) -> Int[Tensor, "item"]:
        """The word of each item whose centroid is nearest among all words, whatever the tree says.

        VideoBERT's authors do not say which way they went, and a public re-implementation went this one. They are
        not the same: without structure, every second item gets another word (see ``disagreement``).
        """
        return _nearest(_checked(features, self.centroids.shape[1]), self.word_centroids)

    def disagreement(self, features: Float[Tensor, "item channel"]) -> float:
        """The share of items that ``descend`` and ``nearest`` give different words.

        Measured with 12 × 12 words made of 3000 random points, and 2000 new ones: 0.05 in 2 dimensions, 0.38 in 16,
        0.62 in 1024 (of the 3000 themselves at most 0.13), and 0.0005 where points lie in 144 separate clumps.
        So it tells how far the features are from clusters.
        """
        if not len(features):
            raise ConfigError("Of no items, none can disagree. Give features of at least one.")
        return (self.descend(features) != self.nearest(features)).double().mean().item()

    def path(self, word: int) -> tuple[int, ...]:
        """The branch taken at each level to come to a word: words that share a beginning look alike."""
        node, path = int(self.leaves[word]), []
        while node:
            node, branch = self._parents[node]
            path.append(branch)
        return tuple(reversed(path))

    def save(self, path: str | Path) -> None:
        """Everything in one safetensors file. Raises ``ConfigError`` if it cannot be written."""
        from safetensors.torch import save

        tensors = {"centroids": self.centroids, "children": self.children, "exemplars": self.exemplars}
        head = {"format": FORMAT, "made": json.dumps(self.made)}
        with writing(path) as partial:
            partial.write_bytes(save({k: t.contiguous() for k, t in tensors.items()}, head))

    @staticmethod
    def load(path: str | Path) -> VisualWords:
        """What ``save`` wrote. Raises ``WeightsError`` for a file that is missing or holds something else."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, "pt") as file:
                head = file.metadata() or {}
                if head.get("format") != FORMAT:
                    raise WeightsError(f"{Path(path).name} holds no visual words. Give a file that ``save`` wrote.")
                centroids, children, exemplars = map(file.get_tensor, ("centroids", "children", "exemplars"))
                return VisualWords(centroids, children, exemplars, json.loads(head["made"]))
        except (OSError, SafetensorError, ConfigError, KeyError, ValueError) as error:
            raise WeightsError(f"{Path(path).name} cannot be read as visual words: {error}. Restore it.") from error

    def _descend(self, some: Tensor) -> Tensor:
        node = torch.zeros(len(some), dtype=torch.long)
        while len(inside := (self.children[node] >= 0).any(1).nonzero().flatten()):
            below = self.children[node[inside]]  # [item, branch]
            apart = (some[inside, None] - self.centroids[below.clamp(min=0)].double()).square().sum(2)
            best = apart.masked_fill(below < 0, torch.inf).argmin(1)
            node[inside] = below.gather(1, best[:, None]).squeeze(1)
        return torch.searchsorted(self.leaves, node)

    def _chunks(self, features: Tensor, numbers_each: int) -> Iterator[Tensor]:
        items = _checked(features, self.centroids.shape[1])
        return (some.double().cpu() for some in items.split(max(_NUMBERS // numbers_each, 1)) if len(some))


def _checked(features: Tensor, channels: int | None = None) -> Tensor:
    if channels is not None and features.shape[1] != channels:
        raise ConfigError(
            f"These words were made of {channels} channels, and the features have {features.shape[1]}. "
            "Take them from the backbone that the words came from."
        )
    if not features.isfinite().all():
        raise ConfigError("Some features are not finite. Look at the pixels and weights that they come from.")
    return features.detach()


def _split(items: np.ndarray, branching: int, seed: int, node: int) -> list[np.ndarray]:
    """Indices of the items of each cluster, none of them empty; nothing if all items are alike."""
    from sklearn.cluster import KMeans, MiniBatchKMeans

    state = int(np.random.default_rng([seed, node]).integers(2**31))
    kind = MiniBatchKMeans if len(items) > MANY else KMeans
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fewer different items than branches: there will be fewer clusters
        labels = kind(branching, n_init=RESTARTS, random_state=state).fit(items).labels_
    parts = [np.flatnonzero(labels == k) for k in range(branching)]
    parts = [part for part in parts if len(part)]
    return parts if len(parts) > 1 else []


def _nearest(points: Tensor, centres: Tensor) -> Tensor:
    """The nearest centre of each point, the first of several: int64 [point]."""
    points, centres = points.double().cpu(), centres.double().cpu()
    found = torch.zeros(len(points), dtype=torch.long)
    best = torch.full((len(points),), torch.inf, dtype=torch.double)
    step = max(_NUMBERS // max(len(points), 1), 1)
    for start in range(0, len(centres), step):
        some = centres[start : start + step]
        apart = some.square().sum(1) - 2 * points @ some.T  # the point's own square is the same for all
        least, at = apart.min(1)
        found = torch.where(least < best, at + start, found)
        best = torch.minimum(best, least)
    return found
