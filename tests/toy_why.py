"""A model whose every answer can be taken apart by hand.

    f = Σ over patches of weight · brightness  +  Σ over words of their row in a table

A text's [CLS] looks at everything alike, and what it hears is a patch's weight times its brightness. A patch that is
hidden is worth 0 and leaves the others as they are. So what a patch is worth is known: nothing is left to dispute.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vtexplore.blocks.embeddings import grid_tokens, word_tokens
from vtexplore.blocks.tap import Tap, attend, name_taps
from vtexplore.data.text import vocabulary
from vtexplore.types import Batch, Clip, Inputs, Output, Stream

GRID = (4, 6, 6)
SIZE_PX = 96


class Listening(nn.Module):
    """One head that looks everywhere alike."""

    def __init__(self) -> None:
        super().__init__()
        self.tap = Tap()

    def forward(self, stream: Stream) -> Stream:
        flat = torch.zeros_like(stream.hidden)[:, None]
        heard = attend(
            self.tap, flat, flat, stream.hidden[:, None], queries=stream.tokens, keys=stream.tokens, scale=1.0
        )
        return self.tap.see(stream.with_hidden(heard[:, 0]))


class Layer(nn.Module):
    """A layer is its attention."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = Listening()


class Evidence(nn.Module):
    """See the top of this file; ``weight`` [frame, row, column], and what words are worth by name."""

    def __init__(self, words: str, weight: Tensor, worth: dict[str, float] | None = None) -> None:
        super().__init__()
        self.inputs = Inputs(frames=GRID[0], size_px=SIZE_PX, max_words=20, vocabulary=words)
        self.name, self.size, self.weights_hash, self.card = "evidence", "mini", "1" * 8, {}
        known = vocabulary(words)
        self.weight = Weight(weight)
        self.words = nn.Embedding(len(known), 1)
        nn.init.zeros_(self.words.weight)
        with torch.no_grad():
            for word, value in (worth or {}).items():
                self.words.weight[known.ids[word]] = value
        self.layers = nn.ModuleList([Layer()])
        name_taps(self)
        self.eval()

    def grid(self, batch: Batch) -> tuple[int, int, int]:
        return GRID

    def forward(self, batch: Batch) -> Output:
        bright = brightness(batch.video)
        seen = torch.ones_like(bright) if batch.patch_mask is None else batch.patch_mask.to(bright)
        patches = self.weight(bright * seen).flatten(1)[..., None]
        words = self.words(batch.word_ids) * batch.word_mask[..., None]
        video = Stream(patches, batch.sees(GRID), grid_tokens(batch, GRID))
        stream = video + Stream(words, batch.word_mask, lambda: word_tokens(batch))
        heard = self.layers[0].attention(stream)
        return Output(match_logits=heard.hidden[:, patches.shape[1], 0] * len(stream))


class Weight(nn.Module):
    """What a patch is worth, times how bright it is."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.each = nn.Parameter(weight.clone())

    def forward(self, bright: Tensor) -> Tensor:
        return bright * self.each


def brightness(video: Tensor) -> Tensor:
    """Mean of a patch's pixels and colours: [batch, frame, row, column]."""
    small = nn.functional.adaptive_avg_pool2d(video.flatten(0, 1), GRID[1:]).mean(dim=1)
    return small.unflatten(0, video.shape[:2])


def one_patch(at: tuple[int, int, int]) -> Tensor:
    """The only evidence is one patch."""
    weight = torch.zeros(GRID)
    weight[at] = 5.0
    return weight


class Noise:
    """A source of frames that are noise, 12 squares a side."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def sample(self, times_s: Any, short_side_px: int | None) -> np.ndarray:
        side = short_side_px or SIZE_PX
        out = np.zeros((len(times_s), side, side, 3), dtype=np.uint8)
        for i, _ in enumerate(times_s):
            noise = np.random.default_rng([self.seed, i]).integers(0, 256, (12, 12, 3), dtype=np.uint8)
            out[i] = noise.repeat(-(-side // 12), 0)[:side].repeat(-(-side // 12), 1)[:, :side]
        return out

    def waveform(self, start_s: float, end_s: float) -> None:
        return None


def noise_clip(seed: int = 0, caption: str = "the red disc slides right") -> Clip:
    """A clip of noise, seen at four times."""
    clip = Clip(Noise(seed), 4.0, 24.0, (), caption=caption, name=f"noise {seed}")
    return clip.showing(clip.interior_times(4))
