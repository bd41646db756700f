"""What the model is shown: the scenes as they are, and what stands in for them when nothing should be known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from vtexplore.data.prepare import text_batch
from vtexplore.probes._ask import alone
from vtexplore.probes._nulls import hidden, mean_colour
from vtexplore.tasks import scene_batch
from vtexplore.types import Batch, Inputs, Stream
from vtexplore.world import Scene

FUSED = 128  # pairs at one time
SHOWN = {
    "true": "the clip",
    "hidden": "no clip (hidden)",
    "even": "no clip (even colour)",
    "wrong": "a wrong clip",
    "reversed": "the reversed clip",
}


@dataclass(frozen=True)
class Looks:
    """Scenes with their captions, and their videos as embedded once for each key of ``SHOWN``."""

    batch: Batch
    videos: dict[str, Stream]

    def shown(self, look: str) -> Batch:
        """The batch with other videos: "true", "hidden", "even", "wrong"."""
        wrong = replace(self.batch, video=self.batch.video.roll(1, 0))
        return {"true": self.batch, "hidden": hidden(self.batch), "even": mean_colour(self.batch), "wrong": wrong}[look]


def looks_of(model: Any, scenes: Sequence[Scene]) -> Looks:
    """The scenes' videos: as they are, gone (two kinds), each other's, and backwards."""
    batch = scene_batch(scenes, model.inputs)
    backwards = scene_batch([s.reversed() for s in scenes], model.inputs)
    true, gone, even, back = (model.embed(b)[0] for b in (batch, hidden(batch), mean_colour(batch), backwards))
    wrong = true.take(torch.arange(len(scenes)).roll(1))
    return Looks(batch, {"true": true, "hidden": gone, "even": even, "wrong": wrong, "reversed": back})


def ask(model: Any, video: Stream, items: Sequence[int], batch: Batch, head: str = "") -> Iterator[tuple[slice, Any]]:
    """Outputs for pairs of ``items`` of a video stream and the texts of ``batch``, some at a time.

    ``head``: the only one that is looked at.
    """
    for start in range(0, len(items), FUSED):
        some = slice(start, min(start + FUSED, len(items)))
        part = batch.take(range(some.start, some.stop))
        yield some, alone(model, head, video.take(torch.tensor(items[some])), model.text(part), part)


def texts_beside(batch: Batch, texts: Sequence[str], inputs: Inputs) -> Batch:
    """``texts`` as a batch that borrows the picture size of ``batch`` (its pixels are not looked at again)."""
    count = len(texts)
    return replace(
        text_batch(texts, inputs),
        video=batch.video[:1].expand(count, *batch.video.shape[1:]),
        times_s=np.repeat(batch.times_s[:1], count, 0),
        view=np.repeat(batch.view[:1], count, 0),
        durations_s=np.repeat(batch.durations_s[:1], count),
    )
