"""Grounding scores on maps and masks whose scores can be counted by hand."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy import toy_clip as make_clip

from vtexplore.errors import ConfigError
from vtexplore.probes.grounding import GroundingResult, ground, grounding, named_things, overlap
from vtexplore.types import Tokens


def patches(rows: int, columns: int, frames: int = 1, box: tuple[float, ...] = (0.0, 0.0, 1.0, 1.0)) -> Tokens:
    """A grid over ``box``, frame after frame, each a second long."""
    x, y = np.linspace(box[0], box[2], columns + 1), np.linspace(box[1], box[3], rows + 1)
    cells = [(x[c], y[r], x[c + 1], y[r + 1]) for r in range(rows) for c in range(columns)]
    spans = [(float(f), f + 1.0) for f in range(frames) for _ in cells]
    return Tokens.make(["p"] * len(spans), [{"video"}] * len(spans), np.array(cells * frames), np.array(spans))


# ── one map ──


def test_all_on_the_thing_and_all_beside_it() -> None:
    covered = np.array([1.0, 0, 0, 0])
    on, off = grounding(np.array([1.0, 0, 0, 0]), covered), grounding(np.array([0, 0, 0, 2.0]), covered)
    assert (on["mass"], on["pointing"], on["lift"], on["chance"], on["attainable"]) == (1, 1, 4, 0.25, 1)
    assert (off["mass"], off["pointing"], off["lift"]) == (0, 0, 0)


def test_an_even_map_has_chance_and_half_a_hit() -> None:
    scores = grounding(np.ones(4), np.array([1.0, 1, 0, 0]))
    assert (scores["mass"], scores["chance"], scores["lift"]) == (0.5, 0.5, 1)
    assert scores["pointing"] == 0.5 == scores["pointing_chance"]  # ties: the expected hit


def test_a_patch_counts_by_how_much_of_it_is_the_thing() -> None:
    scores = grounding(np.array([3.0, 1, 0, 0]), np.array([0.5, 0.2, 0, 0]))
    assert np.isclose(scores["mass"], (3 * 0.5 + 0.2) / 4) and scores["attainable"] == 0.5


def test_pointing_forgives_a_touch_and_no_less() -> None:
    assert grounding(np.array([1.0, 0]), np.array([0.11, 0.9]))["pointing"] == 1
    assert grounding(np.array([1.0, 0]), np.array([0.09, 0.9]))["pointing"] == 0
    assert grounding(np.array([1.0, 0]), np.array([0.01, 0.0]))["pointing"] == 1  # nowhere is there more of it


def test_what_is_not_there_has_no_score() -> None:
    absent, blind = grounding(np.ones(4), np.zeros(4)), grounding(np.zeros(4), np.array([1.0, 0, 0, 0]))
    assert np.isnan([absent["mass"], absent["chance"], blind["mass"], blind["pointing"]]).all()


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4), st.lists(st.floats(0.01, 1), min_size=4, max_size=4))
def test_mass_is_between_nothing_and_the_attainable(covered: list[float], heat: list[float]) -> None:
    scores = grounding(np.array(heat), np.array(covered))
    if not np.isnan(scores["mass"]):
        assert -1e-9 <= scores["mass"] <= scores["attainable"] + 1e-9


def test_maps_may_come_in_any_number() -> None:
    heat, covered = np.random.rand(5, 3, 8), np.random.rand(5, 1, 8)
    many = grounding(heat, covered)
    assert many["mass"].shape == (5, 3)
    assert np.isclose(many["mass"][2, 1], grounding(heat[2, 1], covered[2, 0])["mass"])


# ── masks and patches ──


def test_overlap_is_the_share_of_each_patch() -> None:
    mask = np.zeros((1, 1, 8, 8), dtype=bool)
    mask[0, 0, :4, :6] = True  # 3 × 2 of 4 × 4 patches
    share = overlap(mask, [0.5], patches(4, 4))[0].reshape(4, 4)
    assert np.allclose(share[:2, :3], 1) and np.isclose(share.sum(), 6)


def test_overlap_cuts_through_pixels() -> None:
    mask = np.zeros((1, 1, 4, 4), dtype=bool)
    mask[0, 0, 0, 0] = True
    share = overlap(mask, [0.5], patches(3, 3))[0]  # a patch is 4/3 of a pixel wide
    assert np.isclose(share[0], 1 / (4 / 3) ** 2) and np.allclose(share[1:], 0)


@given(st.integers(1, 7), st.integers(1, 7), st.integers(0, 10_000))
def test_overlap_loses_nothing(rows: int, columns: int, seed: int) -> None:
    mask = np.random.default_rng(seed).random((2, 1, 9, 13)) < 0.3
    share = overlap(mask, [0.5], patches(rows, columns))
    assert np.allclose(share.mean(1), mask.mean((1, 2, 3)))


def test_overlap_knows_padding() -> None:
    """A wide picture padded to a square: the patches above and below it hold nothing."""
    mask = np.ones((1, 1, 8, 16), dtype=bool)
    share = overlap(mask, [0.5], patches(4, 4, box=(0.0, -0.5, 1.0, 1.5)))[0].reshape(4, 4)
    assert np.allclose(share[[0, 3]], 0) and np.allclose(share[1:3], 1)


def test_overlap_is_taken_at_the_tokens_time() -> None:
    mask = np.zeros((1, 3, 4, 4), dtype=bool)
    mask[0, 1] = True
    assert overlap(mask, [0.5, 1.5, 2.5], patches(1, 1, frames=3))[0].tolist() == [0, 1, 0]
    both = Tokens.make(["p"], [{"video"}], np.array([[0, 0, 1, 1.0]]), np.array([[1.0, 3.0]]))
    assert overlap(mask, [0.5, 1.5, 2.5], both)[0, 0] == 0.5  # a tubelet of two frames
    between = Tokens.make(["p"], [{"video"}], np.array([[0, 0, 1, 1.0]]), np.array([[1.6, 1.7]]))
    assert overlap(mask, [0.5, 1.5, 2.5], between)[0, 0] == 1  # the nearest


def test_function_words_name_nothing(toy_clip: Any) -> None:
    objects, named, happens = named_things(toy_clip, ["the", "red", "disc"])
    assert objects == ("red disc", "blue square") and named == ((), (0,), (0,)) and np.isnan(happens).all()


# ── many clips ──


def test_the_head_that_looks_is_found_over_a_set(toy_model: Any) -> None:
    found = ground(toy_model, (make_clip() for _ in range(6)), batch=4, resamples=50)
    assert found.best == ("layers.1", 1) and (found.clips, found.words) == (6, 30)
    best, even = found.at("layers.1", 1), found.at("layers.0", 0)
    assert best["mass"][0] > 5 * best["chance"][0] and np.isclose(even["mass"][0], even["chance"][0], atol=1e-3)
    assert found.roles["colour"]["pointing"] == 1 and found.roles["colour"]["mass"] > 0.4
    assert np.isclose(even["time_mass"][0], 0.5, atol=1e-3) and np.isclose(even["time_chance"][0], 0.5)
    assert even["prior"][0] == pytest.approx(even["chance"][0], abs=1e-3)  # the mean of even maps is even
    assert "cases, not rates" in found.notes[0]


def test_a_set_without_truth_is_refused(toy_model: Any) -> None:
    with pytest.raises(ConfigError, match="known truth"):
        ground(toy_model, [make_clip(truth=None)])


def test_a_grounding_result_survives_its_file(toy_model: Any, tmp_path: Any) -> None:
    found = ground(toy_model, [make_clip()], resamples=10)
    found.save(tmp_path / "g")
    assert GroundingResult.load(tmp_path / "g").to_dict() == found.to_dict()
