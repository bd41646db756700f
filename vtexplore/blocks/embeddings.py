"""How words and places of a video enter a sequence, and what each position then stands for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, partial
from math import ceil

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from vtexplore.blocks.transformer import initialise
from vtexplore.data.text import vocabulary
from vtexplore.errors import ConfigError
from vtexplore.types import Batch, Stream, Tokens, TokensOfBatch


@dataclass(frozen=True)
class WordIds:
    """How many words a vocabulary has, and the ids of its special ones."""

    size: int
    pad: int
    start: int
    end: int
    mask: int

    @staticmethod
    def of(name: str) -> WordIds:
        """Those of a named vocabulary ("world", or the path of a BERT word list)."""
        known = vocabulary(name)
        return WordIds(len(known), known.pad_id, known.start_id, known.end_id, known.mask_id)

    def special(self, word_ids: Int[Tensor, "*batch word"]) -> Bool[Tensor, "*batch word"]:
        """Where there is [CLS], [SEP] and padding, which are never masked."""
        return (word_ids == self.start) | (word_ids == self.end) | (word_ids == self.pad)


BERT_WORDS = WordIds(size=30522, pad=0, start=101, end=102, mask=103)
"""bert-base-uncased."""


class WordEmbeddings(nn.Module):
    """BERT's: word + position + token type, always ``kind``, then norm and dropout. Without ``types``: DistilBERT's."""

    def __init__(
        self,
        words: int,
        positions: int,
        width: int,
        types: int = 2,
        dropout: float = 0.1,
        eps: float = 1e-12,
        kind: int = 0,
        holds_places: bool | None = None,
    ) -> None:
        super().__init__()
        self.word = nn.Embedding(words, width)
        self.position = nn.Embedding(positions, width)
        self.kind = nn.Embedding(types, width) if types else None
        self.norm = nn.LayerNorm(width, eps)
        self.dropout = nn.Dropout(dropout)
        self.usual = kind
        if types if holds_places is None else holds_places:  # BERT's files hold position ids, the others' do not
            self.register_buffer("place", torch.arange(positions)[None], persistent=False)
        self.apply(partial(initialise, width=width))

    def forward(self, batch: Batch) -> Stream:
        """[batch, word, channel], padding hidden. Raises ``ConfigError`` for a text longer than the positions."""
        length, most = batch.word_ids.shape[1], self.position.num_embeddings
        if length > most:
            raise ConfigError(f"A text of {length} pieces is longer than the {most} positions of this model.")
        x = self.word(batch.word_ids) + self.position.weight[:length]
        x = x + self.token_type
        return Stream(self.dropout(self.norm(x)), batch.word_mask, cache(lambda: word_tokens(batch)))

    @property
    def token_type(self) -> Tensor:
        """What is added to every word of a text [channel]; one zero where there are no types."""
        return self.word.weight.new_zeros(1) if self.kind is None else self.kind.weight[self.usual]

    def look_up(
        self, ids: Int[Tensor, "batch word"], kinds: Int[Tensor, "batch word"]
    ) -> Float[Tensor, "batch word channel"]:
        """Word and token type alone, for sequences whose places are known only when they are joined."""
        x = self.word(ids)
        return x if self.kind is None else x + self.kind(kinds)

    def join(self, stream: Stream) -> Stream:
        """What ``look_up`` found, with places counted over what the mask lets see, then norm and dropout.

        What is hidden keeps its place in the row, as padding at the end does. Raises ``ConfigError`` for a
        sequence longer than the positions.
        """
        seen, most = stream.mask.sum(1).max().item(), self.position.num_embeddings
        if seen > most:
            raise ConfigError(f"A sequence of {seen} tokens is longer than the {most} positions of this model.")
        index = torch.arange(len(stream), device=stream.mask.device)
        place = torch.where(stream.mask, stream.mask.cumsum(1) - 1, index).clamp(max=most - 1)
        return stream.with_hidden(self.dropout(self.norm(stream.hidden + self.position(place))))


class PatchPlaces(nn.Module):
    """A [CLS] before each frame's patches, a place in the frame and a time for each, then norm.

    Places are learned for a [CLS] and ``patches`` patches counted row by row, whatever the grid's shape,
    and times for ``frames`` frames.
    """

    def __init__(self, width: int, patches: int, frames: int, std: float = 0.02, eps: float = 1e-5) -> None:
        super().__init__()
        self.cls = nn.Parameter(torch.randn(1, 1, 1, width) * std)
        self.place = nn.Parameter(torch.randn(1, 1, 1 + patches, width) * std)
        self.time = nn.Parameter(torch.randn(1, frames, 1, width) * std)
        self.norm = nn.LayerNorm(width, eps)

    def forward(
        self, patches: Float[Tensor, "batch frame row column channel"]
    ) -> Float[Tensor, "batch frame*(1+row*column) channel"]:
        """A grid of patches to a sequence, frame by frame, row by row.

        Raises ``ConfigError`` for more frames or patches than there are places.
        """
        batch, frames, rows, columns, width = patches.shape
        most = self.time.shape[1], self.place.shape[2] - 1
        if frames > most[0] or rows * columns > most[1]:
            raise ConfigError(
                f"{frames} frames of {rows}×{columns} patches are too many for this model; it has places for "
                f"{most[0]} frames of {most[1]} patches."
            )
        x = torch.cat([self.cls.expand(batch, frames, 1, width), patches.flatten(2, 3)], dim=2)
        x = x + self.place[:, :, : x.shape[2]] + self.time[:, :frames]  # [batch, frame, place, channel]
        return self.norm(x).flatten(1, 2)


PLACE_NAMES = (
    (r"emb_cls", r"cls"),
    (r"emb_pos", r"place"),
    (r"emb_len", r"time"),
    (r"norm\.(weight|bias)", r"norm.\1"),
)
"""VIOLET's published names of the places to ours."""

