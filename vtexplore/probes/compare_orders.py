"""Does order matter to a model? Many clips, each in other orders, with the controls that such a claim needs.

    scenes = [sample_scene(i, "heldout", form="then") for i in range(64)]
    foils = [scene.foil("order").caption.text for scene in scenes]
    result = compare_orders(model, [scene.clip() for scene in scenes], foils=foils)
    result["Δ"]                     mean, 95 % interval over clips, and what it would be if order did not matter
    result.tests["Δ, sign flip"]    p
    result.plot()

One clip of four frames has 24 orders, so that it cannot say much; where among them the true one stands is uniform by
chance, and many clips can be pooled (Stouffer). A film of one frame in other orders, and films that look the same
backwards, are controls: nothing may happen there. One frame alone, no clip, and what is left of the accuracy when
frames are shuffled say whether it takes a film at all. With "A then B" for the text and "B then A" for the foil,
"arrow" asks the clip and "accuracy" asks the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy import special

from vtexplore.errors import ConfigError
from vtexplore.probes._ask import a_case, about, foil_of, notices, text_of
from vtexplore.probes._orders import middle_p, ties
from vtexplore.probes._result import Result
from vtexplore.probes.reorder import ALPHA, DRAWS, ReorderResult, reorder
from vtexplore.statistics import better_than, bootstrap, mcnemar, sign_flip, stouffer
from vtexplore.types import Clip
from vtexplore.world import holds

TOLD = {
    "Δ": "score in the true order less the mean of the others",
    "Δ, one frame repeated": "the same for a film of one frame: control",
    "ρ": "rank correlation of score and distance from the true order",
    "arrow": "clips that score higher forwards than backwards",
    "arrow, reversible": "the same where backwards looks the same: control",
    "accuracy": "text chosen over its foil, frames in order",
    "accuracy, shuffled": "… in other orders",
    "accuracy, surest frame": "… of the one frame it is surest of",
    "accuracy, mean frame": "… by the mean of single frames",
    "accuracy, oracle frame": "… if any single frame says so (biased)",
    "accuracy, no clip": "… without the clip",
    "retention": "what shuffling leaves of the accuracy above chance",
    "video gain": "accuracy less that of the surest frame",
    "flips": "shuffles that change which text is chosen",
    "divergence": "of the two texts' shares, in order and shuffled (bits)",
}
"""The measures in plain words. Shares in 0..1; Δ in units of the score; ρ in −1..1."""
CHANCE = {"arrow": 0.5, "arrow, reversible": 0.5} | {k: 0.5 for k in TOLD if k.startswith("accuracy")}
CHANCE |= {"accuracy, oracle frame": np.nan, "flips": np.nan, "divergence": 0.0, "retention": np.nan}


@dataclass(frozen=True)
class Measure:
    """A mean over ``clips`` with its 95 % interval, and what chance gives (NaN: no one value)."""

    name: str
    value: float
    low: float
    high: float
    clips: int
    chance: float


@dataclass(frozen=True)
class OrdersResult(Result):
    """``measures`` over clips (see ``TOLD``; those without an answer are left out) and ``tests``, name → p.

    ``each`` float [clip, measure] are the clips' own values in the order of ``names``, NaN where there is none; ``p``
    float [clip] is each clip's own, at least ``least_p``. ``reversible`` bool [clip]: looks the same backwards.
    """

    PICTURES: ClassVar[tuple[str, ...]] = ()

    what: str
    clips: tuple[str, ...]
    names: tuple[str, ...]
    each: np.ndarray
    measures: tuple[Measure, ...]
    tests: dict[str, float]
    p: np.ndarray
    least_p: float
    orders: int
    reversible: np.ndarray
    about: dict[str, Any]
    notes: tuple[str, ...]

    def __getitem__(self, name: str) -> Measure:
        """A measure by its name. Raises ``ConfigError`` for one that is not there."""
        for one in self.measures:
            if one.name == name:
                return one
        raise ConfigError(f"{name!r} was not measured here; there are {', '.join(m.name for m in self.measures)}.")

    def __contains__(self, name: str) -> bool:
        return any(one.name == name for one in self.measures)


def compare_orders(
    model: Any,
    clips: Sequence[Clip],
    texts: Sequence[str] | None = None,
    *,
    foils: Sequence[str] | None = None,
    reversible: Sequence[bool] | None = None,
    what: str = "frames",
    draws: int = DRAWS,
    resamples: int = 1000,
    seed: int = 0,
    quiet: bool = False,
) -> OrdersResult:
    """Score each clip's text (None = its caption) in all orders of its frames, or in ``draws``; see ``reorder``.

    ``foils``: for each clip a text that is false of it. ``reversible``: which clips look the same backwards; None = as
    the truth of a generated world says, unknown elsewhere.

    Raises ``ConfigError`` where clips and texts do not go together, and like ``reorder``.
    """
    from tqdm.auto import tqdm

    if not clips or any(given is not None and len(given) != len(clips) for given in (texts, foils, reversible)):
        raise ConfigError(f"{len(clips)} clips: give one or more, and for each of them one text, one foil, one answer.")
    said = [text_of(model, clip, None if texts is None else texts[i]) for i, clip in enumerate(clips)]
    false = [foil_of(model, *given) for given in zip(clips, said, foils or (), strict=foils is not None)]
    found = [
        reorder(
            model,
            clip,
            said[i],
            foil=false[i] if false else None,
            what=what,
            draws=draws,
            seed=seed + i,
            quiet=True,
        )
        for i, clip in enumerate(tqdm(clips, unit="clip", desc="reordering", disable=quiet))
    ]
    known = [same_backwards(clip) for clip in clips] if reversible is None else list(reversible)
    backwards = np.array([answer is True for answer in known])
    rows = [measured(one, bool(same)) for one, same in zip(found, backwards, strict=True)]
    each = np.array([[row[name] for name in rows[0]] for row in rows], dtype=float)
    names = tuple(rows[0])
    measures = _measures(each, names, resamples, seed)
    return OrdersResult(
        what=what,
        clips=tuple(clip.name for clip in clips),
        names=names,
        each=each,
        measures=measures,
        tests=_tests(found, each, names),
        p=np.array([one.p() for one in found]),
        least_p=found[0].least_p,
        orders=int(1 + found[0].drawn.sum()),
        reversible=backwards,
        about=about(model) | {"seed": seed, "how": found[0].how},
        notes=_flags(model, clips, found, measures, known, foils is not None),
    )


def same_backwards(clip: Clip) -> bool | None:
    """Whether a clip's caption is true of the clip backwards as well; None where no world knows."""
    scene = getattr(clip.truth, "scene", None)
    return None if scene is None else holds(scene.reversed(), scene.statement)


