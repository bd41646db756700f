"""True sentences against false ones over many clips: chosen, and believed; and what the sentences give away.

    scenes = [sample_scene(i, "heldout", form="then") for i in range(64)]
    foils = [scene.foil("order").caption.text for scene in scenes]
    result = compare_foils(model, [scene.clip() for scene in scenes], foils)
    result["pairwise"]              how often the true sentence scores above a foil; chance ½

    pairwise            the true sentence above a foil, ties half (acc_r of VALSE: Parcalabescu et al. 2022,
                        arXiv:2112.07566)
    all foils           above every foil of its clip; chance 2^−m for m foils
    p_c, p_f            true sentences scored above the threshold, foils below it: are they believed one by one?
    accuracy, least     the mean of the two, and the lower one: who believes all has accuracy ½ and least 0
    AUROC               any true sentence above any foil, whatever the clip; needs no threshold
    proficiency         another, simpler pair of sentences for each clip: pairwise, ties lost
    P+T                 proficiency and all foils both right (ViLMA: Kesen et al. 2024, arXiv:2311.07022)
    … no clip, another  pairwise without the clip, and beside the next clip of the set: what the sentences alone give

A threshold has a meaning where the score is the logit of "they belong together": 0 is a half. A cosine has none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from vtexplore.data.prepare import prepare
from vtexplore.errors import ConfigError
from vtexplore.probes._ask import a_case, about, foil_of, needs, notices, text_of
from vtexplore.probes._nulls import hidden
from vtexplore.probes._orders import ties
from vtexplore.probes._result import Result
from vtexplore.record import beside
from vtexplore.statistics import RESAMPLES, better_than, bootstrap, mcnemar
from vtexplore.types import Batch, Clip

NO_CLIP, ANOTHER = "pairwise, no clip", "pairwise, another clip"
NO_THRESHOLD = "The score is a cosine and has no threshold, so p_c, p_f and the accuracy are left out: threshold=… ."


@dataclass(frozen=True)
class FoilShare:
    """A share in 0..1 with its 95 % interval over clips, and what chance gives (NaN: no one value)."""

    name: str
    value: float
    low: float
    high: float
    chance: float


@dataclass(frozen=True)
class FoilsResult(Result):
    """``scores`` float [clip, sentence], the true one first, NaN where a clip has fewer foils; ``blind`` and ``other``
    the same without the clip and beside another one (all NaN for a single clip); ``simple`` [clip, 2] those of the
    simpler pair, NaN without one. ``shares`` as above; ``tests`` name → p. ``threshold`` is NaN if there is none.
    """

    clips: tuple[str, ...]
    texts: tuple[tuple[str, ...], ...]
    scores: np.ndarray
    blind: np.ndarray
    other: np.ndarray
    simple: np.ndarray
    threshold: float
    shares: tuple[FoilShare, ...]
    tests: dict[str, float]
    about: dict[str, Any]
    notes: tuple[str, ...]

    def __getitem__(self, name: str) -> FoilShare:
        """A share by its name. Raises ``ConfigError`` for one that is not there."""
        for one in self.shares:
            if one.name == name:
                return one
        raise ConfigError(f"{name!r} was not measured here; there are {', '.join(s.name for s in self.shares)}.")

    @property
    def blind_share(self) -> float:
        """How much of what is above chance is there without the clip: (pairwise, no clip − ½) / (pairwise − ½)."""
        above = self["pairwise"].value - 0.5
        return (self[NO_CLIP].value - 0.5) / above if above > 0 else float("nan")


def compare_foils(
    model: Any,
    clips: Sequence[Clip],
    foils: Sequence[str | Sequence[str]],
    texts: Sequence[str] | None = None,
    *,
    proficiency: Sequence[tuple[str, str]] | None = None,
    threshold: float | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    quiet: bool = False,
) -> FoilsResult:
    """Score each clip's text (None = its caption) and its foils, one or several.

    ``proficiency``: for each clip a true and a false sentence of a simpler kind. ``threshold``: above which score a
    sentence counts as believed (None = 0, and none for a family whose score is a cosine).

    Raises ``ConfigError`` where clips and sentences do not go together, ``TextError`` for a sentence that the model
    cannot read or a foil that is the true one, ``Unsupported`` for a family that does not match.
    """
    from tqdm.auto import tqdm

    given = [[one] if isinstance(one, str) else list(one) for one in foils]
    if not clips or any(len(some) != len(clips) for some in (given, texts or clips, proficiency or clips)):
        raise ConfigError(
            f"{len(clips)} clips: give one or more, and for each of them its foils, and one text or pair."
        )
    if not all(given):
        raise ConfigError("Every clip needs a foil or more: a sentence that is false of it.")
    said = [_said(model, clip, None if texts is None else texts[i], given[i]) for i, clip in enumerate(clips)]
    pairs = [_said(model, clip, true, [false]) for clip, (true, false) in zip(clips, proficiency or (), strict=False)]
    rows: dict[str, list[np.ndarray]] = {"scores": [], "blind": [], "other": [], "simple": []}
    cosine = False
    for i, clip in enumerate(tqdm(clips, unit="clip", desc="comparing sentences", disable=quiet or len(clips) < 8)):
        found, cosine = _asked(model, clip, (*said[i], *(pairs[i] if pairs else ())))
        rows["scores"].append(found[: len(said[i])])
        rows["simple"].append(found[len(said[i]) :] if pairs else np.full(2, np.nan))
        rows["blind"].append(_asked(model, clip, said[i], hidden)[0])
        alone = len(clips) == 1
        another = np.full(len(said[i]), np.nan) if alone else _asked(model, clips[(i + 1) % len(clips)], said[i])[0]
        rows["other"].append(another)
    tables = {name: _table(some) for name, some in rows.items()}
    edge = (float("nan") if cosine else 0.0) if threshold is None else float(threshold)
    shares, tests = judge(tables, edge, resamples, seed)
    result = FoilsResult(
        clips=tuple(clip.name for clip in clips),
        texts=tuple(said),
        threshold=edge,
        shares=shares,
        tests=tests,
        about=about(model) | {"seed": seed},
        notes=(),
        **tables,
    )
    return FoilsResult(**{**vars(result), "notes": _flags(model, clips, result)})


def _said(model: Any, clip: Clip, text: str | None, foils: Sequence[str]) -> tuple[str, ...]:
    """A clip's true sentence, and its foils."""
    true = text_of(model, clip, text)
    return (true, *(foil_of(model, clip, true, foil) for foil in foils))


