"""The words of a question with choices: which phrase is asked for, what is left of the text, what is offered."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from vtexplore.data.phrases import bracketed, phrases_of
from vtexplore.data.text import plain, vocabulary
from vtexplore.errors import ConfigError, TextError
from vtexplore.objectives.questions import question
from vtexplore.probes._ask import card_of, text_of
from vtexplore.probes.grounding import named_things
from vtexplore.types import Clip, Inputs
from vtexplore.world import SHAPES_THEME, WORDS, sample_scene
from vtexplore.world.choices import alternatives, meant, reverses
from vtexplore.world.phrases import tagged

ARTICLES = {"a", "an", "the", "this", "that"}
WRONG = 8  # scenes that are asked the same


def bare(phrase: str) -> str:
    """A phrase without an article before it and without the punctuation around its words."""
    words = [w.strip(".,;:!?") for w in phrase.split()]
    return " ".join(words[1:] if len(words) > 1 and words[0].lower() in ARTICLES else words)


def asked(text: str | None, phrase: str | None, clip: Clip) -> tuple[str, str]:
    """The text without brackets, and the phrase as the text spells it.

    Raises ``TextError`` if the text has no such phrase, or two phrases are given that differ.
    """
    if text is None or not text.strip():
        raise TextError(f"{clip.name} has no caption of its own. Give a sentence: '[a red circle] slides left'.")
    if by_hand := bracketed(text):
        text, marked = by_hand
        if phrase is not None and plain(bare(phrase)) != plain(bare(marked)):
            raise TextError(f"{marked!r} is in brackets, and the phrase is to be {phrase!r}: give one of them.")
        phrase = marked
    text = " ".join(word.rstrip(".;:!?") or word for word in text.split())  # or else the phrase's last would stay
    found = phrases_of(text)
    if phrase is None:
        phrase = (*found.nouns, *found.verbs)[0]
    at = span_of(text, phrase)
    if not at:
        there = ", ".join(repr(p) for p in (*found.nouns, *found.verbs))
        raise TextError(f"The text has no phrase {phrase!r}. It has {there}.")
    return text, " ".join(text.split()[w].replace(",", "") for w in at)


def span_of(text: str, phrase: str) -> range:
    """Where the words of a phrase stand side by side in a text; an empty range if they do not."""
    words, wanted = [plain(w) for w in text.split()], [plain(w) for w in bare(phrase).split()]
    for start in range(len(words) - len(wanted) + 1):
        if wanted and words[start : start + len(wanted)] == wanted:
            return range(start, start + len(wanted))
    return range(0)


def things(clip: Clip, text: str, phrase: str) -> tuple[tuple[str, ...], list[int]]:
    """The objects of a clip, and which of them a phrase names or tells of: by the text's words, or in other words."""
    objects, named, _ = named_things(clip, text.split())
    mine = {o for word in span_of(text, phrase) for o in named[word]}
    if clip.truth is not None and not mine and (what := meant(phrase)):
        mine = {i for i, name in enumerate(objects) if name == what}
        mine |= {o for event in clip.truth.events if event.kind == what for o in event.objects}
    return objects, sorted(mine)


def question_of(text: str, phrase: str, inputs: Inputs) -> str:
    """The text without the phrase's words, wherever they stand: a [MASK] for each of their pieces."""
    known = vocabulary(inputs.vocabulary)
    return question(text, phrase, lambda word: len(known.word(word)[0]))


def elsewhere(text: str, phrase: str) -> bool:
    """Whether words of the phrase stand in other places of the text as well, where they are erased, too."""
    words = {plain(w) for w in phrase.split()}
    return sum(plain(w) in words for w in text.split()) > len(phrase.split())


def kind_of(text: str, phrase: str) -> str:
    """ "noun" or "verb"."""
    return "verb" if set(bare(phrase).split()) & {w for p in phrases_of(text).verbs for w in p.split()} else "noun"


def offered(
    model: Any, clip: Clip, text: str, phrase: str, choices: Sequence[str] | None, ordered: bool, seed: int
) -> tuple[str, ...]:
    """The choices: those given, or the phrase and others of its kind that are not true of the clip.

    Raises ``ConfigError`` for fewer than two or one given twice, ``TextError`` for words that the model never met.
    """
    if choices is None:
        there = () if clip.truth is None else clip.truth.objects
        happens = () if clip.truth is None else [e.kind for e in clip.truth.events]
        known = card_of(model).get("lexicon") or WORDS
        foils = alternatives(text, phrase, there=there, happens=happens, reverse=ordered, known=known, seed=seed)
        if not foils:
            raise ConfigError(f"Nothing like {phrase!r} is known to choose from. Say what else: choices=['…', '…'].")
        return (phrase, *foils)
    given = [choices] if isinstance(choices, str) else list(choices)
    out = [bare(text_of(model, clip, choice)) for choice in given]
    out = [phrase if plain(choice) == plain(phrase) else choice for choice in out]
    if len(out) < 2:
        raise ConfigError("A question with choices needs two of them or more: choices=['red ball', 'blue ball'].")
    if twice := [c for i, c in enumerate(out) if plain(c) in {plain(o) for o in out[:i]}]:
        raise ConfigError(f"{twice[0]!r} is among the choices twice; each may be given once.")
    return tuple(out)


def reversed_pair(choices: Sequence[str]) -> tuple[str, str] | None:
    """Two choices of which one is the other backwards; None if there are none."""
    return next(((a, b) for a, b in combinations(choices, 2) if reverses(a, b)), None)


def wrong_clips(clip: Clip, phrase: str) -> tuple[Clip, ...]:
    """Scenes of the clip's world that are not told by the same phrase; none for a clip from elsewhere."""
    if clip.world != SHAPES_THEME.name:
        return ()
    told = {w.concept for w in tagged(phrase) if w.role != "function"}
    out: list[Clip] = []
    seed = 0
    while len(out) < WRONG and seed < 10 * WRONG:
        scene = sample_scene(seed, "heldout")
        if not told or not told <= {w.concept for w in scene.caption.words}:
            out.append(scene.clip())
        seed += 1
    return tuple(out)