# ── one clip ──────────────────────────────────────────────────────────────────────────────────────


def measured(one: ReorderResult, reversible: bool) -> dict[str, float]:
    """What one clip says of each measure; NaN where it says nothing."""
    score, back = (float(one.scores[one.named[name], 0]) for name in ("as it is", "reversed"))
    arrow = 0.5 if abs(score - back) <= ties(one.scores[:, 0]) else float(score > back)
    out = {
        "Δ": one.delta(),
        "Δ, one frame repeated": one.still_delta(),
        "ρ": one.rho(),
        "arrow": np.nan if reversible else arrow,
        "arrow, reversible": arrow if reversible else np.nan,
    }
    if len(one.texts) < 2:
        return out
    right, surest = float(one.right[0]), one.still_right()
    blind = float(one.blind[0]) - float(one.blind[1])
    return out | {
        "accuracy": right,
        "accuracy, shuffled": float(one.right[one.drawn].mean()),
        "accuracy, surest frame": surest,
        "accuracy, mean frame": one.still_right("mean"),
        "accuracy, oracle frame": one.still_right("oracle"),
        "accuracy, no clip": 0.5 if abs(blind) <= ties(one.blind) else float(blind > 0),
        "video gain": right - surest,
        "flips": one.flips,
        "divergence": divergence(one.scores[0], one.scores[one.drawn]),
    }


def divergence(true: np.ndarray, others: np.ndarray) -> float:
    """Jensen-Shannon divergence, 0 … 1 bit, of the texts' shares and the mean of others: [text] and [order, text].

    Shares are a softmax of scores, which have no unit: compare within a family only.
    """
    p, q = special.softmax(true.astype(float)), special.softmax(others.astype(float), axis=1).mean(axis=0)
    nats = (special.rel_entr(p, (p + q) / 2) + special.rel_entr(q, (p + q) / 2)).sum() / 2
    return float(max(nats, 0.0) / np.log(2))


