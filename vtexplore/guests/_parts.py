"""What the positions of a guest's sequences stand for: words, patches and regions, frame by frame or all together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import torch
from torch import Tensor

from vtexplore.blocks.embeddings import frame_spans, grid_tokens, word_tokens
from vtexplore.blocks.vit import frame_groups
from vtexplore.types import Batch, Tokens, TokensOfBatch


@dataclass(frozen=True)
class Part:
    """A sequence as an attention sees it.

    ``tokens`` of all ``count`` positions of an item · ``groups`` index [window, place]: which position stands where
    in each of the windows that do not see one another (−1 = padding); None: one sequence · ``seen`` bool [batch,
    position]: those that may be attended to; None: all. ``window``: windows are of a backbone, and shift and pad.
    """

    tokens: TokensOfBatch
    count: int
    groups: Tensor | None = None
    seen: Tensor | None = None
    window: bool = False

    @property
    def windows(self) -> int:
        """Into how many parts a layer cuts the sequence."""
        return 1 if self.groups is None else len(self.groups)

    def taken(self, order: Sequence[int]) -> Part:
        """The positions in another order, or some of them, as one sequence."""
        at = np.asarray(order)
        seen = None if self.seen is None else self.seen[:, torch.from_numpy(at)]
        return Part(cache(lambda: [t[at] for t in self.tokens()]), len(at), seen=seen)

    def grouped(self, groups: Tensor | None, window: bool = False) -> Part:
        """The same positions, cut into windows."""
        return replace(self, groups=groups, window=window)

    def __add__(self, other: Part) -> Part:
        """One sequence, then the other."""
        tokens = cache(lambda: [a + b for a, b in zip(self.tokens(), other.tokens(), strict=True)])
        seen = None
        if self.seen is not None or other.seen is not None:
            seen = torch.cat([_mask(self, other), _mask(other, self)], dim=1)
        return Part(tokens, self.count + other.count, seen=seen)


def _mask(part: Part, beside: Part) -> Tensor:
    if part.seen is not None:
        return part.seen
    assert beside.seen is not None
    return beside.seen.new_ones(len(beside.seen), part.count)


# ── words ─────────────────────────────────────────────────────────────────────────────────────────


def words(batch: Batch) -> Part:
    """The pieces of each text."""
    return Part(cache(lambda: word_tokens(batch)), batch.word_ids.shape[1])


def whole_texts(batch: Batch) -> Part:
    """One token for each text: all of it."""
    return Part(cache(lambda: [Tokens.make([text], [{"text", "special"}]) for text in batch.texts]), 1)


def words_of_each_frame(batch: Batch) -> Part:
    """The pieces of each text once a frame; each has that frame's span."""
    frames, length = batch.video.shape[1], batch.word_ids.shape[1]
    if frames == 1:
        return words(batch)

    def tokens() -> list[Tokens]:
        out = []
        for item, text in enumerate(word_tokens(batch)):
            spans = _spans(batch, item)
            each = [replace(text, span_s=np.tile(span, (length, 1))) for span in spans]
            out.append(sum(each[1:], each[0]))
        return out

    return Part(cache(tokens), frames * length)


# ── videos ────────────────────────────────────────────────────────────────────────────────────────


def patches(batch: Batch, grid: tuple[int, int, int], cls: int = 0) -> Part:
    """The patches of each slot of time, row by row; ``cls``: so many [CLS] before those of each slot."""
    slots, rows, columns = grid
    return Part(grid_tokens(batch, grid, cls), slots * (cls + rows * columns), seen=_seen(batch, grid, cls))


def summary(batch: Batch, name: str = "[CLS]") -> Part:
    """One token for the whole video."""
    tokens = cache(lambda: [Tokens.make([name], [{"video", "special"}])] * len(batch))
    return Part(tokens, 1, seen=None if batch.video_mask is None else batch.has_video[:, None])


def of_frames(batch: Batch, name: str) -> Part:
    """One token for each frame: "name of frame 1", …; it is of the whole picture that the model sees."""

    def tokens() -> list[Tokens]:
        out = []
        for item, view in enumerate(batch.view):
            spans = _spans(batch, item)
            labels = [f"{name} of frame {i + 1}" for i in range(len(spans))]
            out.append(Tokens.make(labels, [{"video", "special"}] * len(spans), np.tile(view, (len(spans), 1)), spans))
        return out

    frames = batch.video.shape[1]
    seen = None if batch.video_mask is None else batch.has_video[:, None].expand(-1, frames)
    return Part(cache(tokens), frames, seen=seen)


def places(batch: Batch, rows: int, columns: int) -> Part:
    """Patches of a picture that all frames share: each stands for its place in the whole clip."""
    one = replace(batch, times_s=batch.durations_s[:, None] / 2)
    return Part(grid_tokens(one, (1, rows, columns)), rows * columns, seen=_seen(one, (1, rows, columns), 0, False))


def regions(batch: Batch, boxes: Tensor) -> Part:
    """Regions of each frame by their boxes [batch, frame, region, 4], xyxy in 0..1 of the square the model sees."""
    frames, count = boxes.shape[1:3]
    found = boxes.detach().cpu().double().numpy()

    def tokens() -> list[Tokens]:
        out = []
        for item, view in enumerate(batch.view):
            low, side = np.tile(view[:2], 2), np.tile(view[2:] - view[:2], 2)
            labels = [f"region {r + 1} of frame {f + 1}" for f in range(frames) for r in range(count)]
            spans = np.repeat(_spans(batch, item), count, axis=0)
            kinds = [{"video", "region"}] * len(labels)
            out.append(Tokens.make(labels, kinds, low + found[item].reshape(-1, 4) * side, spans))
        return out

    seen = None if batch.video_mask is None else batch.has_video[:, None].expand(-1, frames * count)
    return Part(cache(tokens), frames * count, seen=seen)


def _spans(batch: Batch, item: int) -> np.ndarray:
    return frame_spans(batch.times_s[item], batch.durations_s[item])


def _seen(batch: Batch, grid: tuple[int, int, int], cls: int, patchwise: bool = True) -> Tensor | None:
    """Patches that may be attended to; a [CLS] goes with its clip, since it never heard of a hidden patch."""
    if batch.video_mask is None and (batch.patch_mask is None or not patchwise):
        return None
    slots, rows, columns = grid
    seen = batch.has_video[:, None, None].expand(-1, slots, cls + rows * columns).clone()
    if patchwise and batch.patch_mask is not None:
        seen[:, :, cls:] &= batch.patch_mask.flatten(2)
    return seen.flatten(1)


# ── frame by frame ────────────────────────────────────────────────────────────────────────────────


def frame_by_frame(frames: int, *parts: Part) -> Part:
    """Parts that each hold ``frames`` equal pieces, as one sequence a frame: the first frame's piece of each part, …

    Frames do not see one another.
    """
    each = [part.count // frames for part in parts]
    starts = np.cumsum([0, *(part.count for part in parts)])
    order = [
        int(start) + frame * count + at
        for frame in range(frames)
        for start, count in zip(starts, each, strict=False)
        for at in range(count)
    ]
    joint = sum(parts[1:], parts[0]).taken(order) if len(parts) > 1 else parts[0]
    return joint.grouped(frame_groups(frames, sum(each), 0) if frames > 1 else None)
