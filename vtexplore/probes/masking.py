"""What would a masking strategy hide? Many draws over the frames and words of a clip, and rates over many clips.

    result = masking(model, clip)           one clip: how often each patch and each word is hidden
    rates = compare_masking(model, clips)   many: what share of the hidden falls on objects, on content words

    attended    positions drawn in proportion to the attention that they receive (Fu et al. 2021, arXiv:2111.12681)
    blockwise   boxes of frames × rows × columns; words one by one (after Bao et al. 2021, arXiv:2106.08254)
    random      as many positions as attended, all equally likely: what attended masking is without attention

Attention received by a position = the weights that all queries give to it, averaged over heads and summed over
the layers in which words and patches stand in one sequence. Special tokens and padding are never hidden.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from vtexplore.data.prepare import prepare
from vtexplore.data.text import words_of
from vtexplore.errors import ConfigError, Unsupported
from vtexplore.objectives.attended import attended_mask
from vtexplore.objectives.blockwise import blockwise_mask
from vtexplore.objectives.masked_words import choose
from vtexplore.probes._ask import SMALL, about, notices, split, text_of
from vtexplore.probes._places import grid_of
from vtexplore.probes._result import Result, Row, column
from vtexplore.probes.attend import AttendResult
from vtexplore.probes.grounding import MASK_PX, overlap
from vtexplore.record import record
from vtexplore.statistics import bootstrap
from vtexplore.types import Batch, Clip, Tokens

STRATEGIES = ("attended", "blockwise", "random")
CONTENT = ("colour", "shape", "verb", "direction", "target", "relation", "background")
MEASURES = {
    "objects": "share of the hidden picture that is an object",
    "named objects": "share of the hidden picture that is an object which the text names",
    "content words": "share of the hidden words that say what is seen",
    "words": "share of the hidden positions that are words",
}
PICTURE_PX = 160


@dataclass(frozen=True)
class MaskingResult(Result):
    """How often each patch and each word of a clip is hidden by each strategy, over ``draws`` draws.

    ``patch`` float32 [strategy, frame, row, column] and ``word`` float32 [strategy, word] in 0..1;
    ``received`` [frame, row, column] is the attention on which "attended" draws, ``received_word`` [word]
    likewise; ``hidden`` float32 [strategy] is the mean share of all patches and word pieces. ``box``
    [row · column, 4] says where the patches lie, ``content`` bool [word] which words name something.
    """

    PICTURES: ClassVar[tuple[str, ...]] = ("frames",)

    text: str
    words: tuple[str, ...]
    strategies: tuple[str, ...]
    draws: int
    patch: np.ndarray
    word: np.ndarray
    received: np.ndarray
    received_word: np.ndarray
    hidden: np.ndarray
    content: np.ndarray
    box: np.ndarray
    clip: str
    times_s: np.ndarray
    frames: np.ndarray
    about: dict[str, Any]
    notes: tuple[str, ...]

    def of(self, strategy: str) -> tuple[np.ndarray, np.ndarray]:
        """Patches [frame, row, column] and words [word] of one strategy; ``ConfigError`` for an unknown one."""
        if strategy not in self.strategies:
            raise ConfigError(f"No strategy {strategy!r} here; there are {', '.join(self.strategies)}.")
        at = self.strategies.index(strategy)
        return self.patch[at], self.word[at]

    def row(self) -> Row:
        """Of each strategy the share that is ``hidden``, and, of the words so hidden, the share that is ``content``."""
        out: Row = {"text": self.text}
        for at, name in enumerate(self.strategies):
            out[column("hidden", name)] = float(self.hidden[at])
            total = float(self.word[at].sum())
            if self.content.any() and total > 0:
                out[column("content", name)] = float(self.word[at][self.content].sum()) / total
        return out


@dataclass(frozen=True)
class MaskingRates(Result):
    """What each strategy hides, over ``clips`` clips: ``mean``, ``low``, ``high`` [strategy, measure] in 0..1.

    ``gain_mean``, ``gain_low``, ``gain_high`` [strategy, measure]: the difference to "random" on the same
    clips. Intervals hold 95 % (bootstrap over clips); ``told`` says in words what each measure is.
    """

    strategies: tuple[str, ...]
    measures: tuple[str, ...]
    told: tuple[str, ...]
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    gain_mean: np.ndarray
    gain_low: np.ndarray
    gain_high: np.ndarray
    clips: int
    draws: int
    about: dict[str, Any]
    notes: tuple[str, ...]

    def at(self, strategy: str, measure: str) -> tuple[float, float, float]:
        """Mean, low and high of one strategy and measure."""
        row, column = self._place(strategy, measure)
        return float(self.mean[row, column]), float(self.low[row, column]), float(self.high[row, column])

    def gain(self, strategy: str, measure: str) -> tuple[float, float, float]:
        """Difference to "random": mean, low and high."""
        at = self._place(strategy, measure)
        return float(self.gain_mean[at]), float(self.gain_low[at]), float(self.gain_high[at])

    def _place(self, strategy: str, measure: str) -> tuple[int, int]:
        if strategy not in self.strategies or measure not in self.measures:
            known = f"{', '.join(self.strategies)} and {', '.join(self.measures)}"
            raise ConfigError(f"No {measure!r} of {strategy!r} here; there are {known}.")
        return self.strategies.index(strategy), self.measures.index(measure)


def masking(
    model: Any, clip: Clip, text: str | None = None, *, draws: int = 500, rate: float = 0.15, seed: int = 0
) -> MaskingResult:
    """How often each strategy hides each patch and each word of a clip and a text (None = its caption).

    ``rate`` is the share of positions that "attended" and "random" hide, and the chance of each word to be
    hidden where boxes hide the patches. Raises ``TextError`` for a text that the model cannot read,
    ``Unsupported`` for a model whose words and patches never stand in one sequence, or that sees no patches.
    """
    text = text_of(model, clip, text)
    batch = prepare([clip], [text], model.inputs)
    scores, tokens = received(model, batch)
    places = _places(model, tokens[0])
    hidden = _draws(scores[0], places, draws, rate, torch.Generator().manual_seed(seed))
    words = split(text)
    pooled = np.array([[mine[..., places.word == w].any(-1).mean(-1) for w in range(len(words))] for mine in hidden])
    total = scores[0].numpy() * places.may
    roles = _roles(clip, text)
    return MaskingResult(
        text=text,
        words=words,
        strategies=STRATEGIES,
        draws=draws,
        patch=np.stack([mine.mean(axis=0)[places.grid] for mine in hidden]).astype(np.float32),
        word=pooled.astype(np.float32),
        received=total[places.grid].astype(np.float32),
        received_word=np.array([total[places.word == w].sum() for w in range(len(words))], dtype=np.float32),
        hidden=np.array([mine[:, places.may].mean() for mine in hidden], dtype=np.float32),
        content=np.array([roles.get(w) in CONTENT for w in range(len(words))], dtype=bool),
        box=tokens[0].box[places.grid[0].ravel()],
        clip=clip.name,
        times_s=np.asarray(batch.times_s[0], dtype=float),
        frames=clip.sample(batch.times_s[0].tolist(), PICTURE_PX),
        about=about(model, clip) | {"seed": seed, "rate": rate},
        notes=notices(model, clip),
    )


def compare_masking(
    model: Any,
    clips: Iterable[Clip],
    *,
    draws: int = 32,
    rate: float = 0.15,
    batch: int = 32,
    resamples: int = 1000,
    seed: int = 0,
) -> MaskingRates:
    """What share of what each strategy hides are objects and content words, on clips whose truth is known.

    All strategies see the same clips (others are passed over), each ``draws`` times. Raises ``Unsupported``
    like ``masking``, ``ConfigError`` if no clip has a caption and truth.
    """
    generator = torch.Generator().manual_seed(seed)
    usable = (clip for clip in clips if clip.truth is not None and clip.caption)
    rows: list[np.ndarray] = []
    while some := list(islice(usable, batch)):
        prepared = prepare(some, [str(clip.caption) for clip in some], model.inputs)
        scores, tokens = received(model, prepared)
        for item, clip in enumerate(some):
            places = _places(model, tokens[item])
            hidden = _draws(scores[item], places, draws, rate, generator)
            rows.append(_measured(clip, hidden, places, tokens[item], prepared.times_s[item]))
    if not rows:
        raise ConfigError("No clip here has both a caption and known truth; clips of a world have.")
    values = np.stack(rows)  # [clip, strategy, measure]
    gains = values - values[:, [STRATEGIES.index("random")]]
    numbers = np.arange(len(values))
    mean, low, high = bootstrap(values, numbers, resamples, seed)
    gain_mean, gain_low, gain_high = bootstrap(gains, numbers, resamples, seed)
    small = (f"{len(rows)} clips show cases, not rates: the intervals are wide.",) if len(rows) < SMALL else ()
    return MaskingRates(
        strategies=STRATEGIES,
        measures=tuple(MEASURES),
        told=tuple(MEASURES.values()),
        mean=mean,
        low=low,
        high=high,
        gain_mean=gain_mean,
        gain_low=gain_low,
        gain_high=gain_high,
        clips=len(rows),
        draws=draws,
        about=about(model) | {"seed": seed, "rate": rate},
        notes=small,
    )


# ── what may be hidden, and what is ───────────────────────────────────────────────────────────────


def received(model: Any, batch: Batch) -> tuple[Tensor, tuple[Tokens, ...]]:
    """The attention that each position of the joint sequence receives [batch, token], and its Tokens.

    Raises ``Unsupported`` for a model whose words and patches never stand in one sequence.
    """
    total: Tensor | None = None
    tokens: tuple[Tokens, ...] = ()
    for site in record(model, batch, reduce="received").attention.values():
        keys = site.keys[0]
        if site.groups is not None or not (keys.where("text").any() and keys.where("video").any()):
            continue
        mine = site.weights.float().mean(dim=1)[:, 0].cpu()
        total, tokens = (mine, site.keys) if total is None else (total + mine, tokens)
    if total is None:
        raise Unsupported(
            f"In {getattr(model, 'name', 'this model')} words and patches never stand in one sequence, so there is "
            "no attention to draw them by together."
        )
    return total, tokens


class _Places:
    """The positions of one item: which may be hidden, which are patches and where, which belong to a word."""

    def __init__(self, tokens: Tokens) -> None:
        self.patches = AttendResult.patches(tokens)
        self.texts = tokens.where("text")
        self.may = self.patches | self.texts
        self.grid = grid_of(tokens, self.patches)  # [frame, row, column] → position
        self.word = np.where(self.texts, tokens.word, -1)


def _places(model: Any, tokens: Tokens) -> _Places:
    """The positions of an item; ``Unsupported`` for a model whose frames have too few patches to hide boxes."""
    places = _Places(tokens)
    if min(places.grid.shape[1:]) < 3:
        rows, columns = places.grid.shape[1:]
        raise Unsupported(
            f"{getattr(model, 'name', 'This model')} sees {rows} × {columns} places at a time, and boxes are hidden "
            "among 3 × 3 or more: there is nothing to compare. Ask for a family that sees patches."
        )
    return places


def _draws(
    score: Tensor, places: _Places, draws: int, rate: float, generator: torch.Generator
) -> tuple[np.ndarray, ...]:
    """What each strategy hides: bool [draw, token] each, in the order of ``STRATEGIES``."""
    may = torch.from_numpy(places.may)
    attended = attended_mask((score * may).expand(draws, -1), rate, generator)
    frames, rows, columns = places.grid.shape
    boxes = torch.zeros(draws, len(may), dtype=torch.bool)
    boxes[:, places.grid.ravel()] = blockwise_mask(frames, rows, columns, draws, generator).flatten(1)
    words = choose(torch.from_numpy(places.texts).expand(draws, -1), rate, generator)
    even = attended_mask(may.float().expand(draws, -1), rate, generator)
    return attended.numpy(), (boxes | words).numpy(), even.numpy()


def _roles(clip: Clip, text: str) -> dict[int, str]:
    """What each word is, by the truth, if the text is the clip's caption."""
    if clip.truth is None or words_of(clip.caption or "") != words_of(text):
        return {}
    return {p.word: p.role for p in clip.truth.phrases}


