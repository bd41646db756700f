"""Masking strategies on a model in which red things are known to be looked at most."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from fresh import fresh

from vtexplore import registry
from vtexplore.data.prepare import prepare
from vtexplore.errors import ConfigError, TextError, Unsupported
from vtexplore.probes.grounding import overlap
from vtexplore.probes.masking import (
    STRATEGIES,
    MaskingRates,
    MaskingResult,
    _draws,
    _Places,
    compare_masking,
    masking,
    received,
)
from vtexplore.record import record
from vtexplore.types import Output


@pytest.fixture(scope="module")
def result(toy_model: Any, toy_clip: Any) -> MaskingResult:
    return masking(toy_model, toy_clip, draws=300)


@pytest.fixture(scope="module")
def rates(toy_model: Any, toy_clip: Any) -> MaskingRates:
    """As if the things, and the words that name them, were looked at ten times as much as all else."""

    def looking(model: Any, batch: Any) -> Any:
        scores, tokens = received(model, batch)
        telling = {"red", "disc", "slides", "blue", "square"}
        for row, (score, mine) in enumerate(zip(scores, tokens, strict=True)):
            patches, things = np.flatnonzero(mine.where("video")), np.zeros(len(mine), dtype=bool)
            masks = toy_clip.truth.masks(batch.times_s[row], 96)
            things[patches] = overlap(masks, batch.times_s[row], mine[patches]).sum(0) > 0.3
            words = np.array([label in telling for label in mine.labels])
            scores[row] = torch.where(torch.from_numpy(things | words), 10 * score.mean(), score.mean())
        return scores, tokens

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vtexplore.probes.masking.received", looking)
        return compare_masking(toy_model, [toy_clip] * 4, draws=64, batch=3)


def test_received_is_the_sum_of_all_rows(toy_model: Any, toy_clip: Any) -> None:
    batch = prepare([toy_clip], [toy_clip.caption], toy_model.inputs)
    scores, tokens = received(toy_model, batch)
    rows = [a.weights.mean(1).sum(1) for a in record(toy_model, batch, rows="all").attention.values()]
    assert torch.allclose(scores, sum(rows), atol=1e-4) and len(tokens[0]) == scores.shape[1]


@pytest.mark.parametrize("name", registry.names())
def test_received_is_what_a_page_draws_by(name: str, toy_clip: Any) -> None:
    model = registry.build(name)
    if not hasattr(model, "received"):
        pytest.skip(f"{name} does not mask by attention")
    batch = prepare([toy_clip], ["the red circle slides left"], model.inputs)
    theirs = model.received(batch)
    mine = received(model, batch)[0]
    assert torch.allclose(mine * (theirs > 0), theirs, atol=1e-4)


@pytest.mark.parametrize("name", registry.names())
def test_every_family_masks_or_says_why_not(name: str, toy_clip: Any) -> None:
    model = fresh(name)
    try:
        result = masking(model, toy_clip, "the red circle slides left", draws=20)
    except Unsupported as lacking:
        assert name in str(lacking)
        with pytest.raises(Unsupported, match=name):
            compare_masking(model, [toy_clip])
        return
    assert result.patch.shape[1:] == model.grid(prepare([toy_clip], ["the"], model.inputs))


def test_the_more_is_received_the_more_often_it_is_hidden(result: MaskingResult) -> None:
    score = torch.ones(164)
    places = _Places.__new__(_Places)
    places.may, places.texts = np.arange(164) < 150, np.arange(164) >= 144
    places.grid = np.arange(144).reshape(4, 6, 6)
    score[:4], score[4] = 50, 0
    attended, _, even = _draws(score, places, 400, 0.1, torch.Generator().manual_seed(0))
    assert (attended[:, :4].mean(0) > 0.9).all() and (even[:, :4].mean(0) < 0.2).all()
    assert not attended[:, 4].any() and not attended[:, 150:].any() and not even[:, 150:].any()


def test_as_many_positions_are_hidden_as_were_asked_for(result: MaskingResult, toy_model: Any, toy_clip: Any) -> None:
    tokens = 4 * 36 + toy_model.inputs.max_words
    may = 4 * 36 + sum(p not in ("[CLS]", "[SEP]", "[PAD]") for p in _pieces(toy_model, toy_clip))
    for strategy in ("attended", "random"):
        assert np.isclose(result.hidden[STRATEGIES.index(strategy)], int(0.15 * tokens) / may, atol=1e-5)
    assert result.patch.min() >= 0 and result.patch.max() <= 1 and result.word.shape == (3, len(result.words))


def _pieces(model: Any, clip: Any) -> tuple[str, ...]:
    pieces: tuple[str, ...] = prepare([clip], [clip.caption], model.inputs).pieces[0]
    return pieces


def test_random_is_even_and_boxes_avoid_the_rim(result: MaskingResult) -> None:
    even, boxes = result.of("random")[0], result.of("blockwise")[0]
    assert even.std() < 0.05
    rim = np.ones((6, 6), dtype=bool)
    rim[1:-1, 1:-1] = False
    assert boxes[:, ~rim].mean() > 1.5 * boxes[:, rim].mean()


def test_content_words_are_those_of_the_truth(result: MaskingResult, toy_model: Any, toy_clip: Any) -> None:
    named = {result.words[i] for i in np.flatnonzero(result.content)}
    assert named == {"red", "disc", "slides", "blue", "square"}
    other = masking(toy_model, toy_clip, "the red disc slides", draws=4)
    assert not other.content.any()  # the truth speaks of the caption alone


def test_what_is_looked_at_is_picked(rates: MaskingRates) -> None:
    for measure in ("objects", "named objects", "content words", "words"):
        mean, low, high = rates.gain("attended", measure)
        assert 0 < low <= mean <= high, measure
    assert rates.gain("random", "objects") == (0, 0, 0)
    assert rates.at("attended", "objects")[0] > rates.at("random", "objects")[0]
    assert rates.clips == 4 and any("cases" in note for note in rates.notes)


def test_all_numbers_are_shares(rates: MaskingRates) -> None:
    assert np.nanmin(rates.low) >= 0 and np.nanmax(rates.high) <= 1
    assert (rates.low <= rates.mean + 1e-9).all() and (rates.mean <= rates.high + 1e-9).all()


def test_the_same_seed_draws_the_same(result: MaskingResult, toy_model: Any, toy_clip: Any) -> None:
    again = masking(toy_model, toy_clip, draws=300)
    assert np.array_equal(again.patch, result.patch) and np.array_equal(again.word, result.word)
    assert not np.array_equal(masking(toy_model, toy_clip, draws=300, seed=1).patch, result.patch)


def test_results_survive_their_files(result: MaskingResult, rates: MaskingRates, tmp_path: Any) -> None:
    for one in (result, rates):
        one.save(tmp_path / "x.npz")
        assert type(one).load(tmp_path / "x.npz").to_dict() == one.to_dict()


def test_what_cannot_be_masked_is_refused(toy_model: Any, toy_clip: Any) -> None:
    with pytest.raises(TextError, match="no caption"):
        masking(toy_model, replace(toy_clip, caption=None))
    with pytest.raises(ConfigError, match="truth"):
        compare_masking(toy_model, [replace(toy_clip, truth=None)])
    with pytest.raises(ConfigError, match="attended, blockwise, random"):
        masking(toy_model, toy_clip, draws=2).of("some")
    with pytest.raises(ConfigError, match="objects"):
        compare_masking(toy_model, [toy_clip], draws=2).gain("attended", "some")


class Deaf(torch.nn.Module):
    """A model without attention."""

    def __init__(self, inputs: Any) -> None:
        super().__init__()
        self.inputs = inputs

    def forward(self, batch: Any) -> Output:
        return Output()


def test_a_model_without_a_joint_sequence_is_unsupported(toy_model: Any, toy_clip: Any) -> None:
    with pytest.raises(Unsupported, match="one sequence"):
        masking(Deaf(toy_model.inputs), toy_clip)


def test_pictures_say_what_they_show(result: MaskingResult, rates: MaskingRates) -> None:
    assert "attended" in result.plot().alt and "blockwise" in result.plot().alt
    assert "object" in rates.plot().alt and rates.plot().png(30)[:4] == b"\x89PNG"
