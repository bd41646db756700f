"""Which of two events came first? Clips of two events are cut in half, one event in each half, and put together again.

Who has a head for order is shown the halves one way round or the other, by a coin, and says which comes first: all
pairs of a moment of the one and a moment of the other are summed. Who matches is asked which way round goes better
with the caption. Chance is one half. Controls: a film of one frame, whose halves differ in nothing but their names;
the caption that tells the opposite; no words. The captions name first what happens first as often as not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from vtexplore.data.prepare import text_batch
from vtexplore.measures.tally import Tally
from vtexplore.probes.recover_order import shown_pairs, units_of
from vtexplore.registry import family
from vtexplore.tasks import scene_batch
from vtexplore.types import Batch
from vtexplore.world import Scene, sample_scene

FORMS = ("then", "same")  # one event, and then another
AT_ONCE = 32
HEADS = {"order_logits", "relation_logits"}


@torch.inference_mode()
def order(model: Any, n: int, seed: int, tally: Tally) -> None:
    """On ``n`` held-out clips of two events."""
    rng = np.random.default_rng([seed, 0x0DE5])
    knows = bool(HEADS & set(family(model.name).heads))
    asking = by_head if knows else by_match
    for start in range(0, n, AT_ONCE):
        scenes = [sample_scene(rng, "heldout", form=FORMS) for _ in range(min(AT_ONCE, n - start))]
        swapped = rng.random(len(scenes)) < 0.5
        for condition, batch in shown(model, scenes).items():
            if condition == "no words" and not knows:
                continue
            for item, won in enumerate(asking(model, batch, swapped).tolist(), start):
                tally.add(f"order of two events: {condition}", won, item)


def shown(model: Any, scenes: Sequence[Scene]) -> dict[str, Batch]:
    """What a model is shown of the scenes, by condition."""
    batch = scene_batch(scenes, model.inputs)
    middle = batch.video[:, batch.video.shape[1] // 2, None]

    def told(texts: Sequence[str]) -> Batch:
        other = text_batch(texts, model.inputs)
        words = ("word_ids", "word_mask", "texts", "pieces", "piece_words")
        return replace(batch, **{name: getattr(other, name) for name in words})

    return {
        "the clip": batch,
        "the opposite told": told([_opposite(scene) for scene in scenes]),
        "no words": told([""] * len(scenes)),
        "a film of one frame": replace(batch, video=middle.expand_as(batch.video).contiguous()),
    }


def _opposite(scene: Scene) -> str:
    foil = scene.foil("order")
    return scene.caption.text if foil is None else foil.caption.text


def by_head(model: Any, batch: Batch, swapped: np.ndarray) -> np.ndarray:
    """Whether the half that came first is said to: float [clip], ½ at a tie. ``swapped`` [clip]: shown second."""
    units = units_of(model, batch)
    half = units // 2
    rows = np.where(swapped[:, None], np.roll(np.arange(units), half), np.arange(units))
    pairs = shown_pairs(model, batch, rows)
    first, second = slice(0, half), slice(units - half, units)
    lead = pairs[:, first, second].sum((1, 2)) - pairs[:, second, first].swapaxes(1, 2).sum((1, 2))
    return _won(np.where(swapped, -lead, lead))


def by_match(model: Any, batch: Batch, _: np.ndarray) -> np.ndarray:
    """Whether the caption goes better with the clip than with its halves swapped: float [clip], ½ at a tie."""
    half = batch.video.shape[1] // 2
    scores = [model(some).match_logits for some in (batch, replace(batch, video=batch.video.roll(half, dims=1)))]
    return _won((scores[0] - scores[1]).double().cpu().numpy())


def _won(lead: np.ndarray) -> np.ndarray:
    return np.asarray((np.sign(np.where(np.abs(lead) < 1e-5, 0.0, lead)) + 1) / 2)
