"""A scene as data: who is there, what happens when, and how it is told. ``Scene`` adds what one can ask of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeVar

from vtexplore.world.act import DURATION_S, Act, Thing, shift
from vtexplore.world.language import Caption, Clause, Noun, Statement, Style, say
from vtexplore.world.theme import Theme

P = TypeVar("P", bound="Plan")


@dataclass(frozen=True)
class Plan:
    """A scene as data, complete: everything else is computed from it.

    ``objects`` as they are at time 0; ``events`` in the order of start; ``join`` says how the events lie
    in time ("one", "then", "while", "script"); objects without an event are distractors, which no caption names.
    ``grain`` seeds the noise; ``backwards`` tells in which direction the noise runs; ``offset`` shifts
    the background's pattern (0..1 of its period).
    """

    theme: Theme = field(repr=False)
    background: str
    objects: tuple[Thing, ...]
    events: tuple[Act, ...]
    join: str
    style: Style
    split: str = "train"
    grain: int = 0
    offset: tuple[float, float] = (0.0, 0.0)
    backwards: bool = False
    duration_s: float = DURATION_S

    # ── what is said ──────────────────────────────────────────────────────────────────────────────

    def noun(self, thing: int) -> Noun:
        """How an object is named: by its colour at the clip's start and its shape."""
        return Noun(self.objects[thing].colour, self.objects[thing].shape, thing)

    @cached_property
    def statement(self) -> Statement:
        """What the caption claims, free of any language."""
        clauses = tuple(
            Clause(self.noun(e.objects[0]), e.kind, self.noun(e.objects[1]) if len(e.objects) > 1 else None, e.target)
            for e in self.events
        )
        return Statement(self.join, clauses, self.background)

    @cached_property
    def caption(self) -> Caption:
        """The scene's caption, in its own style."""
        return say(self.theme, self.statement, self.style)

    # ── what it is made of ────────────────────────────────────────────────────────────────────────

    def looks(self, thing: int) -> tuple[tuple[str, str], ...]:
        """Every (colour, shape) that an object has at some time."""
        o = self.objects[thing]
        ends = [e.target for e in self.events if e.target and e.objects[0] == thing]
        return tuple((c, o.shape) for c in (o.colour, *ends))

    @cached_property
    def triples(self) -> frozenset[tuple[str, str, str]]:
        """(colour, shape, action) of everything that happens, for every colour that the object ever has."""
        return frozenset(
            (colour, shape, e.kind) for e in self.events for o in e.objects for colour, shape in self.looks(o)
        )

    def is_heldout(self) -> bool:
        """Whether anything happens here that training never shows."""
        return any(self.theme.heldout(*t) for t in self.triples)

    def is_sound(self) -> bool:
        """Whether names are unique and every event changes something (placement is ``sampling``'s)."""
        looks = [look for o in range(len(self.objects)) for look in self.looks(o)]
        if len(set(looks)) < len(looks):
            return False
        for e in self.events:
            motion, colours = self.theme.actions[e.kind].motion, [self.objects[o].colour for o in e.objects]
            if motion == "pass" and colours[0] == colours[1]:  # nobody could see who is in front
                return False
        if len(self.events) == 2 and len({(e.objects, e.kind) for e in self.events}) < 2:
            return False  # twice the same: no order to tell
        return self.split != "train" or not self.is_heldout()

    # ── time ──────────────────────────────────────────────────────────────────────────────────────

    def reversed(self: P) -> P:
        """The scene whose video is this one backwards; reversing twice gives the very same scene.

        Its caption is the truth of the reversed video: left for right, shrinks for grows, B′ then A′
        for A then B, and an object that turned blue is named blue.
        """
        end = list(self.objects)
        events = []
        for e in self.events:
            action = self.theme.actions[e.kind]
            for o in e.objects:
                dx, dy = shift(self.theme, e, o)
                end[o] = replace(end[o], x=end[o].x + dx, y=end[o].y + dy)
            first = e.objects[0]
            back = replace(e, kind=action.reverse, start_s=self.duration_s - e.end_s, end_s=self.duration_s - e.start_s)
            if action.motion in ("slide", "pass"):
                back = replace(back, move=(-e.move[0], -e.move[1]))
            elif action.motion == "size":
                end[first] = replace(end[first], radius=end[first].radius + e.amount)
                back = replace(back, amount=-e.amount)
            elif action.motion == "spin":
                end[first] = replace(end[first], angle=(end[first].angle + e.amount) % 1.0)
                back = replace(back, amount=-e.amount)
            elif action.motion == "hop":
                back = replace(back, sign=-e.sign)
            elif action.motion == "shake":
                back = replace(back, amount=-e.amount)
            elif action.motion == "turn":
                back = replace(back, target=end[first].colour)
                end[first] = replace(end[first], colour=e.target or "")
            elif action.motion == "swap":
                back = replace(back, move=(-e.move[0], -e.move[1]), sign=-e.sign)
            events.append(back)
        # Events at once keep their order (which of them is told first is the style's affair).
        order = events[::-1] if self.join in ("then", "script") else events
        return replace(self, objects=tuple(end), events=tuple(order), backwards=not self.backwards)
