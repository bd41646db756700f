"""What happens here? A sentence with several gaps, all asked at once, with the clip and without it.

    result = cloze(model, clip, "the [MASK] [MASK] [MASK] [MASK]")
    result.top(2)           the five likeliest words in the last gap, with the clip
    result.right(2)         whether the likeliest names something that happens, in any annotator's words

So actions can be classified that nobody taught as such (Sun et al., arXiv 1904.01766: "now let me show you how to
[MASK] the [MASK]"). Each gap is answered by itself, so neighbours need not agree. The same sentence without
the clip is what the language alone says (the paper's language prior), and beside other clips it tells whether the
answers follow the clip. What fits is judged by the wording of the template: a model answers in the kind of word that it
has read in such a place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from vtexplore.data.prepare import prepare
from vtexplore.data.text import plain, words_of
from vtexplore.errors import ConfigError, TextError
from vtexplore.probes._ask import about, few, notices, text_of
from vtexplore.probes._gaps import MASK, ask, crowded, whole_words
from vtexplore.probes._nulls import CONDITIONS, ONE_NULL, check_conditions, theme_named
from vtexplore.probes._result import Result, Row, column
from vtexplore.probes._videos import Watched, joined
from vtexplore.probes.fill_mask import ONE_CASE
from vtexplore.types import Clip, Phrase
from vtexplore.world import Theme

TEMPLATE = "the [MASK] [MASK] [MASK] [MASK]"
ROLES = ("colour", "shape", "verb")
OTHERS = "other clips"


@dataclass(frozen=True)
class ClozeResult(Result):
    """How likely each candidate word is in each gap, under each condition.

    ``p`` float32 [gap, condition, candidate] in 0..1; the first condition is the true clip; "other clips" is the mean
    over those. ``gaps`` are indices of the text's words. ``truth``: role ("colour", "shape", "verb") → the words, of
    any annotator, that name it in what happens; empty if nobody knows.
    """

    PICTURES: ClassVar[tuple[str, ...]] = ("frames",)

    text: str
    gaps: tuple[int, ...]
    truth: dict[str, tuple[str, ...]]
    shown: int
    conditions: tuple[str, ...]
    candidates: tuple[str, ...]
    p: np.ndarray
    clip: str
    times_s: np.ndarray
    frames: np.ndarray
    about: dict[str, Any]
    notes: tuple[str, ...]

    def top(self, gap: int, count: int | None = None, condition: str | None = None) -> tuple[tuple[str, float], ...]:
        """The likeliest words of a gap (from 0) and their probabilities, best first, with the clip or otherwise."""
        row = self._row(gap, condition)
        best = np.argsort(-row, kind="stable")[: self.shown if count is None else count]
        return tuple((self.candidates[i], float(row[i])) for i in best)

    def probability(self, gap: int, word: str, condition: str | None = None) -> float:
        """p(word) in a gap, in 0..1; ``TextError`` if it is no candidate."""
        if plain(word) not in self.candidates:
            raise TextError(f"{word!r} is not among the {len(self.candidates)} words that the model chose from.")
        return float(self._row(gap, condition)[self.candidates.index(plain(word))])

    def names(self, word: str) -> str | None:
        """What a word names of what happens: "colour", "shape", "verb"; None: nothing, or nobody knows."""
        return next((role for role, words in self.truth.items() if word in words), None)

    def right(self, gap: int, count: int = 1, condition: str | None = None) -> bool | None:
        """Whether the likeliest word of a gap, or one of so many, names something that happens; None: not known."""
        return any(self.names(w) for w, _ in self.top(gap, count, condition)) if self.truth else None

    def row(self) -> Row:
        """Gap by gap (from 0) the ``first`` word and its ``p``, with the clip; where truth is known, what is ``right``.

        ``right`` alone is the share of gaps, ``right_no_clip`` … the same under a null.
        """
        gaps = range(len(self.gaps))
        out: Row = {"text": self.text}
        for name in self.conditions if self.truth else ():
            share = float(np.mean([bool(self.right(gap, condition=name)) for gap in gaps]))
            out["right" if name == self.conditions[0] else column("right", name)] = share
        for gap in gaps:
            word, p = self.top(gap, 1)[0]
            out |= {column("first", gap): word, column("p", gap): p}
            if self.truth:
                out[column("right", gap)] = bool(self.right(gap))
        return out

    def _row(self, gap: int, condition: str | None) -> np.ndarray:
        if condition is not None and condition not in self.conditions:
            raise ConfigError(f"No condition {condition!r} here; there are {', '.join(self.conditions)}.")
        if not 0 <= gap < len(self.gaps):
            raise ConfigError(f"The sentence has {len(self.gaps)} gaps, counted from 0: there is no {gap}.")
        row: np.ndarray = self.p[gap, 0 if condition is None else self.conditions.index(condition)]
        return row


def cloze(
    model: Any,
    clip: Clip,
    template: str = TEMPLATE,
    *,
    among: Sequence[str] | None = None,
    top: int = 5,
    against: Sequence[str] = ("no clip", "even colour"),
    others: Sequence[Clip] = (),
) -> ClozeResult:
    """The likeliest words in every ``[MASK]`` of a sentence, with the clip and with what stands in its place.

    ``among``: words to choose from (None = all whole words that the model knows), whose probabilities stay what they
    are among all. ``top`` words are shown, ``against``
    names the nulls (see ``fill_mask``), ``others`` are clips beside which the same is asked.

    Raises ``TextError`` for a sentence without a gap, with two in one word, or with words that the model does not know,
    ``Unsupported`` for a family that does not predict words, ``ConfigError`` for an unknown condition or an empty list.
    """
    check_conditions(against)
    text = text_of(model, clip, template)
    gaps = tuple(i for i, w in enumerate(words_of(text)) if MASK.search(w))
    if not gaps or any(len(MASK.findall(words_of(text)[i])) > 1 for i in gaps):
        raise TextError("Put one [MASK] in place of each word to be filled in, such as: the [MASK] circle [MASK].")
    candidates = _chosen(whole_words(model), among)
    conditions = ("the clip", *against)
    true = prepare([clip], [text], model.inputs)
    shown = [CONDITIONS[name](true) for name in conditions]
    videos = Watched(model, joined([*shown, *(prepare([other], [text], model.inputs) for other in others)]))
    said = [ask(videos, text, gap, candidates) for gap in gaps]
    rows = [one.p[: len(shown)] for one in said]
    if others:
        rows = [np.concatenate([p, one.p[len(shown) :].mean(axis=0, keepdims=True)]) for p, one in zip(rows, said)]
    times_s = few(true.times_s[0])
    return ClozeResult(
        text=text,
        gaps=gaps,
        truth=truth_of(clip),
        shown=min(top, len(candidates)),
        conditions=(*conditions, OTHERS) if others else conditions,
        candidates=tuple(candidates),
        p=np.stack(rows),
        clip=clip.name,
        times_s=times_s,
        frames=clip.sample(times_s.tolist(), 160),
        about=about(model, clip),
        notes=(
            *notices(model, clip),
            ONE_CASE,
            *([ONE_NULL] if len(against) + bool(others) < 2 else []),
            *crowded(max(one.left_out for one in said)),
        ),
    )


def truth_of(clip: Clip) -> dict[str, tuple[str, ...]]:
    """What names the colours, shapes and verbs of what happens, in every annotator's words; empty if not known."""
    theme = theme_named(clip.world)
    return {} if clip.truth is None or theme is None else names_of(clip.truth.phrases, theme)


def names_of(phrases: Sequence[Phrase], theme: Theme) -> dict[str, tuple[str, ...]]:
    """What a caption names, role by role ("colour", "shape", "verb"), in the words of every voice of the theme."""
    firsts = {action.says[0] for action in theme.actions.values()}
    out: dict[str, set[str]] = {role: set() for role in ROLES}
    for phrase in phrases:
        # What two objects do is told by a relation, whose word is the verb: "collides".
        role = "verb" if (phrase.concept, phrase.role) in firsts else phrase.role
        if role in out:
            out[role] |= {voice.word(phrase.concept) for voice in theme.voices}
    return {role: tuple(sorted(words)) for role, words in out.items()}


def _chosen(known: dict[str, tuple[int, ...]], among: Sequence[str] | None) -> dict[str, tuple[int, ...]]:
    if among is None:
        return known
    words = list(dict.fromkeys(plain(w) for w in among))
    if not words:
        raise ConfigError("There is nothing to choose from. Give words in among=, or leave it out.")
    if unknown := [w for w in words if w not in known]:
        raise TextError(f"The model cannot say {unknown[0]!r}. Choose among the {len(known)} words that it knows.")
    return {word: known[word] for word in words}
