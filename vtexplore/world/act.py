"""One event: what it takes to draw it, how far it moves things, and fresh amounts for it.

All amounts lie on a binary grid (multiples of 1/4096), so that sums and differences of them are exact:
a scene reversed twice is the same scene, to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import cos, pi, sin
from typing import TypeVar

import numpy as np

from vtexplore.types import Event
from vtexplore.world.theme import Theme

T = TypeVar("T")
Disc = tuple[float, float, float]
GRID = 4096
DURATION_S = 4.0  # of a clip


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


def snap(value: float) -> float:
    """Nearest multiple of 1/4096."""
    return round(value * GRID) / GRID


# ── where it takes an object ──────────────────────────────────────────────────────────────────────


def shift(theme: Theme, act: Act, object_: int) -> tuple[float, float]:
    """How far an event has moved an object once it is over: (dx, dy), exact."""
    motion = theme.actions[act.kind].motion
    if motion == "slide" or (motion == "pass" and object_ == act.objects[0]):
        return act.move
    if motion == "swap":
        k = -2.0 if object_ == act.objects[0] else 2.0
        return k * act.move[0], k * act.move[1]
    return 0.0, 0.0


def reach(theme: Theme, act: Act, object_: int, radius: float) -> list[Disc]:
    """Discs (dx, dy, radius) from the starting place that cover all an object sweeps during an event.

    ``radius`` is the object's at the start. Used to place objects so that they stay apart and in frame.
    """
    motion = theme.actions[act.kind].motion
    (ux, uy), amount = act.move, act.amount
    if motion in ("slide", "pass"):
        if object_ != act.objects[0]:
            return [(0.0, 0.0, radius)]
        return [(ux * k / 4, uy * k / 4, radius) for k in range(5)]
    if motion == "size":
        return [(0.0, 0.0, max(radius, radius + amount))]
    if motion == "hop":
        return [(0.0, -amount * k / 2, radius) for k in range(3)]
    if motion == "shake":
        return [(-amount, 0.0, radius), (amount, 0.0, radius)]
    if motion == "collide":
        k = 1.0 if object_ == act.objects[0] else -1.0
        return [(0.0, 0.0, radius), (k * ux / 2, k * uy / 2, radius), (k * ux, k * uy, radius)]
    if motion == "swap":  # the whole circle around the middle of the two
        k = -1.0 if object_ == act.objects[0] else 1.0
        return [(k * ux, k * uy, radius + (ux * ux + uy * uy) ** 0.5)]
    return [(0.0, 0.0, radius)]


# ── fresh amounts ─────────────────────────────────────────────────────────────────────────────────


def pick(rng: np.random.Generator, items: Sequence[T]) -> T:
    """One of the items, evenly."""
    return items[int(rng.random() * len(items))]


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """A number on the exact grid."""
    return snap(low + (high - low) * rng.random())


def shape_act(
    rng: np.random.Generator, theme: Theme, kind: str, who: tuple[int, ...],
    window: tuple[float, float], slots: int, things: list[Thing],
) -> tuple[Act, list[Thing]]:  # fmt: skip
    """An event within a window of seconds that is ``slots`` half clips long: see ``make_act``."""
    action = theme.actions[kind]
    act = Act(kind, who, *window, sign=1 if rng.random() < 0.5 else -1)
    r = [things[o].radius for o in who]
    if action.motion == "slide":
        far = between(rng, 0.30, 0.42)
        act = replace(act, move=(action.towards[0] * far, action.towards[1] * far))
    elif action.motion == "size":
        small = min(r[0], between(rng, 0.10, 0.112))
        change = snap(small * between(rng, 0.62, 0.78))
        start = small if action.sign > 0 else small + change
        act = replace(act, amount=change if action.sign > 0 else -change)
        things[who[0]] = replace(things[who[0]], radius=start)
    elif action.motion == "spin":
        act = replace(act, amount=float(act.sign * slots))
    elif action.motion == "hop":
        act = replace(act, amount=between(rng, 0.16, 0.21), count=2 * slots)
    elif action.motion == "shake":
        act = replace(act, amount=act.sign * between(rng, 0.075, 0.1), count=3 * slots)
    elif action.motion == "turn":
        act = replace(act, target=pick(rng, [c for c in theme.colours if c != things[who[0]].colour]))
    elif action.motion == "collide":
        a = 2 * pi * rng.random()
        way = between(rng, 0.15, 0.19)
        act = replace(act, move=(snap(way * cos(a)), snap(way * sin(a))))
    elif action.motion == "swap":
        a = 2 * pi * rng.random()
        half = (r[0] + r[1]) / 2 + between(rng, 0.03, 0.07)
        act = replace(act, move=(snap(half * cos(a)), snap(half * sin(a))))
    elif action.motion == "pass":
        for o in who:
            things[o] = replace(things[o], radius=min(things[o].radius, between(rng, 0.11, 0.135)))
        way = 2 * snap(0.95 * (things[who[0]].radius + things[who[1]].radius)) * act.sign  # halves are exact
        act = replace(act, move=(way, 0.0) if rng.random() < 0.5 else (0.0, way))
    return act, things


def chain_sizes(theme: Theme, acts: Sequence[Act], things: Sequence[Thing]) -> tuple[list[Act], list[Thing]]:
    """Events and things such that what grows and then shrinks (or the other way) comes back to its size."""
    acts, things = list(acts), list(things)
    sizes = all(theme.actions[a.kind].motion == "size" for a in acts)
    if sizes and len(acts) == 2 and acts[0].objects == acts[1].objects and acts[0].kind != acts[1].kind:
        o, change = acts[0].objects[0], abs(acts[0].amount)
        small = min(things[o].radius, 0.109375)
        acts[1] = replace(acts[1], amount=-acts[0].amount)
        things[o] = replace(things[o], radius=small if acts[0].amount > 0 else small + change)
    return acts, things
