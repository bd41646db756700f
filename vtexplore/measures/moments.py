"""In which moment of a longer video does it happen? Held-out scripts, and a sentence of each step that fits no other.

A model with a head for spans (HERO, Li et al., arXiv 2005.00200, §4.3: moments retrieved within a video) reads the
video without its other lines. Its answer is the likeliest pair of a first and a later or equal last frame; it is right
where it overlaps the true stretch by half (intersection over union). Beside a wrong video, what is left is a guess.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vtexplore.blocks.lines import members
from vtexplore.measures.looks import SHOWN, ask, texts_beside
from vtexplore.measures.tally import Tally, rounds
from vtexplore.objectives.moments import spans
from vtexplore.tasks import inputs_for, scene_batch
from vtexplore.world import Scene, script
from vtexplore.world.act import DURATION_S
from vtexplore.world.script import STEP_S
from vtexplore.world.telling import dense_captions

STEPS = 8
SCRIPTS = 8  # at one time


@torch.inference_mode()
def moments(model: Any, n: int, seed: int, tally: Tally, quiet: bool = False) -> None:
    """On as many held-out scripts as are as long as ``n`` clips."""
    rng = np.random.default_rng([seed, 0x5BA5])
    count = max(2, round(n * DURATION_S / (STEPS * STEP_S)))
    inputs = inputs_for(model.inputs, STEPS * STEP_S)
    for start, some in rounds(count, SCRIPTS, "finding moments", quiet, "script"):
        scenes = [script(rng, STEPS, "heldout") for _ in range(max(2, some))]
        asked = [(i, *told) for i, scene in enumerate(scenes) for told in unlike(scene)]
        batch = scene_batch(scenes, inputs, texts=[""] * len(scenes))
        video = model.embed(batch)[0]
        items = [i for i, *_ in asked]
        texts = texts_beside(batch, [text for *_, text in asked], inputs)
        times_s = batch.times_s.reshape(len(scenes), len(video), -1).mean(2)
        there = np.array([[[a, b]] for _, a, b, _ in asked])
        truth = spans(members(there, times_s[items], video.mask[items])[:, 0])
        for look, wrong in (("true", 0), ("wrong", 1)):
            shown = [(i + wrong) % len(scenes) for i in items]
            for part, output in ask(model, video, shown, texts):
                overlap = iou(likeliest(output.span_logits), truth[part])
                for item, share in zip(items[part], overlap.tolist(), strict=True):
                    tally.add(f"moments, half of them or more: {SHOWN[look]}", share >= 0.5, start + item)


def unlike(scene: Scene) -> Iterator[tuple[float, float, str]]:
    """(start_s, end_s, sentence) of each step whose sentence is told of no other."""
    told = [(a, b, caption.text) for a, b, caption in dense_captions(scene)]
    count = Counter(text for *_, text in told)
    return ((a, b, text) for a, b, text in told if count[text] == 1)


def likeliest(logits: Tensor) -> Tensor:
    """The best first and last frame, the last not before the first: [query, frame, 2] to int [query, 2]."""
    both = logits[:, :, None, 0] + logits[:, None, :, 1]
    frames = logits.shape[1]
    late = torch.ones(frames, frames, dtype=torch.bool, device=logits.device).triu()
    best = both.masked_fill(~late, float("-inf")).flatten(1).argmax(1)
    return torch.stack([best // frames, best % frames], dim=1)


def iou(a: Tensor, b: Tensor) -> Tensor:
    """Shared frames over all frames of two stretches, whose ends belong to them: int [query, 2] twice to [query]."""
    shared = (torch.minimum(a[:, 1], b[:, 1]) - torch.maximum(a[:, 0], b[:, 0]) + 1).clamp(min=0)
    return shared / ((a[:, 1] - a[:, 0]) + (b[:, 1] - b[:, 0]) + 2 - shared)
