"""Orders of a few things: all of them or some, how far each is from the true one, and where a score stands among them.

An order is a row of indices: at place k stands thing ``row[k]``; the true order is 0, 1, 2, …
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np
from scipy import stats

from vtexplore.errors import ConfigError
from vtexplore.probes.retrieve import EQUAL

ALL = 6
"""Up to so many things are put into all orders (720); of more, some orders are drawn."""


@dataclass(frozen=True)
class Orders:
    """``rows`` int [order, unit], the true order first; ``drawn`` bool [order]: those that a true one is held against.

    ``named`` are rows that have a name: "as it is", "reversed", "halves swapped", "neighbours swapped".
    """

    rows: np.ndarray
    drawn: np.ndarray
    named: dict[str, int]


def orders_of(units: int, draws: int, seed: int = 0) -> Orders:
    """All orders of up to 6 things, or ``draws`` different ones that are not the true one, and those with a name.

    Raises ``ConfigError`` for fewer than two things, or no draws.
    """
    if units < 2:
        raise ConfigError("One thing has one order. Give the model two frames or more: frames=4.")
    if draws < 1:
        raise ConfigError(f"{draws} orders cannot be drawn; draw one or more.")
    true = np.arange(units)
    if units <= ALL:
        rows = all_orders(units)
        drawn = np.arange(len(rows)) > 0
    else:
        rng = np.random.default_rng(seed)
        found = {tuple(true.tolist()): None}
        while len(found) <= draws:
            found[tuple(rng.permutation(units).tolist())] = None
        rows = np.array(list(found))
        drawn = np.arange(len(rows)) > 0
    named = {}
    for name, row in _named(units).items():
        at = np.flatnonzero((rows == row).all(axis=1))
        if not len(at):
            rows, drawn, at = np.concatenate([rows, row[None]]), np.append(drawn, False), np.array([len(rows)])
        named[name] = int(at[0])
    return Orders(rows, drawn, named)


def all_orders(units: int) -> np.ndarray:
    """Every order, the true one first: int [units!, unit]."""
    return np.array(list(permutations(range(units))), dtype=np.int64)


def _named(units: int) -> dict[str, np.ndarray]:
    true, half = np.arange(units), units // 2
    swapped = true.copy()
    swapped[: 2 * half] = true[: 2 * half].reshape(-1, 2)[:, ::-1].ravel()
    return {
        "as it is": true,
        "reversed": true[::-1],
        "halves swapped": np.roll(true, -half),
        "neighbours swapped": swapped,
    }


def kendall(rows: np.ndarray) -> np.ndarray:
    """How many pairs stand the wrong way round, 0 … units · (units − 1) / 2: int [order] (Kendall 1938)."""
    first, second = np.triu_indices(rows.shape[1], 1)
    return np.asarray((rows[:, first] > rows[:, second]).sum(axis=1))


def ties(scores: np.ndarray) -> float:
    """Scores nearer to each other than this are equal: rounding, not order."""
    return EQUAL * max(1.0, float(np.abs(scores).max(initial=0)))


def differences(scores: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Score as it is less that of each drawn order: float [order]; 0 where the two are equal but for rounding."""
    gaps = float(scores[0]) - scores[drawn].astype(float)
    return np.where(np.abs(gaps) <= ties(scores), 0.0, gaps)


def rank_p(gaps: np.ndarray) -> float:
    """p = (1 + #{drawn orders with at least the true one's score}) / (1 + #{drawn}): in (0, 1]."""
    return float((1 + (gaps <= 0).sum()) / (1 + len(gaps)))


def middle_p(gaps: np.ndarray) -> float:
    """The same with the true order, and what ties with it, counted half: in (0, 1), ½ in the mean by chance."""
    return float(((gaps < 0).sum() + ((gaps == 0).sum() + 1) / 2) / (1 + len(gaps)))


def dose(scores: np.ndarray, rows: np.ndarray) -> float:
    """Spearman's ρ of how far an order is from the true one and its score, −1 … 1; NaN if all scores are equal."""
    if len(rows) < 3 or np.ptp(scores) <= ties(scores) or np.ptp(kendall(rows)) == 0:
        return float("nan")
    return float(stats.spearmanr(kendall(rows), scores).statistic)
