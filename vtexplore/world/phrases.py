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
    """Runs of words that name an object, or the ground."""
    run: list[Phrase] = []
    for word in (*words, None):
        named = word is not None and word.role in ("colour", "shape")
        if run and (not named or run[-1].role == "shape" or (word and word.objects != run[-1].objects)):
            yield tuple(run)
            run = []
        if named and word is not None:
            run.append(word)
    for at, word in enumerate(words):
        if word.role == "background":
            yield tuple(words[at : at + 2])


def verbs(words: Words) -> Iterator[tuple[Phrase, ...]]:
    """Runs of words that tell an event, from the first that says something to the last."""
    at = 0
    while at < len(words):
        first = words[at]
        if first.role == "verb" or (first.role == "relation" and first.concept not in ("front", "back")):
            end = at + 1
            for further in range(at + 1, min(at + 3, len(words))):
                if words[further].role in _TELLS and first.role == "verb":
                    end = further + 1
                    break
                if words[further].role != "function" or words[further].concept != "in":
                    break
            yield tuple(words[at:end])
            at = end
        else:
            at += 1


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
