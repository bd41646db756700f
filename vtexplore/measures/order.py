"""Which of two events came first? Clips of two events are cut in half, one event in each half, and put together again.

Who has a head for order is shown the halves one way round and the other, and says each time which comes first: all
pairs of a moment of the one and a moment of the other are summed, and who only goes by what is shown first is right
once. Who matches is asked which way round goes better with the caption. Chance is one half. Controls: the caption that
tells the opposite; no words; a film of one frame, whose halves differ in nothing but their names: as it is the same
both ways round, nobody can be right more often than not, and other figures would tell of a mistake in the asking. The
captions name first what happens first as often as not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vtexplore.data.prepare import text_batch
from vtexplore.measures.tally import Tally, rounds
from vtexplore.probes._ask import matches
from vtexplore.probes._videos import apart
from vtexplore.probes.recover_order import shown_pairs, units_of
from vtexplore.registry import family
from vtexplore.tasks import scene_batch
from vtexplore.types import Batch
from vtexplore.world import Scene, sample_scene

FORMS = ("then", "same")  # one event, and then another
AT_ONCE = 32
HEADS = {"order_logits", "relation_logits"}


@torch.inference_mode()
def order(model: Any, n: int, seed: int, tally: Tally, quiet: bool = False) -> None:
    """On ``n`` held-out clips of two events."""
    rng = np.random.default_rng([seed, 0x0DE5])
    knows = bool(HEADS & set(family(model.name).heads))
    asking = by_head if knows else by_match
    for start, some in rounds(n, AT_ONCE, "which came first", quiet):
        scenes = [sample_scene(rng, "heldout", form=FORMS) for _ in range(some)]
        for told in shown(model, scenes):
            if not knows:
                told.pop("no words", None)
            for condition, won in zip(told, asking(model, [*told.values()]), strict=True):
                for item, value in enumerate(won.tolist(), start):
                    tally.add(f"order of two events: {condition}", value, item)


def shown(model: Any, scenes: Sequence[Scene]) -> tuple[dict[str, Batch], dict[str, Batch]]:
    """What a model is shown of the scenes, by condition: their films with several texts, then films of one frame."""
    batch = scene_batch(scenes, model.inputs)
    middle = batch.video[:, batch.video.shape[1] // 2, None]

    def told(texts: Sequence[str]) -> Batch:
        other = text_batch(texts, model.inputs)
        words = ("word_ids", "word_mask", "texts", "pieces", "piece_words")
        return replace(batch, **{name: getattr(other, name) for name in words})

    clips = {
        "the clip": batch,
        "the opposite told": told([_opposite(scene) for scene in scenes]),
        "no words": told([""] * len(scenes)),
    }
    return clips, {"a film of one frame": replace(batch, video=middle.expand_as(batch.video).contiguous())}


def _opposite(scene: Scene) -> str:
    foil = scene.foil("order")
    return scene.caption.text if foil is None else foil.caption.text


def by_head(model: Any, told: Sequence[Batch]) -> np.ndarray:
    """How often the half that came first is said to, of both ways round: float [text, clip], ½ of one at a tie.

    The batches are of the same films, ``told`` in other words; so they are below.
    """
    units = units_of(model, told[0])
    half, true = units // 2, np.arange(units)
    video = model.embed(told[0])[0] if hasattr(model, "reorder") and hasattr(model, "embed") else None
    first, second = slice(0, half), slice(units - half, units)

    def lead(row: np.ndarray) -> np.ndarray:
        """By how much what is shown first is said to come first."""
        rows = np.tile(row, (len(told[0]), 1))
        pairs = np.stack([shown_pairs(model, batch, rows, video) for batch in told])
        found: np.ndarray = pairs[..., first, second].sum((2, 3)) - pairs[..., second, first].swapaxes(2, 3).sum((2, 3))
        return found

    return (_won(lead(true)) + _won(-lead(np.roll(true, half)))) / 2


def by_match(model: Any, told: Sequence[Batch]) -> np.ndarray:
    """Whether a text goes better with the clip than with its halves swapped: float [text, clip], ½ at a tie."""
    half = told[0].video.shape[1] // 2
    turned = [replace(batch, video=batch.video.roll(half, dims=1)) for batch in told]
    return _won((scores(model, told) - scores(model, turned)).double().cpu().numpy())


def scores(model: Any, told: Sequence[Batch]) -> Tensor:
    """How well each text goes with its film: [text, clip]. Films are embedded once, by a family that can."""
    if not apart(model):
        return torch.stack([model(batch).match_logits for batch in told])
    video = model.embed(told[0])[0]
    return torch.stack([matches(model, video, model.text(batch), batch) for batch in told])


def _won(lead: np.ndarray) -> np.ndarray:
    return np.asarray((np.sign(np.where(np.abs(lead) < 1e-5, 0.0, lead)) + 1) / 2)
