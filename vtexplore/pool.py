"""A pool of scenes whose videos went through a frozen backbone once.

A backbone costs as much as the rest of a miniature; where it does not learn and no objective touches
pixels, what it says of a clip need not be computed twice. Captions are told anew each time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from vtexplore.world import Scene, draw_style, excerpt, tells_in_order

GROUPS_AT_ONCE = 8


class Remembered(nn.Module):
    """Stands in for a backbone: gives what it said, whatever it is shown."""

    def __init__(self, said: Tensor) -> None:
        super().__init__()
        self.said = said

    def forward(self, *_: Any) -> Tensor:
        """The remembered features, one row an item of the batch."""
        return self.said


@contextmanager
def standing_in(model: nn.Module, name: str, said: Tensor) -> Iterator[None]:
    """For a while, the child ``name`` of ``model`` only repeats ``said``."""
    real = getattr(model, name)
    setattr(model, name, Remembered(said))
    try:
        yield
    finally:
        setattr(model, name, real)


class Pool:
    """Groups of scenes, and what a backbone said of each: ``features`` [clip, …], in half precision unless counted."""

    def __init__(self, groups: Sequence[Sequence[Scene]], features: Tensor) -> None:
        self.groups, self.features = groups, features

    @staticmethod
    def fill(groups: Sequence[Sequence[Scene]], features_of: Any, quiet: bool = False) -> Pool:
        """A pool of these groups (all of one size); ``features_of(scenes)`` gives [clip, …]."""
        out: Tensor | None = None
        size = len(groups[0])
        for start in tqdm(range(0, len(groups), GROUPS_AT_ONCE), desc="filling the pool", disable=quiet, mininterval=2):
            some = [scene for group in groups[start : start + GROUPS_AT_ONCE] for scene in group]
            with torch.no_grad():
                said = features_of(some)
            if out is None:
                kind = torch.float16 if said.is_floating_point() else said.dtype
                out = torch.empty(len(groups) * size, *said.shape[1:], dtype=kind)
            out[start * size : start * size + len(some)] = said.to("cpu", out.dtype)
        assert out is not None
        return Pool(groups, out)

    def draw(self, rng: np.random.Generator, groups: int, in_order: bool = False) -> tuple[list[Scene], Tensor]:
        """So many groups, each told in a fresh style: their scenes, and features [clip, …].

        ``in_order``: only in styles that mention first what happens first.
        """
        scenes: list[Scene] = []
        items: list[int] = []
        for g in rng.integers(len(self.groups), size=groups).tolist():
            group = self.groups[g]
            theme, join = group[0].theme, group[0].join
            style = draw_style(rng, theme, join)
            while in_order and not tells_in_order(theme, style, join):
                style = draw_style(rng, theme, join)
            scenes += [replace(scene, style=style) for scene in group]
            items += range(g * len(group), (g + 1) * len(group))
        features = self.features[items]
        return scenes, features.float() if features.is_floating_point() else features


class Scripts(Pool):
    """Longer videos and what a backbone said of all their moments, of which excerpts are drawn.

    ``features`` [script, moment, …], as many moments for each of ``steps`` steps. An item of ``lengths`` is how many
    steps the excerpts of a batch have.
    """

    def __init__(self, pool: Pool, steps: int, lengths: Sequence[int]) -> None:
        super().__init__(pool.groups, pool.features)
        self.steps, self.lengths = steps, tuple(lengths)

    def excerpts(self, rng: np.random.Generator, groups: int, group: int) -> tuple[list[Scene], Tensor]:
        """Groups of excerpts of one script each, without a step in common if there are enough, and their features."""
        length = int(rng.choice(self.lengths))
        moments = self.features.shape[1] // self.steps
        scenes: list[Scene] = []
        features: list[Tensor] = []
        for g in rng.integers(len(self.groups), size=groups).tolist():
            places = np.arange(self.steps - length + 1)
            apart = places[int(rng.integers(min(length, len(places)))) :: length]  # these have no step in common
            firsts = rng.permutation(apart if len(apart) >= group else places)
            for first in np.resize(firsts, group).tolist():
                scenes.append(excerpt(self.groups[g][0], first, length, rng))
                features.append(self.features[g, first * moments : (first + length) * moments])
        stacked = torch.stack(features)
        return scenes, stacked.float() if stacked.is_floating_point() else stacked
