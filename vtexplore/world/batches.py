"""Batches in which another item's caption is a hard negative."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from vtexplore.world.act import pick
from vtexplore.world.foils import KINDS, ORDER_LIKE, holds
from vtexplore.world.language import draw_style
from vtexplore.world.sampling import sample_scene
from vtexplore.world.scene import Scene
from vtexplore.world.shapes import SHAPES_THEME
from vtexplore.world.theme import Theme


def siblings(scene: Scene, rng: np.random.Generator, count: int) -> list[Scene]:
    """Up to ``count`` siblings of assorted kinds, about half of them order-like where the scene allows.

    The caption of each is false of the scene and of every other sibling, and the other way round.
    """
    family = [scene]
    tries = 0
    while len(family) <= count and tries < 8 * count:
        tries += 1
        if rng.random() < 0.5:
            # A scene with an order to swap is worth most: order is learnt last, and only from such pairs.
            kind = "order" if rng.random() < 0.5 else pick(rng, ORDER_LIKE)
        else:
            kind = pick(rng, [k for k in KINDS if k not in ORDER_LIKE])
        other = scene.sibling(kind, rng)
        if other is not None and not any(holds(f, other.statement) or holds(other, f.statement) for f in family):
            family.append(other)
    return family[1:]


def sibling_batch(
    rng: np.random.Generator | int,
    n: int,
    group: int = 4,
    split: str = "train",
    theme: Theme = SHAPES_THEME,
    **options: Any,
) -> list[Scene]:
    """``n`` scenes in groups of a scene and its siblings (``group`` each; the last may be smaller).

    Within a group every caption is true of one scene only, so another item's caption is a hard
    negative. A fair coin reverses each group as a whole: also this distribution is symmetric in time.
    ``options`` go to ``sample_scene``.
    """
    rng = np.random.default_rng(rng)
    out: list[Scene] = []
    while len(out) < n:
        want = min(group, n - len(out))
        base = sample_scene(rng, split, theme=theme, **options)
        family = [base, *siblings(base, rng, want - 1)]
        if len(family) < want:  # a lonely scene (rare): take another
            continue
        if rng.random() < 0.5:
            family = [s.reversed() for s in family]
        # The place in the group must not tell who was first.
        out += [family[i] for i in rng.permutation(want)]
    return out


def in_one_voice(scenes: Sequence[Scene], rng: np.random.Generator) -> list[Scene]:
    """The same scenes, all told by one annotator: how a thing is said does not tell of which scene it is said."""
    theme = scenes[0].theme
    voice = int(rng.random() * len(theme.voices))
    return [replace(s, style=draw_style(rng, theme, s.join, voice)) for s in scenes]