# ── all clips ─────────────────────────────────────────────────────────────────────────────────────


def _measures(each: np.ndarray, names: tuple[str, ...], resamples: int, seed: int) -> tuple[Measure, ...]:
    mean, low, high = bootstrap(each, np.arange(len(each)), resamples, seed)
    counts = (~np.isnan(each)).sum(axis=0)
    out = [
        Measure(name, float(mean[i]), float(low[i]), float(high[i]), int(counts[i]), float(CHANCE.get(name, 0.0)))
        for i, name in enumerate(names)
        if counts[i]
    ]
    if "accuracy" in names:
        right, shuffled = (each[:, names.index(name)] for name in ("accuracy", "accuracy, shuffled"))
        kept = retention(right, shuffled, resamples, seed)
        if kept is not None:
            out.append(Measure("retention", *kept, len(each), float(CHANCE["retention"])))
    return tuple(out)


def retention(
    right: np.ndarray, shuffled: np.ndarray, resamples: int = 1000, seed: int = 0, chance: float = 0.5
) -> tuple[float, float, float] | None:
    """(accuracy shuffled − chance) / (accuracy − chance) with its 95 % interval over clips, both [clip].

    None where the accuracy is not above chance: nothing could be retained. The interval is wide where it hardly is, and
    NaN for one clip.
    """
    if right.mean() <= chance:
        return None
    value = float((shuffled.mean() - chance) / (right.mean() - chance))
    if len(right) < 2:
        return value, float("nan"), float("nan")
    drawn = np.random.default_rng(seed).multinomial(len(right), np.full(len(right), 1 / len(right)), size=resamples)
    above = drawn @ (right - chance)
    some = above != 0  # a draw may be right exactly as often as by chance
    low, high = np.percentile((drawn @ (shuffled - chance))[some] / above[some], [2.5, 97.5])
    return value, float(low), float(high)


def _tests(found: Sequence[ReorderResult], each: np.ndarray, names: tuple[str, ...]) -> dict[str, float]:
    """p-values by name; each asks one question, and they are not corrected for one another."""
    out = {
        "Δ, sign flip": sign_flip(each[:, names.index("Δ")]),
        "rank of the true order, Stouffer": stouffer([middle_p(one.gaps()) for one in found]),
    }
    arrows = each[:, names.index("arrow")]
    if (~np.isnan(arrows)).any():
        out["arrow, binomial"] = better_than(float(np.nansum(arrows)), int((~np.isnan(arrows)).sum()), 0.5)
    if "accuracy" in names:
        right, surest = (each[:, names.index(name)] == 1 for name in ("accuracy", "accuracy, surest frame"))
        out["video gain, McNemar"] = mcnemar(right, surest)
    return out


def _flags(
    model: Any,
    clips: Sequence[Clip],
    found: Sequence[ReorderResult],
    measures: tuple[Measure, ...],
    known: Sequence[bool | None],
    foils: bool,
) -> tuple[str, ...]:
    out = list(dict.fromkeys(note for clip in clips for note in notices(model, clip)))[:3]
    out += [note for note in found[0].notes if "tubelets" in note or note.startswith("What changed")]
    out += [f"{note} To see a tenth fewer right answers takes about 155 clips." for note in a_case(len(clips))]
    if found[0].least_p > ALPHA:
        out.append(
            f"{1 + int(found[0].drawn.sum())} orders cannot give one clip a p below {found[0].least_p:.3f}; only the "
            "tests over clips can say more."
        )
    moved = next(m for m in measures if m.name == "Δ, one frame repeated")
    if moved.value != 0:
        out.append(
            f"A film of one frame changes its score by {moved.value:+z.3f} in the mean when it is reordered: that much "
            "is the ends of the clip and its places in time, not what happens."
        )
    if all(answer is None for answer in known):
        out.append("Nobody said which clips look the same backwards, so the arrow of time counts all of them.")
    if not foils:
        out.append("Without foils there is no accuracy: no flips, no single frame, no answer without the clip.")
    else:
        out.append("The oracle frame is chosen by the right answer and finds one by chance: it is no baseline.")
        if not any(m.name == "retention" for m in measures):
            out.append("Texts are not chosen over their foils more often than by chance: nothing could be retained.")
    return tuple(out)
