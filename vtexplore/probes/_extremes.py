"""The best and the worst order in which units could be taken away: what a map's AOPC can reach at all.

    AOPC     mean over k = 1 … n of f(x) − f(without the first k of n units)
    NAOPC    (AOPC − lowest) / (highest − lowest) over all orders: 1 is the best order there is, 0 the worst

(Edin et al. 2024, arXiv:2408.08137.) An order is a way through the sets of units, one unit at a time, so that all n!
orders are known from 2ⁿ sets; with more units, only the best sets of each size are followed (a beam).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

EXACT = 8  # units of which all sets are asked: 256
MOST = 24  # units whose orders are searched at all
BEAM = 5

Ask = Callable[[np.ndarray], np.ndarray]
"""The number for each row of kept units: bool [item, unit] → float [item]."""


def aopc(curve: np.ndarray) -> np.ndarray:
    """Mean loss over curves [..., step] of the number, from nothing taken away to all: f(x) − f, without step 0."""
    return np.asarray((curve[..., :1] - curve[..., 1:]).mean(axis=-1))


def extremes(ask: Ask, units: int, beam: int = BEAM) -> tuple[float, float]:
    """The lowest and the highest AOPC of all orders of ``units``: exactly, or by beams of some width."""
    return (_exactly if units <= EXACT else _by_beams)(ask, units, beam)


def naopc(value: np.ndarray, lowest: np.ndarray, highest: np.ndarray, least: float) -> np.ndarray:
    """0..1 for AOPCs that lie between (a beam may miss the best); NaN where the two are less than ``least`` apart."""
    span = np.where(highest - lowest > least, highest - lowest, np.nan)
    return np.asarray((value - lowest) / span)


def _exactly(ask: Ask, units: int, _: int) -> tuple[float, float]:
    """The sum of losses along the best and the worst way through all sets, from small sets to large ones."""
    gone = (np.arange(2**units)[:, None] >> np.arange(units)) & 1 > 0
    said = ask(~gone)
    loss = said[0] - said
    low, high = np.zeros((2, len(gone)))
    for which in range(1, len(gone)):  # a set's number is above those of its parts
        before = which & ~(1 << np.flatnonzero(gone[which]))
        low[which] = loss[which] + low[before].min()
        high[which] = loss[which] + high[before].max()
    return float(low[-1] / units), float(high[-1] / units)


def _by_beams(ask: Ask, units: int, beam: int) -> tuple[float, float]:
    return -_beam(lambda kept: -ask(kept), units, beam), _beam(ask, units, beam)


def _beam(ask: Ask, units: int, beam: int) -> float:
    """The highest AOPC that is found by following the ``beam`` best sets of each size."""
    whole = float(ask(np.ones((1, units), dtype=bool))[0])
    kept, total = np.ones((1, units), dtype=bool), np.zeros(1)
    for _ in range(units):
        row, unit = np.nonzero(kept)
        after = kept[row].copy()
        after[np.arange(len(row)), unit] = False
        sums = total[row] + whole - ask(after)
        best: dict[bytes, int] = {}
        for at in np.argsort(-sums, kind="stable"):  # of ways to one set, the best
            best.setdefault(after[at].tobytes(), int(at))
        chosen = list(best.values())[:beam]
        kept, total = after[chosen], sums[chosen]
    return float(total[0] / units)