def _measured(
    clip: Clip, hidden: tuple[np.ndarray, ...], places: _Places, tokens: Tokens, times_s: np.ndarray
) -> np.ndarray:
    """[strategy, measure]: ``MEASURES`` of one clip; NaN where nothing of that kind was ever hidden."""
    assert clip.truth is not None
    masks = clip.truth.masks(list(times_s), MASK_PX)
    patches = np.flatnonzero(places.patches)
    covered = overlap(masks, times_s, tokens[patches])  # [object, patch]
    named = sorted({i for p in clip.truth.phrases for i in p.objects})
    on = np.zeros((2, len(tokens)))
    on[0, patches] = covered.sum(axis=0).clip(0, 1)
    on[1, patches] = covered[named].sum(axis=0).clip(0, 1) if named else np.nan
    roles = _roles(clip, str(clip.caption))
    content = np.array([roles.get(int(w)) in CONTENT for w in places.word])
    rows = []
    for mine in hidden:
        count = mine.sum(axis=0).astype(float)  # how often each position was hidden
        seen, said, either = (count[at].sum() for at in (places.patches, places.texts, places.may))
        with np.errstate(invalid="ignore", divide="ignore"):
            parts = [np.dot(on[0], count) / seen, np.dot(on[1], count) / seen]
            rows.append([*parts, count[content].sum() / said, said / either])
    return np.array(rows)
