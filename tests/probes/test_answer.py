"""Questions to a model whose answer is the mean colour of the clip, so that scores and maps are known exactly."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from vtexplore import registry
from vtexplore.blocks.tap import listening
from vtexplore.data.prepare import prepare, text_batch
from vtexplore.errors import ConfigError, TextError, Unsupported
from vtexplore.probes._choices import things
from vtexplore.probes._relevance import Crossings, look
from vtexplore.probes._stills import surest
from vtexplore.probes.answer import (
    DEAF,
    ELSEWHERE,
    NO_OTHERS,
    ONE_FRAME,
    OPTIONS,
    UNSURE,
    UNTRAINED,
    AnswerResult,
    _flags,
    answer,
)
from vtexplore.record import record
from vtexplore.types import Output
from vtexplore.world import sample_scene
from vtexplore.world.video_file import example_scene, plain_caption

TEXT = "the [red disc] slides right"
CHOICES = ["the red disc", "blue square"]


@pytest.fixture(scope="module")
def result(toy_answerer: Any, toy_clip: Any) -> AnswerResult:
    return answer(toy_answerer, toy_clip, TEXT, choices=CHOICES, against=[toy_clip.showing([0.1])])


@pytest.fixture(scope="module")
def seen(toy_answerer: Any, toy_clip: Any) -> np.ndarray:
    """How red and how blue each patch is: [patch, colour]."""
    colours: np.ndarray = toy_answerer.colours(prepare([toy_clip], [TEXT], toy_answerer.inputs))[0].numpy()
    return colours


# ── scores ──


def test_the_question_has_a_mask_for_each_piece(result: AnswerResult) -> None:
    assert (result.text, result.phrase) == ("the red disc slides right", "red disc")
    assert result.question == "the [MASK] [MASK] slides right"
    assert result.choices == ("red disc", "blue square") and result.right == 0
    assert ELSEWHERE not in result.notes


def test_scores_are_the_cosines(result: AnswerResult, seen: np.ndarray) -> None:
    mean = seen.mean(axis=0)
    assert np.allclose(result.scores[0], mean / np.linalg.norm(mean), atol=1e-5)
    odds = np.exp(result.scores[0].astype(float) / 0.05)
    assert np.isclose(result.probability("red disc"), odds[0] / odds.sum())
    best = result.top()
    assert [c for c, _ in best] == ["red disc", "blue square"][:: 1 if mean[0] > mean[1] else -1]
    assert len(result.top(1)) == 1 and result.top(1)[0][1] == result.scores[0].max()


def test_who_shares_the_first_place_has_not_won(result: AnswerResult) -> None:
    """Without the clip all scores are 0: the erased phrase stands first in the list, and that is no win."""
    assert result.best == result.top(1)[0][0] and not any("first with no clip" in note for note in result.notes)
    tied = replace(result, scores=np.zeros_like(result.scores))
    assert tied.best is None and "share the first place" in tied.plot().alt


def test_without_the_clip_nothing_is_known(result: AnswerResult) -> None:
    assert result.conditions == ("the clip", "no clip", "even colour", "other clips", "options only", "one frame")
    assert np.allclose(result.scores[1], 0) and result.probability(0, "no clip") == 0.5
    exact = np.log(result.probability("red disc") / 0.5)
    assert np.isclose(result.lift("red disc", "no clip"), exact)
    assert result.lift() <= exact  # the cautious one, of the erased phrase


def test_the_same_clip_as_control_says_the_same(result: AnswerResult) -> None:
    assert result.others.shape == (1, 2) and np.allclose(result.others[0], result.scores[3])
    assert np.allclose(result.scores[3], result.scores[0], atol=1e-5)
    best = result.top(1)[0][0]
    assert any(f"'{best}' comes first with" in note and "other clips" in note for note in result.notes)


# ── the choices alone, a frame alone ──


def test_the_choices_alone_are_asked_with_masks_alone(toy_answerer: Any, toy_clip: Any, monkeypatch: Any) -> None:
    """The sentence says red, clip or not; nothing of it is left in "options only", where this model says blue."""
    kind, asked = type(toy_answerer), list[str]()
    plain: Any = kind.forward

    def hear(self: Any, batch: Any) -> Output:
        out = plain(self, batch)
        if batch.question is None:
            return out
        asked.extend(batch.question.texts)
        words = [set(text.split()) for text in batch.question.texts]
        said = torch.tensor([[float("red" in w), float("red" not in w)] for w in words])
        return replace(out, answer_embedding=out.answer_embedding + 100 * said)

    monkeypatch.setattr(kind, "forward", hear)
    found = answer(toy_answerer, toy_clip, "the red disc and [stands still]", choices=["red", "blue"], against=[])
    assert found.first("no clip") == found.best == "red" and found.first(OPTIONS) == "blue"
    assert np.allclose(found.scores[found.conditions.index(OPTIONS)], [0, 1], atol=1e-6)
    assert set(asked) == {"the red disc and [MASK] [MASK] [MASK]", "[MASK] [MASK] [MASK]"}  # "stand" "##s" "still"
    assert DEAF not in found.notes and UNTRAINED in found.notes


def test_a_model_that_hears_no_question_without_a_clip_is_pointed_out(result: AnswerResult) -> None:
    assert np.array_equal(result.scores[4], result.scores[1]) and DEAF in result.notes


def test_every_frame_is_asked_alone(result: AnswerResult, seen: np.ndarray) -> None:
    mean = seen.reshape(4, -1, 2).mean(axis=1)  # [frame, colour]
    assert np.allclose(result.alone, mean / np.linalg.norm(mean, axis=1, keepdims=True), atol=1e-5)
    assert result.frame == np.abs(result.alone[:, 0] - result.alone[:, 1]).argmax()
    assert np.array_equal(result.scores[-1], result.alone[result.frame])
    assert result.labels[3:] == (
        "other clips (mean of 1)", OPTIONS, f"one frame ({result.frame + 1} · {result.times_s[result.frame]:.1f} s)",
    )  # fmt: skip


def test_the_surest_frame_is_found_without_the_right_answer(toy_answerer: Any, toy_clip: Any) -> None:
    assert surest(np.array([[0.5, 0.4, 0.1], [0.2, 0.1, 0.6], [0.9, 0.1, 0.85]])) == 1  # not the highest score
    assert surest(np.zeros((4, 2))) == 0
    one, other = (answer(toy_answerer, toy_clip, TEXT, choices=c, against=[]) for c in (CHOICES, CHOICES[::-1]))
    assert one.frame == other.frame and np.allclose(one.alone, other.alone[:, ::-1], atol=1e-6)


def test_one_frame_sees_the_clip_and_is_no_null(result: AnswerResult) -> None:
    assert result.nulls == ("no clip", "even colour", "other clips", OPTIONS)
    exact = np.log(result.probability("red disc") / result.probability("red disc", ONE_FRAME))
    assert np.isclose(result.lift("red disc", ONE_FRAME), exact)
    scores = result.scores.copy()
    scores[-1] = [1, -1]  # the least lift of all, if it were one
    sure = replace(result, scores=scores)
    assert sure.lift("red disc") == result.lift("red disc") > sure.lift("red disc", ONE_FRAME)


def test_what_was_not_needed_is_said_once() -> None:
    names = ("the clip", "no clip", OPTIONS, ONE_FRAME)
    win, lose = [0.9, 0.1], [0.1, 0.9]
    for rows, expected in (
        ([win, lose, lose, win], "'a' comes first with one frame as well: a picture was enough"),
        ([win, lose, win, win], "'a' comes first with options only as well: the clip was not needed"),
        ([win, lose, lose, lose], None),
    ):
        flags = [note for note in _flags(np.array(rows), ("a", "b"), names, True) if "comes first" in note]
        assert len(flags) == (expected is not None) and all(note.startswith(str(expected)) for note in flags)


# ── maps ──


def test_each_choice_has_a_map_of_its_own(result: AnswerResult, seen: np.ndarray) -> None:
    """What speaks for red is the red patches, by their redness; nothing else moves the score that way."""
    for choice, colour in (("red disc", 0), ("blue square", 1)):
        expected = seen[:, colour] / seen[:, colour].sum()
        assert np.allclose(result.heat(choice).ravel(), expected, atol=1e-4)
    assert np.isclose(result.heat("red disc").sum(), 1)


def test_relevance_is_gradient_times_attention(result: AnswerResult, seen: np.ndarray) -> None:
    """d cos / dA · A for the row of the [CLS], the only one that is read off."""
    red, blue = seen.mean(axis=0)
    slope = seen[:, 0] * blue**2 / np.hypot(red, blue) ** 3
    assert np.allclose(result.relevance[0], slope / len(seen), rtol=1e-3, atol=1e-6)


def test_the_question_looks_everywhere_alike(result: AnswerResult) -> None:
    assert np.allclose(result.heat(), 1 / result.grid.size) and result.site == "question"
    assert "middle" in result.why and result.heat().shape == (4, 6, 6)


def test_a_foils_map_is_subtracted(result: AnswerResult) -> None:
    flip = result.heat("red disc", foil="blue square")
    assert np.allclose(flip, result.heat(0) - result.heat(1)) and abs(flip.sum()) < 1e-5
    with pytest.raises(ConfigError, match="give both"):
        result.heat(foil="blue square")


def test_maps_are_held_against_what_the_phrase_names(result: AnswerResult) -> None:
    assert result.objects == ("red disc",) and result.masks is not None and len(result.masks) == 1
    red, blue, question = (result.score(choice) for choice in (0, 1, None))
    assert red["mass"] > 0.3 > red["chance"] and red["pointing"] == 1
    assert blue["mass"] < 0.02 and np.isclose(question["lift"], 1, atol=0.01)


def test_things_are_found_in_other_words() -> None:
    """The scene's own caption says "this red ball rotates here": another person may ask of it as well."""
    scene = example_scene("blue_square_grows_then_red_circle_spins")
    text = plain_caption(scene)
    assert "red circle" in text and "red circle" not in scene.caption.text
    for phrase, expected in (("red circle", [1]), ("spins", [1]), ("blue square", [0]), ("grows", [0]), ("then", [])):
        objects, mine = things(scene.clip(), text, phrase)
        assert mine == expected and objects[0] == "blue square"


