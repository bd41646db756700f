"""What is read off a sequence: masked words, and small perceptrons for codes, matches and answers."""

from __future__ import annotations

from functools import partial

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from vtexplore.blocks.transformer import initialise


class MaskedWords(nn.Module):
    """BERT's head for masked words: dense, GELU, norm, then a score for every word of the vocabulary.

    ``tied``: word embeddings whose weight the decoder shares; None = a decoder of its own.
    """

    def __init__(self, width: int, words: int, eps: float = 1e-12, tied: nn.Embedding | None = None) -> None:
        super().__init__()
        self.dense = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width, eps)
        self.decoder = nn.Linear(width, words)
        self.apply(partial(initialise, width=width))
        if tied is not None:
            self.decoder.weight = tied.weight

    def forward(self, hidden: Float[Tensor, "*position channel"]) -> Float[Tensor, "*position word"]:
        """States to a score for each word of the vocabulary."""
        return self.decoder(self.norm(F.gelu(self.dense(hidden))))


MASKED_WORDS_NAMES = (
    (r"predictions\.transform\.dense\.(\w+)", r"dense.\1"),
    (r"predictions\.transform\.LayerNorm\.(\w+)", r"norm.\1"),
    (r"predictions\.decoder\.weight", r"decoder.weight"),
    (r"predictions\.(?:decoder\.)?bias", r"decoder.bias"),
)
"""BERT's published names of this head to ours; files hold the bias twice."""

BERT_DOUBLES = {
    "cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight",
    "cls.predictions.decoder.bias": "cls.predictions.bias",
}
"""What a whole BERT's file holds twice: the copy → the original."""


class Perceptron(nn.Sequential):
    """Dropout, a hidden layer, an activation, and ``out`` scores."""

    def __init__(
        self, width: int, inner: int, out: int, dropout: float = 0.1, activation: type[nn.Module] = nn.ReLU
    ) -> None:
        super().__init__(nn.Dropout(dropout), nn.Linear(width, inner), activation(), nn.Linear(inner, out))
        self.apply(partial(initialise, width=width))


PERCEPTRON_NAMES = ((r"([13])\.(weight|bias)", r"\1.\2"),)
"""Published names of such a head, counted from its dropout, are ours."""


def pick(
    hidden: Float[Tensor, "*position channel"], target: Int[Tensor, "*position"]
) -> tuple[Float[Tensor, "asked channel"], Int[Tensor, "asked"]]:
    """The states and targets where ``target`` is not −1: a head need see no others."""
    at = target >= 0
    return hidden[at], target[at]
