"""What a family wants to see of a clip and a text, and the tensors that it gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Inputs:
    """What a family wants to see of a clip and a text; a field of its ``Config``.

    ``frames`` are taken at interior points of the clip ("interior", VIOLET) or the middles of equal
    parts ("middle"); a frame is fitted into a square of ``size_px`` by padding with black ("pad") or by
    cutting the longer side ("crop"). Pixels reach the model in 0..1; normalisation is the model's.
    ``vocabulary`` names a WordPiece list ("world"); ``max_words`` counts [CLS] and [SEP]. ``max_lines``: how many
    lines of what is said in a clip go along, if asked for; 0: a family that does not listen.
    """

    frames: int = 4
    sampling: str = "interior"
    size_px: int = 96
    fit: str = "pad"
    max_words: int = 24
    vocabulary: str = "world"
    max_lines: int = 0


@dataclass(frozen=True)
class Subtitles:
    """What is said in each clip, line by line; a clip with fewer lines than others ends in empty ones.

    ``word_ids`` [batch, line, word] · ``word_mask`` [batch, line, word] bool: nothing in a line that is not there ·
    ``spans_s`` [batch, line, 2] seconds in which a line is said, NaN where there is none · ``texts`` and ``pieces``
    [batch][line] · ``piece_words`` [batch, line, word].
    """

    word_ids: Tensor
    word_mask: Tensor
    spans_s: np.ndarray
    texts: tuple[tuple[str, ...], ...]
    pieces: tuple[tuple[tuple[str, ...], ...], ...]
    piece_words: np.ndarray

    @property
    def count(self) -> int:
        """Lines of the clip that has most, empty ones of others included."""
        return int(self.word_ids.shape[1])

    def take(self, items: Sequence[int]) -> Subtitles:
        """Those of some clips, repeated or reordered by their indices."""
        return _taken(self, [int(i) for i in items])

    def to(self, device: Any) -> Subtitles:
        """The same with tensors on ``device``."""
        return _moved(self, device)

    def flat(self) -> Batch:
        """All lines as a batch of texts alone: [batch · line]."""
        count = self.word_ids.shape[0] * self.word_ids.shape[1]
        bare = Batch.bare(self.word_ids.new_zeros(count, 0, 3, 0, 0), self.word_ids.flatten(0, 1))
        return replace(
            bare,
            word_mask=self.word_mask.flatten(0, 1),
            texts=tuple(line for lines in self.texts for line in lines),
            pieces=tuple(line for lines in self.pieces for line in lines),
            piece_words=self.piece_words.reshape(count, -1),
        )


@dataclass(frozen=True)
class Batch:
    """Tensors for a model, plus the words as text.

    ``video`` [batch, frame, rgb, height, width] float in 0..1 · ``times_s`` [batch, frame] ·
    ``view`` [batch, 4]: the square that the model sees, xyxy in the clip's picture (reaches outside
    0..1 where black was padded) · ``word_ids`` [batch, word] · ``word_mask`` [batch, word] bool ·
    ``pieces`` the WordPieces of each text, ``piece_words`` the index of the whole word that each piece
    belongs to (−1 for special tokens and padding) · ``video_mask`` [batch] bool: False hides all video
    tokens from attention (a clip that was dropped); None = all are seen · ``patch_mask`` [batch, frame,
    row, column] bool: False hides a patch from attention; None = all are seen · ``question`` and ``answer``:
    further texts about the same clips, each a batch of texts alone; None = nothing is asked · ``speech``: what is
    said in the clips, line by line; None = nothing is heard.
    """

    video: Tensor
    times_s: np.ndarray
    view: np.ndarray
    durations_s: np.ndarray
    word_ids: Tensor
    word_mask: Tensor
    texts: tuple[str, ...]
    pieces: tuple[tuple[str, ...], ...]
    piece_words: np.ndarray
    video_mask: Tensor | None = None
    patch_mask: Tensor | None = None
    question: Batch | None = None
    answer: Batch | None = None
    speech: Subtitles | None = None

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def has_video(self) -> Tensor:
        """bool [batch]: items whose clip was not dropped."""
        return self.word_mask.new_ones(len(self)) if self.video_mask is None else self.video_mask

    def sees(self, grid: tuple[int, int, int], cls: int = 0) -> Tensor:
        """Which video tokens may be attended to: bool [batch, frame · (cls + row · column)], frame-major.

        ``cls``: so many [CLS] stand before the patches of each frame; they are hidden with any patch of their frame.
        """
        import torch

        frames, rows, columns = grid
        seen = self.has_video[:, None, None].expand(-1, frames, cls + rows * columns)
        if self.patch_mask is not None:
            patches = self.patch_mask.flatten(2)
            whole = patches.all(dim=2, keepdim=True).expand(-1, -1, cls)
            seen = seen & torch.cat([whole, patches], dim=2)
        return seen.flatten(1)

    def take(self, items: Sequence[int]) -> Batch:
        """Items of the batch, repeated or reordered by their indices."""
        return _taken(self, [int(i) for i in items])

    @staticmethod
    def bare(video: Tensor, word_ids: Tensor, word_mask: Tensor | None = None) -> Batch:
        """A batch from tensors alone, of which nothing else is known.

        Frames stand in the middle of seconds, the model sees the whole picture, words are called by
        their ids; the first and last word of each text count as special. ``word_mask`` None = no padding.
        """
        import torch

        batch, frames = video.shape[:2]
        mask = torch.ones_like(word_ids, dtype=torch.bool) if word_mask is None else word_mask.bool()
        words = np.full(tuple(word_ids.shape), -1)
        for row, length in enumerate(mask.sum(1).tolist()):
            words[row, 1 : length - 1] = range(max(length - 2, 0))
        pieces = tuple(tuple(map(str, row)) for row in word_ids.tolist())
        return Batch(
            video=video,
            times_s=np.tile(np.arange(frames) + 0.5, (batch, 1)),
            view=np.tile([0.0, 0.0, 1.0, 1.0], (batch, 1)),
            durations_s=np.full(batch, float(frames)),
            word_ids=word_ids,
            word_mask=mask,
            texts=tuple(" ".join(row) for row in pieces),
            pieces=pieces,
            piece_words=words,
        )

    def to(self, device: Any) -> Batch:
        """The same batch with its tensors on ``device``."""
        return _moved(self, device)


Rows = TypeVar("Rows", Batch, Subtitles)


def _taken(rows: Rows, at: list[int]) -> Rows:
    taken: dict[str, Any] = {
        f.name: v.take(at)
        if isinstance(v, Batch | Subtitles)
        else tuple(v[i] for i in at)
        if isinstance(v, tuple)
        else v[at]
        for f in fields(rows)
        if (v := getattr(rows, f.name)) is not None
    }
    return replace(rows, **taken)


def _moved(rows: Rows, device: Any) -> Rows:
    moved = {f.name: v.to(device) for f in fields(rows) if hasattr(v := getattr(rows, f.name), "to")}
    return replace(rows, **moved)
