"""Which word belongs here, and would the model have said so without the clip?

    result = fill_mask(model, clip, "the [MASK] ball slides left")
    result.top()            the five likeliest words, with the clip
    result.lift("red")      ln p(red | text, clip) − ln p(red | text), in nats

"Without the clip" is a choice, so there are at least two: the video hidden from attention, and frames of
one even colour. A word that is as likely without the clip as with it was guessed from the text alone.
Candidates are whole words. One of k WordPieces is asked for with k masks side by side, and its probability
is the product over its pieces, each predicted on its own (the "joint" rule).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch

from vtexplore.data.prepare import prepare, word_positions
from vtexplore.data.text import SPECIALS, hide_word, plain, vocabulary, words_of
from vtexplore.errors import ConfigError, TextError
from vtexplore.probes._ask import about, card_of, few, find_word, needs, notices, text_of
from vtexplore.probes._result import Result
from vtexplore.record import beside
from vtexplore.types import Batch, Clip

MASK = re.compile(r"\[MASK\]", re.IGNORECASE)
MOST_PIECES = 4  # a word of more pieces is not a candidate
ONE_CASE = "One clip shows a case, not a rate."


def hidden(batch: Batch) -> Batch:
    """The video tokens are hidden from attention: nothing of the clip is left."""
    return replace(batch, video_mask=torch.zeros(len(batch), dtype=torch.bool, device=batch.video.device))


def mean_colour(batch: Batch) -> Batch:
    """Every frame becomes the clip's mean colour: there is a video, with nothing in it."""
    mean = batch.video.mean(dim=(1, 3, 4), keepdim=True)
    return replace(batch, video=mean.expand_as(batch.video).contiguous())


CONDITIONS: Mapping[str, Callable[[Batch], Batch]] = {
    "the clip": lambda batch: batch,
    "no clip": hidden,
    "even colour": mean_colour,
}
"""What the model is shown: the clip itself, and what is put in its place."""


@dataclass(frozen=True)
class FillMaskResult(Result):
    """How likely each candidate word is in place of the mask, under each condition.

    ``p`` float32 [condition, candidate] in 0..1; the first condition is the true clip, the others are
    nulls. ``masked`` is the index of the masked word, ``answer`` the word that belongs there, if known.
    """

    PICTURES: ClassVar[tuple[str, ...]] = ("frames",)

    text: str
    masked: int
    answer: str | None
    shown: int
    conditions: tuple[str, ...]
    candidates: tuple[str, ...]
    p: np.ndarray
    clip: str
    times_s: np.ndarray
    frames: np.ndarray
    about: dict[str, Any]
    notes: tuple[str, ...]

    def top(self, count: int | None = None, condition: str | None = None) -> tuple[tuple[str, float], ...]:
        """The likeliest words and their probabilities, best first, with the clip or under a condition."""
        row = self.p[self._row(condition)]
        best = np.argsort(-row, kind="stable")[: self.shown if count is None else count]
        return tuple((self.candidates[i], float(row[i])) for i in best)

    def probability(self, word: str, condition: str | None = None) -> float:
        """p(word) in 0..1, with the clip or under a condition; ``TextError`` if it is no candidate."""
        return float(self.p[self._row(condition), self._candidate(word)])

    def rank(self, word: str, condition: str | None = None) -> int:
        """1 = the likeliest; ties count against the word."""
        row = self.p[self._row(condition)]
        return int((row >= row[self._candidate(word)]).sum())

    def lift(self, word: str | None = None, without: str | None = None) -> float:
        """ln p(word | clip) − ln p(word | null), in nats; > 0: the clip speaks for the word.

        ``word`` None = the answer, or the model's first choice; ``without`` None = the smallest lift over
        all nulls, the cautious reading.
        """
        word = self.answer or self.top(1)[0][0] if word is None else word
        at = self._candidate(word)
        logs = np.log(np.maximum(self.p[:, at].astype(float), 1e-30))
        nulls = [self._row(without)] if without is not None else range(1, len(self.conditions))
        return float(min(logs[0] - logs[row] for row in nulls))

    def _row(self, condition: str | None) -> int:
        if condition is None:
            return 0
        if condition not in self.conditions:
            raise ConfigError(f"No condition {condition!r} here; there are {', '.join(self.conditions)}.")
        return self.conditions.index(condition)

    def _candidate(self, word: str) -> int:
        if plain(word) not in self.candidates:
            raise TextError(f"{word!r} is not among the {len(self.candidates)} words that the model chose from.")
        return self.candidates.index(plain(word))


