"""A scene: a few seconds of a world, described in continuous time.

    scene = sample_scene(7)            # frozen; the same seed gives the same scene
    scene.caption.text                 # "the red circle slides left and then the blue star spins now"
    scene.reversed()                   # the time-reversed video, a scene of the same probability
    scene.clip()                       # what the rest of the house looks at

Nothing here draws pixels or numbers: ``sampling.py`` draws scenes, ``render.py`` pixels, ``sound.py``
the waveform, ``foils.py`` false captions and the scenes in which they are true.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from vtexplore.types import Clip, Event
from vtexplore.world.language import Caption, Clause, Noun, Statement, Style, retell, say
from vtexplore.world.motion import shift
from vtexplore.world.theme import Theme

if TYPE_CHECKING:
    from vtexplore.world.foils import Foil

DURATION_S = 4.0


@dataclass(frozen=True)
class Thing:
    """An object as it is at time 0: place and ``radius`` in frame sides (y down), ``angle`` in turns."""

    colour: str
    shape: str
    x: float
    y: float
    radius: float
    angle: float


@dataclass(frozen=True)
class Act(Event):
    """An event with what it takes to draw it.

    ``move``: the way of a slide or pass, the way to the contact of a collision, or the place of the
    first partner relative to the middle of a swap. ``amount``: change of radius, height of hops, width
    of shaking, turns of a spin (signed). ``count``: hops or shakes. ``sign``: which hop is high, which
    way round a swap goes. ``target``: the colour that a turn ends in.
    """

    move: tuple[float, float] = (0.0, 0.0)
    amount: float = 0.0
    count: int = 0
    sign: int = 1
    target: str | None = None


@dataclass(frozen=True)
class Scene:
    """A short video, complete: everything else is computed from it.

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

    def captions(self, rng: np.random.Generator | int = 0, language: str = "en") -> Iterator[Caption]:
        """Paraphrases without end: the same statement in other voices, templates and mention orders.

        Another ``language`` has one voice and one caption per template.
        """
        if language != "en":
            voice = self.theme.voice(0, language)
            for t in range(len(voice.templates[self.join])):
                for f in range(len(voice.frames[self.join])):
                    yield say(self.theme, self.statement, Style(0, t, f), language)
            return
        rng = np.random.default_rng(rng)
        while True:
            yield retell(self.caption, self.theme, rng)

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

    def reversed(self) -> Scene:
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

    # ── falsehoods ────────────────────────────────────────────────────────────────────────────────

    def foil(self, kind: str, rng: np.random.Generator | int = 0) -> Foil | None:
        """A caption that is false of this scene and differs as little as possible; see ``foils.py``."""
        from vtexplore.world.foils import foil

        return foil(self, kind, np.random.default_rng(rng))

    def sibling(self, kind: str, rng: np.random.Generator | int = 0) -> Scene | None:
        """The scene in which a foil of this kind is true, all else being equal; see ``foils.py``."""
        from vtexplore.world.foils import sibling

        return sibling(self, kind, np.random.default_rng(rng))

    # ── what the house looks at ───────────────────────────────────────────────────────────────────

    def clip(self, fps: float = 24.0, frames: int = 4) -> Clip:
        """This scene as a ``Clip`` that shows ``frames`` interior frames, with its truth filled in."""
        from vtexplore.world.truth import clip_of

        return clip_of(self, fps, frames)
