"""How things move: the pose of every object of many scenes at many times, computed at once.

Each motion is a displacement from the pose at the event's start, as a function of its progress p
(0 before it starts, 1 after it ends). Displacements add up, so one object may do two things in a row.

The functions below satisfy ``f(1 − p) − f(1) = f_reversed(p)``, which is what makes a reversed scene a
scene of the same world.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vtexplore.world.plan import Plan

HOP_LOW = 0.35  # every other hop is lower: two frames of a bouncing object differ
MOTIONS = ("slide", "size", "spin", "hop", "shake", "fade", "turn", "collide", "swap", "pass")
_CODE = {name: code for code, name in enumerate(MOTIONS)}


@dataclass(frozen=True)
class Poses:
    """Where every object is: float64 arrays [scene, object, frame] unless said otherwise.

    ``x``, ``y``, ``radius`` in frame sides; ``angle`` in turns, clockwise on screen; ``alpha`` 0..1
    (0 also for objects that a scene does not have); ``rgb`` [scene, object, frame, 3] in 0..255;
    ``depth`` [scene, object]: larger is nearer; ``shape`` [scene, object] index, −1 where there is none.
    """

    x: np.ndarray
    y: np.ndarray
    radius: np.ndarray
    angle: np.ndarray
    alpha: np.ndarray
    rgb: np.ndarray
    depth: np.ndarray
    shape: np.ndarray


def smooth(p: np.ndarray) -> np.ndarray:
    """Ease in and out; smooth(1 − p) = 1 − smooth(p)."""
    return p * p * (3.0 - 2.0 * p)


def step(p: np.ndarray) -> np.ndarray:
    """A quick change in the middle: 0 until p = 0.4, 1 from p = 0.6, so that no sampled frame is half way."""
    return np.clip((p - 0.4) * 5.0, 0.0, 1.0)


def hops(p: np.ndarray, count: np.ndarray, sign: np.ndarray) -> np.ndarray:
    """Height 0..1 of ``count`` (even) hops, alternately high and low; ``sign`` +1 = the first is high."""
    k = np.minimum(np.floor(p * count), count - 1)
    high = (k % 2 == 0) == (sign > 0)
    return np.abs(np.sin(np.pi * count * p)) * np.where(high, 1.0, HOP_LOW)


def approach(p: np.ndarray) -> np.ndarray:
    """0 → 1 → 0, touching at p = 1/2: what each partner of a collision has covered of its way."""
    return 1.0 - np.abs(2.0 * p - 1.0) ** 1.6


def progress(times_s: np.ndarray, start_s: np.ndarray, end_s: np.ndarray) -> np.ndarray:
    """Progress 0..1 of events [row] at times [row, frame]."""
    return np.clip((times_s - start_s[:, None]) / (end_s - start_s)[:, None], 0.0, 1.0)


def poses(scenes: Sequence[Plan], times_s: np.ndarray) -> Poses:
    """Poses of all objects of all scenes at ``times_s`` [frame] or [scene, frame] (seconds).

    All scenes must share one theme. Results are rounded to 2⁻¹⁶, so that the last bit of a machine's
    sine cannot reach a pixel.
    """
    theme = scenes[0].theme
    n, width = len(scenes), max(len(s.objects) for s in scenes)
    times_s = np.broadcast_to(np.asarray(times_s, dtype=np.float64), (n, np.shape(times_s)[-1]))
    frames = times_s.shape[1]

    home = np.zeros((n, width, 4))  # x, y, radius, angle
    rgb0 = np.zeros((n, width, 3))
    shape = np.full((n, width), -1)
    rows: list[tuple[float, ...]] = []  # one per event and object in it
    hidden: list[tuple[int, int]] = []  # objects that are still to appear
    for s, scene in enumerate(scenes):
        for o, thing in enumerate(scene.objects):
            home[s, o] = thing.x, thing.y, thing.radius, thing.angle
            rgb0[s, o] = theme.colours[thing.colour]
            shape[s, o] = theme.index("shape", thing.shape)
        rows.extend(_rows(scene, s))
        hidden += [(s, o) for o in _unborn(scene)]

    x, y, radius, angle = (np.repeat(home[:, :, i, None], frames, axis=2) for i in range(4))
    alpha = np.repeat((shape >= 0)[:, :, None].astype(np.float64), frames, axis=2)
    for unseen in hidden:
        alpha[unseen] = 0.0
    rgb = np.repeat(rgb0[:, :, None], frames, axis=2)
    depth = np.zeros((n, width))
    if rows:
        table = np.array(rows)
        of, who, motion = (table[:, i].astype(int) for i in range(3))  # scene, object, kind of motion
        p = progress(times_s[of], table[:, 3], table[:, 4])  # [row, frame]
        for code in np.unique(motion):
            name, at = MOTIONS[code], np.flatnonzero(motion == code)
            q, (ux, uy, amount, count, sign) = p[at], table[at, 5:10].T[:, :, None]
            where = (of[at], who[at])
            if name == "slide":
                np.add.at(x, where, ux * smooth(q))
                np.add.at(y, where, uy * smooth(q))
            elif name == "size":
                np.add.at(radius, where, amount * smooth(q))
            elif name == "spin":
                np.add.at(angle, where, amount * q)
            elif name == "hop":
                np.add.at(y, where, -amount * hops(q, count, sign))
            elif name == "shake":
                np.add.at(x, where, amount * np.sin(2 * np.pi * count * q))
            elif name == "fade":
                np.add.at(alpha, where, sign * step(q))
            elif name == "turn":
                np.add.at(rgb, where, step(q)[..., None] * table[at, 10:13][:, None])
            elif name == "collide":
                np.add.at(x, where, ux * approach(q))
                np.add.at(y, where, uy * approach(q))
            elif name == "swap":  # half a turn around the middle of the two
                c, t = np.cos(np.pi * sign * smooth(q)), np.sin(np.pi * sign * smooth(q))
                np.add.at(x, where, c * ux - t * uy - ux)
                np.add.at(y, where, t * ux + c * uy - uy)
            else:  # pass
                np.add.at(x, where, ux * q)
                np.add.at(y, where, uy * q)
                np.add.at(depth, where, sign[:, 0])
    x, y, radius, angle, alpha, rgb = (np.round(a * 65536.0) / 65536.0 for a in (x, y, radius, angle, alpha, rgb))
    return Poses(x, y, radius, angle, alpha, rgb, depth, shape)


def _rows(scene: Plan, number: int) -> list[tuple[float, ...]]:
    """One row of numbers for each object that moves in an event."""
    rows = []
    colour: dict[int, str] = {}  # of each object so far, for those that turn more than once
    for act in scene.events:
        action = scene.theme.actions[act.kind]
        first, (ux, uy) = act.objects[0], act.move
        change: tuple[float, ...] = (0.0, 0.0, 0.0)
        if act.target:
            old = scene.theme.colours[colour.get(first, scene.objects[first].colour)]
            change = tuple(n - o for n, o in zip(scene.theme.colours[act.target], old, strict=True))
            colour[first] = act.target
        head = (_CODE[action.motion], act.start_s, act.end_s)
        sign = action.sign if action.motion in ("fade", "pass") else act.sign
        tail = (act.amount, act.count, sign, *change)
        rows.append((number, first, *head, ux, uy, *tail))
        if action.motion in ("collide", "swap"):  # the partner does the opposite
            rows.append((number, act.objects[1], *head, -ux, -uy, *tail))
    return rows


def _unborn(scene: Plan) -> list[int]:
    """Objects that cannot be seen at time 0: the first thing that they do (of this kind) is to appear."""
    fades: dict[int, int] = {}
    for act in scene.events:
        action = scene.theme.actions[act.kind]
        if action.motion == "fade":
            fades.setdefault(act.objects[0], action.sign)
    return [o for o, sign in fades.items() if sign > 0]
