"""Drawing scenes: what happens is drawn first, then places in which it fits.

At the end a fair coin decides whether the scene or its reversal is returned. That one line makes the
distribution of videos exactly symmetric in time, whatever is done before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import cos, pi, sin
from typing import TypeVar

import numpy as np

from vtexplore.errors import ConfigError
from vtexplore.world.language import draw_style
from vtexplore.world.motion import Disc, reach, shift, snap
from vtexplore.world.scene import DURATION_S, Act, Scene, Thing
from vtexplore.world.shapes import SHAPES_THEME
from vtexplore.world.theme import Theme

T = TypeVar("T")
FORMS = ("one", "relation", "then", "same", "while")
FORM_SHARES = (0.22, 0.16, 0.30, 0.20, 0.12)  # order is hard to learn: half of all clips are sequences
EDGE = 0.012  # free border around the frame
GAP = 0.02  # free space between what two objects sweep
# Windows (start, end) of an event in shares of the clip: in a sequence each covers two of the four
# interior frames at 1/5 … 4/5, with progress of about 0.23 and 0.77.
WINDOWS = {"full": (0.1125, 0.8875), "first": (0.1125, 0.4875), "second": (0.5125, 0.8875)}
JITTER = 0.0075


class CannotPlace(ConfigError):
    """No place was found in which these events fit into the frame."""


def pick(rng: np.random.Generator, items: Sequence[T]) -> T:
    """One of the items, evenly."""
    return items[int(rng.random() * len(items))]


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """A number on the exact grid."""
    return snap(low + (high - low) * rng.random())


def sample_scene(
    seed: int | np.random.Generator = 0,
    split: str = "train",
    *,
    theme: Theme = SHAPES_THEME,
    form: str | None = None,
    kinds: Sequence[str] | None = None,
    objects: int | None = None,
    background: str | None = None,
) -> Scene:
    """A scene of 4 s; the same seed gives the same scene.

    ``split`` "train" never holds a held-out (colour, shape, action), "heldout" at least one. ``form``
    is "one" (a single event), "relation" (two objects), "then" (a sequence, two objects), "same" (a
    sequence, one object) or "while". ``kinds`` fixes the actions, ``objects`` how many there are (1–3).
    Since a fair coin may reverse the scene, fixed ``kinds`` may come out as their reverses; if you need
    one very action, draw until it comes.

    Raises ``ConfigError`` for an unknown split or form, ``CannotPlace`` if nothing fits in 200 draws.
    """
    rng = np.random.default_rng(seed)
    for _ in range(200):
        scene = draft_scene(rng, split, theme=theme, form=form, kinds=kinds, objects=objects, background=background)
        settled = settle(scene, rng)
        if settled is not None:
            return settled if rng.random() < 0.5 else settled.reversed()
    raise CannotPlace(f"no place for form={form!r}, kinds={kinds!r}, objects={objects!r} in 200 draws")


def draft_scene(
    seed: int | np.random.Generator = 0,
    split: str = "train",
    *,
    theme: Theme = SHAPES_THEME,
    form: str | None = None,
    kinds: Sequence[str] | None = None,
    objects: int | None = None,
    background: str | None = None,
) -> Scene:
    """What happens in a scene, and its words, without places: enough for text alone. See ``sample_scene``.

    Raises ``ConfigError`` for an unknown split or form, ``CannotPlace`` if the wishes contradict the split.
    """
    if split not in ("train", "heldout"):
        raise ConfigError(f"split is 'train' or 'heldout', not {split!r}")
    if form is not None and form not in FORMS:
        raise ConfigError(f"form is one of {', '.join(FORMS)}; not {form!r}")
    rng = np.random.default_rng(seed)
    for _ in range(5000):
        scene = _draft(rng, theme, form or _form(rng, theme), split, kinds, objects, background)
        if scene.is_sound() and (split == "train" or scene.is_heldout()):
            return scene
    raise CannotPlace(f"no {split} scene has form={form!r}, kinds={kinds!r}, objects={objects!r}")


def _form(rng: np.random.Generator, theme: Theme) -> str:
    u = rng.random()
    for form, share in zip(FORMS, FORM_SHARES, strict=True):
        u -= share
        if u < 0 and (form != "relation" or theme.kinds(2)):
            return form
    return "then"


def _draft(
    rng: np.random.Generator, theme: Theme, form: str, split: str,
    kinds: Sequence[str] | None, count: int | None, background: str | None,
) -> Scene:  # fmt: skip
    """Who does what, without places."""
    actors = 1 if form in ("one", "same") else 2
    n = count or actors + int(rng.random() * (4 - actors))
    things = [
        Thing(c, s, 0.0, 0.0, between(rng, 0.11, 0.155), between(rng, -0.06, 0.06) % 1.0)
        for c, s in draw_looks(rng, theme, n)
    ]
    doers: tuple[tuple[int, ...], ...]
    slots: tuple[str, ...]
    if form == "relation":
        doers, slots = ((0, 1),), ("full",)
    elif form == "one":
        doers, slots = ((0,),), ("full",)
    elif form == "while":
        doers, slots = ((0,), (1,)), ("full", "full")
    else:
        doers, slots = ((0,), (0,) if form == "same" else (1,)), ("first", "second")
    free = theme.kinds(len(doers[0]))
    if form == "same":  # what is not there yet, or no longer, can do nothing else
        free = tuple(k for k in free if theme.actions[k].motion != "fade")
    events = []
    for i, (who, slot) in enumerate(zip(doers, slots, strict=True)):
        kind = kinds[i] if kinds else pick(rng, free)
        act, things = make_act(rng, theme, kind, who, slot, things)
        events.append(act)
    events, things = chain_sizes(theme, events, things)
    join = {"one": "one", "relation": "one", "while": "while"}.get(form, "then")
    return Scene(
        theme, background or pick(rng, tuple(theme.backgrounds)), tuple(things), tuple(events), join,
        draw_style(rng, theme, join), split, int(rng.random() * 2**31), (rng.random(), rng.random()),
        rng.random() < 0.5,
    )  # fmt: skip


def draw_looks(rng: np.random.Generator, theme: Theme, n: int) -> list[tuple[str, str]]:
    """Distinct (colour, shape) pairs; half of the later ones share one half with the first."""
    colours, shapes = tuple(theme.colours), tuple(theme.shapes)
    out: list[tuple[str, str]] = []
    while len(out) < n:
        c, s = pick(rng, colours), pick(rng, shapes)
        if out and rng.random() < 0.5:
            c, s = (out[0][0], s) if rng.random() < 0.5 else (c, out[0][1])
        if (c, s) not in out:
            out.append((c, s))
    return out


def make_act(
    rng: np.random.Generator, theme: Theme, kind: str, who: tuple[int, ...], slot: str, things: Sequence[Thing]
) -> tuple[Act, list[Thing]]:
    """An event of a kind with fresh amounts, and the things, sized so that it fits."""
    things = list(things)
    start, end = WINDOWS[slot]
    start_s = snap((start + JITTER * (2 * rng.random() - 1)) * DURATION_S)
    end_s = snap((end + JITTER * (2 * rng.random() - 1)) * DURATION_S)
    return shape_act(rng, theme, kind, who, (start_s, end_s), 2 if slot == "full" else 1, things)


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


# ── places ────────────────────────────────────────────────────────────────────────────────────────


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


def swept(scene: Scene, thing: int) -> list[Disc]:
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


def settle(
    scene: Scene, rng: np.random.Generator, wishes: Sequence[dict[int, tuple[float, float]]] = ()
) -> Scene | None:
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
