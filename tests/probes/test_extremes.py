"""The best and the worst order, where all orders can be counted."""

from itertools import permutations

import numpy as np
import pytest

from vtexplore.probes._extremes import _by_beams, aopc, extremes, naopc

PARTS = np.array([5.0, -1.0, 2.0, 0.5])


def total(kept: np.ndarray) -> np.ndarray:
    return kept @ PARTS


def both_needed(kept: np.ndarray) -> np.ndarray:
    """Two units each of which is enough: taking one away does nothing."""
    return (kept[:, 0] | kept[:, 1]).astype(float) + 0.1 * kept[:, 2]


def curve(ask: object, order: object) -> np.ndarray:
    kept = np.ones((5, 4), dtype=bool)
    for k in range(4):
        kept[k + 1 :, order[k]] = False  # type: ignore[index]
    return ask(kept)  # type: ignore[operator, no-any-return]


@pytest.mark.parametrize("ask", [total, both_needed])
def test_the_extremes_are_those_of_all_orders(ask: object) -> None:
    every = [float(aopc(curve(ask, order))) for order in permutations(range(4))]
    assert extremes(ask, 4) == pytest.approx((min(every), max(every)))  # type: ignore[arg-type]
    assert _by_beams(ask, 4, 24) == pytest.approx((min(every), max(every)))  # type: ignore[arg-type]


def test_a_narrow_beam_may_miss_what_only_pays_later() -> None:
    """Unit 2 loses something at once, so that a beam of one takes it first; the two that are worth more come late."""
    assert _by_beams(both_needed, 4, 1)[1] < extremes(both_needed, 4)[1]


def test_of_a_sum_the_largest_first_is_best() -> None:
    loss = np.cumsum(np.sort(PARTS)[::-1]).mean()
    assert extremes(total, 4)[1] == pytest.approx(loss)
    assert extremes(lambda kept: kept.sum(axis=1) * 1.0, 12) == pytest.approx((6.5, 6.5))  # all orders are one


def test_one_is_the_best_and_zero_the_worst() -> None:
    low, high = extremes(total, 4)
    best, worst = (float(aopc(curve(total, order))) for order in (np.argsort(-PARTS), np.argsort(PARTS)))
    found = naopc(np.array([best, worst, (best + worst) / 2]), np.array(low), np.array(high), 0.05)
    assert found == pytest.approx([1, 0, 0.5])
    assert np.isnan(naopc(np.array([1.0]), np.array(1.0), np.array(1.01), 0.05)).all()
