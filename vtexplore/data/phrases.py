"""The noun and verb phrases of a sentence, which may be asked for.

A sentence of the world is read by the world's words; another one by spaCy, if it and an English model of its
own are installed. In any sentence, one phrase may be bracketed by hand: "[the red ball] rolls left".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import import_module
from typing import Any

from vtexplore.data.text import plain, words_of
from vtexplore.errors import TextError
from vtexplore.world import WORDS
from vtexplore.world.phrases import nouns, tagged, verbs

_BRACKETS = re.compile(r"\[(?!MASK\])([^\[\]]+)\]")


@dataclass(frozen=True)
class Phrases:
    """What may be asked for in a sentence, in its order; words as they are written, without commas."""

    nouns: tuple[str, ...]
    verbs: tuple[str, ...]

    def of(self, kind: str) -> tuple[str, ...]:
        """Phrases of a kind, "noun" or "verb"; a sentence without verbs is asked for its nouns."""
        return (self.verbs if kind == "verb" else ()) or self.nouns


def bracketed(text: str) -> tuple[str, str] | None:
    """Sentence and phrase of "[the red ball] rolls left"; None without brackets.

    Raises ``TextError`` if there are several.
    """
    found = _BRACKETS.findall(text)
    if len(found) > 1:
        raise TextError(f"{text!r} has {len(found)} phrases in brackets; a question asks for one.")
    return (_BRACKETS.sub(r"\1", text), found[0]) if found else None


@lru_cache(maxsize=50_000)
def phrases_of(text: str) -> Phrases:
    """The phrases of a sentence; its words one by one if nothing reads it, or nothing is found."""
    known = {plain(w) for w in words_of(text)} <= WORDS
    reader = None if known else _spacy()
    if reader is not None:
        found = _read(reader(text))
    else:
        words = tagged(text)
        found = Phrases(*(tuple(" ".join(w.text for w in p) for p in find(words)) for find in (nouns, verbs)))
    return found if found.nouns or found.verbs else Phrases(tuple(words_of(text)), ())


@cache
def _spacy() -> Any:
    """An English pipeline of spaCy's, or None."""
    try:
        return import_module("spacy").load("en_core_web_sm")  # not among our requirements
    except (ImportError, OSError):
        return None


def _read(document: Any) -> Phrases:
    """Noun chunks without their articles (or single nouns), and verbs."""
    chunks = [" ".join(t.text for t in c if t.pos_ not in ("DET", "PRON")) for c in document.noun_chunks]
    single = [t.text for t in document if t.pos_ in ("NOUN", "PROPN")]
    return Phrases(tuple(c for c in chunks if c) or tuple(single), tuple(t.text for t in document if t.pos_ == "VERB"))
