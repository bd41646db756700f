"""Multiple choice questions of a caption (BridgeFormer, arXiv 2201.04850, §3.2): a phrase is erased, and is the answer.

caption     the red ball slides left          phrase    red ball
question    the [MASK] [MASK] slides left     answer    [MASK] [MASK] [MASK] red ball
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from vtexplore.data.phrases import bracketed, phrases_of

PROMPT = "[MASK] [MASK] [MASK]"
"""Stands before an answer, so that an encoder of sentences copes with a fragment."""


def question(caption: str, phrase: str, pieces: Callable[[str], int]) -> str:
    """The caption without the words of a phrase, wherever they stand: as many [MASK] as a word has ``pieces``.

    A word goes if it is one of the phrase's, or one of them with a capital, once commas are taken off; its
    comma goes with it. Apostrophes go everywhere. If no word is the phrase's, the caption is the question.
    """
    erased = {w for word in phrase.split() for w in (word, word.capitalize())}
    out = []
    for word in caption.split(" "):
        bare = word.replace(",", "")
        out.append(" ".join(["[MASK]"] * pieces(bare)) if bare in erased else word)
    return " ".join(out).replace("'", "")


def answer(phrase: str) -> str:
    """A phrase as the text encoder is shown it."""
    return f"{PROMPT} {phrase}"


def ask(
    captions: Sequence[str], nouns: float, generator: torch.Generator, pieces: Callable[[str], int]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """A question and its answer for each caption: one of its phrases, by chance.

    It is a noun phrase with probability ``nouns``, else a verb phrase; a phrase in brackets is asked for whatever
    it is.
    """
    draws = torch.rand(len(captions), 2, generator=generator, device=generator.device).tolist()
    pairs = []
    for caption, (coin, draw) in zip(captions, draws, strict=True):
        if by_hand := bracketed(caption):
            caption, phrase = by_hand
        else:
            found = phrases_of(caption).of("noun" if coin < nouns else "verb")
            phrase = found[int(draw * len(found))]
        pairs.append((question(caption, phrase, pieces), answer(phrase)))
    questions, answers = zip(*pairs, strict=True)
    return questions, answers
