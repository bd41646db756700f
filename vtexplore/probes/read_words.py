"""Which visual words is a clip read as, what do they look like, and how well do they fit?

    result = read_words(model, clip)
    result.codes                 the word of each moment
    result.plot()                the clip as a sentence: frames above, what each word stands for below
    result.plot("gallery")       the whole vocabulary, by its tree

A moment gets its word from the top of a tree of clusters, always on to the nearest branch. That need not end at the
nearest word: ``agree`` says where it does, ``distance`` how far the moment is from the word that it got.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from vtexplore.exemplars import Draw, word_moment
from vtexplore.probes._ask import about, notices
from vtexplore.probes._moments import pictures, read, words_for
from vtexplore.probes._result import Result, Row
from vtexplore.probes.fill_mask import ONE_CASE
from vtexplore.types import Clip

MOST = 512
"""Words above which only those of the clip are drawn."""


@dataclass(frozen=True)
class ReadWordsResult(Result):
    """A clip in visual words: ``codes`` int [moment] as the tree finds them, and the ``nearest`` words, int [moment].

    ``distance`` and ``nearest_distance`` float32 [moment]: to those words' centroids, in the unit of the features.
    ``words`` int [shown] are the words that pictures show: by ``exemplars`` uint8 [shown, height, width, rgb] (may be
    none), with ``paths``, the branch taken at each level, and ``counts`` int [shown], of how many moments each was made
    (empty if not known). ``vocabulary``: how many words there are.
    """

    PICTURES: ClassVar[tuple[str, ...]] = ("frames", "exemplars")

    codes: np.ndarray
    nearest: np.ndarray
    distance: np.ndarray
    nearest_distance: np.ndarray
    vocabulary: int
    words: np.ndarray
    paths: tuple[tuple[int, ...], ...]
    counts: np.ndarray
    exemplars: np.ndarray
    clip: str
    times_s: np.ndarray
    frames: np.ndarray
    about: dict[str, Any]
    notes: tuple[str, ...]

    @property
    def agree(self) -> np.ndarray:
        """bool [moment]: the tree found the nearest word."""
        same: np.ndarray = self.codes == self.nearest
        return same

    def path(self, word: int) -> tuple[int, ...]:
        """The branch taken at each level to come to a word that pictures show."""
        return self.paths[int(np.flatnonzero(self.words == word)[0])]

    def row(self) -> Row:
        """The clip as a sentence of words' numbers, how many are ``different``, and how well they fit."""
        return {
            "codes": " ".join(str(c) for c in self.codes),
            "different": len(set(self.codes.tolist())),
            "agree": float(self.agree.mean()),
            "distance": float(self.distance.mean()),
            "nearest_distance": float(self.nearest_distance.mean()),
        }


def read_words(model: Any, clip: Clip, *, draw: Draw = word_moment) -> ReadWordsResult:
    """The visual words of a clip, their exemplars, and how far each moment is from its word.

    ``draw`` finds the frames of an exemplar. Raises ``Unsupported`` for a model that does not read video in words.
    """
    tree = words_for(model)
    seen = read(model, clip)
    with torch.inference_mode():
        features = model.eyes.features(seen.batch.video)[0].float().cpu()
    nearest = tree.nearest(features)
    centres = tree.word_centroids
    wanted = [*range(len(tree) if len(tree) <= MOST else 0), *seen.codes.tolist(), *nearest.tolist()]
    words, exemplars, lacking = pictures(model, wanted, draw)
    counts = tree.made.get("counts")
    return ReadWordsResult(
        codes=seen.codes.numpy(),
        nearest=nearest.numpy(),
        distance=(features - centres[seen.codes]).norm(dim=1).numpy(),
        nearest_distance=(features - centres[nearest]).norm(dim=1).numpy(),
        vocabulary=len(tree),
        words=words,
        paths=tuple(tree.path(int(w)) for w in words),
        counts=np.array([counts[w] for w in words] if counts else [], dtype=np.int64),
        exemplars=exemplars,
        clip=clip.name,
        times_s=seen.times_s,
        frames=seen.frames,
        about=about(model, clip),
        notes=(*notices(model, clip), ONE_CASE, *lacking),
    )
