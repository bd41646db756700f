"""What the probes of visual words share: a clip read moment by moment, and pictures of words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vtexplore.data.prepare import prepare
from vtexplore.errors import Unsupported
from vtexplore.exemplars import Draw, exemplar_frames, words_of
from vtexplore.probes._ask import able, card_of
from vtexplore.record import beside
from vtexplore.types import Batch, Clip, Inputs
from vtexplore.visual_words import VisualWords
from vtexplore.world.act import DURATION_S

READS = "read video in visual words"


@dataclass(frozen=True)
class Sentence:
    """A clip in visual words, ``codes`` int64 [moment]; the middle of each moment, in seconds and as the model sees."""

    batch: Batch
    codes: Tensor
    times_s: np.ndarray
    frames: np.ndarray


def words_for(model: Any) -> VisualWords:
    """The model's visual words; ``Unsupported`` if it reads none, naming the families that do, or has none yet."""
    able(model, "foresee", READS)
    return words_of(model)


def window(model: Any) -> int:
    """How many frames make one visual word."""
    inputs: Inputs = model.inputs
    blank = Batch.bare(torch.zeros(1, inputs.frames, 3, 1, 1), torch.zeros(1, 2, dtype=torch.long))
    return int(inputs.frames // model.grid(blank)[0])


def read(model: Any, clip: Clip) -> Sentence:
    """A clip in the model's words; of a longer video of a generated world, as many a second as of its clips."""
    inputs: Inputs = model.inputs
    each = window(model)
    if clip.world is not None or card_of(model).get("world") is not None:
        moments = round(inputs.frames * clip.duration_s / DURATION_S / each)
        inputs = replace(inputs, frames=each * max(1, moments))
    batch = beside(model, prepare([clip], [""], inputs))
    with torch.inference_mode():
        codes: Tensor = model.codes(batch)[0]
    middle = slice(each // 2, None, each)
    video = (batch.video[0, middle].clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu()
    return Sentence(batch, codes.cpu(), np.asarray(batch.times_s[0], dtype=float)[middle], np.asarray(video))


def pictures(model: Any, words: Iterable[int], draw: Draw) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Different words, int [word], their exemplars, uint8 [word, height, width, rgb], and notes on those.

    No exemplar at all if nobody knows what the words were made of.
    """
    found = np.array(sorted(set(words)), dtype=np.int64)
    try:
        return found, exemplar_frames(model, found.tolist(), draw), ()
    except Unsupported as lacking:
        return found, np.zeros((0, 1, 1, 3), dtype=np.uint8), (f"Words are shown by their numbers. {lacking}",)
