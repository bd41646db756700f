"""Lines of speech and the frames of each: taken out of a video, and put back (HERO, arXiv 2005.00200, §3.1).

A frame belongs to a line if its middle lies in the time in which the line is said: to none, to one, or to several.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from vtexplore.types import Batch, Stream, Tokens, TokensOfBatch


def members(
    spans_s: np.ndarray, times_s: np.ndarray, mask: Bool[Tensor, "batch frame"]
) -> Bool[Tensor, "batch line frame"]:
    """Which frames, of those that ``mask`` lets see, belong to which line.

    ``spans_s`` [batch, line, 2] (NaN: no line) and ``times_s`` [batch, frame], seconds. A line that is said too
    shortly to hold a frame has none.
    """
    start, end = spans_s[..., 0, None], spans_s[..., 1, None]
    belong = (start <= times_s[:, None]) & (times_s[:, None] < end)
    return torch.from_numpy(belong).to(mask.device) & mask[:, None]


def nearest(spans_s: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    """The frame nearest to the middle of each line: int [batch, line]; 0 for a line that is not there."""
    middle_s = spans_s.mean(-1)[..., None]
    found: np.ndarray = np.nan_to_num(abs(times_s[:, None] - middle_s), nan=0.0).argmin(-1)
    return found


@dataclass(frozen=True)
class Lines:
    """Words of each line [batch · line, word, channel], and its frames: ``place`` in the video [batch, line, slot].

    Slots of which ``there`` [batch, line, slot] is False hold nothing: a line has as many slots as the fullest has
    frames, and one at least.
    """

    words: Stream
    place: Int[Tensor, "batch line slot"]
    there: Bool[Tensor, "batch line slot"]

    @staticmethod
    def of(words: Stream, member: Bool[Tensor, "batch line frame"]) -> Lines:
        """Lines to which frames belong as ``member`` says."""
        slots = max(1, int(member.sum(2).max()))
        place = (~member).to(torch.uint8).argsort(dim=2, stable=True)[..., :slots]
        return Lines(words, place, member.gather(2, place))

    @staticmethod
    def spoken(read: Callable[[Batch], Stream], batch: Batch, mask: Bool[Tensor, "batch frame"]) -> Lines | None:
        """What is said in the videos of a batch, each line with its frames, once its words are ``read``.

        None: nothing is said.
        """
        if batch.speech is None:
            return None
        times_s = batch.times_s.reshape(*mask.shape, -1).mean(2)
        return Lines.of(read(batch.speech.flat()), members(batch.speech.spans_s, times_s, mask))

    def gather(self, frames: Shaped[Tensor, "batch frame channel"]) -> Shaped[Tensor, "line_ slot channel"]:
        """The frames of each line, [batch · line, slot, channel]; zero in empty slots."""
        batch, lines, slots = self.place.shape
        index = self.place.flatten(1)[..., None].expand(-1, -1, frames.shape[2])
        return (frames.gather(1, index) * self.there.flatten(1)[..., None]).view(batch * lines, slots, -1)

    def scatter(
        self, heard: Float[Tensor, "line_ slot channel"], frames: int
    ) -> Float[Tensor, "batch {frames} channel"]:
        """What stands in the slots back in the video: a frame of several lines gets their sum, one of none is zero."""
        batch, width = len(self.place), heard.shape[-1]
        real = (heard * self.there.flatten(0, 1)[..., None]).view(batch, -1, width)
        index = self.place.flatten(1)[..., None].expand(-1, -1, width)
        return real.new_zeros(batch, frames, width).scatter_add(1, index, real)

    def member(self, frames: int) -> Bool[Tensor, "batch line {frames}"]:
        """Which frames belong to which line."""
        return self.there.new_zeros(*self.place.shape[:2], frames).scatter(2, self.place, self.there)

    def tokens(self, video: TokensOfBatch) -> TokensOfBatch:
        """What the slots stand for, if ``video`` says what the frames do, built when asked."""
        return cache(lambda: self._tokens(video()))

    def _tokens(self, video: list[Tokens]) -> list[Tokens]:
        out = []
        for tokens, places, there in zip(video, self.place.tolist(), self.there.tolist(), strict=True):
            for at, real in zip(places, there, strict=True):
                taken, empty = [i for i, r in zip(at, real, strict=True) if r], real.count(False)
                out.append(tokens[taken] + Tokens.make(["[PAD]"] * empty, [{"video", "pad"}] * empty))
        return out
