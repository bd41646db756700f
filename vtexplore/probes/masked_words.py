"""Over many clips: which kinds of words does a model see, and which does it guess from the text?

    result = masked_words(model, clips)          every word of every caption is masked once
    result.at("colour", "pmi")                   mean over its words, with a 95 % interval over clips
    result.plot()

For each word (see ``fill_mask``, whose joint rule for words of several pieces holds here too), in nats

    lift: no clip, even colour     ln p with the clip less ln p without it
    contrast                       less the mean of ln p beside other clips of the set, those nearest in length
    pmi                            less ln of the mean p beside them; its mean is what words and clips share
    order                          less the mean with the frames in other orders
    kl, entropy drop               of the whole vocabulary with the clip from that without it
    wrong word                     the lift of another word of the class, about as frequent: the clip does not show it

and reciprocal rank (1/rank with the clip less 1/rank without it; a word of several pieces ranks as its worst piece),
and "beyond": the share of words whose lift is above the 95th percentile of what clips of other captions give.

Controls: function words should gain nothing, and neither should a model with random weights (``floor``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vtexplore.data.prepare import prepare, text_batch, word_positions
from vtexplore.data.text import plain, vocabulary, words_of
from vtexplore.errors import ConfigError, TextError
from vtexplore.probes import _game
from vtexplore.probes._ask import SMALL, about, needs, notices, text_of
from vtexplore.probes._moves import lost_motion
from vtexplore.probes._nulls import CONDITIONS, ONE_NULL, WRONG, check_conditions, reordered
from vtexplore.probes._result import Result
from vtexplore.probes._videos import Watched, joined
from vtexplore.statistics import RESAMPLES, bootstrap, holm, sign_flip
from vtexplore.types import Batch, Clip

BLOCK = 32  # clips that are looked at together, and beside each other's captions
UNKNOWN = "word"  # the class of a word in a clip of which nobody knows the truth
TESTED = ("contrast", "pmi", "order", "reciprocal rank", "entropy drop", "wrong word")
EQUAL = 1e-4  # nats: less is rounding
QUIET = 0.05  # nats: function words that gain more are told


@dataclass(frozen=True)
class MaskedWordsResult(Result):
    """What each class of words gains: ``mean``, ``low``, ``high`` [class, measure], 95 % intervals over clips.

    ``p`` [class, measure] is that of a sign flip over clips, ``p_holm`` the same after Holm over the classes (NaN
    where nothing is tested). ``floor`` [class, measure, 3] holds mean, low and high for the model with random weights,
    NaN if none was asked. ``count`` [class] words of ``clips`` clips. ``lift`` float [item] and ``permuted`` [item,
    other clip] are the lifts (no clip, or the first null) that "beyond" compares, ``item_class`` [item] their classes.
    """

    classes: tuple[str, ...]
    measures: tuple[str, ...]
    count: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p: np.ndarray
    p_holm: np.ndarray
    floor: np.ndarray
    lift: np.ndarray
    permuted: np.ndarray
    item_class: np.ndarray
    clips: int
    others: int
    about: dict[str, Any]
    notes: tuple[str, ...]

    def at(self, word_class: str, measure: str) -> tuple[float, float, float]:
        """Mean, low and high of a class and a measure; ``ConfigError`` names those that there are."""
        row, column = self.place(word_class, measure)
        return float(self.mean[row, column]), float(self.low[row, column]), float(self.high[row, column])

    def place(self, word_class: str, measure: str) -> tuple[int, int]:
        """The row of a class and the column of a measure; ``ConfigError`` names those that there are."""
        if word_class not in self.classes or measure not in self.measures:
            raise ConfigError(
                f"No {measure!r} of {word_class!r} here; there are {', '.join(self.classes)} and "
                f"{', '.join(self.measures)}."
            )
        return self.classes.index(word_class), self.measures.index(measure)


def masked_words(
    model: Any,
    clips: Iterable[Clip],
    *,
    nulls: Sequence[str] = ("no clip", "even colour"),
    others: int = WRONG,
    orders: int = 2,
    floor: Any = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    quiet: bool = False,
) -> MaskedWordsResult:
    """Mask every word of every caption once, and count what the clip does for it, class by class.

    Classes are the roles that a clip's truth knows ("colour", "verb", "function" …), else there is one. Clips
    without a caption are passed over. ``others`` clips of the set stand in for each, and ``orders`` orders of its
    frames. ``floor``: a model with random weights, asked the same.

    Raises ``ConfigError`` for fewer than two clips with captions or an unknown null, ``TextError`` for a caption that
    the model cannot read, ``Unsupported`` for a family that does not predict words.
    """
    check_conditions(nulls)
    told = [clip for clip in clips if clip.caption]
    if len(told) < 2:
        raise ConfigError("It takes two clips with captions or more: each is asked beside the others' videos.")
    if not nulls:
        raise ConfigError("A lift needs something in place of the clip: nulls=('no clip', 'even colour').")
    others = min(others, len(told) - 1)
    items = _items(model, told)
    classes = tuple(sorted({i.role for i in items}, key=lambda r: (r == "function", r)))
    of = np.array([classes.index(i.role) for i in items])
    measured = [
        _measure(m, told, items, of, nulls, others, orders, seed, quiet) for m in (model, *([floor] if floor else []))
    ]
    values, lift, permuted = measured[0]
    names = (*(f"lift: {null}" for null in nulls), *TESTED, "kl", "beyond")
    clip_of = np.array([i.clip for i in items])
    mean, low, high = _intervals(values, of, clip_of, len(classes), resamples, seed)
    ground = np.full((*mean.shape, 3), np.nan)
    if floor:
        ground = np.stack(_intervals(measured[1][0], of, clip_of, len(classes), resamples, seed), axis=-1)
    p = _tests(values[:, : len(nulls) + len(TESTED)], of, clip_of, len(classes), seed)
    p = np.concatenate([p, np.full((len(classes), 2), np.nan)], axis=1)
    return MaskedWordsResult(
        classes=classes,
        measures=names,
        count=np.bincount(of, minlength=len(classes)),
        mean=mean,
        low=low,
        high=high,
        p=p,
        p_holm=np.stack([holm(column.tolist()) for column in p.T], axis=1),
        floor=ground,
        lift=lift,
        permuted=permuted,
        item_class=of,
        clips=len(told),
        others=others,
        about=about(model) | {"seed": seed},
        notes=(
            *_flags(model, told, classes, names, mean, low, high, nulls, others, floor is not None),
            *(lost_motion(model, prepare(told[:1], [str(told[0].caption)], model.inputs), True) if orders else ()),
        ),
    )


# ── what is asked ─────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class _Item:
    """One word of one caption, hidden: where, and the pieces of itself and of a wrong word of its kind."""

    clip: int
    role: str
    text: str
    places: tuple[int, ...]
    ids: tuple[int, ...]
    wrong: tuple[int, ...] = field(default=())


def _items(model: Any, clips: Sequence[Clip]) -> list[_Item]:
    known, found = vocabulary(model.inputs.vocabulary), []
    for number, clip in enumerate(clips):
        text = text_of(model, clip, None)
        phrases = () if clip.truth is None else clip.truth.phrases
        roles = {p.word: (p.role, p.concept) for p in phrases}
        batch = text_batch([text], model.inputs)
        for word, letters in enumerate(words_of(text)):
            ids = known.word(plain(letters))[0]
            if not ids or known.unknown_id in ids:
                continue
            places = tuple(int(i) for i in word_positions(batch, word))
            # A word that the truth of a world does not name says nothing of what is seen.
            role, concept = roles.get(word, ("function" if phrases else UNKNOWN, plain(letters)))
            found.append((_Item(number, role, text, places, tuple(batch.word_ids[0, list(places)].tolist())), concept))
    if not found:
        raise TextError("No caption here has a word that this model can say.")
    often = Counter((i.role, concept, i.ids) for i, concept in found)
    return [_with_wrong(item, concept, often) for item, concept in found]


def _with_wrong(item: _Item, concept: str, often: Counter[tuple[str, str, tuple[int, ...]]]) -> _Item:
    """The item with another word of its class, of as many pieces and about as frequent; () if there is none."""
    mine = often[item.role, concept, item.ids]
    like = [
        (abs(count - mine), ids)
        for (role, other, ids), count in often.items()
        if role == item.role and other != concept and ids != item.ids and len(ids) == len(item.ids)
    ]
    return replace(item, wrong=min(like)[1]) if like else item


def _measure(
    model: Any, clips: Sequence[Clip], items: Sequence[_Item], of: np.ndarray, nulls: Sequence[str],
    others: int, orders: int, seed: int, quiet: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Values [item, measure], lifts [item] and the lifts beside other clips [item, other clip]."""
    from tqdm.auto import tqdm

    rows = []
    count = max(1, len(clips) // max(BLOCK, others + 1))
    with tqdm(total=len(items), unit="word", desc="masking words", disable=quiet) as bar:
        for block in np.array_split(np.arange(len(clips)), count):
            videos = _videos(model, [clips[i] for i in block], nulls, orders, seed, int(block[0]))
            near = _nearest([clips[i].duration_s for i in block], others)
            mine = [item for item in items if block[0] <= item.clip <= block[-1]]
            for item in mine:
                at = item.clip - int(block[0])
                looks = [at + len(block) * k for k in range(1 + len(nulls))]
                shuffled = range(len(block) * (1 + len(nulls)) + at, len(videos), len(block))
                rows.append(_ask(model, videos, item, [*looks, *near[at], *shuffled]))
                bar.update()
    true, beside, ranks, wrong, spread = (np.array(part, dtype=float) for part in zip(*rows))
    blind, wrongs, mixed = np.split(beside, [len(nulls), len(nulls) + others], axis=1)
    lift, permuted = true - blind[:, 0], wrongs - blind[:, :1]
    bar95 = np.array([np.percentile(permuted[of == c], 95) for c in range(of.max() + 1)])
    columns = [
        *(true[:, None] - blind).T,
        true - wrongs.mean(axis=1),
        true - np.log(np.exp(wrongs).mean(axis=1)),
        true - mixed.mean(axis=1) if mixed.shape[1] else np.full(len(true), np.nan),
        1 / ranks[:, 0] - 1 / ranks[:, 1],
        spread[:, 1],
        wrong,
        spread[:, 0],
        (lift > bar95[of] + EQUAL).astype(float),
    ]
    values = np.stack(columns, axis=1)
    return np.where(np.abs(values) < EQUAL, 0.0, values), lift, permuted


def _videos(model: Any, clips: Sequence[Clip], nulls: Sequence[str], orders: int, seed: int, first: int) -> Watched:
    """A block of clips: as they are, under each null, and with their frames in each of some other orders."""
    true = prepare(clips, [str(clip.caption) for clip in clips], model.inputs)
    slots = _game.slots_of(model, true)
    each = [list(reordered(true.take([i]), slots, orders, seed + first + i)) for i in range(len(true))]
    mixed = [joined(some) for some in zip(*each, strict=True)]  # every clip in orders of its own
    return Watched(model, joined([true, *(CONDITIONS[null](true) for null in nulls), *mixed]))


def _nearest(durations_s: Sequence[float], count: int) -> list[list[int]]:
    """For each clip so many others, nearest in length; of equals those that come next in the row."""
    n, times = len(durations_s), np.asarray(durations_s)
    orders = [np.lexsort(((np.arange(n) - i) % n, abs(times - times[i]))) for i in range(n)]
    return [[int(j) for j in order if j != i][:count] for i, order in enumerate(orders)]


def _ask(
    model: Any, videos: Watched, item: _Item, rows: list[int]
) -> tuple[float, list[float], list[int], float, list[float]]:
    """ln p of the word: with its clip, then otherwise; ranks with the clip and without; more of the first null.

    That is the lift of the wrong word, and KL and the drop in entropy.
    """
    batch = _hidden(text_batch([item.text], model.inputs), item, vocabulary(model.inputs.vocabulary).mask_id)
    out = [
        needs(model, output, "word_logits", "masked words")[:, list(item.places)].float().log_softmax(-1).cpu()
        for _, output in videos.fill(batch, rows)
    ]
    log_p = torch.cat(out)  # [video, place, piece]
    mine = _joint(log_p, item.ids)
    ranks = (log_p[:2] >= log_p[:2].gather(2, _index(item.ids, 2))).sum(-1).max(dim=1).values
    wrong = _joint(log_p[:2], item.wrong) if item.wrong else torch.full((2,), torch.nan)
    p = log_p[:2].double().exp()
    kl = (p[0] * (log_p[0] - log_p[1])).sum(-1).mean()
    entropy = -(p * log_p[:2]).sum(-1).mean(dim=1)
    spread = [float(kl), float(entropy[1] - entropy[0])]
    return float(mine[0]), mine[1:].tolist(), ranks.tolist(), float(wrong[0] - wrong[1]), spread


def _hidden(batch: Batch, item: _Item, mask_id: int) -> Batch:
    """A text with one word masked, whole."""
    at = torch.zeros_like(batch.word_ids, dtype=torch.bool)
    at[:, list(item.places)] = True
    return replace(batch, word_ids=batch.word_ids.masked_fill(at, mask_id))


def _index(ids: Sequence[int], videos: int) -> Tensor:
    return torch.tensor(ids)[None, :, None].expand(videos, -1, 1)


def _joint(log_p: Tensor, ids: Sequence[int]) -> Tensor:
    """ln of the product over a word's pieces: [video]."""
    return log_p.gather(2, _index(ids, len(log_p)))[..., 0].sum(dim=1)


# ── what they say together ────────────────────────────────────────────────────────────────────────


def _intervals(
    values: np.ndarray, of: np.ndarray, clips: np.ndarray, classes: int, resamples: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, low and high [class, measure]."""
    found = [bootstrap(values[of == c], clips[of == c], resamples, seed) for c in range(classes)]
    mean, low, high = (np.stack(part) for part in zip(*found))
    return mean, low, high


def _tests(values: np.ndarray, of: np.ndarray, clips: np.ndarray, classes: int, seed: int) -> np.ndarray:
    """Sign-flip p over clips, of each clip's mean: [class, measure]."""
    out = np.full((classes, values.shape[1]), np.nan)
    for c in range(classes):
        numbers, at = np.unique(clips[of == c], return_inverse=True)
        sums, real = np.zeros((2, len(numbers), values.shape[1]))
        np.add.at(sums, at, np.nan_to_num(values[of == c]))
        np.add.at(real, at, ~np.isnan(values[of == c]))
        with np.errstate(invalid="ignore"):
            out[c] = [sign_flip(column, seed=seed) for column in (sums / real).T]
    return out


def _flags(
    model: Any, clips: Sequence[Clip], classes: tuple[str, ...], names: tuple[str, ...], mean: np.ndarray,
    low: np.ndarray, high: np.ndarray, nulls: Sequence[str], others: int, floor: bool,
) -> tuple[str, ...]:  # fmt: skip
    """What the reader must know of these numbers."""
    out = list(dict.fromkeys(note for clip in clips for note in notices(model, clip)))[:1]
    if len(clips) < SMALL:
        out.append(f"{len(clips)} clips show cases, not a rate.")
    if others < WRONG:
        out.append(f"Pointwise information wants {WRONG} other clips or more; these are {others}.")
    if len(nulls) < 2:
        out.append(ONE_NULL)
    if not floor:
        out.append("No model with random weights was asked the same: floor=build(name) says what means nothing.")
    pmi, lift = names.index("pmi"), 0
    for row, name in enumerate(classes):
        if mean[row, pmi] < 0:
            found = f"{mean[row, pmi]:+z.2f}, {low[row, pmi]:+z.2f} to {high[row, pmi]:+z.2f}"
            chance = ", unless it is chance" if high[row, pmi] >= 0 else ""
            out.append(
                f"The mean PMI of {name} words is below 0 ({found}): the model uses a wrong clip better than the "
                f"right one{chance}."
            )
        if name == "function" and abs(mean[row, lift]) > QUIET and low[row, lift] * high[row, lift] > 0:
            out.append(f"Function words gain {mean[row, lift]:+z.2f} nats, though a clip should tell nothing of them.")
    return tuple(out)
