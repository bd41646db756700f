"""The types that flow through the house, in the order in which they flow.

    Clip ──▶ Batch ──▶ Stream ──▶ Output, Attention ──▶ Record

A ``Clip`` is a source that can be asked; ``Inputs`` says what a family wants to see of it; a ``Batch``
holds the tensors; a ``Stream`` is a sequence of hidden states that knows, through its ``Tokens``, what
each position stands for; ``Output`` has a field per head; ``Attention`` describes itself completely.
A ``Clip`` holds numpy arrays, everything from ``Batch`` on holds torch tensors.

Axis words, used in every shape of the package: ``batch frame row column height width rgb word token
head query key width_`` (``width`` of a picture in pixels, ``channel`` of a hidden state), ``window``
for a local group of tokens, ``object`` and ``event`` where truth is known.
Boxes are ``xyxy`` in 0..1 of the clip's picture (outside 0..1 = padding); times are seconds.

torch is imported only for type checkers: a saved result can be looked at without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "Attention",
    "Batch",
    "Clip",
    "Event",
    "Inputs",
    "Output",
    "Phrase",
    "Record",
    "Regions",
    "Source",
    "Speech",
    "Stream",
    "Tokens",
    "Truth",
]


# ── Clip ──────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Speech:
    """One stretch of timed words, as a speech recogniser gives it."""

    start_s: float
    end_s: float
    words: str


@dataclass(frozen=True)
class Regions:
    """Boxes in a picture with what a detector says of them.

    ``boxes`` [frame, region, 4] xyxy in 0..1 (NaN where a region is absent), ``tags`` one word a region,
    ``features`` [frame, region, channel] or None, ``times_s`` [frame].
    """

    times_s: np.ndarray
    boxes: np.ndarray
    tags: tuple[str, ...]
    features: np.ndarray | None = None


@dataclass(frozen=True)
class Event:
    """Something that happens: ``kind`` (a verb's concept), the objects in it, and when."""

    kind: str
    objects: tuple[int, ...]
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Phrase:
    """What one word of a text names, where truth is known.

    ``word`` is the index among the whitespace-separated words; ``role`` is one of "colour", "shape",
    "verb", "direction", "target", "background", "relation", "connective", "function"; ``concept`` is
    the thing itself, the same for all synonyms; ``objects`` and ``event`` index the truth's lists.
    """

    word: int
    text: str
    role: str
    concept: str
    objects: tuple[int, ...] = ()
    event: int | None = None


@runtime_checkable
class Truth(Protocol):
    """What only a generated world knows of a clip."""

    @property
    def objects(self) -> tuple[str, ...]:
        """Names such as "red circle", one an object."""
        ...

    @property
    def events(self) -> tuple[Event, ...]:
        """What happens, in the order of start."""
        ...

    @property
    def phrases(self) -> tuple[Phrase, ...]:
        """What each word of the clip's caption names."""
        ...

    def masks(self, times_s: Sequence[float], short_side_px: int) -> np.ndarray:
        """Visible pixels of each object: bool [object, frame, height, width]."""
        ...

    def boxes(self, times_s: Sequence[float]) -> np.ndarray:
        """Boxes [object, frame, 4] xyxy in 0..1; NaN where the object is not visible."""
        ...


class Source(Protocol):
    """Where a clip's pixels and sound come from: a file, arrays, a world."""

    def sample(self, times_s: Sequence[float], short_side_px: int | None) -> np.ndarray:
        """uint8 [frame, height, width, rgb] at the given times; true aspect; None = native size."""
        ...

    def waveform(self, start_s: float, end_s: float) -> np.ndarray | None:
        """float32 [sample] in −1..1, 16 kHz, mono; None if silent."""
        ...


@dataclass(frozen=True)
class Clip:
    """A stretch of video that can be asked for frames at any time and size.

    ``times_s`` fixes only which frames are SHOWN in pictures; a model asks for its own. ``name`` says
    where the clip comes from, ``world`` names the generated world that it belongs to, if any.
    """

    source: Source
    duration_s: float
    fps: float
    times_s: tuple[float, ...]
    name: str = "clip"
    caption: str | None = None
    speech: tuple[Speech, ...] = ()
    regions: Regions | None = None
    truth: Truth | None = None
    world: str | None = None

    def sample(self, times_s: Sequence[float], short_side_px: int | None = None) -> np.ndarray:
        """Frames at ``times_s`` (seconds from the clip's start): uint8 [frame, height, width, rgb]."""
        return self.source.sample(times_s, short_side_px)

    def waveform(self, start_s: float = 0.0, end_s: float | None = None) -> np.ndarray | None:
        """Sound between two times: float32 [sample], 16 kHz mono in −1..1; None if silent."""
        return self.source.waveform(start_s, self.duration_s if end_s is None else end_s)

    def frames(self, short_side_px: int | None = None) -> np.ndarray:
        """The frames shown in pictures: uint8 [frame, height, width, rgb]."""
        return self.sample(self.times_s, short_side_px)

    def interior_times(self, count: int) -> tuple[float, ...]:
        """``count`` times that cut the clip into count + 1 equal parts (ends excluded)."""
        return tuple(self.duration_s * (i + 1) / (count + 1) for i in range(count))

    def showing(self, times_s: Iterable[float]) -> Clip:
        """The same clip, showing other frames."""
        return replace(self, times_s=tuple(float(t) for t in times_s))


# ── what a family wants, and the tensors it gets ──────────────────────────────────────────────────


@dataclass(frozen=True)
class Inputs:
    """What a family wants to see of a clip and a text; a field of its ``Config``.

    ``frames`` are taken at interior points of the clip ("interior", VIOLET) or the middles of equal
    parts ("middle"); a frame is fitted into a square of ``size_px`` by padding with black ("pad") or by
    cutting the longer side ("crop"). Pixels reach the model in 0..1; normalisation is the model's.
    ``vocabulary`` names a WordPiece list ("world"); ``max_words`` counts [CLS] and [SEP].
    """

    frames: int = 4
    sampling: str = "interior"
    size_px: int = 96
    fit: str = "pad"
    max_words: int = 24
    vocabulary: str = "world"


@dataclass(frozen=True)
class Batch:
    """Tensors for a model, plus the words as text.

    ``video`` [batch, frame, rgb, height, width] float in 0..1 · ``times_s`` [batch, frame] ·
    ``view`` [batch, 4]: the square that the model sees, xyxy in the clip's picture (reaches outside
    0..1 where black was padded) · ``word_ids`` [batch, word] · ``word_mask`` [batch, word] bool ·
    ``pieces`` the WordPieces of each text, ``piece_words`` the index of the whole word that each piece
    belongs to (−1 for special tokens and padding) · ``video_mask`` [batch] bool: False hides all video
    tokens from attention (a clip that was dropped); None = all are seen.
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

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, items: Sequence[int]) -> Batch:
        """Items of the batch, repeated or reordered by their indices."""
        at = [int(i) for i in items]
        taken = {
            f.name: tuple(v[i] for i in at) if isinstance(v, tuple) else v[at]
            for f in fields(self)
            if (v := getattr(self, f.name)) is not None
        }
        return replace(self, **taken)

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
        moved = {
            f.name: v.to(device) for f in fields(self) if hasattr(v := getattr(self, f.name), "to")
        }
        return replace(self, **moved)


# ── Tokens and Stream ─────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Tokens:
    """What each position of one sequence stands for.

    ``labels`` [token] text · ``modality`` [token] sets out of "text" "video" "audio" "region" "special"
    "pad" (a set, since in some papers one token is a word and a region) · ``box`` [token, 4] xyxy in
    0..1 of the clip's picture, NaN where there is none · ``span_s`` [token, 2] seconds, NaN likewise ·
    ``word`` [token] index of the whole word in the text, −1 where there is none.
    """

    labels: tuple[str, ...]
    modality: tuple[frozenset[str], ...]
    box: np.ndarray
    span_s: np.ndarray
    word: np.ndarray

    def __post_init__(self) -> None:
        n = len(self.labels)
        shapes = (len(self.modality), self.box.shape, self.span_s.shape, self.word.shape)
        if shapes != (n, (n, 4), (n, 2), (n,)):
            raise ValueError(f"Tokens of {n} labels have parts of other lengths: {shapes}")

    def __len__(self) -> int:
        return len(self.labels)

    def __add__(self, other: Tokens) -> Tokens:
        """This sequence, then the other."""
        return Tokens(
            self.labels + other.labels,
            self.modality + other.modality,
            np.concatenate([self.box, other.box]),
            np.concatenate([self.span_s, other.span_s]),
            np.concatenate([self.word, other.word]),
        )

    def __getitem__(self, index: Any) -> Tokens:
        """The tokens at an index array, a mask or a slice."""
        at = np.arange(len(self))[index]
        return Tokens(
            tuple(self.labels[i] for i in at),
            tuple(self.modality[i] for i in at),
            self.box[at],
            self.span_s[at],
            self.word[at],
        )

    def where(self, modality: str, special: bool = False) -> np.ndarray:
        """bool [token]: tokens of a modality; special ones ([CLS] …) and padding only if asked for."""
        out = {"pad"} if special or modality == "special" else {"pad", "special"}
        out -= {modality}
        return np.array([modality in m and not (m & out) for m in self.modality], dtype=bool)

    @staticmethod
    def make(
        labels: Sequence[str],
        modality: Sequence[Iterable[str]],
        box: np.ndarray | None = None,
        span_s: np.ndarray | None = None,
        word: np.ndarray | None = None,
    ) -> Tokens:
        """Tokens whose missing parts are "none": NaN boxes and spans, word −1."""
        n = len(labels)
        return Tokens(
            tuple(labels),
            tuple(frozenset(m) for m in modality),
            np.full((n, 4), np.nan) if box is None else np.asarray(box, dtype=float),
            np.full((n, 2), np.nan) if span_s is None else np.asarray(span_s, dtype=float),
            np.full(n, -1) if word is None else np.asarray(word, dtype=int),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, for a file."""
        return {
            "labels": list(self.labels),
            "modality": [sorted(m) for m in self.modality],
            "box": np.where(np.isnan(self.box), None, self.box.round(6)).tolist(),
            "span_s": np.where(np.isnan(self.span_s), None, self.span_s.round(6)).tolist(),
            "word": self.word.tolist(),
        }

    @staticmethod
    def from_dict(d: dict[str, Any]) -> Tokens:
        """The inverse of ``to_dict``."""
        n = len(d["labels"])
        return Tokens(
            tuple(d["labels"]),
            tuple(frozenset(m) for m in d["modality"]),
            np.array(d["box"], dtype=float).reshape(n, 4),
            np.array(d["span_s"], dtype=float).reshape(n, 2),
            np.array(d["word"], dtype=int).reshape(n),
        )


TokensOfBatch = Callable[[], list[Tokens]]
"""Tokens of every item of a batch, built only when called: never in a training step."""


@dataclass(frozen=True)
class Stream:
    """A sequence of hidden states that knows what its positions stand for.

    ``hidden`` [batch, token, channel] · ``mask`` [batch, token] bool, True = may be attended to ·
    ``tokens`` builds the ``Tokens`` of each item when somebody asks.
    """

    hidden: Tensor
    mask: Tensor
    tokens: TokensOfBatch

    def __add__(self, other: Stream) -> Stream:
        """Concatenation along the sequence: ``video + text`` is the paper's joint sequence."""
        import torch

        return Stream(
            torch.cat([self.hidden, other.hidden], dim=1),
            torch.cat([self.mask, other.mask], dim=1),
            cache(lambda: [a + b for a, b in zip(self.tokens(), other.tokens(), strict=True)]),
        )

    def with_hidden(self, hidden: Tensor) -> Stream:
        """The same tokens with other states."""
        return Stream(hidden, self.mask, self.tokens)

    def take(self, items: Tensor) -> Stream:
        """Items of the batch, repeated or reordered by an index [batch′]."""

        def tokens() -> list[Tokens]:
            mine = self.tokens()
            return [mine[i] for i in items.tolist()]

        return Stream(self.hidden[items], self.mask[items], cache(tokens))

    def __len__(self) -> int:
        return self.hidden.shape[1]


# ── Output, Attention, Record ─────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Output:
    """What the heads say; a field is None where a family has no such head.

    Logits are raw scores before any softmax; ``match_logits`` are higher for a better match, in every
    family (a page flips the sign where its paper labels it otherwise).
    """

    word_logits: Tensor | None = None  # [batch, word, vocabulary] at each text token
    code_logits: Tensor | None = None  # [batch, patch, code] at the tokens that are ``where("video")``, in order
    match_logits: Tensor | None = None  # [batch]
    order_logits: Tensor | None = None  # [batch, frame, position]
    answer_logits: Tensor | None = None  # [batch, answer]
    video_embedding: Tensor | None = None  # [batch, channel]
    text_embedding: Tensor | None = None  # [batch, channel]
    audio_embedding: Tensor | None = None  # [batch, channel]

    def heads(self) -> tuple[str, ...]:
        """Names of the fields that are filled."""
        return tuple(f.name for f in fields(self) if getattr(self, f.name) is not None)


@dataclass(frozen=True)
class Attention:
    """The attention weights of one site; a view needs nothing else.

    Global attention: ``weights`` [batch, head, query, key] with ``queries`` and ``keys`` one ``Tokens``
    an item. If only some rows were kept, ``queries`` are those rows (padded to a common length with
    "pad" tokens, whose weights are 0). If ``reduced`` is "heads" the head axis has length 1; if
    "received", the query axis has length 1 (attention received by each key, summed over queries);
    if "frames", a key is a whole frame, or all the text.

    Local attention (windows, per-frame, divided): ``groups`` [window, n] indexes the site's tokens
    (−1 = padding) and ``weights`` is [batch, head, window, n, n]; ``full()`` scatters it.
    """

    site: str
    weights: Tensor
    queries: tuple[Tokens, ...]
    keys: tuple[Tokens, ...]
    groups: Tensor | None = None
    reduced: str | None = None
    dropout: bool = False

    @property
    def heads(self) -> int:
        """How many heads were kept apart."""
        return int(self.weights.shape[1])

    def full(self) -> Tensor:
        """[batch, head, query, key] for local attention too; pairs that never met hold 0.

        Memory is token² for each head: meant for small sites. Padding keys inside a window take their
        share of the softmax and are dropped here, so rows of padded windows sum to less than 1.
        """
        if self.groups is None:
            return self.weights
        batch, head = self.weights.shape[:2]
        q, k = len(self.queries[0]), len(self.keys[0])
        out = self.weights.new_zeros(batch, head, q, k)
        for w, index in enumerate(self.groups):
            real = index >= 0
            at = index[real]
            out[:, :, at[:, None], at[None, :]] = self.weights[:, :, w][:, :, real][..., real]
        return out

    def __repr__(self) -> str:
        shape = "×".join(map(str, self.weights.shape))
        kind = "windows" if self.groups is not None else (self.reduced or "rows")
        return f"Attention({self.site}, {shape} {kind}, {self.heads} heads)"


@dataclass(frozen=True)
class Record:
    """What one listened-to forward left behind: the output, and the attention of the asked sites.

    ``attention`` and ``hidden`` are keyed by site. ``about`` holds the circumstances: model, versions,
    seed, hash of the weights.
    """

    output: Output
    attention: dict[str, Attention]
    hidden: dict[str, Stream] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)

    def between(self, query: str, key: str) -> dict[str, Attention]:
        """The sites where tokens of modality ``query`` look at tokens of modality ``key``."""
        return {
            site: a
            for site, a in self.attention.items()
            if a.queries[0].where(query).any() and a.keys[0].where(key).any()
        }

    def save(self, path: Any) -> None:
        """Write everything to one safetensors file (atomically)."""
        from vtexplore.record import save_record

        save_record(self, path)

    @staticmethod
    def load(path: Any) -> Record:
        """Read a file written by ``save``."""
        from vtexplore.record import load_record

        return load_record(path)
