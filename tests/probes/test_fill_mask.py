"""Masked words of a model that says colours by how much of them it sees, and nothing without a clip."""

from typing import Any

import numpy as np
import pytest
import torch
from toy import SPECIALS, WORDS, ToyModel

from vtexplore import registry
from vtexplore.data.prepare import prepare
from vtexplore.errors import ConfigError, TextError, Unsupported
from vtexplore.probes.fill_mask import FillMaskResult, fill_mask, hidden, mean_colour
from vtexplore.types import Output

TEXT = "the [MASK] disc slides right"


@pytest.fixture(scope="module")
def result(toy_model: Any, toy_clip: Any) -> FillMaskResult:
    return fill_mask(toy_model, toy_clip, TEXT)


def test_with_the_clip_it_says_what_there_is_most_of(result: FillMaskResult) -> None:
    assert [word for word, _ in result.top(2)] == ["red", "blue"]
    assert result.rank("red") == 1 and len(result.top()) == 5


def test_without_the_clip_all_words_are_alike(result: FillMaskResult) -> None:
    p = dict(result.top(99, "no clip"))
    single = [p[w] for w in result.candidates if w != "stands"]
    assert np.allclose(single, 1 / (len(SPECIALS) + len(WORDS)))
    assert result.nulls == ("no clip", "even colour") and result.conditions == ("the clip", *result.nulls, "other clips")


def test_lift_is_the_logarithm_of_the_ratio(result: FillMaskResult) -> None:
    exact = np.log(result.probability("red") / result.probability("red", "no clip"))
    assert np.isclose(result.lift("red", "no clip"), exact) and exact > 1
    assert result.lift("red") <= result.lift("red", "even colour")  # the cautious one
    assert result.lift("and") < 0  # the clip speaks for others


def test_whole_words_are_products_of_their_pieces(result: FillMaskResult, toy_model: Any, toy_clip: Any) -> None:
    batch = prepare([toy_clip], [TEXT.replace("[MASK]", "[MASK][MASK]")], toy_model.inputs)
    with torch.inference_mode():
        p = toy_model(batch).word_logits[0].softmax(-1)
    at = [i for i, piece in enumerate(batch.pieces[0]) if piece == "[MASK]"]
    ids = [len(SPECIALS) + WORDS.index(piece) for piece in ("stand", "##s")]
    assert len(at) == 2
    assert np.isclose(result.probability("stands"), float(p[at[0], ids[0]] * p[at[1], ids[1]]), rtol=1e-4)


def test_a_word_of_the_caption_can_be_masked(toy_model: Any, toy_clip: Any) -> None:
    result = fill_mask(toy_model, toy_clip, word="blue")
    assert result.answer == "blue" and "[MASK] square" in result.text and result.masked == 7
    assert fill_mask(toy_model, toy_clip, result.text).answer == "blue"  # the caption has it
    assert fill_mask(toy_model, toy_clip, TEXT).answer is None


@pytest.mark.parametrize(
    ("text", "word", "message"),
    [
        ("the red disc", None, "Put one"),
        ("the [MASK] [MASK]", None, "Put one"),
        ("the red disc", "green", "no word 'green'"),
        ("the [MASK] elephant", None, "elephant"),
    ],
)
def test_texts_that_cannot_be_asked(toy_model: Any, toy_clip: Any, text: str, word: Any, message: str) -> None:
    with pytest.raises(TextError, match=message):
        fill_mask(toy_model, toy_clip, text, word=word)


def test_what_was_not_asked_is_named(result: FillMaskResult, toy_model: Any, toy_clip: Any) -> None:
    with pytest.raises(ConfigError, match="no clip, even colour, other clips"):
        result.top(condition="backwards")
    with pytest.raises(ConfigError, match="Unknown condition 'magic'"):
        fill_mask(toy_model, toy_clip, TEXT, nulls=["magic"])
    with pytest.raises(TextError, match="not among"):
        result.probability("elephant")


def test_a_family_without_the_head_names_those_that_have_it(toy_model: Any, toy_clip: Any) -> None:
    class Mute(ToyModel):
        def forward(self, batch: Any) -> Output:
            return Output(match_logits=torch.zeros(len(batch)))

    with pytest.raises(Unsupported, match="violet"):
        fill_mask(Mute(toy_model.inputs.vocabulary), toy_clip, TEXT)


def test_nulls_are_what_they_say(toy_model: Any, toy_clip: Any) -> None:
    batch = prepare([toy_clip], ["the red disc"], toy_model.inputs)
    assert hidden(batch).video_mask.tolist() == [False] and torch.equal(hidden(batch).video, batch.video)
    even = mean_colour(batch).video
    assert even.shape == batch.video.shape and torch.allclose(even.mean((1, 3, 4)), batch.video.mean((1, 3, 4)))
    assert even.std(dim=(1, 3, 4)).max() < 1e-6


def test_a_fill_survives_its_file(result: FillMaskResult, tmp_path: Any) -> None:
    result.save(tmp_path / "f")
    assert FillMaskResult.load(tmp_path / "f").to_dict() == result.to_dict()


@pytest.mark.parametrize("name", registry.names())
def test_every_family_fills_or_says_why_not(name: str, toy_clip: Any) -> None:
    model = registry.build(name)
    if "word_logits" not in registry.family(name).heads:
        with pytest.raises(Unsupported):
            fill_mask(model, toy_clip, TEXT)
        return
    result = fill_mask(model, toy_clip, "the [MASK] circle slides left")
    assert np.isfinite(result.p).all() and 0 < result.p.max() <= 1
