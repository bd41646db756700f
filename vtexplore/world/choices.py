"""Other things that might have been said in place of a phrase: choices that are wrong, and of the same kind.

    alternatives("the red circle slides left", "red circle")    "red star", "blue circle", "pink cross", …
    alternatives("the red circle slides left", "slides left")   "slides up", "moves …", never what is told anyway

They are said by whoever says the sentence ("ball" is not mixed with "circle"), in as many words, and are not
true of anything else that the sentence tells.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np

from vtexplore.types import Phrase
from vtexplore.world.phrases import nouns, spelled, tagged, verbs
from vtexplore.world.shapes import SHAPES_THEME
from vtexplore.world.theme import Theme, Voice
from vtexplore.world.vocabulary import WORDS


def alternatives(
    text: str,
    phrase: str,
    *,
    there: Collection[str] = (),
    happens: Collection[str] = (),
    reverse: bool = True,
    known: Collection[str] = WORDS,
    count: int = 4,
    seed: int = 0,
    theme: Theme = SHAPES_THEME,
) -> tuple[str, ...]:
    """Up to ``count`` phrases of the same kind that are not true of ``text``; () if its words are not the theme's.

    A noun phrase: another shape, another colour, then both. A verb phrase: what as many objects do, with
    ``reverse`` what the reversed clip would show first of all, and without it never. ``there`` names looks
    ("red circle", in concepts) and ``happens`` actions that are known to be in the clip beside what is told; only
    ``known`` words are used.
    """
    words, told = tagged(phrase, theme), tagged(text, theme)
    if not any(w.role != "function" for w in words):
        return ()
    voice, rng = _voice(theme, (*told, *words)), np.random.default_rng(seed)
    if [w.role for w in words] == ["colour", "shape"]:
        return _looks(theme, voice, words, told, there, frozenset(known), count, rng)
    if found := _action(theme, phrase):
        said = _actions(theme, voice, found, told, happens, reverse, frozenset(known), count, rng)
    else:
        said = _words(theme, voice, words, told, reverse, frozenset(known), count, rng)
    return said


def reverses(one: str, other: str, theme: Theme = SHAPES_THEME) -> bool:
    """Whether one phrase says what the reversed clip of the other would show: "slides left", "slides right"."""
    if (a := _action(theme, one)) and (b := _action(theme, other)):
        return a[0] != b[0] and theme.actions[a[0]].reverse == b[0]
    a_words, b_words = tagged(one, theme), tagged(other, theme)
    differ = [(a, b) for a, b in zip(a_words, b_words) if a.concept != b.concept]
    if len(a_words) != len(b_words) or len(differ) != 1:
        return False
    return differ[0][1].concept in _reversed(theme, differ[0][0].concept)


def meant(phrase: str, theme: Theme = SHAPES_THEME) -> str | None:
    """What a phrase tells, in concepts: a look ("red circle") or an action ("slides left"); None if neither."""
    words = tagged(phrase, theme)
    if [w.role for w in words] == ["colour", "shape"]:
        return " ".join(w.concept for w in words)
    found = _action(theme, phrase)
    return None if found is None else found[0]


# ── kinds of phrases ──────────────────────────────────────────────────────────────────────────────


def _looks(
    theme: Theme,
    voice: Voice,
    words: Sequence[Phrase],
    told: Sequence[Phrase],
    there: Collection[str],
    known: frozenset[str],
    count: int,
    rng: np.random.Generator,
) -> tuple[str, ...]:
    """Another shape, another colour, and then neither."""
    colour, shape = (w.concept for w in words)
    taken = {tuple(w.concept for w in run) for run in nouns(told)} | {tuple(look.split()) for look in there}
    taken.add((colour, shape))
    free = [(c, s) for c in theme.colours for s in theme.shapes if (c, s) not in taken]
    free = [(c, s) for c, s in free if {voice.word(c), voice.word(s)} <= known]
    out: list[tuple[str, str]] = []
    for same, wanted in (((True, False), 1), ((False, True), 1), ((False, False), count)):
        fitting = [look for look in free if ((look[0] == colour), (look[1] == shape)) == same]
        out += [fitting[i] for i in rng.permutation(len(fitting))[: min(wanted, count - len(out))]]
    return tuple(f"{voice.word(c)} {voice.word(s)}" for c, s in out)


def _actions(
    theme: Theme,
    voice: Voice,
    found: tuple[str, str | None],
    told: Sequence[Phrase],
    happens: Collection[str],
    reverse: bool,
    known: frozenset[str],
    count: int,
    rng: np.random.Generator,
) -> tuple[str, ...]:
    """What as many objects do in as many words, like motions first."""
    kind, target = found
    action, length = theme.actions[kind], len(spelled(theme, voice, *found).split())
    done = {kind, *happens}
    done |= {a[0] for run in verbs(told) if (a := _action(theme, " ".join(w.text for w in run)))}
    back = action.reverse if reverse and action.reverse not in done else None
    done |= {theme.actions[k].reverse for k in done}
    colours = {w.concept for w in told if w.role in ("colour", "target")} | {target}
    out = [] if back is None else [spelled(theme, voice, back, target)]
    out = [p for p in out if set(p.split()) <= known]
    near: list[str] = []
    far: list[str] = []
    for other, about in theme.actions.items():
        aimed = "target" in dict(about.says)
        if about.arity != action.arity or (other in done and not aimed):
            continue
        for goal in theme.colours if aimed else (None,):
            said = spelled(theme, voice, other, goal)
            fits = len(said.split()) == length and set(said.split()) <= known
            if fits and (goal is None or goal not in colours):
                (near if about.motion == action.motion else far).append(said)
    for some in (near, far):
        some[:] = [some[i] for i in rng.permutation(len(some))]
    half = (count - len(out) + 1) // 2
    return tuple((*out, *near[:half], *far, *near[half:])[:count])


def _words(
    theme: Theme,
    voice: Voice,
    words: Sequence[Phrase],
    told: Sequence[Phrase],
    reverse: bool,
    known: frozenset[str],
    count: int,
    rng: np.random.Generator,
) -> tuple[str, ...]:
    """The last word that says something is another one of its role."""
    at = max(i for i, w in enumerate(words) if w.role != "function")
    role, own = words[at].role, words[at].concept
    taken = {w.concept for w in told} | {own}
    taken |= set() if reverse else set().union(*(_reversed(theme, c) for c in taken))
    fitting = [c for c in _concepts(theme, role) if c not in taken and voice.word(c) in known]
    fitting = [fitting[i] for i in rng.permutation(len(fitting))[:count]]
    return tuple(" ".join(voice.word(c) if i == at else w.text for i, w in enumerate(words)) for c in fitting)


# ── what the theme says of a word ─────────────────────────────────────────────────────────────────


def _voice(theme: Theme, words: Sequence[Phrase]) -> Voice:
    """Whose words these are, by most of them."""

    def own(voice: Voice) -> int:
        small = {voice.word(k) for k in ("the", "now", "on")}
        return sum(voice.word(w.concept) == w.text for w in words if w.role != "function") + sum(
            w.text in small for w in words if w.role == "function"
        )

    return max(theme.voices, key=own)


def _action(theme: Theme, phrase: str) -> tuple[str, str | None] | None:
    """The action that a phrase tells, and the colour that it ends in, by any voice."""
    said = " ".join(w.text.lower() for w in tagged(phrase, theme))
    for voice in theme.voices:
        for kind, action in theme.actions.items():
            for target in theme.colours if "target" in dict(action.says) else (None,):
                if spelled(theme, voice, kind, target) == said:
                    return kind, target
    return None


def _concepts(theme: Theme, role: str) -> Iterator[str]:
    tables = {
        "colour": theme.colours,
        "target": theme.colours,
        "shape": theme.shapes,
        "background": theme.backgrounds,
    }
    yield from tables.get(role, dict.fromkeys(c for a in theme.actions.values() for c, r in a.says if r == role))


def _reversed(theme: Theme, concept: str) -> set[str]:
    """What stands in a concept's place when the clip runs backwards."""
    out = set()
    for action in theme.actions.values():
        for (c, role), (back, _) in zip(action.says, theme.actions[action.reverse].says):
            if c == concept and back != concept and role in ("verb", "direction", "relation"):
                out.add(back)
    return out
