"""Masked words of a model that says colours by how much of them it sees, and nothing without a clip."""

from typing import Any

import numpy as np
import pytest
import torch
from known import TINY, FirstFrame, KnownModel, film, red_of
from toy import SPECIALS, WORDS, ToyModel

from vtexplore import registry
from vtexplore.data.prepare import prepare
from vtexplore.data.text import words_of
from vtexplore.errors import ConfigError, TextError, Unsupported
from vtexplore.probes._nulls import hard_clip, hidden, mean_colour
from vtexplore.probes.fill_mask import FillMaskResult, fill_mask
from vtexplore.types import Output
from vtexplore.world import sample_scene

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
    assert result.nulls == ("no clip", "even colour")
    assert result.conditions == ("the clip", *result.nulls, "other clips")


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


# ── a model whose p(word | clip) is known ──


@pytest.fixture(scope="module")
def known(toy_model: Any) -> KnownModel:
    return KnownModel(toy_model.inputs.vocabulary)


WRONG = [0.2, 0.4, 0.6, 0.1, 0.3, 0.8, 0.5, 0.7]


def ln(p: Any) -> Any:
    """Of p as the model says it, beside its other words."""
    return np.log(np.asarray(p) / (1 + (len(SPECIALS) + len(WORDS) - 2) * TINY))


def test_other_clips_are_counted_exactly(known: KnownModel) -> None:
    clip, others = film(0.9), [film(r) for r in WRONG]
    result = fill_mask(known, clip, word="red", against=others, foils=["red", "blue"])
    true, wrong = ln(red_of(clip)), ln([red_of(o) for o in others])
    assert np.isclose(result.lift(without="no clip"), true - ln(0.5), atol=1e-5)
    assert np.isclose(result.contrast(), true - wrong.mean(), atol=1e-5)
    assert np.isclose(result.pmi(), true - np.log(np.exp(wrong).mean()), atol=1e-5)
    assert result.contrast() > result.pmi()  # a mean of logarithms is below the logarithm of the mean
    assert np.isclose(result.probability("red", foils=True), red_of(clip), atol=1e-5)
    assert np.isclose(result.probability("red", foils=True) + result.probability("blue", foils=True), 1)
    p = np.array([red_of(clip), 1 - red_of(clip)])
    assert np.isclose(result.kl("no clip"), (p * np.log(p / 0.5)).sum() / (1 + 17 * TINY), atol=2e-2)
    assert result.entropy_drop("no clip") > 0.3 and result.rank("red") == 1
    assert any(
        "likelier beside other" in note for note in fill_mask(known, film(0.05), word="red", against=others).notes
    )
    assert result.to_dict()["numbers"]["pmi"] == result.pmi()


def test_without_other_clips_it_says_so(known: KnownModel) -> None:
    alone = fill_mask(known, film(0.9), word="red")  # no card, no world
    assert np.isnan(alone.pmi()) and np.isnan(alone.contrast()) and np.isnan(alone.order())
    assert not len(alone.shapley()) and any("No other clip" in note for note in alone.notes)
    assert alone.to_dict()["numbers"]["pmi"] is None
    with pytest.raises(ConfigError, match="frames=True"):
        alone.plot("frames")
    with pytest.raises(TextError, match="not among the foils"):
        alone.lift("red", foils=True)
    with pytest.raises(ConfigError, match="'hidden' or 'painted'"):
        fill_mask(known, film(0.9), word="red", frames="no")


def test_frames_share_what_they_add(known: KnownModel) -> None:
    clip = film(0.2, 0.4, 0.9)
    result = fill_mask(known, clip, word="red", frames=True, against=())
    assert result.removed.startswith("painted") and result.seen.shape == (8, len(result.candidates))
    assert np.isclose(result.shapley().sum(), result.lift(without="even colour"), atol=1e-5)
    assert np.isclose(result.order(), 0, atol=1e-6) and len(result.orders) == 5  # redness knows no order
    red = np.round(255 * np.array([0.2, 0.4, 0.9])) / 255
    lost = [np.log(red.mean()) - np.log((red.sum() - r + red.mean()) / 3) for r in red]
    assert np.allclose(result.occlusion(), lost, atol=1e-5)
    assert result.frame == 2 and np.isclose(result.lift(without="one frame"), np.log(red.mean() / red[2]), atol=1e-5)


def test_the_order_part_is_what_shuffling_takes(toy_model: Any) -> None:
    first = FirstFrame(toy_model.inputs.vocabulary)
    result = fill_mask(first, film(0.9, 0.3, 0.3), word="red", frames=True, against=())
    red = np.round(255 * np.array([0.9, 0.3])) / 255
    kept = 1 / 5  # of the five other orders, one starts with the first frame
    assert np.isclose(result.order(), np.log(red[0]) - (kept * np.log(red[0]) + (1 - kept) * np.log(red[1])), atol=1e-5)
    assert np.isclose(result.shapley()[1:], 0, atol=1e-6).all() and result.plot("frames").alt


def test_a_hard_wrong_clip_differs_in_the_masked_word() -> None:
    for seed in range(3):
        clip = sample_scene(seed).clip()
        at = next(p.word for p in clip.truth.phrases if p.role == "colour")
        other = hard_clip(clip, at)
        assert other is not None and len(words_of(other.caption)) == len(words_of(clip.caption))
        assert words_of(other.caption)[at] != words_of(clip.caption)[at]
    assert hard_clip(film(0.5), 1) is None
