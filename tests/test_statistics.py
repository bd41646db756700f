"""Intervals, tests and corrections, against answers that are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtexplore.statistics import better_than, bootstrap, holm, mcnemar, sign_flip, stouffer, wilson


def test_the_bootstrap_draws_clips_with_all_their_items() -> None:
    values = np.array([[0.0], [0.0], [0.0], [1.0]])
    mean, low, high = bootstrap(values, np.array([0, 0, 0, 1]), resamples=4000)
    assert mean[0] == 0.25 and low[0] == 0 and high[0] == 1  # one of two clips is often drawn twice
    mean, low, high = bootstrap(np.random.rand(400, 2, 3), np.arange(400))
    assert mean.shape == (2, 3) and ((low < mean) & (mean < high)).all() and (high - low < 0.1).all()
    again = bootstrap(np.full((5, 1), np.nan), np.arange(5))
    assert np.isnan(again).all()


def test_the_bootstrap_covers_what_it_should() -> None:
    """95 % intervals of the mean of 60 uniform numbers hold 0.5 about 95 times in a hundred."""
    rng = np.random.default_rng(0)
    values = rng.random((60, 300))
    _, low, high = bootstrap(values, np.arange(60))
    assert 0.9 < ((low < 0.5) & (high > 0.5)).mean() < 0.985


def test_a_sign_flip_counts_all_ways() -> None:
    """Five clips that agree: only all signs as they are, or all flipped, are as extreme: 2 of 2⁵."""
    assert sign_flip(np.array([1.0, 2, 3, 4, 5])) == pytest.approx(2 / 32)
    assert sign_flip(np.array([1.0, -1.0, np.nan])) == 1
    assert np.isnan(sign_flip(np.array([np.nan])))


def test_a_drawn_sign_flip_is_never_0_and_mostly_keeps_quiet() -> None:
    assert 0 < sign_flip(np.ones(40), resamples=999) <= 0.005
    rng = np.random.default_rng(0)
    alarms = [sign_flip(rng.normal(size=30), resamples=199, seed=i) <= 0.05 for i in range(200)]
    assert np.mean(alarms) < 0.11


def test_mcnemar_looks_only_at_clips_that_differ() -> None:
    first = np.array([True] * 10 + [True] * 6 + [False] * 5)
    second = np.array([True] * 10 + [False] * 6 + [False] * 5)
    assert mcnemar(first, second) == pytest.approx(2 * 0.5**6)
    assert mcnemar(first, first) == 1


def test_wilson_as_printed() -> None:
    low, high = wilson(81, 263)  # Newcombe 1998, Table I, method 3
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
    assert wilson(0, 10)[0] == 0


def test_better_than_chance() -> None:
    assert better_than(5, 5, 0.5) == pytest.approx(1 / 32)
    assert better_than(0, 5, 0.5) == 1


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, np.nan]).tolist()[:3] == pytest.approx([0.03, 0.06, 0.06])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_only_raises_and_keeps_the_order(p: list[float]) -> None:
    found = holm(p)
    assert (found >= np.array(p) - 1e-12).all() and (found <= 1).all()
    assert (np.diff(found[np.argsort(p, kind="stable")]) >= -1e-12).all()


def test_stouffer_pools() -> None:
    assert stouffer([0.5, 0.5]) == pytest.approx(0.5)
    assert stouffer([0.1] * 10) < 1e-4


def test_one_clip_proves_nothing() -> None:
    assert sign_flip(np.array([3.0, np.nan])) == 1.0 and np.isnan(sign_flip(np.array([np.nan])))
