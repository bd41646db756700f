"""What is to be explained: one number that a model says of one clip and one text, and what it was made of.

the match                 "a red circle slides left"                   match_logits
a word in a gap           "a [MASK] circle slides left", or word=…     ln p(word), summed over its pieces
the answer to a question  "[a red circle] slides left"                 cosine of what is said and the phrase
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vtexplore.blocks.embeddings import grid_tokens
from vtexplore.data.phrases import bracketed
from vtexplore.data.prepare import prepare, text_batch, word_positions
from vtexplore.data.text import plain, vocabulary, words_of
from vtexplore.errors import ConfigError, TextError, Unsupported
from vtexplore.objectives.questions import answer, question
from vtexplore.probes._ask import able, needs, text_of
from vtexplore.probes._gaps import MASK, gap_of, likely, whole_words
from vtexplore.probes._places import grid_of, patches, regions, spread_over
from vtexplore.record import beside
from vtexplore.types import Batch, Clip, Output, Tokens

AT_ONCE = 16  # changed copies of a clip that are asked at one time; more would not fit into a processor's cache

Score = Callable[[Output], Tensor]
"""What is explained: an output to one number an item, [batch]."""


@dataclass(frozen=True)
class Case:
    """One model, one clip, one text, one number.

    ``batch`` holds the clip and the text once; ``grid`` (frame, row, column) counts the patches and ``tokens`` say
    where they lie; ``words`` are those whose part is asked for, ``masked`` the index of the one in question (None:
    no word is), ``says`` what is said there; ``what`` names the number in words, ``head`` the field of the output off
    which it is read.
    """

    model: Any
    batch: Batch
    grid: tuple[int, int, int]
    tokens: Tokens
    words: tuple[str, ...]
    masked: int | None
    says: str | None
    what: str
    head: str
    score: Score

    @property
    def told(self) -> Batch:
        """The texts whose words are counted: the question where one is asked, or else the text."""
        return self.batch if self.batch.question is None else self.batch.question

    def retold(self, batch: Batch, ids: Tensor) -> Batch:
        """A batch with other words."""
        if batch.question is None:
            return replace(batch, word_ids=ids)
        return replace(batch, question=replace(batch.question, word_ids=ids))

    @property
    def hides_words(self) -> bool:
        """Whether a word can be taken away: the tokenizer has a [MASK]."""
        return "[MASK]" in vocabulary(self.model.inputs.vocabulary).ids

    def many(self, count: int) -> Batch:
        """The clip and the text, ``count`` times."""
        return self.batch.take([0] * count)

    def __call__(self, batch: Batch) -> np.ndarray:
        """The number for each item of a batch, float64 [batch]; no gradients."""
        with torch.no_grad():
            return np.asarray(self.score(self.model(batch)).double().cpu().numpy())

    @cached_property
    def value(self) -> float:
        """The number for the clip and the text as they are."""
        return float(self(self.batch)[0])

    def spread(self, tokens: Tokens, shares: np.ndarray) -> tuple[np.ndarray | None, np.ndarray]:
        """What each token of a sequence has [token], as patches [frame, row, column] (None: none there) and [word].

        What is on a region lies evenly over its box, what is on a place of all frames evenly over them. Raises
        ``Unsupported`` if the sequence has other patches than the model's grid.
        """
        words = np.zeros(len(self.words))
        pieces = {(p, int(w)) for p, w in zip(self.told.pieces[0], self.told.piece_words[0], strict=True)}
        mine = [i for i in np.flatnonzero(tokens.where("text")) if (tokens.labels[i], int(tokens.word[i])) in pieces]
        np.add.at(words, tokens.word[mine], shares[mine])
        at = patches(tokens)
        if not at.any():
            return None, self.without_gap(words)
        if regions(tokens):
            painted = shares[at] @ spread_over(tokens[at], self.tokens)
            return painted.reshape(self.grid), self.without_gap(words)
        where = grid_of(tokens, at)
        if where.shape == self.grid:
            return shares[where], self.without_gap(words)
        if where.shape == (1, *self.grid[1:]):  # places that all frames share
            return np.repeat(shares[where] / self.grid[0], self.grid[0], axis=0), self.without_gap(words)
        raise Unsupported("The layers of this model see other patches than it has places for.")

    def without_gap(self, words: np.ndarray) -> np.ndarray:
        """The word in question is 0: it is asked for, and says nothing of itself."""
        if self.masked is not None:
            words[self.masked] = 0.0
        return words


def case_of(
    model: Any, clip: Clip, text: str | None = None, *, target: str | None = None, word: str | int | None = None
) -> Case:
    """What is to be explained, by what is asked.

    A ``word`` that is named, or a [MASK] in the text, asks for ln p of what stands there: ``target``, or else the
    word itself, or what the model finds likeliest. A phrase in brackets asks for the answer to that question. Else,
    or if ``target`` is "match", it is the match. Raises ``TextError`` for texts that the model cannot read,
    ``Unsupported`` for a family that lacks the head, ``ConfigError`` for a target without a gap to fill.
    """
    text = clip.caption if text is None else text
    gap = word is not None or bool(text and MASK.search(text))
    if text and bracketed(text) and not gap and target is None:
        return _answer(model, clip, text)
    text = text_of(model, clip, text)
    if gap and target != "match":
        return _gap(model, clip, text, target, word)
    if target not in (None, "match"):
        raise ConfigError(f"Where is {target!r} to stand? Put one [MASK] into the text, or name a word: word='red'.")
    if word is not None:
        raise ConfigError("The match is a number of the whole text. Leave word= out, or target='match'.")

    def score(output: Output) -> Tensor:
        return torch.as_tensor(needs(model, output, "match_logits", "matching"))

    return _case(model, prepare([clip], [text], model.inputs), None, None, "the matching score", "match_logits", score)


def _case(model: Any, batch: Batch, masked: int | None, says: str | None, what: str, head: str, score: Score) -> Case:
    batch = beside(model, batch)
    grid = tuple(int(n) for n in able(model, "grid", "see a video as a grid of patches")(batch))
    told = batch if batch.question is None else batch.question
    words = tuple(words_of(told.texts[0]))
    case = Case(model, batch, grid, grid_tokens(batch, grid)()[0], words, masked, says, what, head, score)  # type: ignore[arg-type]
    case.value  # noqa: B018 (a head that is missing is told here)
    return case


def _gap(model: Any, clip: Clip, text: str, target: str | None, word: str | int | None) -> Case:
    text, masked, said = gap_of(model, clip, text, word)
    says = plain(target or said or "")
    if not says:
        known = whole_words(model)
        says = list(known)[int(likely(model, clip, text, masked, known).argmax())]
    names = vocabulary(model.inputs.vocabulary)
    ids = names.word(says)[0]
    if not ids or names.unknown_id in ids:
        raise TextError(f"{says!r} is not among the words of this model.")
    asked = " ".join(MASK.sub("[MASK]" * len(ids), w) if i == masked else w for i, w in enumerate(words_of(text)))
    batch = prepare([clip], [asked], model.inputs)
    at = torch.from_numpy(word_positions(batch, masked))
    wanted = torch.tensor(ids)

    def score(output: Output) -> Tensor:
        logits = needs(model, output, "word_logits", "masked words")[:, at].float()
        pieces = wanted.to(logits.device).expand(len(logits), -1)[..., None]
        return torch.as_tensor(logits.log_softmax(dim=-1).gather(2, pieces).sum(dim=(1, 2)))

    return _case(model, batch, masked, says, f"ln p({says})", "word_logits", score)


def _answer(model: Any, clip: Clip, text: str) -> Case:
    found = bracketed(text)
    assert found is not None
    whole, phrase = text_of(model, clip, found[0]), found[1]
    known = vocabulary(model.inputs.vocabulary)
    asked = question(whole, phrase, lambda word: len(known.word(word)[0]))
    batch = prepare([clip], [answer(phrase)], model.inputs)
    batch = replace(batch, question=text_batch([asked], model.inputs))

    def score(output: Output) -> Tensor:
        said = needs(model, output, "answer_embedding", "questions")
        return torch.nn.functional.cosine_similarity(said, needs(model, output, "text_embedding", "reading answers"))

    return _case(model, batch, None, phrase, f"the cosine with '{phrase}'", "answer_embedding", score)