def test_nobody_speaks_without_truth(toy_answerer: Any, toy_clip: Any) -> None:
    bare = replace(toy_clip, truth=None, world=None)
    alone = answer(toy_answerer, bare, TEXT, choices=CHOICES)
    assert UNSURE not in alone.notes and UNSURE in answer(toy_answerer, bare, TEXT).notes
    assert alone.score(0) == {} and alone.masks is None and NO_OTHERS in alone.notes
    assert alone.conditions == ("the clip", "no clip", "even colour", "options only", "one frame")


# ── what can be asked ──


def test_phrases_and_choices_of_its_own(toy_answerer: Any, toy_clip: Any) -> None:
    found = answer(toy_answerer, toy_clip)  # the caption's first phrase, and the world's words that the model knows
    assert found.phrase == "red disc" and found.choices[0] == "red disc" and len(found.choices) >= 2
    assert "." not in found.question and len(found.others) == 8
    assert answer(toy_answerer, toy_clip, phrase="Blue square", choices=CHOICES).right == 1
    assert answer(toy_answerer, toy_clip, "[red] disc", choices=["blue", "square"]).right is None


def test_words_of_the_phrase_are_erased_wherever_they_stand(toy_answerer: Any, toy_clip: Any) -> None:
    found = answer(toy_answerer, toy_clip, "the [red disc] and the red square", choices=CHOICES, against=[])
    assert found.question == "the [MASK] [MASK] and the [MASK] square" and ELSEWHERE in found.notes
    assert found.plot().alt.startswith("the _____ and the _____ square")


