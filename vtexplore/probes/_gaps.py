"""Whole words in place of a [MASK], beside many videos at once.

Candidates are whole words. One of k WordPieces is asked for with k masks side by side, and its probability is the
product over its pieces, each predicted on its own (the "joint" rule).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from vtexplore.data.prepare import prepare, text_batch, word_positions
from vtexplore.data.text import SPECIALS, hide_word, plain, vocabulary, words_of
from vtexplore.errors import TextError
from vtexplore.probes._ask import card_of, find_word, needs, text_of
from vtexplore.probes._videos import Watched
from vtexplore.types import Batch, Clip

MASK = re.compile(r"\[MASK\]", re.IGNORECASE)
MOST_PIECES = 4  # a word of more pieces is not a candidate


@dataclass(frozen=True)
class Said:
    """What a model says in a gap beside each video.

    ``p`` float32 [video, candidate] in 0..1; ``pieces`` float32 [video, piece]: ln p of every piece of the vocabulary
    in a gap of one piece, empty if no candidate has one piece; ``left_out``: candidates that did not fit in (p = 0).
    """

    p: np.ndarray
    pieces: np.ndarray
    left_out: int


def gap_of(model: Any, clip: Clip, text: str | None, word: str | int | None) -> tuple[str, int, str | None]:
    """A text with one [MASK], the index of the masked word, and what stood there, if that is known.

    Raises ``TextError`` without exactly one masked word or with words that the model does not know.
    """
    text = text_of(model, clip, text)
    words = words_of(text)
    if word is not None:
        masked = find_word(words, word)
        return hide_word(text, masked), masked, plain(words[masked])
    places = [i for i, w in enumerate(words) if MASK.search(w)]
    if len(places) != 1:
        raise TextError("Put one [MASK] in place of a word, or say which word to mask: word='red'.")
    return text, places[0], answer_of(clip, words, places[0])


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


def ask(videos: Watched, text: str, masked: int, candidates: Mapping[str, tuple[int, ...]]) -> Said:
    """How likely each candidate is in place of one of the text's words, whatever else is masked there.

    ``masked`` is the word's index, ``candidates`` gives each word's pieces. Raises ``TextError`` if the text does not
    fit, ``Unsupported`` for a model that does not predict words.
    """
    model, pieces = videos.model, list(candidates.values())
    p = np.zeros((len(videos), len(candidates)), dtype=np.float32)
    left_out, single = 0, np.zeros((len(videos), 0), dtype=np.float32)
    lengths = sorted({len(ids) for ids in pieces})
    for length in lengths:
        at = [i for i, ids in enumerate(pieces) if len(ids) == length]
        asked = " ".join(MASK.sub("[MASK]" * length, w) if i == masked else w for i, w in enumerate(words_of(text)))
        try:
            batch = text_batch([asked], model.inputs)
        except TextError:
            if length == lengths[0]:
                raise
            left_out += len(at)
            continue
        log_p = in_gaps(videos, batch, word_positions(batch, masked))  # [video, place, piece]
        index = torch.tensor([pieces[i] for i in at]).T.expand(len(videos), -1, -1)  # [video, place, candidate]
        p[:, at] = log_p.gather(2, index).sum(dim=1).exp().numpy()
        single = log_p[:, 0].numpy() if length == 1 else single
    return Said(p, single, left_out)


def likely(model: Any, clip: Clip, text: str, masked: int, candidates: Mapping[str, tuple[int, ...]]) -> np.ndarray:
    """How likely each candidate is in the gap beside one clip: float32 [candidate] in 0..1. Raises as ``ask``."""
    p: np.ndarray = ask(Watched(model, prepare([clip], [text], model.inputs)), text, masked, candidates).p[0]
    return p


def in_gaps(videos: Watched, text: Batch, places: np.ndarray) -> torch.Tensor:
    """ln p of every piece of the vocabulary in some places of a text, beside each video: [video, place, piece]."""
    model, out = videos.model, []
    for _, output in videos.fill(text):
        logits = needs(model, output, "word_logits", "masked words")[:, torch.from_numpy(places)]
        out.append(logits.float().log_softmax(dim=-1).cpu())
    return torch.cat(out)


def crowded(left_out: int) -> tuple[str, ...]:
    """A note on candidates that were left out, if there are any."""
    return (f"{left_out} words of several pieces did not fit into the text's length.",) if left_out else ()
