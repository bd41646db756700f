"""Frames put back in order by models that know it, know nothing, or look at where a frame stands."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from toy_order import FALLS, Blind, Judge, Placer, Relater, stairs, story_words

from vtexplore.data.prepare import prepare
from vtexplore.errors import ConfigError, Unsupported
from vtexplore.probes._orders import all_orders, kendall
from vtexplore.probes.recover_order import (
    MEASURES,
    RecoverResult,
    alike,
    by_pairs,
    judge,
    judged,
    log_before,
    pair_logits,
    recover_order,
)
from vtexplore.types import Batch, Output

CLIPS = [stairs(name="one"), stairs((0.2, 0.3, 0.6, 0.9), name="two"), stairs((0.1, 0.2, 0.3, 0.8), name="three")]


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> str:
    return story_words(tmp_path_factory.mktemp("story"))


def apart(units: int) -> np.ndarray:
    return np.zeros((units, units), dtype=bool)


# ── chance ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("units", [3, 4, 5, 6])
def test_chance_is_what_the_formulas_say(units: int) -> None:
    null = judge(all_orders(units), apart(units))
    tau, spearman, pairs, away, exact = null.mean(axis=0)
    assert np.allclose([tau, spearman, pairs], [0, 0, 0.5], atol=1e-9)
    assert np.isclose(null[:, 0].std(), np.sqrt(2 * (2 * units + 5) / (9 * units * (units - 1))))
    assert np.isclose(away, (units**2 - 1) / (3 * units)) and np.isclose(exact, 1 / len(null))


@given(st.permutations(range(6)))
def test_tau_counts_pairs_and_is_scipys(order: list[int]) -> None:
    tau, spearman, pairs, _, exact = judged(np.array([order]), apart(6))
    place = np.argsort(order)
    assert np.isclose(tau, stats.kendalltau(np.arange(6), place, variant="b").statistic)
    assert np.isclose(spearman, stats.spearmanr(np.arange(6), place).statistic)
    assert np.isclose(pairs, (1 + tau) / 2) and np.isclose(tau, 1 - 2 * kendall(np.array([order]))[0] / 15)
    assert exact == (order == sorted(order))
    turned = judged(np.array([order[::-1]]), apart(6))
    assert np.isclose(turned[0], -tau)


# ── pairs ─────────────────────────────────────────────────────────────────────────────────────────


@given(st.permutations(range(5)))
def test_pairs_give_back_the_order_that_made_them(order: list[int]) -> None:
    place = np.argsort(order)
    logs = np.where(place[:, None] < place, np.log(0.9), np.log(0.1))
    best, shares = by_pairs(logs)
    assert best.tolist() == [order] and np.allclose(shares + shares.T, 1)
    assert len(by_pairs(np.zeros((4, 4)))[0]) == 24


def test_pairs_of_places_by_hand() -> None:
    place = np.log(np.array([[0.7, 0.3], [0.4, 0.6]]))
    first, second = 0.7 * 0.6, 0.4 * 0.3
    assert np.isclose(log_before(place)[0, 1], np.log(first / (first + second)))
    assert np.isclose(np.exp(log_before(place)[1, 0]), second / (first + second))


def test_what_a_place_says_cancels(words: str) -> None:
    model = Placer(words, knows=False)
    batch = prepare([CLIPS[0]], [FALLS], model.inputs)
    logs = pair_logits(model, batch)
    assert np.allclose(logs, logs.T, atol=1e-9)


def test_what_looks_the_same_has_no_order() -> None:
    same = alike(np.array([[0.1], [0.1001], [0.5], [0.9]]))
    assert same.sum() == 2 and same[0, 1] and same[1, 0]
    swapped = judged(np.array([[1, 0, 2, 3]]), same)
    assert swapped[2] == 1 and swapped[4] == 1 and np.isclose(swapped[0], np.sqrt(5 / 6))
    assert np.isnan(judged(np.array([[0, 1]]), ~np.eye(2, dtype=bool))).all()


# ── models ────────────────────────────────────────────────────────────────────────────────────────


def test_who_knows_puts_them_in_order(words: str) -> None:
    for model in (Judge(words), Placer(words)):
        result = recover_order(model, CLIPS, resamples=50)
        assert (result.best == np.arange(4)).all() and result["τ"].value == 1 and result["exact"].value == 1
        assert np.allclose(result.p, 1 / 24) and np.allclose(result.still, 0) and (result.tied == 1).all()
        assert (result.before[:, 0, 1:] > 0.5).all() and result["misplaced"].value == 0
        assert result.tests["τ among all orders, Stouffer"] < 0.001
    backwards = recover_order(Judge(words), CLIPS, [FALLS] * 3, resamples=50)
    assert backwards["τ"].value == -1 and np.allclose(backwards.p, 1)


def test_who_knows_nothing_gets_nothing(words: str) -> None:
    for model in (Blind(words), Placer(words, knows=False)):
        result = recover_order(model, CLIPS, resamples=50)
        assert (
            np.allclose(result.each[:, 0], 0) and (result.tied == 24).all() and np.allclose(result["pairs"].value, 0.5)
        )
        assert np.isclose(result.tests["τ among all orders, Stouffer"], 0.5) and np.allclose(result.still, 0)
        assert any("equally good" in note for note in result.notes)


class InTwos(Judge):
    """Takes in two frames at a time."""

    def grid(self, batch: Batch) -> tuple[int, int, int]:
        return batch.video.shape[1] // 2, 1, 1


def test_motion_that_is_lost_with_order_is_told(words: str) -> None:
    """Frames that leave their group lose motion too; groups that are moved whole do not."""
    lost = {
        (type(model), what): any("inside them as well" in n for n in recover_order(model, stairs(), what=what).notes)
        for model, what in ((InTwos(words), "frames"), (InTwos(words), "tubelets"), (Judge(words), "frames"))
    }
    assert lost == {(InTwos, "frames"): True, (InTwos, "tubelets"): False, (Judge, "frames"): False}


def test_a_head_for_order_may_have_eight_frames(words: str) -> None:
    model = Placer(words, frames=7)
    result = recover_order(model, stairs(np.linspace(0.1, 0.9, 7)))
    assert result["exact"].value == 1 and result.best.shape == (1, 7)
    for wrong in (Placer(words, frames=9), Judge(words, frames=7)):
        with pytest.raises(ConfigError, match="frames=4"):
            recover_order(wrong, stairs(np.linspace(0.1, 0.9, 9)))


def test_a_head_for_pairs_moves_what_its_model_moves(words: str) -> None:
    """Frames 1 and 2 are one moment, 3 and 4 the next: two at a time change places, and within them order is free."""
    clips = [stairs((0.3, 0.1, 0.4, 0.6, 0.9, 0.8)), stairs((0.1, 0.1, 0.2, 0.2, 0.3, 0.3))]
    result = recover_order(Relater(words, frames=6), clips, resamples=50)
    assert result.best.tolist() == [[0, 1, 2]] * 2 and (result.tied == 1).all() and "pairs of moments" in result.how
    assert np.allclose(result.before[0] + result.before[0].T, 1) and result.before[0, 0, 2] > 0.99
    assert np.allclose(result.still, 0)


def test_frames_that_repeat_are_noted(words: str) -> None:
    result = recover_order(Judge(words), stairs((0.1, 0.1, 0.5, 0.9)))
    assert result["pairs"].value == 1 and result.tied[0] == 2
    assert any("look the same" in note for note in result.notes)


def test_it_survives_its_file_and_shows_itself(words: str, tmp_path: Any) -> None:
    result = recover_order(Judge(words), CLIPS, resamples=50)
    result.save(tmp_path / "x.npz")
    assert RecoverResult.load(tmp_path / "x.npz").to_dict() == result.to_dict()
    assert "First clip: 1 2 3 4." in result.plot().alt
    assert [one.name for one in result.measures] == list(MEASURES)


def test_who_says_nothing_of_order_is_unsupported(words: str) -> None:
    class Mute(Judge):
        def forward(self, batch: Any) -> Output:
            return Output()

    with pytest.raises(Unsupported, match="Families that match"):
        recover_order(Mute(words), CLIPS)
    with pytest.raises(ConfigError, match="not 'places'"):
        recover_order(Judge(words), CLIPS, what="places")
    with pytest.raises(ConfigError, match="one text"):
        recover_order(Judge(words), CLIPS, [FALLS])
