"""Which phrases a sentence has: by the world's words, by brackets, by a tagger if there is one."""

from dataclasses import dataclass
from typing import Any

import pytest

from vtexplore.data import phrases
from vtexplore.data.phrases import Phrases, bracketed, phrases_of


def test_of_the_world() -> None:
    found = phrases_of("this red box becomes pink, but first it moves down over this dark floor")
    assert found == Phrases(("red box", "dark floor"), ("becomes pink", "moves down"))
    assert found.of("noun") == found.nouns and found.of("verb") == found.verbs
    assert phrases_of("the red circle").of("verb") == ("red circle",)


def test_brackets() -> None:
    assert bracketed("[the red ball] rolls left") == ("the red ball rolls left", "the red ball")
    assert bracketed("the [MASK] rolls left") is None


@dataclass
class Word:
    text: str
    pos_: str


class Document(list[Word]):
    @property
    def noun_chunks(self) -> list[list[Word]]:
        return [self[:3], self[4:5]]


def test_a_tagger_if_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = {"an": "DET", "old": "ADJ", "woman": "NOUN", "feeds": "VERB", "her": "PRON"}

    def reader(text: str) -> Any:
        return Document(Word(w, kinds[w]) for w in text.split())

    phrases_of.cache_clear()
    monkeypatch.setattr(phrases, "_spacy", lambda: reader)
    assert phrases_of("an old woman feeds her") == Phrases(("old woman",), ("feeds",))
    phrases_of.cache_clear()
    monkeypatch.setattr(phrases, "_spacy", lambda: None)
    assert phrases_of("an old woman feeds her") == Phrases(("an", "old", "woman", "feeds", "her"), ())
    phrases_of.cache_clear()
