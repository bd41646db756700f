"""What a visual word looks like: its exemplar, the training moment nearest its centroid, drawn again.

Words of the miniature world were clustered from the moments of scenes that were drawn from a seed, so no picture need
be stored: item ``clip · moments of a clip + moment`` is that moment of that scene. What is needed, ``{"world", "seed",
"moments"}``, is what ``VisualWords.made`` says, or the card of a miniature that came from a file (``visual_words``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from vtexplore.errors import ConfigError, Unsupported
from vtexplore.tasks import scene_times
from vtexplore.train import step_rng
from vtexplore.visual_words import VisualWords
from vtexplore.world import SHAPES_THEME, Scene, excerpt, render, sample_scene, script

SIDE_PX = 128  # of a picture; nothing is read off it

Draw = Callable[[Any, int], np.ndarray]
"""From a model and a training item to that moment's frames, uint8 [frame, height, width, rgb]."""


def word_scene(seed: int, clip: int) -> Scene:
    """The scene of that number among those whose moments were clustered, all of 4 s.

    Every other one is two steps of a script, in which things have moved, grown and turned before.
    """
    rng = step_rng(seed, clip, 3_000)
    if clip % 2 == 0:
        return sample_scene(rng)
    whole = script(rng)
    return excerpt(whole, int(rng.integers(len(whole.events) - 1)), 2, rng)


def words_of(model: Any) -> VisualWords:
    """The words in which a model reads video, with all that is known of their making.

    Raises ``Unsupported`` for a model that reads none, or that came without them.
    """
    name, eyes = getattr(model, "name", type(model).__name__), getattr(model, "eyes", None)
    if not hasattr(type(eyes), "words"):
        raise Unsupported(f"{name} does not read video in visual words. Take a family that does.")
    try:
        words: VisualWords = eyes.words  # type: ignore[union-attr]
    except ConfigError as lacking:
        raise Unsupported(f"{name} came without its visual words. {lacking}") from lacking
    known = {} if "items" in words.made else (getattr(model, "card", None) or {}).get("visual_words", {})
    return VisualWords(words.centroids, words.children, words.exemplars, known | words.made)


def word_moment(model: Any, item: int) -> np.ndarray:
    """The frames of a training moment: uint8 [frame, height, width, rgb], as many as a visual word is made of.

    Raises ``Unsupported`` for a model whose words are not of the miniature world.
    """
    made = words_of(model).made
    if made.get("world") != SHAPES_THEME.name:
        raise Unsupported("Nobody remembers what these visual words were made of. Use a miniature that is shipped.")
    clip, moment = divmod(item, made["moments"])
    scene, window = word_scene(made["seed"], clip), model.eyes.window
    times_s = scene_times(model.inputs, scene.duration_s)[moment * window : (moment + 1) * window]
    return render([scene], times_s, SIDE_PX)[0]


def exemplar_frames(model: Any, words: Sequence[int], draw: Draw = word_moment) -> np.ndarray:
    """The middle frame of each word's exemplar: uint8 [word, height, width, rgb].

    Raises ``Unsupported`` for a model whose words are not of the miniature world, ``ConfigError`` for an unknown word.
    """
    exemplars = words_of(model).exemplars
    if wrong := [w for w in words if not 0 <= w < len(exemplars)]:
        raise ConfigError(f"There are {len(exemplars)} visual words, counted from 0: there is no {wrong[0]}.")
    moments = [draw(model, int(exemplars[w])) for w in words]
    return np.stack([m[len(m) // 2] for m in moments]) if moments else np.zeros((0, SIDE_PX, SIDE_PX, 3), np.uint8)
