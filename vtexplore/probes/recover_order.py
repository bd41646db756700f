"""Put the frames of a clip back in order, by what a model says of them.

    result = recover_order(model, clips)
    result["τ"]                     1 = all in order, 0 = as chance has it, −1 = backwards
    result.best[0]                  the order found for the first clip

A model with a head for order is shown the frames in many orders, each frame at each place equally often and before
each other one as often as behind it, so that a place cannot give it away; for each pair that says how likely one
comes first, and the order found makes all pairs together likeliest (by trying all, up to 8). Where a model has its own
way to ask (``reorder``), what it made of each moment changes places, as in its training. A model that matches is
asked how well a text goes with the clip in every order (up to 6), and the order found is the one that goes best. Orders
that are equally good count as their mean; so a film of one frame gives τ = 0.

What chance gives is counted, not assumed: over all orders. Frames that look the same have no order between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch

from vtexplore.data.prepare import prepare
from vtexplore.errors import ConfigError, Unsupported
from vtexplore.objectives import frame_order
from vtexplore.probes._ask import a_case, about, needs, notices, text_of
from vtexplore.probes._moves import FORWARDS, lost_motion, move
from vtexplore.probes._orders import ALL, all_orders, kendall, ties
from vtexplore.probes._result import Result
from vtexplore.record import beside
from vtexplore.statistics import bootstrap, sign_flip, stouffer
from vtexplore.types import Batch, Clip, Stream

MOST = 8  # of frames whose orders are all tried on pairs
ALIKE = 1e-4  # mean squared difference, of pixels in 0..1, below which two frames look the same
SPREADS = 4  # orders of which all rotations, forwards and backwards, are shown to a head
BY_MATCH = "how well the text goes with every order"
MEASURES = {
    "τ": "Kendall's τ, 1 = in order, −1 = backwards",
    "Spearman": "Spearman's ρ of places",
    "pairs": "pairs that stand the right way round",
    "misplaced": "places that a frame is away from its own, in the mean",
    "exact": "clips put in order without a mistake",
}


@dataclass(frozen=True)
class Recovered:
    """A measure's mean over clips with its 95 % interval, and its mean and deviation over all orders (chance)."""

    name: str
    value: float
    low: float
    high: float
    chance: float
    chance_sd: float


@dataclass(frozen=True)
class RecoverResult(Result):
    """``best`` int [clip, unit]: at place k stands unit ``best[clip, k]``, one of ``tied`` [clip] equally good orders.

    ``before`` float [clip, unit, unit] in 0..1: how surely one comes before the other, for the model. ``each`` float
    [clip, measure] in the order of ``MEASURES``; ``p`` float [clip]: the share of orders with τ at least as high, by
    chance; ``still`` float [clip]: τ of a film of one frame. ``tests``: over clips, name → p. ``frames`` uint8
    [unit, height, width, rgb] of the first clip, in true order.
    """

    PICTURES: ClassVar[tuple[str, ...]] = ("frames",)

    how: str
    clips: tuple[str, ...]
    texts: tuple[str, ...]
    best: np.ndarray
    tied: np.ndarray
    before: np.ndarray
    each: np.ndarray
    measures: tuple[Recovered, ...]
    p: np.ndarray
    still: np.ndarray
    tests: dict[str, float]
    times_s: np.ndarray
    frames: np.ndarray
    about: dict[str, Any]
    notes: tuple[str, ...]

    def __getitem__(self, name: str) -> Recovered:
        """A measure by its name (see ``MEASURES``)."""
        return self.measures[list(MEASURES).index(name)]


