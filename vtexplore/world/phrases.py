"""Noun and verb phrases of what is said in a world: who, and what they do.

    nouns(words)    "red circle", "dotted background": a colour and a shape, or the ground and its look
    verbs(words)    "slides left", "grows", "turns blue", "passes in front": what happens, without who does it

``words`` say what each word is. A caption's own are the truth; ``tagged`` finds them in any sentence by the
world's words alone: a word is always the same thing, but for a colour behind a verb, which is what is turned to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from vtexplore.types import Phrase
from vtexplore.world.shapes import SHAPES_THEME
from vtexplore.world.theme import Theme, Voice

Words = Sequence[Phrase]
_TELLS = ("direction", "target", "relation")  # what belongs to a verb


def nouns(words: Words) -> Iterator[tuple[Phrase, ...]]:
    """A shape with its colour, if that stands before it; the look of the ground with the word for it."""
    for at, word in enumerate(words):
        if word.role == "shape":
            yield tuple(words[at - 1 if at and words[at - 1].role == "colour" else at : at + 1])
        elif word.role == "background":
            yield tuple(words[at : at + 2])


def verbs(words: Words) -> Iterator[tuple[Phrase, ...]]:
    """What tells an event: a verb, and the direction, colour or place that goes with it."""
    at = 0
    while at < len(words):
        phrase = _verb_at(words, at)
        if phrase:
            yield phrase
        at += max(1, len(phrase))


def _verb_at(words: Words, at: int) -> tuple[Phrase, ...]:
    """The verb phrase that begins with a word, or nothing."""
    first, after = words[at], words[at + 1 : at + 3]
    if first.role == "relation":  # "collides" says it all
        return (first,)
    if first.role != "verb" or not after:
        return (first,) if first.role == "verb" else ()
    if after[0].role in _TELLS:
        return (first, after[0])
    passing = len(after) == 2 and after[0].concept == "in" and after[1].role == "relation"
    return (first, *after) if passing else (first,)


def spelled(theme: Theme, voice: Voice, kind: str, target: str | None = None) -> str:
    """The verb phrase of an action in a voice: "slides left", "becomes blue"."""
    says = voice.says.get(kind, theme.actions[kind].says)
    words = [Phrase(i, voice.word((target or c) if r == "target" else c), r, c) for i, (c, r) in enumerate(says)]
    return " ".join(w.text for w in next(verbs(words)))


def tagged(text: str, theme: Theme = SHAPES_THEME) -> tuple[Phrase, ...]:
    """What each word of a sentence is, by the words of the theme; others are "function". Commas do not count."""
    known = _roles(theme)
    out: list[Phrase] = []
    for at, word in enumerate(text.split()):
        role, concept = known.get(word.strip(",.").lower(), ("function", word))
        if role == "colour" and out and out[-1].role == "verb":
            role = "target"
        out.append(Phrase(at, word.strip(",."), role, concept))
    return tuple(out)


@lru_cache(maxsize=8)
def _roles(theme: Theme) -> dict[str, tuple[str, str]]:
    """Role and concept of every word that has one."""
    out: dict[str, tuple[str, str]] = {}
    for voice in theme.voices:
        tables = {"colour": theme.colours, "shape": theme.shapes, "background": theme.backgrounds}
        for role, concepts in tables.items():
            out |= {voice.word(c): (role, c) for c in concepts}
        for kind, action in theme.actions.items():
            says = voice.says.get(kind, action.says) + voice.after.get(kind, ())
            out |= {voice.word(c): (role, c) for c, role in says if role != "target"}
        out[voice.word("in")] = ("function", "in")
    return out
