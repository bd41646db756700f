"""A sequence, and what each of its positions stands for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Tokens:
    """What each position of one sequence stands for.

    ``labels`` [token] text · ``modality`` [token] sets out of "text" "video" "audio" "region" "special"
    "pad" (a set, since in some papers one token is a word and a region) · ``box`` [token, 4] xyxy in
    0..1 of the clip's picture, NaN where there is none · ``span_s`` [token, 2] seconds, NaN likewise ·
    ``word`` [token] index of the whole word in the text, −1 where there is none.
    """

    labels: tuple[str, ...]
    modality: tuple[frozenset[str], ...]
    box: np.ndarray
    span_s: np.ndarray
    word: np.ndarray

    def __post_init__(self) -> None:
        n = len(self.labels)
        shapes = (len(self.modality), self.box.shape, self.span_s.shape, self.word.shape)
        if shapes != (n, (n, 4), (n, 2), (n,)):
            raise ValueError(f"Tokens of {n} labels have parts of other lengths: {shapes}")

    def __len__(self) -> int:
        return len(self.labels)

    def __add__(self, other: Tokens) -> Tokens:
        """This sequence, then the other."""
        return Tokens(
            self.labels + other.labels,
            self.modality + other.modality,
            np.concatenate([self.box, other.box]),
            np.concatenate([self.span_s, other.span_s]),
            np.concatenate([self.word, other.word]),
        )

    def __getitem__(self, index: Any) -> Tokens:
        """The tokens at an index array, a mask or a slice."""
        at = np.arange(len(self))[index]
        return Tokens(
            tuple(self.labels[i] for i in at),
            tuple(self.modality[i] for i in at),
            self.box[at],
            self.span_s[at],
            self.word[at],
        )

    def where(self, modality: str, special: bool = False) -> np.ndarray:
        """bool [token]: tokens of a modality; special ones ([CLS] …) and padding only if asked for."""
        out = {"pad"} if special or modality == "special" else {"pad", "special"}
        out -= {modality}
        return np.array([modality in m and not (m & out) for m in self.modality], dtype=bool)

    @staticmethod
    def make(
        labels: Sequence[str],
        modality: Sequence[Iterable[str]],
        box: np.ndarray | None = None,
        span_s: np.ndarray | None = None,
        word: np.ndarray | None = None,
    ) -> Tokens:
        """Tokens whose missing parts are "none": NaN boxes and spans, word −1."""
        n = len(labels)
        return Tokens(
            tuple(labels),
            tuple(frozenset(m) for m in modality),
            np.full((n, 4), np.nan) if box is None else np.asarray(box, dtype=float),
            np.full((n, 2), np.nan) if span_s is None else np.asarray(span_s, dtype=float),
            np.full(n, -1) if word is None else np.asarray(word, dtype=int),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, for a file."""
        return {
            "labels": list(self.labels),
            "modality": [sorted(m) for m in self.modality],
            "box": _rounded(self.box),
            "span_s": _rounded(self.span_s),
            "word": self.word.tolist(),
        }

    @staticmethod
    def from_dict(d: dict[str, Any]) -> Tokens:
        """The inverse of ``to_dict``."""
        n = len(d["labels"])
        return Tokens(
            tuple(d["labels"]),
            tuple(frozenset(m) for m in d["modality"]),
            np.array(d["box"], dtype=float).reshape(n, 4),
            np.array(d["span_s"], dtype=float).reshape(n, 2),
            np.array(d["word"], dtype=int).reshape(n),
        )


def _rounded(numbers: np.ndarray) -> list[list[float | None]]:
    """Six digits after the point, None for NaN, which JSON has not got."""
    return [[None if np.isnan(x) else round(float(x), 6) for x in row] for row in numbers]


TokensOfBatch = Callable[[], list[Tokens]]
"""Tokens of every item of a batch, built only when called: never in a training step."""


@dataclass(frozen=True)
class Stream:
    """A sequence of hidden states that knows what its positions stand for.

    ``hidden`` [batch, token, channel] · ``mask`` [batch, token] bool, True = may be attended to ·
    ``tokens`` builds the ``Tokens`` of each item when somebody asks.
    """

    hidden: Tensor
    mask: Tensor
    tokens: TokensOfBatch

    def __add__(self, other: Stream) -> Stream:
        """Concatenation along the sequence: ``video + text`` is the paper's joint sequence."""
        import torch

        return Stream(
            torch.cat([self.hidden, other.hidden], dim=1),
            torch.cat([self.mask, other.mask], dim=1),
            cache(lambda: [a + b for a, b in zip(self.tokens(), other.tokens(), strict=True)]),
        )

    def with_hidden(self, hidden: Tensor) -> Stream:
        """The same tokens with other states."""
        return Stream(hidden, self.mask, self.tokens)

    def take(self, items: Tensor) -> Stream:
        """Items of the batch, repeated or reordered by an index [batch′]."""

        def tokens() -> list[Tokens]:
            mine = self.tokens()
            return [mine[i] for i in items.tolist()]

        return Stream(self.hidden[items], self.mask[items], cache(tokens))

    def __getitem__(self, positions: slice | list[int]) -> Stream:
        """A stretch of the sequence, or some of its positions."""
        tokens = cache(lambda: [t[positions] for t in self.tokens()])
        return Stream(self.hidden[:, positions], self.mask[:, positions], tokens)

    def __len__(self) -> int:
        return self.hidden.shape[1]
