"""Foils whose scores are known: shares can be counted by hand, and a model that believes everything is found out."""

from typing import Any

import numpy as np
import pytest
from toy_order import FALLS, RISES, Judge, stairs, story_words

from vtexplore.errors import ConfigError
from vtexplore.probes.compare_foils import FoilsResult, chosen, compare_foils, judge

NONE = np.full((4, 2), np.nan)
SCORES = np.array([[3.0, 1.0, -1.0], [2.0, -2.0, np.nan], [-1.0, -1.0, -3.0], [1.0, 2.0, -1.0]])


def shares(scores: np.ndarray, simple: np.ndarray = NONE, threshold: float = 0.0) -> dict[str, Any]:
    found, tests = judge({"scores": scores, "blind": -scores, "other": NONE, "simple": simple}, threshold, 200)
    return {one.name: one for one in found} | tests


def test_every_share_can_be_counted() -> None:
    found = shares(SCORES)
    assert np.array_equal(chosen(SCORES), [[1, 1], [1, np.nan], [0.5, 1], [0, 1]], equal_nan=True)
    assert found["pairwise"].value == pytest.approx(5.5 / 7) and found["all foils"].value == pytest.approx(2 / 4)
    assert found["all foils"].chance == pytest.approx((3 * 0.25 + 0.5) / 4)
    assert found["p_c"].value == pytest.approx(3 / 4) and found["p_f"].value == pytest.approx(5 / 7)
    assert found["accuracy"].value == pytest.approx((3 / 4 + 5 / 7) / 2) and found["least"].value == pytest.approx(
        5 / 7
    )
    true, foils = SCORES[:, 0], SCORES[:, 1:][~np.isnan(SCORES[:, 1:])]
    every = [(t > f) + 0.5 * (t == f) for t in true for f in foils]
    assert found["AUROC"].value == pytest.approx(np.mean(every))
    assert found["pairwise, no clip"].value == pytest.approx(1.5 / 7) and "pairwise, another clip" not in found
    assert all(one.low <= one.value <= one.high for one in found.values() if not isinstance(one, float))


def test_both_must_be_right_for_proficiency_and_task() -> None:
    simple = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])  # a tie is not right
    found = shares(SCORES, simple)
    assert found["proficiency"].value == pytest.approx(2 / 4) and found["P+T"].value == pytest.approx(1 / 4)
    assert found["P+T"].chance == pytest.approx(0.5 * found["all foils"].chance)


def test_who_believes_everything_is_half_right() -> None:
    found = shares(np.abs(SCORES[:, :2]) + 1)
    assert found["accuracy"].value == pytest.approx(0.5) and found["least"].value == 0 and found["p_c"].value == 1


def test_without_a_threshold_nothing_is_believed() -> None:
    found = shares(SCORES, threshold=float("nan"))
    assert not {"p_c", "p_f", "accuracy", "least"} & set(found) and found["AUROC"].value > 0.5


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> FoilsResult:
    model = Judge(story_words(tmp_path_factory.mktemp("story")))
    clips = [stairs(), stairs((0.2, 0.4, 0.6, 0.8), "more")]
    return compare_foils(model, clips, [FALLS, (FALLS,)], proficiency=[(RISES, FALLS)] * 2, resamples=50)


def test_a_model_that_sees_order_is_right_and_needs_the_clip(result: FoilsResult) -> None:
    assert np.allclose(result.scores, [[6, -6]] * 2) and np.allclose(result.blind, 0)
    for name in ("pairwise", "p_c", "p_f", "least", "AUROC", "P+T"):
        assert result[name].value == 1, name
    assert result["pairwise, no clip"].value == 0.5 and result.blind_share == pytest.approx(0)
    assert any("not a rate" in note for note in result.notes) and any("give it away" in n for n in result.notes)
    with pytest.raises(ConfigError, match="there are pairwise"):
        result["love"]


def test_it_can_be_drawn_and_survives_its_file(result: FoilsResult, tmp_path: Any) -> None:
    result.save(tmp_path / "f.npz")
    assert FoilsResult.load(tmp_path / "f.npz").to_dict() == result.to_dict()
    picture = result.plot()
    picture.save(tmp_path / "f.png", 60)
    assert "true above a foil: 100 %" in picture.alt


def test_what_does_not_go_together_is_refused(tmp_path: Any) -> None:
    model = Judge(story_words(tmp_path))
    for clips, foils, said in (
        ([], [], "0 clips"),
        ([stairs()], [FALLS, FALLS], "1 clips"),
        ([stairs()], [[]], "foil"),
    ):
        with pytest.raises(ConfigError, match=said):
            compare_foils(model, clips, foils)  # type: ignore[arg-type]
