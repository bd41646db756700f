"""Clips, texts and ``Inputs`` become a ``Batch``: the only place where sizes meet data.

The clip is asked for exactly the frames that the family wants to see, at about the size at which it
sees them; pixels reach the model in 0..1 and it normalises them itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from vtexplore.data.text import encode, plain, words_of
from vtexplore.data.text import vocabulary as vocabulary_named
from vtexplore.errors import ConfigError, TextError
from vtexplore.types import Batch, Clip, Inputs, Speech, Subtitles

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")

__all__ = [
    "fit",
    "mask_word",
    "middle_frames",
    "prepare",
    "sample_times",
    "subtitles",
    "text_batch",
    "word_positions",
]


def prepare(
    clips: Clip | Sequence[Clip], texts: str | Sequence[str], inputs: Inputs | None = None, *, speech: bool = False
) -> Batch:
    """The tensors that a model reads: one clip or many, one text or many (one goes with all others).

    ``video`` float32 [batch, frame, rgb, height, width] in 0..1, ``word_ids`` int64 [batch, word] padded
    to ``inputs.max_words``; see ``Batch``. ``speech``: what is said in the clips goes along. Raises
    ``TextError`` if a text is too long, ``VideoError`` if a file cannot be decoded, ``ConfigError`` if the numbers of
    clips and texts do not match.
    """
    import torch

    inputs = inputs or Inputs()
    pairs = _pairs(clips, texts)
    words = encode([text for _, text in pairs], inputs.max_words, inputs.vocabulary)
    # A clip that stands beside several texts is decoded once.
    seen = {id(clip): clip for clip, _ in pairs}
    times = {key: sample_times(clip, inputs) for key, clip in seen.items()}
    looks = {
        key: fit(clip.sample(times[key], inputs.size_px), inputs.size_px, inputs.fit) for key, clip in seen.items()
    }
    order = [id(clip) for clip, _ in pairs]
    return Batch(
        video=_as_video([looks[key][0] for key in order]),
        times_s=np.array([times[key] for key in order], dtype=float),
        view=np.array([looks[key][1] for key in order], dtype=float),
        durations_s=np.array([clip.duration_s for clip, _ in pairs], dtype=float),
        word_ids=torch.from_numpy(words.ids),
        word_mask=torch.from_numpy(words.mask),
        texts=tuple(text for _, text in pairs),
        pieces=words.pieces,
        piece_words=words.piece_words,
        speech=subtitles([clip.speech for clip, _ in pairs], inputs) if speech else None,
    )


def subtitles(lines: Sequence[Sequence[Speech]], inputs: Inputs) -> Subtitles:
    """What is said in each of some clips, as tensors no longer than the longest line.

    Raises ``ConfigError`` for more than ``inputs.max_lines`` in a clip, ``TextError`` for a line that is too long.
    """
    import torch

    most = max((len(said) for said in lines), default=0)
    if most > inputs.max_lines:
        raise ConfigError(
            f"{most} lines are said in a clip, and this model reads {inputs.max_lines}. Give it a shorter clip."
            if inputs.max_lines
            else "This model does not listen to what is said in a clip. Leave the speech out."
        )
    rows = [line for said in lines for line in [*said, *[None] * (max(most, 1) - len(said))]]
    words = encode(["" if line is None else line.words for line in rows], inputs.max_words, inputs.vocabulary)
    real = np.array([line is not None for line in rows])
    mask = words.mask & real[:, None]
    longest, shape = max(int(mask.sum(1).max()), 2), (len(lines), -1)
    pieces = [row[:longest] if there else ("[PAD]",) * longest for row, there in zip(words.pieces, real, strict=True)]
    nowhere = (np.nan, np.nan)
    spans_s = np.array([nowhere if line is None else (line.start_s, line.end_s) for line in rows], dtype=float)
    return Subtitles(
        word_ids=torch.from_numpy(words.ids[:, :longest]).unflatten(0, shape),
        word_mask=torch.from_numpy(mask[:, :longest]).unflatten(0, shape),
        spans_s=spans_s.reshape(*shape, 2),
        texts=_by_clip(["" if line is None else line.words for line in rows], len(lines)),
        pieces=_by_clip(pieces, len(lines)),
        piece_words=words.piece_words[:, :longest].reshape(*shape, longest),
    )


def _by_clip(rows: Sequence[T], clips: int) -> tuple[tuple[T, ...], ...]:
    each = len(rows) // clips
    return tuple(tuple(rows[i * each : (i + 1) * each]) for i in range(clips))


def text_batch(texts: Sequence[str], inputs: Inputs, trim: bool = False) -> Batch:
    """A batch of texts without videos ([batch, 0] frames); ``trim``: only as long as the longest of them.

    Raises ``TextError`` if a text is too long.
    """
    import torch

    words = encode(texts, inputs.max_words, inputs.vocabulary)
    count, longest = len(texts), int(words.mask.sum(1).max()) if trim else inputs.max_words
    return Batch(
        video=torch.zeros(count, 0, 3, 0, 0),
        times_s=np.zeros((count, 0)),
        view=np.zeros((count, 4)),
        durations_s=np.zeros(count),
        word_ids=torch.from_numpy(words.ids[:, :longest]),
        word_mask=torch.from_numpy(words.mask[:, :longest]),
        texts=tuple(texts),
        pieces=tuple(row[:longest] for row in words.pieces),
        piece_words=words.piece_words[:, :longest],
    )


def middle_frames(length: int, frames: int) -> list[int]:
    """Which of ``length`` frames stand in the middle of equal parts, as BridgeFormer's reader counts them.

    Fewer than ``frames`` if there are no more.
    """
    edges = np.linspace(0, length, min(frames, length) + 1).astype(int)
    return [(int(a) + int(b) - 1) // 2 for a, b in zip(edges, edges[1:])]


def _pairs(clips: Clip | Sequence[Clip], texts: str | Sequence[str]) -> list[tuple[Clip, str]]:
    many_clips = [clips] if isinstance(clips, Clip) else list(clips)
    many_texts = [texts] if isinstance(texts, str) else list(texts)
    if not many_clips or not many_texts:
        raise ConfigError("prepare needs at least one clip and one text.")
    count = max(len(many_clips), len(many_texts))
    if {len(many_clips), len(many_texts)} - {1, count}:
        raise ConfigError(
            f"{len(many_clips)} clips and {len(many_texts)} texts do not pair up: give as many of one as "
            "of the other, or a single one."
        )
    many_clips *= count if len(many_clips) == 1 else 1
    many_texts *= count if len(many_texts) == 1 else 1
    return list(zip(many_clips, many_texts, strict=True))


def sample_times(clip: Clip, inputs: Inputs) -> tuple[float, ...]:
    """When the frames are taken, in seconds: [frame].

    "interior": the inner points that cut the clip into frames + 1 equal parts; "middle": the middles of
    equal parts. An image is a video of one frame, which is then taken again and again.
    """
    if inputs.sampling == "interior":
        return clip.interior_times(inputs.frames)
    if inputs.sampling == "middle":
        return tuple(clip.duration_s * (i + 0.5) / inputs.frames for i in range(inputs.frames))
    raise ConfigError(f"Inputs.sampling is {inputs.sampling!r}; it may be 'interior' or 'middle'.")


# ── pixels ────────────────────────────────────────────────────────────────────────────────────────


def fit(frames: np.ndarray, size_px: int, how: str = "pad") -> tuple[np.ndarray, tuple[float, float, float, float]]:
    """Frames as squares, and which part of the picture a square shows.

    ``frames`` uint8 [frame, height, width, rgb] → uint8 [frame, size_px, size_px, rgb] and a box xyxy in
    the picture's 0..1: "pad" adds black to the shorter side (the box reaches outside 0..1), "crop" cuts
    the longer one. Bilinear with antialias, by Pillow, as the papers' own code does.
    """
    height, width = frames.shape[1:3]
    if how == "pad":
        side = max(height, width)
        top, left = (side - height) // 2, (side - width) // 2
        square = np.zeros((len(frames), side, side, 3), dtype=np.uint8)
        square[:, top : top + height, left : left + width] = frames
    elif how == "crop":
        side = min(height, width)
        top, left = -((height - side) // 2), -((width - side) // 2)
        square = frames[:, -top : side - top, -left : side - left]
    else:
        raise ConfigError(f"Inputs.fit is {how!r}; it may be 'pad' or 'crop'.")
    box = ((0 - left) / width, (0 - top) / height, (side - left) / width, (side - top) / height)
    return _resized(square, size_px), box


def _resized(square: np.ndarray, size_px: int) -> np.ndarray:
    if square.shape[1] == size_px:
        return np.ascontiguousarray(square)
    from PIL import Image

    small = [
        np.asarray(Image.fromarray(f).resize((size_px, size_px), Image.Resampling.BILINEAR))
        for f in np.ascontiguousarray(square)
    ]
    return np.stack(small)


def _as_video(squares: list[np.ndarray]) -> Tensor:
    import torch

    stacked = torch.from_numpy(np.stack(squares))  # [batch, frame, height, width, rgb]
    return stacked.permute(0, 1, 4, 2, 3).to(torch.float32).div_(255).contiguous()


# ── masked words ──────────────────────────────────────────────────────────────────────────────────


def word_positions(batch: Batch, word: int, item: int = 0) -> np.ndarray:
    """Where the pieces of a word stand in ``word_ids``: int [piece]; punctuation around it is left out.

    Raises ``TextError`` if the text has no such word.
    """
    at = np.flatnonzero(batch.piece_words[item] == word)
    if word < 0 or not len(at):
        text = batch.texts[item]
        raise TextError(f"{text!r} has {len(words_of(text))} words, so there is no word {word}.")
    inner = [bool(plain(batch.pieces[item][i])) for i in at]
    while any(inner) and not inner[0]:
        at, inner = at[1:], inner[1:]
    while any(inner) and not inner[-1]:
        at, inner = at[:-1], inner[:-1]
    return at


def mask_word(batch: Batch, word: int, item: int | None = None, vocabulary: str = "world") -> Batch:
    """The batch with a whole word masked: each of its pieces becomes ``[MASK]``, in one item or in all.

    ``word`` is its index in the text; punctuation around it stays. Raises ``TextError`` if there is none.
    """
    mask_id = vocabulary_named(vocabulary).mask_id
    ids = batch.word_ids.clone()
    pieces = [list(row) for row in batch.pieces]
    for row in range(len(batch)) if item is None else [item]:
        for at in word_positions(batch, word, row):
            ids[row, at] = mask_id
            pieces[row][at] = "[MASK]"
    return replace(batch, word_ids=ids, pieces=tuple(tuple(row) for row in pieces))
