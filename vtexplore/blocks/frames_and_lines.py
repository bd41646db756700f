"""Frames and lines enter one sequence (MERLOT, Zellers et al., arXiv 2106.02636, §3.2): each frame is told its place.

Every line has as many places for words as the longest may have, so that a line begins where it always does.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from vtexplore.blocks.apart import CellPlaces
from vtexplore.blocks.embeddings import word_tokens
from vtexplore.blocks.frame_features import Places
from vtexplore.blocks.lines import nearest
from vtexplore.blocks.transformer import weight_std
from vtexplore.errors import ConfigError
from vtexplore.types import Batch, Stream, Tokens


class FramesAndLines(nn.Module):
    """A place in time and in the frame for each cell, a place in what is said for each word; norms.

    ``std``: of places in time and in a frame, as they are drawn; None, as all weights are.
    """

    def __init__(
        self,
        slots: int,
        side: int,
        words: int,
        width: int,
        dropout: float = 0.1,
        eps: float = 1e-5,
        std: tuple[float, float] | None = None,
    ) -> None:
        super().__init__()
        slot_std, cell_std = std or 2 * (weight_std(width),)
        self.slot = nn.Embedding(slots, width)
        self.cell = CellPlaces(side, width, 1, cell_std)
        self.norm = nn.LayerNorm(width, eps)
        self.words = Places(words, width, dropout)
        nn.init.normal_(self.slot.weight, std=slot_std)

    def forward(self, frames: Stream, slots: Int[Tensor, "batch frame"], lines: Stream) -> Stream:
        """[batch, frame · (1 + cell) + line · word, channel]; ``slots``: the place in time that each frame is told.

        Of what is not seen of the frames only the place enters: a frame is read off its first token, which has to know
        when it is. Raises ``ConfigError`` for more frames than there are places.
        """
        if int(slots.max()) >= self.slot.num_embeddings:
            raise ConfigError(f"{slots.shape[1]} frames are too many for this model. Give it a shorter clip.")
        side = round((len(frames) / slots.shape[1] - 1) ** 0.5)
        seen = (frames.hidden * frames.mask[..., None]).unflatten(1, (slots.shape[1], -1))
        shown = self.norm(seen + self.slot(slots)[:, :, None] + self.cell(side, side)).flatten(1, 2)
        return frames.with_hidden(shown) + lines.with_hidden(self.words(lines.hidden))


def in_rows(words: Stream, items: int, length: int) -> Stream:
    """Lines [item · line, word, channel] one after the other, [item, line · length, channel], padding after each."""
    more = length - len(words)

    def tokens() -> list[Tokens]:
        pad, each = Tokens.make(["[PAD]"] * more, [{"pad"}] * more), words.tokens()
        lines = len(each) // items
        rows = [[t + pad for t in each[i * lines : (i + 1) * lines]] for i in range(items)]
        return [sum(row[1:], row[0]) for row in rows]

    hidden, mask = (pad_rows(x, items, length) for x in (words.hidden, words.mask))
    return Stream(hidden, mask, cache(tokens))


def pad_rows(
    x: Shaped[Tensor, "line_ word *channel"], items: int, length: int, value: float = 0
) -> Shaped[Tensor, "{items} token *channel"]:
    """The same of tensors: [item · line, word, …] to [item, line · length, …]."""
    more = (0, 0) * (x.dim() - 2) + (0, length - x.shape[1])
    return nn.functional.pad(x, more, value=value).unflatten(0, (items, -1)).flatten(1, 2)


def look_up(table: nn.Embedding, batch: Batch) -> Stream:
    """The words of a batch's texts, before they get places: [batch, word, channel]."""
    return Stream(table(batch.word_ids), batch.word_mask, cache(lambda: word_tokens(batch)))


def one_a_line(
    batch: Batch, maps: Float[Tensor, "batch frame row column channel"]
) -> tuple[Batch, Float[Tensor, "batch line row column channel"], Tensor]:
    """With speech, one frame a line: the batch at their times, their maps, and which are there [batch, line].

    Without, all frames.
    """
    if batch.speech is None:
        return batch, maps, maps.new_ones(maps.shape[:2], dtype=torch.bool)
    rows, at = np.arange(len(batch))[:, None], nearest(batch.speech.spans_s, batch.times_s)
    theirs, there = (torch.from_numpy(rows), torch.from_numpy(at)), batch.speech.word_mask.any(2)
    lit = None if batch.patch_mask is None else batch.patch_mask[theirs]
    return replace(batch, times_s=batch.times_s[rows, at], patch_mask=lit), maps[theirs], there