def _asked(
    model: Any, clip: Clip, texts: Sequence[str], change: Callable[[Batch], Batch] = lambda batch: batch
) -> tuple[np.ndarray, bool]:
    """The score of each text beside a clip, and whether it is a cosine of two embeddings."""
    with torch.inference_mode():
        output = model(change(beside(model, prepare([clip], texts, model.inputs))))
    score = needs(model, output, "match_logits", "matching").double().cpu().numpy()
    return np.asarray(score), output.video_embedding is not None and output.text_embedding is not None


def _table(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Rows of several lengths as one table, filled up with NaN."""
    out = np.full((len(rows), max(len(row) for row in rows)), np.nan)
    for i, row in enumerate(rows):
        out[i, : len(row)] = row
    return out


# ── what they say together ────────────────────────────────────────────────────────────────────────


def chosen(scores: np.ndarray) -> np.ndarray:
    """[clip, foil] of [clip, sentence]: 1 where the true sentence scores above a foil, ½ at a tie, NaN for no foil."""
    apart = scores[:, :1] - scores[:, 1:]
    known = np.abs(apart) <= ties(np.nan_to_num(scores))
    return np.where(np.isnan(apart), np.nan, np.where(known, 0.5, apart > 0))


def judge(
    tables: dict[str, np.ndarray], threshold: float, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[tuple[FoilShare, ...], dict[str, float]]:
    """All shares of ``scores``, ``blind``, ``other`` [clip, sentence] and ``simple`` [clip, 2]; and p of tests."""
    scores, clips = tables["scores"], np.arange(len(tables["scores"]))
    won = chosen(scores)
    every = np.nanmin(won, axis=1) == 1
    by_luck = float(np.mean(0.5 ** (~np.isnan(won)).sum(axis=1)))
    each: dict[str, tuple[np.ndarray, float]] = {
        "pairwise": (won, 0.5),
        "all foils": (every[:, None].astype(float), by_luck),
    }
    if not np.isnan(threshold):
        believed = np.where(np.isnan(scores), np.nan, scores > threshold)
        each |= {"p_c": (believed[:, :1], np.nan), "p_f": (1 - believed[:, 1:], np.nan)}
    if not np.isnan(tables["simple"]).all():
        able = chosen(tables["simple"])[:, 0] == 1
        each["proficiency"] = (able[:, None].astype(float), 0.5)
        each["P+T"] = ((able & every)[:, None].astype(float), 0.5 * by_luck)
    for name, table in ((NO_CLIP, "blind"), (ANOTHER, "other")):
        if not np.isnan(tables[table]).all():
            each[name] = (chosen(tables[table]), 0.5)
    out = {}
    for name, (values, chance) in each.items():
        mean, low, high = bootstrap(values.ravel(), np.repeat(clips, values.shape[1]), resamples, seed)
        out[name] = FoilShare(name, float(mean), float(low), float(high), chance)
    drawn = np.random.default_rng(seed).multinomial(len(clips), np.full(len(clips), 1 / len(clips)), size=resamples)
    weights = np.concatenate([np.ones((1, len(clips))), drawn])  # the clips as they are come first
    curves = {"AUROC": _auroc(scores, weights)}
    if not np.isnan(threshold):
        right = np.stack([_share(each[name][0], weights) for name in ("p_c", "p_f")])
        curves = {"accuracy": right.mean(axis=0), "least": right.min(axis=0)} | curves
    for name, curve in curves.items():
        low, high = np.percentile(curve[1:], [2.5, 97.5])
        out[name] = FoilShare(name, float(curve[0]), float(low), float(high), np.nan if name == "least" else 0.5)
    first = won[:, 0]
    tests = {"pairwise, first foil, binomial": better_than(float(first.sum()), len(first), 0.5)}
    if ANOTHER in out:
        tests["against another clip, McNemar"] = mcnemar(first == 1, chosen(tables["other"])[:, 0] == 1)
    names = (
        "pairwise",
        NO_CLIP,
        ANOTHER,
        "all foils",
        "p_c",
        "p_f",
        "accuracy",
        "least",
        "AUROC",
        "proficiency",
        "P+T",
    )
    return tuple(out[name] for name in names if name in out), tests


def _share(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Means of [clip, item] (NaN: none) when clips count as often as ``weights`` [draw, clip] say: [draw]."""
    real = ~np.isnan(values)
    return np.asarray((weights @ np.where(real, values, 0).sum(axis=1)) / (weights @ real.sum(axis=1)))


def _auroc(scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The share of pairs (a true sentence, a foil of any clip) in which the true one scores higher: [draw]."""
    true, foils = scores[:, 0], scores[:, 1:]
    above = (np.sign(true[:, None, None] - foils[None]) + 1) / 2  # [clip, clip, foil]
    real = (~np.isnan(foils)).sum(axis=1)
    wins = np.nansum(above, axis=2)
    return np.asarray(((weights @ wins) * weights).sum(axis=1) / (weights.sum(axis=1) * (weights @ real)))


def _flags(model: Any, clips: Sequence[Clip], result: FoilsResult) -> tuple[str, ...]:
    """What the reader must know of these shares."""
    out = list(dict.fromkeys(note for clip in clips for note in notices(model, clip)))[:3]
    out += a_case(len(clips))
    if len(clips) == 1:
        out.append(
            "There is no other clip to ask beside, which would say what the sentences give away: give two or more."
        )
    if np.isnan(result.threshold):
        out.append(NO_THRESHOLD)
    elif result["least"].value < 0.5 <= result["pairwise"].value:
        low = min((result["p_c"], result["p_f"]), key=lambda one: one.value)
        what = "true sentences are believed" if low.name == "p_c" else "foils are rejected"
        out.append(f"Chosen, but not judged one by one: only {low.value:.0%} of {what}.")
    blind = max((s for s in result.shares if s.name in (NO_CLIP, ANOTHER)), key=lambda s: s.low, default=None)
    if blind and blind.low > 0.5:
        out.append(
            f"The sentences give it away in part: {blind.name.partition(', ')[2]} {blind.value:.0%}, chance 50 %."
        )
    return tuple(out)
