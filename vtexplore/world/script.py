"""Longer videos: scripts of 4 to 8 steps drawn from a grammar with regularities worth learning.

After "shrinks" usually comes "vanishes", after "bounces" often "turns" (``Theme.next_step``): what a
model can forecast, and what gives the true order of shuffled steps away. Unlike clips, scripts have an
arrow of time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vtexplore.errors import ConfigError
from vtexplore.world.act import Act, Thing, pick, shape_act, snap
from vtexplore.world.language import Style
from vtexplore.world.places import settle
from vtexplore.world.sampling import CannotPlace, draw_looks
from vtexplore.world.scene import Scene
from vtexplore.world.shapes import SHAPES_THEME
from vtexplore.world.theme import Theme

STEP_S = 2.0  # one step, as long as an event in a sequence of a clip


def script(
    seed: int | np.random.Generator = 0, steps: int | None = None, split: str = "train", *, theme: Theme = SHAPES_THEME
) -> Scene:
    """A scene of ``steps`` steps (4 to 8, drawn if None), 2 s each, one event a step, 1 to 3 actors.

    Raises ``ConfigError`` for another number of steps, ``CannotPlace`` if nothing fits in 500 draws.
    """
    if steps is not None and not 4 <= steps <= 8:
        raise ConfigError(f"a script has 4 to 8 steps, not {steps}")
    rng = np.random.default_rng(seed)
    count = steps or 4 + int(rng.random() * 5)
    for _ in range(500):
        scene = _draft(rng, theme, count, split)
        if scene is not None and scene.is_sound() and (split == "train" or scene.is_heldout()):
            placed = settle(scene, rng)
            if placed is not None:
                return placed
    raise CannotPlace(f"no place for a script of {count} steps in 500 draws. Ask for fewer steps")


def _draft(rng: np.random.Generator, theme: Theme, count: int, split: str) -> Scene | None:
    n = 1 + int(rng.random() * 3)
    things = [Thing(c, s, 0.0, 0.0, snap(0.11 + 0.03 * rng.random()), 0.0) for c, s in draw_looks(rng, theme, n)]
    acts: list[Act] = []
    gone: set[int] = set()
    for i in range(count):
        step = _next(rng, theme, acts, things, gone)
        if step is None:
            return None
        who, kind = step
        window = (snap((i + 0.1) * STEP_S), snap((i + 0.9) * STEP_S))
        old = things[who].radius
        act, things = shape_act(rng, theme, kind, (who,), window, 1, things)
        if theme.actions[kind].motion == "size":  # sizes chain: a grown object shrinks back to what it was
            act = replace(act, amount=snap(old * 0.65) if act.amount > 0 else -snap(_size(acts, who, old) * 0.4))
            things[who] = replace(things[who], radius=old)
        if act.target in _colours(acts, things, who):
            return None
        gone = gone - {who} if kind == "appears" else gone | {who} if kind == "vanishes" else gone
        acts.append(act)
    style = Style(int(rng.random() * len(theme.voices)), 0, 0)
    return Scene(
        theme, pick(rng, tuple(theme.backgrounds)), tuple(things), tuple(acts), "script", style, split,
        int(rng.random() * 2**31), (rng.random(), rng.random()), False, count * STEP_S,
    )  # fmt: skip


def _next(
    rng: np.random.Generator, theme: Theme, acts: Sequence[Act], things: Sequence[Thing], gone: set[int]
) -> tuple[int, str] | None:
    """Who does what next: what usually follows the last step, else anything possible."""
    if acts:
        last = acts[-1]
        u = rng.random()
        for kind, share in theme.next_step.get(last.kind, {}).items():
            u -= share
            if u < 0 and _possible(theme, kind, last.objects[0], acts, things, gone):
                return last.objects[0], kind
    for _ in range(20):
        who, kind = int(rng.random() * len(things)), pick(rng, theme.kinds(1))
        if _possible(theme, kind, who, acts, things, gone):
            return who, kind
    return None


def _possible(theme: Theme, kind: str, who: int, acts: Sequence[Act], things: Sequence[Thing], gone: set[int]) -> bool:
    """Whether an object can do this now: it is there (or gone), in frame afterwards, and not too large or small."""
    mine = [a for a in acts if who in a.objects]
    action = theme.actions[kind]
    if action.motion == "fade" and action.sign > 0:
        return who in gone  # only what has vanished appears: it was seen, so it can be named
    if who in gone:
        return False
    if action.motion == "size":
        ratio = _size(mine, who, things[who].radius) / things[who].radius
        return ratio < 1.2 if action.sign > 0 else ratio > 0.9
    if action.motion == "slide":  # at most one place away from where it began
        x = sum(a.move[0] for a in mine) + 0.36 * action.towards[0]
        y = sum(a.move[1] for a in mine) + 0.36 * action.towards[1]
        return abs(x) < 0.5 and abs(y) < 0.5
    return not mine or mine[-1].kind != kind


def _size(acts: Sequence[Act], who: int, radius: float) -> float:
    return radius + sum(a.amount for a in acts if who in a.objects and a.kind in ("grows", "shrinks"))


def _colours(acts: Sequence[Act], things: Sequence[Thing], who: int) -> set[str | None]:
    return {things[who].colour, *(a.target for a in acts if a.target and who in a.objects)}