def recover_order(
    model: Any,
    clips: Clip | Sequence[Clip],
    texts: Sequence[str] | None = None,
    *,
    what: str = "frames",
    frames: int | None = None,
    resamples: int = 1000,
    seed: int = 0,
    quiet: bool = False,
) -> RecoverResult:
    """Put clips in order by a head for order if the model has one, else by how well the texts (captions) match.

    ``what``: "frames", or "tubelets", which are moved whole (matching only). ``frames``: how many are shown.

    Raises ``Unsupported`` for a model with neither head, ``ConfigError`` for more frames than all orders can be tried
    of, and for texts that do not go with the clips.
    """
    from tqdm.auto import tqdm

    many = [clips] if isinstance(clips, Clip) else list(clips)
    if not many or (texts is not None and len(texts) != len(many)):
        raise ConfigError(f"{len(many)} clips: give one or more, and one text for each.")
    if what not in ("frames", "tubelets"):
        raise ConfigError(f"What is put in order are 'frames' or 'tubelets', not {what!r}.")
    inputs = model.inputs if frames is None else replace(model.inputs, frames=frames)
    said = [text_of(model, clip, None if texts is None else texts[i]) for i, clip in enumerate(many)]
    found, batch, how = [], None, ""
    for clip, text in zip(tqdm(many, unit="clip", desc="ordering", disable=quiet or len(many) < 5), said, strict=True):
        batch = beside(model, prepare([clip], [text], inputs))
        read, how = _reader(model, batch, what)
        still = replace(batch, video=batch.video[:, :1].expand_as(batch.video).contiguous())
        best, before = read(batch, seed, False)
        found.append((best, before, alike(_units(batch, best.shape[1])), read(still, seed, True)[0]))
    assert batch is not None
    units = found[0][0].shape[1]
    each = np.array([judged(best, same) for best, _, same, _ in found])
    null = judge(all_orders(units), np.zeros((units, units), dtype=bool))
    mean, low, high = bootstrap(each, np.arange(len(each)), resamples, seed)
    measures = tuple(
        Recovered(name, float(mean[i]), float(low[i]), float(high[i]), float(chance.mean()), float(chance.std()))
        for i, (name, chance) in enumerate(zip(MEASURES, null.T, strict=True))
    )
    p, middle = zip(*(_chance(best, null[:, 0]) for best, _, _, _ in found), strict=True)
    at = (np.arange(units) * 2 + 1) * batch.video.shape[1] // (2 * units)
    first = prepare([many[0]], [said[0]], inputs).times_s[0][at]
    return RecoverResult(
        how=how,
        clips=tuple(clip.name for clip in many),
        texts=tuple(said),
        best=np.stack([best[0] for best, _, _, _ in found]),
        tied=np.array([len(best) for best, _, _, _ in found]),
        before=np.stack([before for _, before, _, _ in found]),
        each=each,
        measures=measures,
        p=np.array(p),
        still=np.array([judged(s, np.zeros((units, units), dtype=bool))[0] for _, _, _, s in found]),
        tests={"τ, sign flip": sign_flip(each[:, 0]), "τ among all orders, Stouffer": stouffer(middle)},
        times_s=np.asarray(first, dtype=float),
        frames=many[0].sample(first.tolist(), 96),
        about=about(model) | {"seed": seed},
        notes=_flags(model, many, found, lost_motion(model, batch) if how == BY_MATCH and what == "frames" else ()),
    )


# ── what a model says ─────────────────────────────────────────────────────────────────────────────


def _reader(model: Any, batch: Batch, what: str) -> tuple[Any, str]:
    """How a model is asked, also in words: a function of a batch, a seed, and whether equal orders are asked each.

    It gives the best orders [tied, unit], and how surely one comes before another [unit, unit].
    """
    name = getattr(model, "name", type(model).__name__)
    with torch.inference_mode():
        output = model(batch)
    if what == "frames" and (output.order_logits is not None or output.relation_logits is not None):
        _few(units_of(model, batch), MOST, name)
        how = "moments, as understood" if hasattr(model, "reorder") else "frames"
        return lambda some, seed, _: by_pairs(pair_logits(model, some, seed)), f"a head for order, by pairs of {how}"
    if output.match_logits is None:
        try:
            needs(model, output, "order_logits", "order, nor one for matching")
        except Unsupported as lacking:
            raise Unsupported(f"{lacking} Families that match can be asked as well.") from None
    moving = move(model, batch, what)
    _few(moving.units, ALL, name)
    rows = all_orders(moving.units)

    def read(some: Batch, seed: int, every: bool) -> tuple[np.ndarray, np.ndarray]:
        scores = move(model, some, what).scores(rows, every=every)[:, 0]
        best = rows[scores >= scores.max() - ties(scores)]
        return best, _shares(best)

    return read, BY_MATCH


