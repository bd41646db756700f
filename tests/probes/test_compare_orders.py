"""Order over many clips: what a model that knows it all, or nothing, must come out with."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from toy_order import FALLS, RISES, Blind, Framewise, Judge, stairs, story_words

from vtexplore.errors import ConfigError, TextError
from vtexplore.probes.compare_orders import OrdersResult, compare_orders, divergence, retention, same_backwards
from vtexplore.world import sample_scene

CLIPS = [stairs(np.linspace(0.1 + 0.01 * i, 0.7 + 0.02 * i, 4), name=f"clip {i}") for i in range(6)]


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> str:
    return story_words(tmp_path_factory.mktemp("story"))


@pytest.fixture(scope="module")
def known(words: str) -> OrdersResult:
    still = stairs((0.4,) * 4, name="still")
    return compare_orders(
        Judge(words), [*CLIPS, still], foils=[FALLS] * 7, reversible=[False] * 6 + [True], resamples=50, quiet=True
    )


def test_a_model_that_knows_order_reaches_everything(words: str, known: OrdersResult) -> None:
    assert np.allclose(known.each[:6, 0], 6 * 24 / 23) and known.each[6, 0] == 0
    assert known["arrow"].value == 1 and known["arrow"].clips == 6
    assert known["arrow, reversible"].value == 0.5 and known["arrow, reversible"].clips == 1
    assert np.isclose(known["ρ"].value, -1) and known["Δ, one frame repeated"].value == 0
    assert np.isclose(known["accuracy"].value, 6.5 / 7) and known["accuracy, surest frame"].value == 0.5
    assert np.isclose(known["video gain"].value, 3 / 7) and known["accuracy, no clip"].value == 0.5
    assert known.p.tolist() == [1 / 24] * 6 + [1.0] and known.least_p == 1 / 24
    assert known.tests["arrow, binomial"] == 0.5**6
    assert known.tests["rank of the true order, Stouffer"] < 0.001
    assert 0 < known["divergence"].value < 1 and known["retention"].value < 0


def test_a_model_that_sees_none_reaches_nothing(words: str) -> None:
    blind = compare_orders(Blind(words), CLIPS, foils=[FALLS] * 6, resamples=50, quiet=True)
    assert (blind.each[:, 0] == 0).all() and blind.tests["Δ, sign flip"] == 1 and blind["arrow"].value == 0.5
    assert np.isclose(blind.tests["rank of the true order, Stouffer"], 0.5) and blind.tests["arrow, binomial"] > 0.5
    assert "ρ" not in blind and blind["flips"].value == 0 and np.isclose(blind["retention"].value, 1)
    assert blind["divergence"].value < 1e-9 and blind["accuracy"].value == 1 == blind["accuracy, surest frame"].value
    assert blind.tests["video gain, McNemar"] == 1 and blind["video gain"].value == 0


def test_notes_hold_the_red_flags(words: str, known: OrdersResult) -> None:
    said = " ".join(known.notes)
    assert "7 clips show cases" in said and "oracle" in said
    three = compare_orders(Framewise(words), CLIPS[:2], what="features", resamples=20, quiet=True)
    said = " ".join(three.notes)
    assert "Nobody said" in said and "Without foils" in said and "What changed places" in said
    assert "accuracy" not in three
    with pytest.raises(ConfigError, match="arrow"):
        three["accuracy"]


def test_a_foil_is_no_text_said_twice(words: str) -> None:
    with pytest.raises(TextError, match="is the text itself"):
        compare_orders(Judge(words), CLIPS[:2], foils=[FALLS, f" {RISES.title()}."], quiet=True)
    with pytest.raises(TextError, match="is empty"):
        compare_orders(Judge(words), CLIPS[:2], foils=[FALLS, " "], quiet=True)


def test_it_survives_its_file_and_shows_itself(known: OrdersResult, tmp_path: Any) -> None:
    known.save(tmp_path / "x.npz")
    assert OrdersResult.load(tmp_path / "x.npz").to_dict() == known.to_dict()
    alt = known.plot().alt
    assert "7 clips in 24 orders" in alt and "forwards above backwards (6): 100%" in alt and "\n" not in alt


def test_clips_and_texts_go_together(words: str) -> None:
    for clips, foils in (([], None), (CLIPS, [FALLS])):
        with pytest.raises(ConfigError, match="one foil"):
            compare_orders(Judge(words), clips, foils=foils, quiet=True)


def test_the_world_knows_what_looks_the_same_backwards() -> None:
    spins = sample_scene(0, form="one", kinds=["spins"])
    slides = sample_scene(0, form="one", kinds=["slides left"])
    assert same_backwards(spins.clip()) is True and same_backwards(slides.clip()) is False
    assert same_backwards(CLIPS[0]) is None and RISES


# ── laws ──────────────────────────────────────────────────────────────────────────────────────────


@given(
    arrays(np.float64, 2, elements=st.floats(-9, 9)),
    arrays(np.float64, st.tuples(st.integers(1, 9), st.just(2)), elements=st.floats(-9, 9)),
)
def test_divergence_is_a_share_of_a_bit(true: np.ndarray, others: np.ndarray) -> None:
    assert -1e-12 <= divergence(true, others) <= 1 + 1e-9
    assert divergence(true, np.tile(true, (3, 1))) < 1e-9


@given(arrays(np.bool_, st.integers(3, 30)))
def test_what_is_retained_of_itself_is_all(right: np.ndarray) -> None:
    mine = right.astype(float)
    found = retention(mine, mine, 50)
    assert (found is None) == (mine.mean() <= 0.5)
    if found is not None:
        assert np.isclose(found[0], 1)
        none = retention(mine, np.full(len(mine), 0.5), 50)
        assert none is not None and np.isclose(none[0], 0)