def test_what_differs_in_order_is_pointed_out(toy_answerer: Any, toy_clip: Any) -> None:
    card = {"lexicon": [*toy_answerer.card["lexicon"], "left"]}
    model = type(toy_answerer)(toy_answerer.inputs.vocabulary, card)
    found = answer(model, toy_clip, "the red disc [slides right]", choices=["slides right", "slides left"])
    assert any("in any order" in note for note in found.notes)
    assert not any("in any order" in note for note in answer(model, toy_clip, TEXT, choices=CHOICES).notes)


@pytest.mark.parametrize(
    ("text", "options", "error", "message"),
    [
        ("the red disc", {"phrase": "blue disc"}, TextError, "no phrase 'blue disc'. It has 'red disc'"),
        ("the [red disc] [slides]", {}, TextError, "2 phrases in brackets"),
        ("the [red disc]", {"phrase": "slides"}, TextError, "give one of them"),
        ("the [red elephant]", {}, TextError, "elephant"),
        ("  ", {}, TextError, "no caption"),
        (TEXT, {"choices": ["red disc"]}, ConfigError, "two of them or more"),
        (TEXT, {"choices": "red disc"}, ConfigError, "two of them or more"),
        (TEXT, {"choices": ["the red disc", "Red disc"]}, ConfigError, "twice"),
        (TEXT, {"choices": ["red disc", "green disc"]}, TextError, "green"),
        ("[and] red", {}, ConfigError, r"Say what else: choices=\["),
        (TEXT, {"choices": CHOICES, "site": "nowhere"}, ConfigError, "it does at question"),
        (TEXT, {"choices": CHOICES, "head": 3}, ConfigError, "there is no 3"),
    ],
)
def test_what_cannot_be_asked(
    toy_answerer: Any, toy_clip: Any, text: str, options: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        answer(toy_answerer, toy_clip, text, **options)


def test_what_is_not_there_is_named(result: AnswerResult) -> None:
    with pytest.raises(ConfigError, match="red disc, blue square"):
        result.heat("green disc")
    with pytest.raises(ConfigError, match="no clip, even colour"):
        result.top(condition="backwards")
    with pytest.raises(ConfigError, match="there are question"):
        result.attention("nowhere")
    with pytest.raises(ConfigError, match="global and frame"):
        result.overlay(0, scale="log")


def test_a_family_without_the_head_names_those_that_have_it(toy_answerer: Any, toy_clip: Any) -> None:
    class Mute(type(toy_answerer)):  # type: ignore[misc]
        def forward(self, batch: Any) -> Output:
            return Output(match_logits=torch.zeros(len(batch)))

    with pytest.raises(Unsupported, match="bridgeformer"):
        answer(Mute(toy_answerer.inputs.vocabulary), toy_clip, TEXT, choices=CHOICES)


def test_it_survives_its_file(result: AnswerResult, tmp_path: Any) -> None:
    result.save(tmp_path / "a.npz")
    back = AnswerResult.load(tmp_path / "a.npz")
    assert back.to_dict() == result.to_dict() and "frames" not in result.to_dict()
    assert np.array_equal(back.heat(1), result.heat(1))


# ── families ──


@cache
def mini(name: str) -> Any:
    torch.manual_seed(0)
    return registry.build(name)


@pytest.mark.parametrize("name", registry.names())
def test_every_family_answers_or_says_why_not(name: str) -> None:
    clip = sample_scene(5).clip()  # "the cyan square shrinks now after it slides right"
    if "answer_embedding" not in registry.family(name).heads:
        with pytest.raises(Unsupported, match="no head for questions"):
            answer(mini(name), clip)
        return
    found = answer(mini(name), clip, phrase="slides right", against=[sample_scene(1).clip()])
    assert found.choices[0] == "slides right" and len(found.choices) == 5 and np.isfinite(found.scores).all()
    if registry.family(name).frames_independent:
        assert "slides left" not in found.choices
    assert found.relevance.shape == (5, found.grid.size) and (found.relevance >= 0).all()
    assert (
        np.abs(found.relevance[0] / found.relevance[0].sum() - found.relevance[1] / found.relevance[1].sum()).max() > 0
    )
    assert np.isclose(found.heat().sum(), 1) and len(found.looks) > 1
    with pytest.raises(TextError, match="elephant"):
        model = registry.build(name)
        model.card = {"lexicon": ["the", "red", "ball"]}
        answer(model, clip, "the [red elephant]")


@pytest.mark.parametrize("name", [n for n in registry.names() if "answer_embedding" in registry.family(n).heads])
def test_gradients_reach_what_an_explicit_record_keeps(name: str) -> None:
    """Σ dS/dA · A, as kept, is how the score changes when all that attention is scaled: checked by scaling it."""
    model, clip = mini(name), sample_scene(2).clip()
    batch = prepare([clip], ["[MASK] [MASK] [MASK] red ring"], model.inputs)
    batch = replace(batch, question=text_batch(["the [MASK] [MASK] slides up"], model.inputs))
    heard = Crossings()
    with listening(heard), torch.no_grad():
        model(batch)

    def score(output: Output) -> torch.Tensor:
        return torch.nn.functional.cosine_similarity(output.answer_embedding, output.text_embedding)  # type: ignore[arg-type]

    def scaled(by: float) -> float:
        with torch.no_grad():
            return float(score(record(model, batch, heard.sites, rows="all", edit=lambda _, w: w * by).output))

    open_one = record(model, batch, heard.sites, rows="all", explicit=True)
    kept = [open_one.attention[site].weights for site in heard.sites]
    slopes = torch.autograd.grad(score(open_one.output).sum(), kept)
    total = sum(float((g * w).detach().sum()) for g, w in zip(slopes, kept, strict=True))
    assert total == pytest.approx((scaled(1.02) - scaled(0.98)) / 0.04, rel=2e-2, abs=1e-5)
    with torch.inference_mode():  # whoever calls
        assert len(look(model, batch, heard.sites, score)[1]) == 1
