"""A clip whose truth is known and a model whose answers are known, both made by hand.

The clip: a red disc slides from left to right along the top, a blue square stands at the bottom right.
The model: one sequence of video and words, two layers of two heads. Head 1 of the second layer lets a
colour word look at the patches of that colour and at nothing else; all other heads look everywhere
alike. Its word head says a colour in proportion to how much of it is in the picture, and knows nothing
without the clip.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vtexplore.blocks.tap import Tap, attend, name_taps
from vtexplore.data.text import SPECIALS
from vtexplore.types import Batch, Clip, Event, Inputs, Output, Phrase, Stream, Tokens

GREY, RED, BLUE = (110, 110, 110), (220, 30, 30), (30, 60, 220)
WORDS = ("the", "a", "red", "blue", "disc", "square", "slides", "right", "and", "##s", "still", "stand", ",", ".")
CAPTION = "the red disc slides right and the blue square stands still."
DURATION_S = 4.0
COLOURS = {"red": (1.0, -0.5, -0.5), "blue": (-0.5, -0.4, 1.0)}


def disc_x(time_s: float) -> float:
    """Middle of the disc, 0..1 of the width: rests, slides between 1 s and 3 s, rests."""
    return 0.15 + 0.7 * float(np.clip((time_s - 1) / 2, 0, 1))


@dataclass(frozen=True)
class ToyTruth:
    """Object 0 is the disc, object 1 the square."""

    shape: tuple[float, float] = (0.75, 1.0)  # height, width in widths
    objects: tuple[str, ...] = ("red disc", "blue square")
    events: tuple[Event, ...] = (Event("slide", (0,), 1.0, 3.0),)
    phrases: tuple[Phrase, ...] = (
        Phrase(1, "red", "colour", "red", (0,)),
        Phrase(2, "disc", "shape", "disc", (0,)),
        Phrase(3, "slides", "verb", "slide", (0,), 0),
        Phrase(7, "blue", "colour", "blue", (1,)),
        Phrase(8, "square", "shape", "square", (1,)),
    )

    def masks(self, times_s: Any, short_side_px: int) -> np.ndarray:
        height, width = short_side_px, short_side_px * 4 // 3
        y, x = np.mgrid[:height, :width] + 0.5
        out = np.zeros((2, len(times_s), height, width), dtype=bool)
        for frame, t in enumerate(times_s):
            out[0, frame] = np.hypot(x - disc_x(t) * width, y - 0.25 * height) < 0.13 * height
            out[1, frame] = (abs(x - 0.8 * width) < 0.1 * height) & (abs(y - 0.8 * height) < 0.1 * height)
        return out

    def boxes(self, times_s: Any) -> np.ndarray:
        raise NotImplementedError


class ToySource:
    """Draws the clip at any size."""

    def sample(self, times_s: Any, short_side_px: int | None) -> np.ndarray:
        masks = ToyTruth().masks(times_s, short_side_px or 120)
        out = np.full((*masks.shape[1:], 3), GREY, dtype=np.uint8)
        out[masks[0]], out[masks[1]] = RED, BLUE
        return out

    def waveform(self, start_s: float, end_s: float) -> None:
        return None


def toy_clip(caption: str | None = CAPTION, **other: Any) -> Clip:
    """The clip; ``truth=None`` makes it one like any file."""
    about: dict[str, Any] = {"truth": ToyTruth(), "world": "shapes", "name": "toy clip"} | other
    clip = Clip(ToySource(), DURATION_S, 24.0, (), caption=caption, **about)
    return clip.showing(clip.interior_times(4))


def toy_vocabulary(folder: Path) -> str:
    """The path of a WordPiece list that knows the toy's words ("stands" is two pieces)."""
    path = folder / "vocab.txt"
    path.write_text("\n".join([*SPECIALS, *WORDS]) + "\n")
    return str(path)


@dataclass
class ToyCard:
    """What a card says of a miniature."""

    values: dict[str, Any] = field(
        default_factory=lambda: {
            "world": "shapes",
            "lexicon": ["the", "a", "red", "blue", "disc", "square", "slides", "right", "and", "stands", "still"],
            "grounding_head": {"site": "layers.1", "head": 1},
        }
    )


class ToyAttention(nn.Module):
    """Two heads: one even, one that follows colours if it is told to."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.gain, self.tap = gain, Tap()

    def forward(self, stream: Stream, colour: Tensor, keys: Tensor) -> Stream:
        zero = torch.zeros_like(colour)
        q = torch.stack([zero, colour * self.gain], dim=1)  # [batch, head, token, rgb]
        k = torch.stack([zero, colour * (keys == 1)[..., None]], dim=1)
        value = stream.hidden[:, None].expand(-1, 2, -1, -1)
        heard = attend(self.tap, q, k, value, queries=stream.tokens, keys=stream.tokens, mask=stream.mask, scale=1.0)
        return self.tap.see(stream.with_hidden(stream.hidden + heard.mean(dim=1)))


class Layer(nn.Module):
    """A layer is its attention."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.attention = ToyAttention(gain)


