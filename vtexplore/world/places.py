"""Places in which the events of a scene fit into the frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from vtexplore.world.act import Act, Disc, Thing, reach, shift, snap
from vtexplore.world.plan import Plan
from vtexplore.world.theme import Theme

P = TypeVar("P", bound=Plan)
EDGE = 0.012  # free border around the frame
GAP = 0.02  # free space between what two objects sweep


def _partner_offset(theme: Theme, act: Act, things: Sequence[Thing]) -> tuple[float, float]:
    """Where the second partner of a relation stands, seen from the first."""
    (ux, uy), motion = act.move, theme.actions[act.kind].motion
    if motion == "pass":
        return snap(ux / 2), snap(uy / 2)
    if motion == "swap":
        return -2 * ux, -2 * uy
    way = (ux * ux + uy * uy) ** 0.5  # collide: both walk `way`, then they touch
    far = 2 * way + 0.9 * (things[act.objects[0]].radius + things[act.objects[1]].radius)
    return snap(far * ux / way), snap(far * uy / way)


def swept(scene: Plan, thing: int) -> list[Disc]:
    """Discs relative to an object's first place that cover all it will ever sweep."""
    dx = dy = 0.0
    radius = scene.objects[thing].radius
    discs: list[Disc] = []
    for act in scene.events:
        if thing in act.objects:
            discs += [(dx + x, dy + y, r) for x, y, r in reach(scene.theme, act, thing, radius)]
            mx, my = shift(scene.theme, act, thing)
            dx, dy = dx + mx, dy + my
            if scene.theme.actions[act.kind].motion == "size":
                radius += act.amount
    return discs or [(0.0, 0.0, radius)]


def settle(scene: P, rng: np.random.Generator, wishes: Sequence[dict[int, tuple[float, float]]] = ()) -> P | None:
    """The scene with places such that nobody meets unless told to, and all stay in the frame.

    ``wishes`` are places to try first, {object: (x, y)}, each for some of the objects; what has no wish
    is drawn. Space is kept free for all times (not only when it is used), so that the events of a
    placed scene can also happen in another order. Returns None if nothing fits in a few tries.
    """
    groups: dict[int, list[tuple[int, float, float]]] = {o: [(o, 0.0, 0.0)] for o in range(len(scene.objects))}
    for act in scene.events:
        if len(act.objects) == 2:
            a, b = act.objects
            groups.pop(b)
            groups[a].append((b, *_partner_offset(scene.theme, act, scene.objects)))
    discs = {
        g: [(ox + x, oy + y, r) for o, ox, oy in members for x, y, r in swept(scene, o)]
        for g, members in groups.items()
    }
    bounds = {}
    for g, ds in discs.items():
        low_x, high_x = EDGE - min(x - r for x, _, r in ds), 1 - EDGE - max(x + r for x, _, r in ds)
        low_y, high_y = EDGE - min(y - r for _, y, r in ds), 1 - EDGE - max(y + r for _, y, r in ds)
        if low_x > high_x or low_y > high_y:
            return None
        bounds[g] = (low_x, high_x, low_y, high_y)
    hardest_first = sorted(groups, key=lambda g: (bounds[g][1] - bounds[g][0]) * (bounds[g][3] - bounds[g][2]))
    for wish in (*wishes, *({},) * 6):
        anchors = _anchors(rng, hardest_first, discs, bounds, wish)
        if anchors is not None:
            things = list(scene.objects)
            for g, (x, y) in anchors.items():
                for o, ox, oy in groups[g]:
                    things[o] = replace(things[o], x=x + ox, y=y + oy)
            return replace(scene, objects=tuple(things))
    return None


def _anchors(
    rng: np.random.Generator, order: Sequence[int], discs: dict[int, list[Disc]],
    bounds: dict[int, tuple[float, float, float, float]], wish: dict[int, tuple[float, float]],
) -> dict[int, tuple[float, float]] | None:  # fmt: skip
    """A place for each group, wished ones first, 12 draws for each of the others; None if one fails."""
    taken: list[Disc] = []
    out: dict[int, tuple[float, float]] = {}
    for g in sorted(order, key=lambda g: g not in wish):
        x0, x1, y0, y1 = bounds[g]
        for _ in range(1 if g in wish else 12):
            if g in wish:
                x, y = wish[g]
                if not (x0 <= x <= x1 and y0 <= y <= y1):
                    return None
            else:
                x, y = snap(x0 + (x1 - x0) * rng.random()), snap(y0 + (y1 - y0) * rng.random())
            here = [(x + dx, y + dy, r) for dx, dy, r in discs[g]]
            if _apart(here, taken):
                taken += here
                out[g] = (x, y)
                break
        else:
            return None
    return out


def _apart(some: list[Disc], others: list[Disc]) -> bool:
    for x, y, r in some:
        for u, v, q in others:
            if (x - u) * (x - u) + (y - v) * (y - v) < (r + q + GAP) * (r + q + GAP):
                return False
    return True