WORD_NAMES = (
    (r"word_embeddings\.weight", r"word.weight"),
    (r"position_embeddings\.weight", r"position.weight"),
    (r"token_type_embeddings\.weight", r"kind.weight"),
    (r"LayerNorm\.(weight|bias)", r"norm.\1"),
    (r"position_ids", r"place"),
)
"""BERT's published names of the embeddings to ours."""


# ── what the positions stand for ──────────────────────────────────────────────────────────────────


def word_tokens(batch: Batch, end: str = "[SEP]") -> list[Tokens]:
    """The pieces of each text; [CLS] and [SEP] (here called ``end``) are special, the rest of a row is padding."""
    mask = batch.word_mask.cpu().numpy()
    out = []
    for row, pieces, words in zip(mask, batch.pieces, batch.piece_words, strict=True):
        length = len(row)
        words = np.concatenate([words, np.full(max(length - len(words), 0), -1)])[:length].astype(int)
        labels = tuple(end if p == "[SEP]" else p for p in (*pieces, *["[PAD]"] * length)[:length])
        kinds = [{"pad"} if not seen else {"text"} if w >= 0 else {"text", "special"} for seen, w in zip(row, words)]
        out.append(Tokens.make(labels, kinds, word=words))
    return out


def frame_spans(times_s: np.ndarray, duration_s: float) -> np.ndarray:
    """The stretch of time that each sampled frame stands for: [frame, 2] seconds.

    From midpoint to midpoint of the sampled times, and as far to the outside at both ends, within
    0..duration; one frame alone stands for all of it.
    """
    times = np.asarray(times_s, dtype=float)
    if len(times) < 2:
        return np.array([[0.0, duration_s]] * len(times)).reshape(-1, 2)
    middle = (times[1:] + times[:-1]) / 2
    edges = np.concatenate([[2 * times[0] - middle[0]], middle, [2 * times[-1] - middle[-1]]]).clip(0, duration_s)
    return np.stack([edges[:-1], edges[1:]], axis=1)


def grid_tokens(batch: Batch, grid: tuple[int, int, int], cls: int = 0) -> TokensOfBatch:
    """What the patches of a frame-major grid stand for, built when asked; ``cls``: so many [CLS] before each slot's.

    ``grid`` is (slots, rows, columns) over the square that the model sees; boxes are given in the clip's
    own picture and reach outside 0..1 where the square was padded. Where several frames share a slot,
    its span is theirs together.
    """
    return cache(lambda: _grid_tokens(batch, grid, cls))


def moment_tokens(batch: Batch, count: int, cls: bool = False, end: bool = True) -> TokensOfBatch:
    """What ``count`` stretches of a clip stand for, built when asked; with ``cls``, a [CLS] before; ``end``: a [SEP].

    A stretch is of the whole picture that the model sees.
    """
    before = Tokens.make(["[CLS]"] * cls, [{"video", "special"}] * cls)
    after, names = (
        Tokens.make(["[SEP]"] * end, [{"video", "special"}] * end),
        tuple(f"moment {i + 1}" for i in range(count)),
    )
    return cache(lambda: [before + replace(t, labels=names) + after for t in _grid_tokens(batch, (count, 1, 1), False)])


def _grid_tokens(batch: Batch, grid: tuple[int, int, int], cls: int) -> list[Tokens]:
    slots, rows, columns = grid
    x, y = np.arange(columns) / columns, np.arange(rows) / rows
    corner = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)  # [row·column, xy]
    box = np.concatenate([corner, corner + [1 / columns, 1 / rows]], axis=1)
    box = np.concatenate([np.full((int(cls), 4), np.nan), box])  # [place, xyxy] in the model's square
    names = ["[CLS]"] * cls + [f"row {r + 1} column {c + 1}" for r in range(rows) for c in range(columns)]
    labels = tuple(f"{name} of frame {t + 1}" for t in range(slots) for name in names)
    patch, special = frozenset({"video"}), frozenset({"video", "special"})
    kinds = ((special,) * cls + (patch,) * (rows * columns)) * slots
    word = np.full(len(labels), -1)
    out = []
    for view, times_s, duration_s in zip(batch.view, batch.times_s, batch.durations_s, strict=True):
        low, side = np.tile(view[:2], 2), np.tile(view[2:] - view[:2], 2)
        spans = frame_spans(times_s, duration_s)
        each = ceil(len(spans) / slots)  # frames of a slot
        spans = np.stack([[s[0, 0], s[-1, 1]] for s in (spans[t * each : (t + 1) * each] for t in range(slots))])
        out.append(
            Tokens(labels, kinds, np.tile(low + box * side, (slots, 1)), np.repeat(spans, len(names), axis=0), word)
        )
    return out
