"""Some steps of a longer video, as a scene of its own: what VideoBERT calls a sentence and its moments."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np

from vtexplore.errors import ConfigError
from vtexplore.world.act import Thing, shift
from vtexplore.world.language import Style, draw_style
from vtexplore.world.plan import Plan
from vtexplore.world.script import STEP_S

P = TypeVar("P", bound=Plan)
JOINS = {1: "one", 2: "then"}  # by how many steps; more are told as a script is


def excerpt(scene: P, first: int, steps: int, rng: np.random.Generator | int = 0) -> P:
    """Steps ``first`` to ``first + steps − 1`` of a script: everything as it was then, told in a fresh style.

    Objects that have vanished before, and stay away, are no part of it. Raises ``ConfigError`` for steps that the
    script does not have.
    """
    if scene.join != "script" or first < 0 or steps < 1 or first + steps > len(scene.events):
        raise ConfigError(
            f"There are no {steps} steps from step {first} on in a {scene.join!r} scene of {len(scene.events)}. "
            "Give a script, and steps that it has, counted from 0."
        )
    rng = np.random.default_rng(rng)
    things, gone = _after(scene, first)
    acts = scene.events[first : first + steps]
    back = {e.objects[0] for e in acts}  # who acts is there, or comes back
    stay = [o for o in range(len(things)) if o not in gone or o in back]
    number = {o: i for i, o in enumerate(stay)}
    start_s = first * STEP_S
    events = tuple(
        replace(e, objects=tuple(number[o] for o in e.objects), start_s=e.start_s - start_s, end_s=e.end_s - start_s)
        for e in acts
    )
    join = JOINS.get(steps, "script")
    style = Style(int(rng.random() * len(scene.theme.voices)), 0, 0)
    return replace(
        scene,
        objects=tuple(things[o] for o in stay),
        events=events,
        join=join,
        style=style if join == "script" else draw_style(rng, scene.theme, join),
        duration_s=steps * STEP_S,
    )


def _after(scene: Plan, count: int) -> tuple[list[Thing], set[int]]:
    """The objects as they are after so many events, and which of them have vanished."""
    things = list(scene.objects)
    gone: set[int] = set()
    for e in scene.events[:count]:
        action, first = scene.theme.actions[e.kind], e.objects[0]
        for o in e.objects:
            dx, dy = shift(scene.theme, e, o)
            things[o] = replace(things[o], x=things[o].x + dx, y=things[o].y + dy)
        if action.motion == "size":
            things[first] = replace(things[first], radius=things[first].radius + e.amount)
        elif action.motion == "spin":
            things[first] = replace(things[first], angle=(things[first].angle + e.amount) % 1.0)
        elif action.motion == "turn":
            things[first] = replace(things[first], colour=e.target or things[first].colour)
        elif action.motion == "fade":
            gone = gone - {first} if action.sign > 0 else gone | {first}
    return things, gone
