"""Videos that a model looks at once, and of which it is then asked many things."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from vtexplore.probes._ask import alone
from vtexplore.record import beside
from vtexplore.types import Batch, Output, Stream

AT_ONCE = 32


def joined(batches: Sequence[Batch]) -> Batch:
    """The items of several batches, one below the other; all see frames of one size, and none asks a question."""
    first = batches[0]
    hiding = [b.patch_mask for b in batches]
    return replace(
        first,
        video=torch.cat([b.video for b in batches]),
        times_s=np.concatenate([b.times_s for b in batches]),
        view=np.concatenate([b.view for b in batches]),
        durations_s=np.concatenate([b.durations_s for b in batches]),
        word_ids=torch.cat([b.word_ids for b in batches]),
        word_mask=torch.cat([b.word_mask for b in batches]),
        texts=sum((b.texts for b in batches), ()),
        pieces=sum((b.pieces for b in batches), ()),
        piece_words=np.concatenate([b.piece_words for b in batches]),
        video_mask=torch.cat([b.has_video for b in batches]),
        patch_mask=torch.cat([m for m in hiding if m is not None]) if all(m is not None for m in hiding) else None,
    )


def stacked(streams: Sequence[Stream]) -> Stream:
    """The items of several streams, one below the other."""
    tokens = [s.tokens for s in streams]
    hidden, mask = torch.cat([s.hidden for s in streams]), torch.cat([s.mask for s in streams])
    return Stream(hidden, mask, lambda: [t for each in tokens for t in each()])


def apart(model: Any) -> bool:
    """Whether a model can look at videos before it is asked anything."""
    return all(hasattr(model, part) for part in ("embed", "text", "read"))


class Watched:
    """The videos of a batch as a model sees them: looked at once where it can, else again with every question."""

    def __init__(self, model: Any, batch: Batch, stream: Stream | None = None) -> None:
        self.model, self.batch, self.stream = model, beside(model, batch), stream
        if stream is None and apart(model):
            parts = [range(i, min(i + AT_ONCE, len(batch))) for i in range(0, len(batch), AT_ONCE)]
            with torch.inference_mode():
                self.stream = stacked([model.embed(self.batch.take(part))[0] for part in parts])

    def __len__(self) -> int:
        return len(self.batch)

    def mean(self, items: Sequence[int]) -> Watched | None:
        """One video more: at every place the mean of what some of them have there; None for a model that reads pixels.

        Its pixels in the batch are those of the first, which nobody looks at again.
        """
        if self.stream is None:
            return None
        some = self.stream.take(torch.tensor(list(items), device=self.stream.hidden.device))
        hidden, tokens = some.hidden.mean(dim=0, keepdim=True), some.tokens
        one = Stream(hidden, some.mask.any(dim=0, keepdim=True), lambda: tokens()[:1])
        return Watched(self.model, self.batch.take([items[0]]), one)

    def fill(self, text: Batch, items: Sequence[int] | None = None) -> Iterator[tuple[slice, Output]]:
        """What is said of words beside texts: one for all videos, or one for each of ``items``; some at a time."""
        items = range(len(self)) if items is None else items
        for start in range(0, len(items), AT_ONCE):
            some = slice(start, min(start + AT_ONCE, len(items)))
            rows = [items[i] for i in range(some.start, some.stop)]
            said = [0] * len(rows) if len(text) == 1 else range(some.start, some.stop)
            asked = with_text(self.batch.take(rows), beside(self.model, text.take(said)))
            with torch.inference_mode():
                if self.stream is None:
                    yield some, self.model(asked)
                    continue
                video = self.stream.take(torch.tensor(rows, device=self.stream.hidden.device))
                yield some, alone(self.model, "word_logits", video, self.model.text(asked), asked)


def with_text(batch: Batch, text: Batch) -> Batch:
    """The videos of one batch beside the texts of another."""
    named = ("word_ids", "word_mask", "texts", "pieces", "piece_words")
    out: Batch = replace(batch, **{name: getattr(text, name) for name in named})
    return out
