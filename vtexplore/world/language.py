"""What is said: statements, and the words that say them.

A ``Statement`` is language-free: who does what, in which order, before which background. ``say`` spells
it in a ``Style`` (which annotator, which template, which frame around it). Length and template are drawn
without a look at the content, and every word knows what it names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import numpy as np

from vtexplore.types import Phrase
from vtexplore.world.theme import Slot, Theme, Voice


@dataclass(frozen=True)
class Noun:
    """An object as named: by its colour at the clip's start, and its shape. ``thing`` indexes the scene."""

    colour: str
    shape: str
    thing: int = field(default=-1, compare=False)


@dataclass(frozen=True)
class Clause:
    """One event as told: who does what, to whom, becoming which colour."""

    subject: Noun
    kind: str
    other: Noun | None = None
    target: str | None = None


@dataclass(frozen=True)
class Statement:
    """What a caption claims: clauses in the order in which they happen.

    ``join`` is "one" (a single clause), "then" (two, one after the other), "while" (two at once) or
    "script" (any number, one after the other).
    """

    join: str
    clauses: tuple[Clause, ...]
    background: str

    @property
    def nouns(self) -> tuple[Noun, ...]:
        """Every noun once, in the order of mention by clause."""
        seen: dict[int, Noun] = {}
        for c in self.clauses:
            for noun in (c.subject, c.other):
                if noun is not None:
                    seen.setdefault(noun.thing, noun)
        return tuple(seen.values())


@dataclass(frozen=True)
class Style:
    """How a statement is said: numbers of an annotator, a template and a frame."""

    voice: int
    template: int
    frame: int


@dataclass(frozen=True)
class Caption:
    """A sentence and what each of its words names (``words``, in order; ``text`` joins them)."""

    text: str
    words: tuple[Phrase, ...]
    statement: Statement
    style: Style
    language: str = "en"

    def __str__(self) -> str:
        return self.text

    def spans(self) -> tuple[tuple[int, int, tuple[int, ...], int | None], ...]:
        """Runs of words that name one thing: (first word, one past the last, objects, event)."""
        out: list[tuple[int, int, tuple[int, ...], int | None]] = []
        for w in self.words:
            if not w.objects and w.event is None:
                continue
            if out and out[-1][1] == w.word and out[-1][2:] == (w.objects, w.event):
                out[-1] = (out[-1][0], w.word + 1, *out[-1][2:])
            else:
                out.append((w.word, w.word + 1, w.objects, w.event))
        return tuple(out)


def draw_style(rng: np.random.Generator, theme: Theme, join: str, voice: int | None = None) -> Style:
    """A style for a kind of statement, drawn evenly and without a look at its content; ``voice``: of this annotator."""
    voices = theme.voices
    voice = int(rng.random() * len(voices)) if voice is None else voice
    template = int(rng.random() * len(voices[voice].templates[join]))
    return Style(voice, template, int(rng.random() * len(voices[voice].frames[join])))


def tells_in_order(theme: Theme, style: Style, join: str) -> bool:
    """Whether a style mentions what happens first before what happens later; True where there is but one event."""
    template = theme.voices[style.voice].templates[join][style.template]
    return "{B}" not in template or template.index("{A}") < template.index("{B}")


@cache
def _parts(pattern: str) -> tuple[str, ...]:
    return tuple(pattern.split())


class _Writer:
    """Collects words with what they name."""

    def __init__(self, voice: Voice) -> None:
        self.voice = voice
        self.words: list[Phrase] = []

    def add(self, key: str, role: str, objects: tuple[int, ...] = (), event: int | None = None) -> None:
        word = self.voice.word(key)
        if word:
            self.words.append(Phrase(len(self.words), word, role, key.split(".", 1)[0], objects, event))

    def caption(self, statement: Statement, style: Style, language: str) -> Caption:
        return Caption(" ".join(w.text for w in self.words), tuple(self.words), statement, style, language)

    def noun(self, pattern: tuple[str, ...], noun: Noun) -> None:
        for part in pattern:
            role = "colour" if "{colour}" in part else "shape" if part == "{shape}" else "function"
            self.add(part.format(colour=noun.colour, shape=noun.shape), role, (noun.thing,))

    def slots(self, says: tuple[Slot, ...], clause: Clause, event: int) -> None:
        objects = (clause.subject.thing,) if clause.other is None else (clause.subject.thing, clause.other.thing)
        for concept, role in says:
            if role == "target":
                concept = concept.replace("target", clause.target or "")
            self.add(concept, role, objects, event)

    def clause(self, theme: Theme, clause: Clause, event: int, again: bool, verb: str) -> None:
        """``verb`` says where the first word of the action stands: "" after the subject, "first", "last"."""
        says = self.voice.says.get(clause.kind, theme.actions[clause.kind].says)
        if verb == "first":
            self.slots(says[:1], clause, event)
        if again:  # the object was named before: "... before it spins"
            self.add("it." + clause.subject.shape, "function", (clause.subject.thing,))
        else:
            self.noun(self.voice.noun, clause.subject)
        self.slots(says[1:] if verb else says, clause, event)
        if clause.other is not None:
            self.noun(self.voice.noun_with, clause.other)
            self.slots(self.voice.after.get(clause.kind, ()), clause, event)
        if verb == "last":
            self.slots(says[:1], clause, event)


def say(theme: Theme, statement: Statement, style: Style, language: str = "en") -> Caption:
    """Spell a statement.

    Raises ``ConfigError`` if the theme does not speak ``language``.
    """
    voice = theme.voice(style.voice, language)
    if statement.join == "script":
        return _recount(theme, statement, style, language)
    templates, frames = voice.templates[statement.join], voice.frames[statement.join]
    out = _Writer(voice)
    same = len({c.subject.thing for c in statement.clauses}) < len(statement.clauses)
    mentioned = False
    for piece in _parts(frames[style.frame % len(frames)]):
        if piece == "{where}":
            for part in voice.where:
                role = "background" if part == "{background}" else "function"
                out.add(part.format(background=statement.background), role)
        elif piece != "{it}":
            out.add(piece, "function")
        else:
            for token in _parts(templates[style.template % len(templates)]):
                if token[0] == "{":
                    k = "AB".index(token[1])
                    out.clause(theme, statement.clauses[k], k, same and mentioned, token[3:-1])
                    mentioned = True
                else:
                    out.add(token, "connective")
    return out.caption(statement, style, language)


def _recount(theme: Theme, statement: Statement, style: Style, language: str) -> Caption:
    """Any number of clauses in their order in time, joined as the "script" template joins two."""
    voice = theme.voice(style.voice, language)
    first, *between, later = _parts(voice.templates["script"][0])
    out = _Writer(voice)
    for k, clause in enumerate(statement.clauses):
        for token in between if k else ():
            out.add(token, "connective")
        again = k > 0 and clause.subject == statement.clauses[k - 1].subject
        out.clause(theme, clause, k, again, (later if k else first)[3:-1])
    return out.caption(statement, style, language)


def retell(caption: Caption, theme: Theme, rng: np.random.Generator) -> Caption:
    """The same statement in another style: a paraphrase (always another text)."""
    while True:
        other = say(theme, caption.statement, draw_style(rng, theme, caption.statement.join))
        if other.text != caption.text:
            return other
