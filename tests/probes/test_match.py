"""Sentences beside clips: the toy's score is known, so what is compared with what can be checked exactly."""

from typing import Any

import numpy as np
import pytest
import torch

from vtexplore.data.prepare import prepare
from vtexplore.errors import ConfigError, Unsupported
from vtexplore.probes.match import MatchResult, match
from vtexplore.types import Output

TEXTS = ("the red disc slides right", "the blue square slides right", "the red square stands still")


@pytest.fixture(scope="module")
def result(toy_model: Any, toy_clip: Any) -> MatchResult:
    return match(toy_model, toy_clip, TEXTS, against=[toy_clip.showing([0.1])])


def test_scores_are_the_models_own(result: MatchResult, toy_model: Any, toy_clip: Any) -> None:
    batch = prepare([toy_clip], TEXTS, toy_model.inputs)
    with torch.inference_mode():
        assert np.allclose(result.score, toy_model(batch).match_logits.numpy(), atol=1e-5)
    assert result.best == TEXTS[int(result.score.argmax())]


def test_the_margin_is_to_the_best_of_the_others(result: MatchResult) -> None:
    ranked = np.sort(result.score)[::-1]
    best = int(result.score.argmax())
    assert np.isclose(result.margin(best), ranked[0] - ranked[1]) and result.margin(best) >= 0
    assert all(result.margin(i) <= 0 for i in range(3) if i != best)


def test_the_same_clip_as_control_leaves_nothing(result: MatchResult) -> None:
    assert result.others.shape == (1, 3) and np.allclose(result.beyond, 0, atol=1e-5)


def test_without_controls_scores_stand_alone(toy_model: Any, toy_clip: Any) -> None:
    alone = match(toy_model, toy_clip, TEXTS[:2])
    assert alone.others.shape == (0, 2) and np.array_equal(alone.beyond, alone.score)
    assert alone.plot().alt.startswith("Matching scores")
    assert any("No other clip" in note for note in alone.notes)


def test_with_controls_nothing_is_missing(result: MatchResult) -> None:
    assert not any("No other clip" in note for note in result.notes)


def test_it_takes_two_to_compare(toy_model: Any, toy_clip: Any) -> None:
    for texts in (TEXTS[:1], TEXTS[0]):
        with pytest.raises(ConfigError, match="two or more"):
            match(toy_model, toy_clip, texts)


class Mute(torch.nn.Module):
    def __init__(self, inputs: Any) -> None:
        super().__init__()
        self.inputs = inputs

    def forward(self, batch: Any) -> Output:
        return Output()


def test_a_model_that_does_not_match_is_unsupported(toy_model: Any, toy_clip: Any) -> None:
    with pytest.raises(Unsupported, match="no head for matching"):
        match(Mute(toy_model.inputs), toy_clip, TEXTS)


def test_it_survives_its_file(result: MatchResult, tmp_path: Any) -> None:
    result.save(tmp_path / "x.npz")
    assert MatchResult.load(tmp_path / "x.npz").to_dict() == result.to_dict()
