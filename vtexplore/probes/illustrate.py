"""What would a video of this sentence look like? Text to visual words (Sun et al., arXiv 1904.01766, figure 1).

    result = illustrate(model, "the red circle spins now")
    result.top(0)                    the likeliest visual words of the first moment
    result.plot()                    … as exemplar frames, above those without a text

A sentence stands beside so many moments of which all are hidden, and each is asked for by itself: neighbours need not
agree. What the sentence adds is seen beside the same moments without a text, which are the words that are common there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from vtexplore.data.prepare import text_batch
from vtexplore.data.text import check_lexicon
from vtexplore.errors import ConfigError, TextError
from vtexplore.exemplars import Draw, word_moment
from vtexplore.probes._ask import able, about, card_of
from vtexplore.probes._moments import pictures, window, words_for
from vtexplore.probes._result import Result
from vtexplore.record import beside
from vtexplore.types import Batch

CONDITIONS = ("the text", "no text")


@dataclass(frozen=True)
class IllustrateResult(Result):
    """How likely each visual word is at each moment: ``p`` float32 [condition, moment, word] in 0..1.

    ``conditions`` are "the text" and "no text". ``words`` int [shown] are those that pictures show, by ``exemplars``
    uint8 [shown, height, width, rgb] (may be none).
    """

    PICTURES: ClassVar[tuple[str, ...]] = ("exemplars",)

    text: str
    shown: int
    conditions: tuple[str, ...]
    p: np.ndarray
    words: np.ndarray
    exemplars: np.ndarray
    about: dict[str, Any]
    notes: tuple[str, ...]

    def top(self, moment: int, count: int | None = None, condition: str | None = None) -> tuple[tuple[int, float], ...]:
        """The likeliest words of a moment (from 0) and their probabilities, best first, with the text or without."""
        if condition is not None and condition not in self.conditions:
            raise ConfigError(f"No condition {condition!r} here; there are {', '.join(self.conditions)}.")
        row = self.p[0 if condition is None else self.conditions.index(condition), moment]
        best = np.argsort(-row, kind="stable")[: self.shown if count is None else count]
        return tuple((int(i), float(row[i])) for i in best)

    def changed(self) -> np.ndarray:
        """[moment]: how much of the probability the text moves to other words, 0..1 (the total variation)."""
        distance: np.ndarray = np.abs(self.p[0] - self.p[1]).sum(axis=1) / 2
        return distance


def illustrate(model: Any, text: str, moments: int = 3, k: int = 3, *, draw: Draw = word_moment) -> IllustrateResult:
    """The ``k`` likeliest visual words at each of so many hidden ``moments`` beside a sentence, and without it.

    ``draw`` finds the frames of an exemplar. Raises ``Unsupported`` for a model that does not read video in words,
    ``TextError`` for a text that the model cannot read, ``ConfigError`` for no moment or word, or too many moments.
    """
    count = len(words_for(model))
    hide_codes = able(model, "hide_codes", "say what hidden moments show")
    if moments < 1 or k < 1:
        raise ConfigError(f"moments={moments}, k={k}: ask for one moment or more, and for one word or more.")
    if not text.strip():
        raise TextError("Give a sentence to illustrate: 'the red circle slides left'.")
    if lexicon := card_of(model).get("lexicon"):
        check_lexicon(text, frozenset(lexicon))
    batch = beside(model, _blank(model, " ".join(text.split()), moments))
    hidden = torch.ones(1, moments, 1, 1, dtype=torch.bool, device=batch.video.device)
    with torch.inference_mode():
        told = hide_codes(batch, hidden).code_logits
        alone = model.foresee(hidden.flatten(1).long() * 0, hidden.flatten(1))
    p = np.asarray(torch.cat([told, alone])[..., :count].float().softmax(-1).cpu(), dtype=np.float32)
    best = np.argsort(-p, axis=-1, kind="stable")[..., :k]
    words, exemplars, lacking = pictures(model, best.flatten().tolist(), draw)
    return IllustrateResult(
        text=batch.texts[0],
        shown=min(k, p.shape[-1]),
        conditions=CONDITIONS,
        p=p,
        words=words,
        exemplars=exemplars,
        about=about(model),
        notes=("One sentence shows a case, not a rate.", "Each moment is asked for by itself.", *lacking),
    )


def _blank(model: Any, text: str, moments: int) -> Batch:
    """A text beside a black video of so many moments, none of which will be looked at."""
    words, inputs = text_batch([text], model.inputs), model.inputs
    video = torch.zeros(1, moments * window(model), 3, inputs.size_px, inputs.size_px)
    bare = Batch.bare(video, words.word_ids, words.word_mask)
    return Batch(**{**vars(bare), "texts": words.texts, "pieces": words.pieces, "piece_words": words.piece_words})
