"""What many clips say together: intervals, tests, and corrections for having looked often.

The unit is the clip, never the forward: items of one clip are drawn together. A p-value is never 0: the clips as they
are count as one of the possible outcomes, p = (1 + #{as extreme}) / (1 + #{drawn}).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

RESAMPLES = 1000
EXACT = 12
"""Up to so many clips all sign patterns are tried (4096); beyond, some are drawn."""


def bootstrap(
    values: np.ndarray, clips: np.ndarray, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean and 95 % interval over clips of ``values`` [item, …]; NaN items do not count.

    ``clips`` [item] says which clip an item belongs to: clips are drawn, with all their items (percentile
    bootstrap of the ratio of sums, vectorised as one product of matrices). Returns mean, low, high […].
    """
    ids, at = np.unique(clips, return_inverse=True)
    flat = values.reshape(len(values), -1)
    real = ~np.isnan(flat)
    sums, counts = np.zeros((2, len(ids), flat.shape[1]))
    np.add.at(sums, at, np.where(real, flat, 0))
    np.add.at(counts, at, real)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(ids), np.full(len(ids), 1 / len(ids)), size=resamples).astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = (drawn @ sums) / (drawn @ counts)  # [resample, column]
        mean = sums.sum(axis=0) / counts.sum(axis=0)
    empty = counts.sum(axis=0) == 0
    low, high = np.full((2, flat.shape[1]), np.nan)
    if not empty.all():
        low[~empty], high[~empty] = np.nanpercentile(means[:, ~empty], [2.5, 97.5], axis=0)
    shape = values.shape[1:]
    return mean.reshape(shape), low.reshape(shape), high.reshape(shape)


def sign_flip(differences: np.ndarray, resamples: int = 9999, seed: int = 0) -> float:
    """Two-sided p that the mean of one difference a clip [clip] is 0.

    Signs are flipped in all ways, or in ``resamples`` ways. Clips without a difference (NaN) do not count;
    NaN if none is left; one alone is as far from 0 either way, so that p is 1.
    """
    given = differences[~np.isnan(differences)]
    if len(given) < 2:
        return 1.0 if len(given) else float("nan")  # of one clip, both signs are as extreme
    exact = len(given) <= EXACT
    rng = np.random.default_rng(seed)
    found = stats.permutation_test(
        (given,),
        lambda x, axis: x.mean(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf if exact else resamples,
        batch=1000,
        rng=rng,
    )
    return float(found.pvalue)


def mcnemar(first: np.ndarray, second: np.ndarray) -> float:
    """Two-sided exact p that two conditions are equally often right (True) on the same clips: bool [clip] each."""
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    if only_first + only_second == 0:
        return 1.0
    return float(stats.binomtest(only_first, only_first + only_second, 0.5).pvalue)


def wilson(right: int, count: int) -> tuple[float, float]:
    """95 % interval of a share, right / count, of independent items (Wilson 1927)."""
    found = stats.binomtest(right, count).proportion_ci(0.95, method="wilson")
    return float(found.low), float(found.high)


def better_than(right: float, count: int, chance: float) -> float:
    """One-sided exact p of ``right`` of ``count`` independent items by a chance of 0..1; a half is rounded down."""
    return float(stats.binomtest(int(right), count, chance, alternative="greater").pvalue)


def holm(p: Sequence[float]) -> np.ndarray:
    """p-values of a family of tests, so that one false alarm among all has at most the stated chance (Holm 1979).

    In the order given, ≤ 1, NaN where a test has none.
    """
    given = np.asarray(p, dtype=float)
    real = ~np.isnan(given)
    order = np.flatnonzero(real)[np.argsort(given[real], kind="stable")]
    steps = given[order] * np.arange(len(order), 0, -1)
    out = np.full(len(given), np.nan)
    out[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return out


def stouffer(p: Sequence[float]) -> float:
    """One p from independent one-sided ones (Stouffer 1949), each below 1."""
    return float(stats.combine_pvalues(list(p), method="stouffer").pvalue)
