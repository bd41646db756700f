"""What stands in for a clip when nothing of it should be known, and other clips to put in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice, permutations
from math import factorial
from typing import Any

import numpy as np
import torch

from vtexplore.errors import ConfigError
from vtexplore.probes._ask import card_of
from vtexplore.types import Batch, Clip
from vtexplore.world import FOIL_KINDS, GARDEN_THEME, SHAPES_THEME, Scene, Theme, sample_scene

ONE_NULL = "A lift needs two nulls or more: what stands in for the clip is a choice, and changes it."
WRONG = 8
"""Other clips, if nobody names any: as many as the mean over them needs (pointwise information, see ``fill_mask``)."""


def hidden(batch: Batch) -> Batch:
    """The video tokens are hidden from attention: nothing of the clip is left."""
    return replace(batch, video_mask=torch.zeros(len(batch), dtype=torch.bool, device=batch.video.device))


def mean_colour(batch: Batch) -> Batch:
    """Every frame becomes the clip's mean colour: there is a video, with nothing in it."""
    mean = batch.video.mean(dim=(1, 3, 4), keepdim=True)
    return replace(batch, video=mean.expand_as(batch.video).contiguous())


CONDITIONS: Mapping[str, Callable[[Batch], Batch]] = {
    "the clip": lambda batch: batch,
    "no clip": hidden,
    "even colour": mean_colour,
}
"""What the model is shown: the clip itself, and what is put in its place."""


def check_conditions(names: Sequence[Any]) -> None:
    """Raise ``ConfigError`` for a name that is not among ``CONDITIONS``."""
    if unknown := [name for name in names if name not in CONDITIONS]:
        raise ConfigError(f"Unknown condition {unknown[0]!r}; there are {', '.join(CONDITIONS)}.")


SAME = ("function", "connective", "background")  # what no sibling of a scene says otherwise
DRAWS = 8

# ── other clips ───────────────────────────────────────────────────────────────────────────────────


def theme_named(world: str | None) -> Theme | None:
    """The world of that name, or None."""
    return next((theme for theme in (SHAPES_THEME, GARDEN_THEME) if theme.name == world), None)


def other_clips(model: Any, clip: Clip, count: int = WRONG, seed: int = 0) -> tuple[Clip, ...]:
    """Scenes of the world that a model's card names, drawn without a look at what they show; () if it names none.

    Scenes in which a word is true stay in: the mean over all of them is what the model says of any clip.
    """
    theme = theme_named(card_of(model).get("world"))
    if theme is None:
        return ()
    scene, rng = scene_of(clip), np.random.default_rng([seed, 0x077])
    split = "train" if scene is None else scene.split
    return tuple(sample_scene(rng, split, theme=theme).clip() for _ in range(count))


def scene_of(clip: Clip) -> Scene | None:
    """The scene that a clip shows, if it was made in a world."""
    scene = getattr(clip.truth, "scene", None)
    return scene if isinstance(scene, Scene) else None


def hard_clip(clip: Clip, word: int, seed: int = 0) -> Clip | None:
    """A clip of the same class of scene, alike in all but what one word of the caption says.

    It is a sibling of the clip's scene (see ``world.foils``): of those found, the one in whose caption the fewest
    words are others. None for a clip of no world, and where no sibling differs in that word.
    """
    scene = scene_of(clip)
    if scene is None:
        return None
    told, rng = scene.caption.words, np.random.default_rng([seed, 0x4A2D])
    if not 0 <= word < len(told) or told[word].role in SAME:
        return None
    found: list[tuple[int, Scene]] = []
    for kind in FOIL_KINDS * DRAWS:
        if found and kind == FOIL_KINDS[0]:  # every kind had its turn
            break
        other = scene.sibling(kind, rng)
        words = () if other is None else other.caption.words
        if other is not None and len(words) == len(told) and words[word].text != told[word].text:
            found.append((sum(a.text != b.text for a, b in zip(words, told, strict=True)), other))
    return min(found, key=lambda pair: pair[0])[1].clip() if found else None


# ── other orders ──────────────────────────────────────────────────────────────────────────────────


def orders(slots: int, most: int, seed: int = 0) -> np.ndarray:
    """Orders of so many frames, none twice and never the true one: int [order, slot]; all of them if few enough."""
    if slots < 2:
        return np.zeros((0, slots), dtype=int)
    if factorial(min(slots, 12)) - 1 <= most:
        return np.array(list(islice(permutations(range(slots)), 1, None)))
    rng, found = np.random.default_rng([seed, 0x0DE2]), {tuple(range(slots)): None}
    while len(found) <= most:
        found.setdefault(tuple(int(i) for i in rng.permutation(slots)))
    return np.array(list(found)[1:], dtype=int).reshape(-1, slots)


def reordered(batch: Batch, slots: int, most: int, seed: int = 0) -> Iterator[Batch]:
    """The batch with its frames in other orders. Where a model reads several frames as one, these stay together."""
    each = batch.video.shape[1] // slots
    for order in orders(slots, most, seed):
        frames = (order[:, None] * each + np.arange(each)).ravel()
        yield replace(batch, video=batch.video[:, frames])
