"""Classes of masked words of a model whose p(word | clip) is known, and of one that knows nothing."""

from typing import Any

import numpy as np
import pytest
from known import KnownModel, film, red_of

from vtexplore.errors import ConfigError
from vtexplore.probes.masked_words import MaskedWordsResult, masked_words

REDS = [0.9, 0.8, 0.7, 0.95, 0.85, 0.75, 0.9, 0.8, 0.7, 0.9]
CLIPS = [film(r if i % 2 else 1 - r, colour="red" if i % 2 else "blue") for i, r in enumerate(REDS)]


class Deaf(KnownModel):
    """Says the same beside every clip."""

    def redness(self, batch: Any) -> Any:
        return super().redness(batch) * 0 + 0.5


@pytest.fixture(scope="module")
def known(toy_model: Any) -> KnownModel:
    return KnownModel(toy_model.inputs.vocabulary)


@pytest.fixture(scope="module")
def result(known: KnownModel) -> MaskedWordsResult:
    return masked_words(known, CLIPS, floor=Deaf(known.inputs.vocabulary), resamples=200, quiet=True)


def test_means_are_exact(result: MaskedWordsResult) -> None:
    p = np.array([red_of(c) if i % 2 else 1 - red_of(c) for i, c in enumerate(CLIPS)])
    red = np.array([red_of(c) for c in CLIPS])
    near = [[(i + k) % 10 for k in range(1, 9)] for i in range(10)]  # all are as long: those that come next
    wrong = [red[at] if i % 2 else 1 - red[at] for i, at in enumerate(near)]
    assert np.isclose(result.at("colour", "lift: no clip")[0], np.mean(np.log(p) - np.log(0.5)), atol=1e-4)
    assert np.isclose(
        result.at("colour", "contrast")[0], np.mean([np.log(a) - np.log(w).mean() for a, w in zip(p, wrong)]), atol=1e-4
    )
    assert np.isclose(
        result.at("colour", "pmi")[0], np.mean([np.log(a / w.mean()) for a, w in zip(p, wrong)]), atol=1e-4
    )
    assert np.isclose(result.at("colour", "wrong word")[0], np.mean(np.log(1 - p) - np.log(0.5)), atol=1e-4)
    assert np.isclose(result.at("colour", "reciprocal rank")[0], 1 - 0.5)  # halves are a tie, which counts against it
    assert np.isclose(
        result.at("colour", "beyond")[0],
        (result.lift > np.percentile(result.permuted[result.item_class == 0], 95) + 1e-4)[
            result.item_class == 0
        ].mean(),
    )
    mean, low, high = result.at("colour", "pmi")
    assert 0 < low < mean < high and result.p_holm[result.place("colour", "pmi")] < 0.05


def test_words_that_the_clip_does_not_show_gain_nothing(result: MaskedWordsResult) -> None:
    assert set(result.classes) == {"colour", "shape", "function"} and result.classes[-1] == "function"
    assert result.count.tolist() == [10, 10, 10] and result.others == 8
    for name in ("shape", "function"):
        for measure in ("lift: no clip", "contrast", "pmi", "order"):
            assert np.allclose(result.at(name, measure), 0, atol=1e-4), (name, measure)
    at = result.place("colour", "contrast")
    assert np.allclose(result.floor[at], 0, atol=1e-4)
    assert np.isclose(result.at("colour", "order")[0], 0, atol=1e-4)  # redness knows no order


def test_the_wrong_clip_is_told(known: KnownModel) -> None:
    upside = [film(1 - r if i % 2 else r, colour="red" if i % 2 else "blue") for i, r in enumerate(REDS)]
    notes = masked_words(known, upside, resamples=20, quiet=True).notes
    assert any("PMI of colour words is below 0" in note for note in notes)
    assert any("cases" in note for note in notes) and any("random weights" in note for note in notes)


def test_a_random_model_gains_nothing_on_average() -> None:
    from fresh import fresh

    from vtexplore.world import sample_scene

    found = masked_words(
        fresh("violet"), [sample_scene(i).clip() for i in range(9)], orders=0, resamples=50, quiet=True
    )
    for measure in ("lift: no clip", "contrast", "pmi"):
        gained = [found.at(name, measure)[0] for name in found.classes]
        assert abs(np.average(gained, weights=found.count)) < 0.05, measure
    assert np.isnan(found.at("function", "order")[0])


def test_what_was_not_asked_is_named(known: KnownModel, result: MaskedWordsResult) -> None:
    with pytest.raises(ConfigError, match="colour, shape"):
        result.at("smell", "pmi")
    with pytest.raises(ConfigError, match="two clips"):
        masked_words(known, CLIPS[:1])
    with pytest.raises(ConfigError, match="Unknown condition"):
        masked_words(known, CLIPS, nulls=["magic"])


def test_it_survives_its_file_and_shows_itself(result: MaskedWordsResult, tmp_path: Any) -> None:
    result.save(tmp_path / "x.npz")
    assert MaskedWordsResult.load(tmp_path / "x.npz").to_dict() == result.to_dict()
    assert "colour: lift: no clip +" in result.plot().alt and "beyond wrong clips" in result.plot().alt
