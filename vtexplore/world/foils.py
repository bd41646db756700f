"""Captions that are false by little, and the scenes in which they would be true.

Each kind of foil is an edit of the SCENE; the foil is what the edited scene's caption would say, in the
same style, so a caption and its foil differ in the edited words only. ``sibling`` also finds places for
the edited scene: a hard negative whose own caption is the foil.

    kind              the edit                                                    needs
    colour            another colour for one actor                                –
    object            another shape for one actor                                 –
    verb              another action, one word of its phrase                      a verb that is not a slide or turn
    direction         another direction of a slide                                a slide
    reversed_verb     the reverse action: what the reversed clip would show       slides, grows, appears …
    reversed_colour   red turns blue → blue turns red (see below)                 a turn
    order             the two events in the other order                           a sequence
    binding           the two actors swap colours                                 two actors of other colours
    action_binding    the two actors swap what they do                            two actors with other tasks

Colour words after "turns" behave like verbs under reversal and are therefore a kind of their own, to be
scored apart. All edits of training scenes are training scenes: no foil or sibling names a held-out triple.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise, product
from typing import TypeVar

import numpy as np

from vtexplore.errors import ConfigError
from vtexplore.world.act import Act, Thing, chain_sizes, shape_act, shift
from vtexplore.world.language import Caption, Clause, Statement
from vtexplore.world.places import settle
from vtexplore.world.plan import Plan

KINDS = (
    "colour", "object", "verb", "direction", "reversed_verb", "reversed_colour", "order", "binding", "action_binding",
)  # fmt: skip
P = TypeVar("P", bound=Plan)
ORDER_LIKE = ("order", "reversed_verb", "direction")


@dataclass(frozen=True)
class Foil:
    """A false caption: its kind, the caption, and the indices of the words in which it differs."""

    kind: str
    caption: Caption
    changed: tuple[int, ...]

    def __str__(self) -> str:
        return self.caption.text


def holds(scene: Plan, statement: Statement) -> bool:
    """Whether a statement is true of a scene: some events of it are as told, in that order in time."""
    if statement.background != scene.background:
        return False
    fits = [[e for e in scene.events if _fits(scene, e, c)] for c in statement.clauses]
    return any(_timed(told, statement.join) for told in product(*fits))


def _timed(acts: tuple[Act, ...], join: str) -> bool:
    """Whether events lie in time as told: one by one in this order, or all at once."""
    if join == "while":
        return len(set(acts)) == len(acts) and min(a.end_s for a in acts) - max(a.start_s for a in acts) > 0.5
    return all(a.end_s <= b.start_s for a, b in pairwise(acts))


def _fits(scene: Plan, act: Act, clause: Clause) -> bool:
    if act.kind != clause.kind or act.target != clause.target:
        return False
    told = [n for n in (clause.subject, clause.other) if n is not None]
    seen = [scene.noun(o) for o in act.objects]
    return seen == told or (scene.theme.actions[act.kind].symmetric and seen == told[::-1])


def foil(scene: Plan, kind: str, rng: np.random.Generator) -> Foil | None:
    """A false caption of a kind, or None if this scene has none of it (see the table above).

    Raises ``ConfigError`` for an unknown kind.
    """
    for edited in _edits(scene, kind, rng):
        caption, old = edited.caption, scene.caption.words
        changed = tuple(i for i, w in enumerate(caption.words) if i >= len(old) or old[i].text != w.text)
        return Foil(kind, caption, changed)
    return None


def sibling(scene: P, kind: str, rng: np.random.Generator) -> P | None:
    """The scene in which a foil of this kind is the caption, all else equal where it can be.

    None if the scene has no such foil or the edit finds no place. What was not edited keeps its place,
    unless the edited object fits nowhere beside it.

    Raises ``ConfigError`` for an unknown kind.
    """
    for attempt, edited in enumerate(_edits(scene, kind, rng)):
        placed = _placed(scene, edited, rng)
        if placed is not None:
            return placed
        if attempt == 3:
            break
    return None


# ── the edits ─────────────────────────────────────────────────────────────────────────────────────


def _edits(scene: P, kind: str, rng: np.random.Generator) -> Iterator[P]:
    """Edited scenes, not placed yet, in random order: sound, in the split, and false as captions."""
    if kind not in KINDS:
        raise ConfigError(f"a foil is one of {', '.join(KINDS)}; not {kind!r}")
    if scene.join == "script" and kind not in ("colour", "object"):
        return  # a script has foils of names only: its steps lean on one another
    options = _EDITS[kind](scene)
    for i in rng.permutation(len(options)):
        edited = _apply(scene, kind, options[i], rng)
        if edited is not None and edited.is_sound() and not holds(scene, edited.statement):
            yield edited


def _actors(scene: Plan) -> list[int]:
    return sorted({o for e in scene.events for o in e.objects})


def _colour_options(scene: Plan) -> list[tuple[int, str]]:
    return [(o, c) for o in _actors(scene) for c in scene.theme.colours if c != scene.objects[o].colour]


def _shape_options(scene: Plan) -> list[tuple[int, str]]:
    return [(o, s) for o in _actors(scene) for s in scene.theme.shapes if s != scene.objects[o].shape]


def _same_phrase(scene: Plan, a: str, b: str) -> bool:
    """Whether two actions differ in one word only, by the default voice."""
    one, two = scene.theme.actions[a].says, scene.theme.actions[b].says
    return len(one) == len(two) and sum(x != y for x, y in zip(one, two, strict=True)) <= 1


def _verb_options(scene: Plan) -> list[tuple[int, str]]:
    theme, out = scene.theme, []
    twice = len(scene.events) == 2 and scene.events[0].objects == scene.events[1].objects
    for i, e in enumerate(scene.events):
        mine = theme.actions[e.kind]
        for name, other in theme.actions.items():
            if other.arity != mine.arity or name in (e.kind, mine.reverse):
                continue
            if mine.motion == other.motion == "slide":  # that is a direction
                continue
            if not _same_phrase(scene, e.kind, name):
                continue
            if twice and other.motion == "fade":  # what is not there can do nothing else
                continue
            out.append((i, name))
    return out


def _direction_options(scene: Plan) -> list[tuple[int, str]]:
    theme = scene.theme
    return [
        (i, name)
        for i, e in enumerate(scene.events)
        if theme.actions[e.kind].motion == "slide"
        for name, other in theme.actions.items()
        if other.motion == "slide" and name != e.kind
    ]


def _reversed_options(scene: Plan) -> list[tuple[int, str]]:
    actions = scene.theme.actions
    return [(i, actions[e.kind].reverse) for i, e in enumerate(scene.events) if actions[e.kind].reverse != e.kind]


def _turn_options(scene: Plan) -> list[tuple[int, str]]:
    return [(i, e.target) for i, e in enumerate(scene.events) if e.target]


def _order_options(scene: Plan) -> list[tuple[int, str]]:
    return [(0, "")] if scene.join == "then" else []


def _pair_options(scene: Plan) -> list[tuple[int, str]]:
    return [(0, "")] if len(_actors(scene)) == 2 else []


_EDITS = {
    "colour": _colour_options,
    "object": _shape_options,
    "verb": _verb_options,
    "direction": _direction_options,
    "reversed_verb": _reversed_options,
    "reversed_colour": _turn_options,
    "order": _order_options,
    "binding": _pair_options,
    "action_binding": _pair_options,
}


def _apply(scene: P, kind: str, option: tuple[int, str], rng: np.random.Generator) -> P | None:
    """The scene after an edit, everybody still in the old place."""
    which, value = option
    things, events = list(scene.objects), list(scene.events)

    def motion(name: str) -> str:
        return scene.theme.actions[name].motion

    if kind in ("colour", "object"):
        thing = things[which]
        things[which] = replace(thing, colour=value) if kind == "colour" else replace(thing, shape=value)
        if any(e.target == things[which].colour and which in e.objects for e in events):
            return None  # "the blue circle turns blue"
    elif kind in ("binding", "action_binding"):
        a, b = _actors(scene)
        one, two = things[a], things[b]
        if kind == "binding":
            things[a], things[b] = replace(one, colour=two.colour), replace(two, colour=one.colour)
        else:  # whoever stands at a place does what is done there: only the looks change hands
            things[a] = replace(one, colour=two.colour, shape=two.shape)
            things[b] = replace(two, colour=one.colour, shape=one.shape)
        if any(e.target == things[e.objects[0]].colour for e in events):
            return None
    elif kind == "reversed_colour":
        o = events[which].objects[0]
        things[o], events[which] = replace(things[o], colour=value), replace(events[which], target=things[o].colour)
    elif kind == "order":
        first, second = events
        events = [
            replace(second, start_s=first.start_s, end_s=first.end_s),
            replace(first, start_s=second.start_s, end_s=second.end_s),
        ]
        if first.objects == second.objects and {motion(first.kind), motion(second.kind)} == {"size"}:
            o = first.objects[0]  # growing and shrinking back becomes shrinking and growing back
            things[o] = replace(things[o], radius=things[o].radius + first.amount)
    elif kind == "reversed_verb":
        e = events[which]
        events[which] = replace(e, kind=value, move=(-e.move[0], -e.move[1]), amount=-e.amount)
        if motion(value) == "size":
            o = e.objects[0]
            things[o] = replace(things[o], radius=things[o].radius + e.amount)
    else:
        events[which], things = _other_act(scene, which, value, rng)
    return replace(scene, objects=tuple(things), events=tuple(events))


def _other_act(scene: Plan, which: int, kind: str, rng: np.random.Generator) -> tuple[Act, list[Thing]]:
    """Another event in the window of one, as like it as can be, and the things, sized for it."""
    theme, act, things = scene.theme, scene.events[which], list(scene.objects)
    old, new = theme.actions[act.kind], theme.actions[kind]
    if old.motion == new.motion == "pass":
        return replace(act, kind=kind), things
    if old.motion == new.motion == "slide":
        far = max(map(abs, act.move))
        return replace(act, kind=kind, move=(new.towards[0] * far, new.towards[1] * far)), things
    if old.motion == "size":  # undo the size that the old event asked for
        o = act.objects[0]
        things[o] = replace(things[o], radius=min(things[o].radius, things[o].radius + act.amount))
    slots = 1 if scene.join == "then" else 2  # half clips
    other, things = shape_act(rng, theme, kind, act.objects, (act.start_s, act.end_s), slots, things)
    events = list(scene.events)
    events[which] = other
    events, things = chain_sizes(theme, events, things)
    return events[which], things


def _placed(scene: Plan, edited: P, rng: np.random.Generator) -> P | None:
    """The edited scene with everybody in the old place if possible, else the edited actors moved."""
    old = {o: (t.x, t.y) for o, t in enumerate(scene.objects)}
    changed = [e for pair in zip(scene.events, edited.events, strict=True) if pair[0] != pair[1] for e in pair]
    busy = {o for e in changed for o in e.objects}
    wishes = [_retraced(scene, edited, old), old]
    if busy:
        wishes.append({o: at for o, at in old.items() if o not in busy})
    return settle(edited, rng, wishes)


def _retraced(scene: Plan, edited: Plan, old: dict[int, tuple[float, float]]) -> dict[int, tuple[float, float]]:
    """Places from which a reversed slide goes the very way of the old one, back to front."""
    out = dict(old)
    for before, after in zip(scene.events, edited.events, strict=True):
        o = before.objects[0]
        if before.kind != after.kind and after.kind == scene.theme.actions[before.kind].reverse:
            dx, dy = shift(scene.theme, before, o)
            out[o] = (out[o][0] + dx, out[o][1] + dy)
    return out
