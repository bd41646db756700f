"""A model whose p(word | clip) is known: "red" is as likely as the clip is red, "blue" is the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from toy import SPECIALS, WORDS

from vtexplore.types import Batch, Clip, Inputs, Output, Phrase

TINY = 1e-4  # the probability of every other word


class KnownModel(torch.nn.Module):
    """p(red | clip) = the mean of the red channel, 0..1; half without a clip. Reads pixels, has no frames to hide."""

    def __init__(self, vocabulary: str, frames: int = 3) -> None:
        super().__init__()
        self.inputs = Inputs(frames=frames, size_px=8, max_words=12, vocabulary=vocabulary)
        self.card: dict[str, Any] = {}

    def forward(self, batch: Batch) -> Output:
        red = torch.where(batch.has_video, self.redness(batch), 0.5)[:, None]
        p = torch.full((*batch.word_ids.shape, len(SPECIALS) + len(WORDS)), TINY)
        p[..., len(SPECIALS) + WORDS.index("red")] = red.expand(batch.word_ids.shape)
        p[..., len(SPECIALS) + WORDS.index("blue")] = 1 - red.expand(batch.word_ids.shape)
        return Output(word_logits=p.log())

    def redness(self, batch: Batch) -> torch.Tensor:
        """[batch] in 0..1"""
        return batch.video[:, :, 0].mean(dim=(1, 2, 3))


class FirstFrame(KnownModel):
    """Red is what the first frame is."""

    def redness(self, batch: Batch) -> torch.Tensor:
        return batch.video[:, 0, 0].mean(dim=(1, 2))


@dataclass(frozen=True)
class Even:
    """A film of one redness a frame, in equal parts."""

    red: tuple[float, ...]

    def sample(self, times_s: Any, short_side_px: int | None) -> np.ndarray:
        at = (np.asarray(times_s) / 4 * len(self.red)).astype(int).clip(0, len(self.red) - 1)
        out = np.zeros((len(at), short_side_px or 8, short_side_px or 8, 3), dtype=np.uint8)
        out[..., 0] = np.round(255 * np.array(self.red)[at])[:, None, None]
        return out

    def waveform(self, start_s: float, end_s: float) -> None:
        return None


@dataclass(frozen=True)
class Told:
    """Of the caption "the red disc", word 1 is a colour and word 2 a shape."""

    colour: str
    objects: tuple[str, ...] = ()
    events: tuple[Any, ...] = ()

    @property
    def phrases(self) -> tuple[Phrase, ...]:
        return (Phrase(1, self.colour, "colour", self.colour), Phrase(2, "disc", "shape", "disc"))

    def masks(self, times_s: Any, short_side_px: int) -> np.ndarray:
        raise NotImplementedError

    def boxes(self, times_s: Any) -> np.ndarray:
        raise NotImplementedError


def film(*red: float, colour: str = "red") -> Clip:
    """A clip of so much red in each of its frames."""
    return Clip(Even(red), 4.0, 24.0, (0.5,), name=f"red {red}", caption=f"the {colour} disc", truth=Told(colour))


def red_of(clip: Clip) -> float:
    """The redness that a model sees, after rounding to 255 steps."""
    return float(np.mean(np.round(255 * np.array(clip.source.red)) / 255))  # type: ignore[attr-defined]