def _few(units: int, most: int, name: str) -> None:
    if not 2 <= units <= most:
        raise ConfigError(
            f"{name} is shown {units} things to put in order, and orders of 2 to {most} can all be tried. Show it so "
            "many: frames=4, or move whole groups: what='tubelets'."
        )


def units_of(model: Any, batch: Batch) -> int:
    """How many things change places where a head for order is asked."""
    return int(model.grid(batch)[0]) if hasattr(model, "reorder") else batch.video.shape[1]


def pair_logits(model: Any, batch: Batch, seed: int = 0) -> np.ndarray:
    """log p(i comes before j) [unit, unit] by a head for order, over a balanced set of orders that it was shown.

    Each unit stands at each place equally often, and each pair as often one way round as the other.
    """
    units = units_of(model, batch)
    rng = np.random.default_rng(seed)
    shown = np.concatenate([_balanced(rng.permutation(units)) for _ in range(SPREADS)])
    total = np.zeros((units, units))
    with torch.inference_mode():
        at_once = len(shown) if hasattr(model, "reorder") else FORWARDS  # the eyes look but once
        for start in range(0, len(shown), at_once):
            some = shown[start : start + at_once]
            for row, pairs in zip(some, shown_pairs(model, batch, some), strict=True):
                total[np.ix_(row, row)] += pairs
    return total / len(shown)


def shown_pairs(model: Any, batch: Batch, rows: np.ndarray, video: Stream | None = None) -> np.ndarray:
    """log p(the unit at place i comes before that at j) [order, i, j]; ``rows`` [order, unit]: which is where.

    Of a single clip all orders, of several one each; ``video``: what the model embedded of them before, if it can
    ``reorder`` that.
    """
    order = torch.from_numpy(rows).to(batch.word_ids.device)
    if hasattr(model, "reorder"):
        output = model.reorder(batch, order) if video is None else model.reorder(batch, order, video)
    else:
        each = batch.take(frame_order.whose(len(batch), order).tolist())
        output = model(replace(each, video=frame_order.move(batch.video, order)))
    if output.order_logits is not None:
        return log_before(output.order_logits.double().log_softmax(dim=-1).cpu().numpy())
    relations = needs(model, output, "relation_logits", "order").double()
    before, after = relations[..., 2:].log_softmax(dim=-1).unbind(-1)
    both = before + after.transpose(1, 2)  # i before j, and j after i
    return np.asarray((both - torch.logaddexp(both, both.transpose(1, 2))).cpu().numpy())


def _balanced(order: np.ndarray) -> np.ndarray:
    """All rotations of an order and of its reverse: int [2 · unit, unit]."""
    return np.stack([np.roll(one, k) for one in (order, order[::-1]) for k in range(len(order))])


def log_before(log_place: np.ndarray) -> np.ndarray:
    """log p(frame at place) [*, frame, place] to log p(i before j) [*, i, j], given that their places differ."""
    place = np.exp(log_place)
    later = np.cumsum(place[..., ::-1], axis=-1)[..., ::-1] - place  # p(behind place)
    first = place @ later.swapaxes(-1, -2)
    with np.errstate(divide="ignore"):
        out: np.ndarray = np.log(np.maximum(first, 1e-30)) - np.log(np.maximum(first + first.swapaxes(-1, -2), 1e-30))
    out[..., np.arange(place.shape[-2]), np.arange(place.shape[-2])] = 0.0
    return out