def fill_mask(
    model: Any,
    clip: Clip,
    text: str | None = None,
    *,
    word: str | int | None = None,
    top: int = 5,
    against: Sequence[str] = ("no clip", "even colour"),
) -> FillMaskResult:
    """The likeliest words in place of ``[MASK]``, with the clip and with what stands in its place.

    ``text`` holds one ``[MASK]``; or ``word`` names the word of the text (None = the clip's caption) to be
    masked. ``top`` words are shown, ``against`` names the nulls (see ``CONDITIONS``).

    Raises ``TextError`` without exactly one masked word or with words that the model does not know,
    ``Unsupported`` for a family that does not predict words, ``ConfigError`` for an unknown condition.
    """
    check_conditions(against)
    text = text_of(model, clip, text)
    words = words_of(text)
    if word is not None:
        masked = find_word(words, word)
        answer: str | None = plain(words[masked])
        text = hide_word(text, masked)
    else:
        places = [i for i, w in enumerate(words) if MASK.search(w)]
        if len(places) != 1:
            raise TextError("Put one [MASK] in place of a word, or say which word to mask: word='red'.")
        masked, answer = places[0], answer_of(clip, words, places[0])
    conditions = ("the clip", *against)
    candidates = whole_words(model)
    p, left_out, batch = ask(model, clip, text, masked, candidates, conditions)
    times_s = few(batch.times_s[0])
    return FillMaskResult(
        text=text,
        masked=masked,
        answer=answer if answer in candidates else None,
        shown=top,
        conditions=conditions,
        candidates=tuple(candidates),
        p=p,
        clip=clip.name,
        times_s=times_s,
        frames=clip.sample(times_s.tolist(), 160),
        about=about(model, clip),
        notes=(*notices(model, clip), ONE_CASE, *crowded(left_out)),
    )


def check_conditions(names: Sequence[str]) -> None:
    """Raise ``ConfigError`` for a name that is not among ``CONDITIONS``."""
    if unknown := [name for name in names if name not in CONDITIONS]:
        raise ConfigError(f"Unknown condition {unknown[0]!r}; there are {', '.join(CONDITIONS)}.")


def ask(
    model: Any,
    clip: Clip,
    text: str,
    masked: int,
    candidates: Mapping[str, tuple[int, ...]],
    conditions: Sequence[str],
) -> tuple[np.ndarray, int, Batch]:
    """How likely each candidate is in place of one of the text's words, whatever else is masked there.

    ``masked`` is the word's index, ``candidates`` gives each word's pieces. Returns p float32 [condition, candidate],
    how many candidates of several pieces did not fit into the text's length (their p is 0), and the last batch asked.
    Raises ``TextError`` if the text does not fit.
    """
    p = np.zeros((len(conditions), len(candidates)), dtype=np.float32)
    left_out, pieces = 0, list(candidates.values())
    lengths = sorted({len(ids) for ids in pieces})
    for length in lengths:
        at = [i for i, ids in enumerate(pieces) if len(ids) == length]
        asked = " ".join(MASK.sub("[MASK]" * length, w) if i == masked else w for i, w in enumerate(words_of(text)))
        try:
            longer = prepare([clip], [asked], model.inputs)
        except TextError:
            if length == lengths[0]:
                raise
            left_out += len(at)
            continue
        batch = longer
        places = word_positions(batch, masked).tolist()
        index = torch.tensor([pieces[i] for i in at])  # [candidate, piece]
        for row, name in enumerate(conditions):
            log_p = _log_p(model, CONDITIONS[name](batch))[places]  # [piece, vocabulary]
            joint = log_p.gather(1, index.T).sum(dim=0)  # [candidate]
            p[row, at] = joint.exp().numpy()
    return p, left_out, batch


def crowded(left_out: int) -> tuple[str, ...]:
    """A note on candidates that were left out, if there are any."""
    return (f"{left_out} words of several pieces did not fit into the text's length.",) if left_out else ()


def _log_p(model: Any, batch: Batch) -> torch.Tensor:
    """[word, vocabulary]"""
    with torch.inference_mode():
        output = model(beside(model, batch))
    return needs(model, output, "word_logits", "masked words")[0].float().log_softmax(dim=-1).cpu()


def answer_of(clip: Clip, words: list[str], masked: int) -> str | None:
    """What the clip's own caption says in place of the mask, if the rest is the same."""
    caption = words_of(clip.caption or "")
    same = len(caption) == len(words) and all(
        plain(a) == plain(b) for i, (a, b) in enumerate(zip(caption, words, strict=True)) if i != masked
    )
    return plain(caption[masked]) if same else None


def whole_words(model: Any) -> dict[str, tuple[int, ...]]:
    """Whole words and their pieces' ids: the lexicon of the card, or else all whole pieces."""
    known = vocabulary(model.inputs.vocabulary)
    lexicon = card_of(model).get("lexicon")
    if lexicon:
        split = {word: known.word(word)[0] for word in sorted(lexicon)}
        return {w: ids for w, ids in split.items() if 0 < len(ids) <= MOST_PIECES and known.unknown_id not in ids}
    whole = (p for p in known.pieces if p not in SPECIALS and not p.startswith(("##", "[unused")) and p.isalpha())
    return {piece: (known.ids[piece],) for piece in whole}