class ToyModel(nn.Module):
    """See the top of this file."""

    GRID = 6  # patches a side, of a padded square

    def __init__(self, vocabulary: str, card: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.inputs = Inputs(frames=4, size_px=96, max_words=20, vocabulary=vocabulary)
        self.card = ToyCard().values if card is None else card
        self.name, self.size, self.weights_hash = "toy", "mini", "0" * 8
        self.layers = nn.ModuleList([Layer(0.0), Layer(60.0)])
        self.dropout = nn.Dropout(0.5)
        name_taps(self)
        self.eval()

    def forward(self, batch: Batch) -> Output:
        video, seen = self.patches(batch)
        words = self.words(batch)
        mask = torch.ones(video.shape[:2], dtype=torch.bool)
        if batch.video_mask is not None:
            mask = mask & batch.video_mask[:, None]
        stream = Stream(video, mask, lambda: self.video_tokens(batch))
        stream = stream + Stream(words, batch.word_mask, lambda: self.word_tokens(batch))
        colour = torch.cat([video, words], dim=1)
        is_video = torch.cat([torch.ones(video.shape[:2]), torch.zeros(words.shape[:2])], dim=1)
        for layer in self.layers:
            stream = layer.attention(stream, colour, is_video)
        return Output(word_logits=self.say(batch, seen), match_logits=stream.hidden.sum(dim=(1, 2)))

    def patches(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Colour of each patch less grey [batch, token, rgb]; amount of red and blue [batch, colour]."""
        small = nn.functional.adaptive_avg_pool2d(batch.video.flatten(0, 1), self.GRID) - 110 / 255
        small = small.unflatten(0, batch.video.shape[:2]).permute(0, 1, 3, 4, 2).flatten(1, 3)
        small = small * (small.abs().amax(-1, keepdim=True) < 0.42)  # black padding is no colour
        kinds = torch.tensor(list(COLOURS.values()))
        return small, (small @ kinds.T).clamp(min=0).mean(dim=1) * 100

    def words(self, batch: Batch) -> Tensor:
        """The colour that a word names [batch, word, rgb]."""
        rows = [[COLOURS.get(p, (0.0, 0.0, 0.0)) for p in pieces] for pieces in batch.pieces]
        return torch.tensor(rows)

    def say(self, batch: Batch, seen: Tensor) -> Tensor:
        """Logits of colours = how much of them is seen; 0 for all words without a clip."""
        ids = [len(SPECIALS) + WORDS.index(c) for c in COLOURS]
        logits = torch.zeros(*batch.word_ids.shape, len(SPECIALS) + len(WORDS))
        there = torch.ones(len(batch)) if batch.video_mask is None else batch.video_mask.float()
        logits[:, :, ids] = (seen * there[:, None])[:, None]
        return logits

    def video_tokens(self, batch: Batch) -> list[Tokens]:
        n, out = self.GRID, []
        for view, times in zip(batch.view, batch.times_s, strict=True):
            left, top, right, bottom = view
            x, y = np.linspace(left, right, n + 1), np.linspace(top, bottom, n + 1)
            cells = [(x[c], y[r], x[c + 1], y[r + 1]) for r in range(n) for c in range(n)]
            half = (times[1] - times[0]) / 2
            spans = [(t - half, t + half) for t in times for _ in cells]
            labels = [f"f{f} r{r} c{c}" for f in range(len(times)) for r in range(n) for c in range(n)]
            boxes = np.array(cells * len(times))
            out.append(Tokens.make(labels, [{"video"}] * len(labels), boxes, np.array(spans)))
        return out

    def word_tokens(self, batch: Batch) -> list[Tokens]:
        kind = {"[PAD]": {"pad"}, "[CLS]": {"text", "special"}, "[SEP]": {"text", "special"}}
        return [
            Tokens.make(pieces, [kind.get(p, {"text"}) for p in pieces], word=words)
            for pieces, words in zip(batch.pieces, batch.piece_words, strict=True)
        ]


class ToyAnswerer(ToyModel):
    """Embeds videos by how much red and blue they show, texts by how often they say so; asks evenly.

    Its one attention, of a question's words to patches, looks everywhere alike, and what it hears is how red
    and how blue a patch is. So an answer is the clip's mean colour, its cosine with "red" and "blue" is known, and
    what speaks for "red" are the red patches, each by its redness.
    """

    def __init__(self, vocabulary: str, card: dict[str, Any] | None = None) -> None:
        super().__init__(vocabulary, card)
        self.question = nn.Module()
        self.question.tap = Tap()
        name_taps(self)
        self.eval()

    def forward(self, batch: Batch) -> Output:
        seen = self.colours(batch)
        asked = batch if batch.question is None else batch.question
        q, k = torch.zeros(*asked.word_ids.shape, 1)[:, None], torch.zeros(*seen.shape[:2], 1)[:, None]
        mask = batch.has_video[:, None].expand(seen.shape[:2])
        queries, keys = lambda: self.word_tokens(asked), lambda: self.video_tokens(batch)
        heard = attend(self.question.tap, q, k, seen[:, None], queries=queries, keys=keys, mask=mask)
        told = torch.tensor([[[float(p == c) for c in COLOURS] for p in pieces] for pieces in batch.pieces])
        return Output(video_embedding=seen.mean(dim=1), text_embedding=told.sum(dim=1), answer_embedding=heard[:, 0, 0])

    def colours(self, batch: Batch) -> Tensor:
        """How red and how blue each patch is: [batch, token, colour] ≥ 0."""
        return (self.patches(batch)[0] @ torch.tensor(list(COLOURS.values())).T).clamp(min=0)