def by_pairs(log_pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The likeliest orders [tied, unit] by log p(i before j) [unit, unit], and p(i before j) itself."""
    rows = all_orders(len(log_pairs))
    first, second = np.triu_indices(len(log_pairs), 1)
    total = log_pairs[rows[:, first], rows[:, second]].sum(axis=1)
    sure = np.exp(log_pairs)
    shares = sure / (sure + sure.T)
    return rows[total >= total.max() - ties(total)], shares


def _shares(rows: np.ndarray) -> np.ndarray:
    """The share of orders in which one stands before another: [unit, unit], ½ with itself."""
    place = rows.argsort(axis=1)
    return np.asarray((place[:, :, None] < place[:, None]).mean(axis=0) + np.eye(rows.shape[1]) / 2)


# ── how good it is ────────────────────────────────────────────────────────────────────────────────


def _units(batch: Batch, count: int) -> np.ndarray:
    """Pixels of each thing that is put in order: [unit, …]."""
    return batch.video[0].cpu().numpy().reshape(count, -1)


def alike(units: np.ndarray) -> np.ndarray:
    """Which things look the same, and have no order: bool [unit, unit], False on the diagonal."""
    apart = ((units[:, None] - units[None]) ** 2).mean(axis=-1)
    return np.asarray((apart < ALIKE) & ~np.eye(len(units), dtype=bool))


def judged(best: np.ndarray, same: np.ndarray) -> np.ndarray:
    """``MEASURES`` of equally good orders [tied, unit], in the mean: float [measure]; see ``judge``."""
    return np.asarray(judge(best, same).mean(axis=0))


def judge(rows: np.ndarray, same: np.ndarray) -> np.ndarray:
    """``MEASURES`` of each order int [order, unit]: float [order, measure].

    Pairs that are the ``same`` [unit, unit] do not count; where some are, τ is (right − wrong) / √(pairs · counted
    pairs), which is τ-b. NaN where no pair is left.
    """
    units = rows.shape[1]
    place = rows.argsort(axis=1)
    first, second = np.triu_indices(units, 1)
    counted = ~same[first, second]
    if not counted.any():
        return np.full((len(rows), len(MEASURES)), np.nan)
    right = place[:, first] < place[:, second]
    pairs = right[:, counted].mean(axis=1)
    tau = (2 * pairs - 1) * np.sqrt(counted.sum() / len(counted))
    away = np.abs(place - np.arange(units))
    spearman = 1 - 6 * (away**2).sum(axis=1) / (units * (units**2 - 1))  # of ranks without ties
    exact = (right | ~counted).all(axis=1)
    return np.stack([tau, spearman, pairs, away.mean(axis=1), exact], axis=1)


def _chance(best: np.ndarray, null: np.ndarray) -> tuple[float, float]:
    """Of one clip: the share of all orders with a τ at least as high, and the same with ties counted half."""
    units = best.shape[1]
    tau = 1 - 4 * kendall(best).mean() / (units * (units - 1))
    higher, equal = (null > tau + 1e-9).mean(), (np.abs(null - tau) <= 1e-9).mean()
    return float(higher + equal), float(np.clip(higher + equal / 2, 1e-9, 1 - 1e-9))


def _flags(
    model: Any, clips: Sequence[Clip], found: Sequence[tuple[np.ndarray, ...]], moved: tuple[str, ...]
) -> tuple[str, ...]:
    """What the reader must know; ``moved``: what else than order changed."""
    out = list(dict.fromkeys(note for clip in clips for note in notices(model, clip)))[:3]
    out += [*a_case(len(clips)), *moved]
    tied = sum(len(best) > 1 for best, *_ in found)
    if tied:
        have = "s have" if tied > 1 else " has"
        out.append(f"{tied} clip{have} several orders that are equally good for the model; they count as their mean.")
    same = sum(bool(pairs.any()) for _, _, pairs, _ in found)
    if same:
        out.append(
            f"{same} clip{'s have' if same > 1 else ' has'} frames that look the same; their order is not asked for."
        )
    least = 1 / len(all_orders(found[0][0].shape[1]))
    if least > 0.05:
        out.append(f"One clip of so few frames cannot give a p below {least:.3f}; only the tests over clips can.")
    return tuple(out)
