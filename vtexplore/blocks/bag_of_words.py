"""The text half of MIL-NCE (Miech et al., arXiv 1912.06430): words without order.

Word vectors (word2vec, frozen) pass through one layer, the largest value of each channel is kept, and one more
layer leads into the space of videos. Faithful to the published weights: padding is a word like any other and takes
part in the maximum, and a word that the dictionary does not know is left out as if never said.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

MAX_WORDS = 16


@dataclass(frozen=True)
class BagConfig:
    """Sizes; the defaults are the published ones. ``words`` counts the row of padding, 0."""

    words: int = 66250
    word_width: int = 300
    inner: int = 2048


class BagOfWords(nn.Module):
    """Word ids to an embedding of the sentence."""

    def __init__(self, config: BagConfig, out: int) -> None:
        super().__init__()
        self.word = nn.Embedding(config.words, config.word_width)
        self.fc1 = nn.Linear(config.word_width, config.inner)
        self.fc2 = nn.Linear(config.inner, out)

    def pooled(self, ids: Int[Tensor, "text word"]) -> Float[Tensor, "text inner"]:
        """The largest value of each channel over all words, padding included."""
        return F.relu(self.fc1(self.word(ids))).amax(1)

    def forward(self, ids: Int[Tensor, "text word"]) -> Float[Tensor, "text embedding"]:
        """Into the space of videos."""
        return self.fc2(self.pooled(ids))


def word_ids(sentences: Sequence[str], words: Sequence[str], max_words: int = MAX_WORDS) -> Int[Tensor, "text word"]:
    """Sentences as ids: the place of each known word in ``words``, counted from 1; unknown words are dropped.

    A sentence is cut after ``max_words`` known words and padded with 0; one without any is all padding.
    """
    place = {word: i for i, word in enumerate(words, 1)}
    ids = torch.zeros(len(sentences), max_words, dtype=torch.long)
    for row, sentence in zip(ids, sentences):
        known = [place[w] for w in re.findall(r"[\w']+", sentence.lower()) if w in place][:max_words]
        row[: len(known)] = torch.tensor(known, dtype=torch.long)
    return ids
