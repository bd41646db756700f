"""Exercises: right answers pass, and every miss says what it shows instead."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy_order import Blind, Judge, Placer, stairs, story_words

from vtexplore.course import EXERCISES, check
from vtexplore.errors import ConfigError
from vtexplore.probes.ablate_heads import AblateHeadsResult
from vtexplore.probes.answer import answer
from vtexplore.probes.attend import attend
from vtexplore.probes.cloze import ClozeResult
from vtexplore.probes.explain import ExplainResult, explain
from vtexplore.probes.fill_codes import FillCodesResult
from vtexplore.probes.fill_mask import HARD, FillMaskResult, fill_mask
from vtexplore.probes.forecast import ForecastResult
from vtexplore.probes.masking import masking
from vtexplore.probes.match import MatchResult
from vtexplore.probes.read_words import ReadWordsResult
from vtexplore.probes.recover_order import recover_order
from vtexplore.probes.reorder import reorder
from vtexplore.probes.retrieve import retrieve


@pytest.fixture(scope="module")
def red(toy_model: Any, toy_clip: Any) -> FillMaskResult:
    return fill_mask(toy_model, toy_clip, word="red")


def test_an_unknown_exercise_is_named() -> None:
    with pytest.raises(ConfigError, match=r"first_look\.guessed"):
        check("first_look.guess", None)


@pytest.mark.parametrize("exercise", EXERCISES)
def test_something_else_is_no_answer(exercise: str) -> None:
    for given in (42, (1, 2), ()):
        verdict = check(exercise, given)
        assert not verdict.right and "Result" in repr(verdict) and repr(verdict).startswith("Not yet.")


def test_a_word_that_is_guessed(red: FillMaskResult) -> None:
    miss = check("first_look.guessed", red)
    assert not miss.right and "needed to look" in miss.why
    at = red.candidates.index("red")
    p = red.p.copy()
    p[:, at] = 0.9
    assert check("first_look.guessed", replace(red, p=p)).right
    p[0, at] = 0
    assert "Even with the clip" in check("first_look.guessed", replace(red, p=p)).why
    assert "own caption" in check("first_look.guessed", replace(red, answer=None)).why


def test_two_clips_and_one_gap(red: FillMaskResult) -> None:
    other = replace(red, clip="another", p=red.p[:, ::-1].copy())
    assert check("first_look.other_clip", (red, other)).right
    assert "Take another one" in check("first_look.other_clip", (red, red)).why
    assert "says 'red'" in check("first_look.other_clip", (red, replace(red, clip="another"))).why
    assert "differ" in check("first_look.other_clip", (red, replace(red, text="else"))).why
    assert not check("first_look.other_clip", red).right


def test_a_head_that_looks_elsewhere(toy_model: Any, toy_clip: Any) -> None:
    assert "more than an even map" in check("first_look.elsewhere", attend(toy_model, toy_clip)).why
    away = attend(toy_model, toy_clip)
    moved = away.look().weights.copy()
    covered = away.covered()
    assert covered is not None
    moved[..., away.patches(away.look().tokens)] *= covered == 0
    looks = tuple(replace(look, weights=moved) if look.site == away.site else look for look in away.looks)
    assert check("first_look.elsewhere", replace(away, looks=looks)).right
    mean = attend(toy_model, toy_clip, site="layers.0")
    assert "mean of several" in check("first_look.elsewhere", mean).why
    assert "no truth" in check("first_look.elsewhere", attend(toy_model, replace(toy_clip, truth=None))).why


def _bare(kind: Any, **fields: Any) -> Any:
    """A result that has only what a judge looks at."""
    found = object.__new__(kind)
    for name, value in fields.items():
        object.__setattr__(found, name, value)
    return found


def test_two_clips_with_a_word_in_common() -> None:
    one, other, far = (
        _bare(ReadWordsResult, clip=c, codes=np.array(w), frames=np.zeros((2, 1, 1, 3)))
        for c, w in (("one", [1, 2]), ("other", [2, 3]), ("far", [7, 8]))
    )
    assert "word 2" in check("visual_words.same_word", (one, other)).why
    assert check("visual_words.same_word", (one, other)).right
    assert "no word in common" in check("visual_words.same_word", (one, far)).why
    assert "Take another one" in check("visual_words.same_word", (one, one)).why


def test_a_gap_that_needs_the_clip() -> None:
    def result(seen: list[float], blind: list[float], **other: Any) -> Any:
        given = {"gaps": (0,), "truth": {"shape": ("disc",)}, "conditions": ("the clip", "no clip"), "shown": 2}
        p = np.array([[seen, blind]], dtype=np.float32)
        return _bare(ClozeResult, **(given | {"candidates": ("disc", "ring"), "p": p} | other))

    found = check("visual_words.needed", result([0.9, 0.1], [0.2, 0.8]))
    assert found.right and "'disc' with the clip, 'ring' without" in found.why
    assert "says 'disc'" in check("visual_words.needed", result([0.9, 0.1], [0.8, 0.2])).why
    assert "says 'ring'" in check("visual_words.needed", result([0.1, 0.9], [0.8, 0.2])).why
    assert "not known" in check("visual_words.needed", result([0.9, 0.1], [0.2, 0.8], truth={})).why
    assert "compare with" in check("visual_words.needed", result([0.9, 0.1], [0.2, 0.8], conditions=("the clip",))).why


def test_a_moment_that_is_foreseen() -> None:
    def result(model: int, truth: int, last: int = 0) -> Any:
        p = np.eye(4, dtype=np.float32)[[model]]
        given = {"ahead": (1,), "at": 0, "shown": 1, "codes": np.array([last]), "truth": np.array([truth])}
        return _bare(ForecastResult, p=p, common=np.full(4, 0.25, np.float32), **given)

    assert check("visual_words.foreseen", result(model=2, truth=2)).right
    assert "little changed" in check("visual_words.foreseen", result(model=0, truth=0)).why
    assert "not the true one" in check("visual_words.foreseen", result(model=1, truth=2)).why
    assert "not the true one" in check("visual_words.foreseen", result(model=1, truth=-1)).why


def _codes(copied: int) -> FillCodesResult:
    hidden = np.zeros((2, 2, 2), dtype=bool)
    hidden[0] = True
    truth, picture = np.zeros((2, 2, 2), dtype=int), np.zeros((2, 4, 4, 3), dtype=np.uint8)
    seen = np.full((2, 2, 2), copied)
    about: dict[str, Any] = {"model": "toy"}
    times_s, p, top = np.arange(2.0), np.zeros((1, 4)), np.zeros((4, 4))
    answers = (np.stack([seen] * 3), 0, ("the text",), p, top, top, np.full(4, 0.25))
    pictures = (picture,) * 4
    tiles = np.zeros((0, 6, 0, 0, 3), dtype=np.uint8)
    return FillCodesResult("x", hidden, truth, truth, *answers, 4, "clip", times_s, *pictures, tiles, about, ())


def test_patches_that_cannot_be_copied() -> None:
    assert "stands in the next frame" in check("masking.nothing_to_copy", _codes(copied=0)).why
    assert check("masking.nothing_to_copy", _codes(copied=1)).right


def _matched(score: list[float], texts: tuple[str, ...], clip: str = "a red disc") -> MatchResult:
    frames = np.zeros((1, 4, 4, 3), dtype=np.uint8)
    return MatchResult(texts, np.array(score), np.zeros((0, len(texts))), (), clip, np.zeros(1), frames, {}, ())


def test_a_foil_that_wins() -> None:
    pair = ("a red disc", "a blue disc")
    assert check("masking.fooled", _matched([0, 1], pair)).right
    assert "true sentence wins" in check("masking.fooled", _matched([1, 0], pair)).why
    assert "more than one word" in check("masking.fooled", _matched([0, 1], ("a red disc", "the blue disc"))).why
    assert "caption" in check("masking.fooled", _matched([0, 1], pair, clip="another")).why


def test_when_all_is_hidden_attention_does_not_matter(toy_model: Any, toy_clip: Any) -> None:
    assert "without replacement" in check("masking.all_hidden", masking(toy_model, toy_clip, draws=50)).why
    assert check("masking.all_hidden", masking(toy_model, toy_clip, draws=50, rate=1.0)).right


def test_a_question_moves_the_attention(toy_answerer: Any, toy_clip: Any) -> None:
    red, blue = (
        answer(toy_answerer, toy_clip, phrase=p, choices=["red disc", "blue square"], against=[])
        for p in ("red disc", "blue square")
    )
    assert "of an even map" in check("questions.moved", (red, blue)).why  # the toy looks everywhere alike
    looking = []
    for one, colour in ((red, 0), (blue, 1)):
        weights = one.relevance[colour][None]
        looking.append(replace(one, looks=(replace(one.looks[0], weights=weights),)))
    assert check("questions.moved", tuple(looking)).right
    assert "ask for another object" in check("questions.moved", (red, red)).why
    assert "Ask twice about one clip" in check("questions.moved", (red, replace(blue, clip="another"))).why
    assert "is not known" in check("questions.moved", (red, replace(blue, objects=()))).why


def test_choices_that_give_the_answer_away(toy_answerer: Any, toy_clip: Any) -> None:
    seen = answer(toy_answerer, toy_clip, phrase="red disc", choices=["red disc", "blue square"], against=[])
    assert "With no clip 'red disc' no longer wins" in check("questions.given_away", seen).why
    blind = replace(seen, scores=seen.scores[[0, 0, 0, 3, 4]])  # what the choices alone give away is not asked for
    assert check("questions.given_away", blind).right
    assert "Even with the clip" in check("questions.given_away", replace(seen, scores=-seen.scores)).why
    assert "not among the choices" in check("questions.given_away", replace(seen, right=None)).why


def test_clips_that_no_text_tells_apart(toy_answerer: Any, toy_clip: Any) -> None:
    texts = ["the red disc", "the blue square"]
    same = retrieve(toy_answerer, [toy_clip, toy_clip], texts)
    assert check("questions.no_order", same).right
    assert "tells any two" in check("questions.no_order", replace(same, scores=np.eye(2, dtype=np.float32))).why
    assert "told of both" in check("questions.no_order", replace(same, texts=(texts[0], texts[0]))).why


def test_an_order_that_costs_nothing(tmp_path: Path) -> None:
    words = story_words(tmp_path)
    assert "among the better half" in check("order.no_loss", reorder(Judge(words), stairs())).why
    assert "blind to order" in check("order.no_loss", reorder(Blind(words), stairs())).why
    assert check("order.no_loss", reorder(Judge(words), stairs((0.7, 0.5, 0.3, 0.1)))).right


def test_motion_is_not_order(tmp_path: Path) -> None:
    frames = reorder(Judge(story_words(tmp_path)), stairs())
    tubelets = replace(frames, what="tubelets")
    assert "costs as well" in check("order.motion", (frames, tubelets)).why
    assert check("order.motion", (frames, replace(tubelets, scores=tubelets.scores * 0))).right
    assert "what='frames'" in check("order.motion", (frames, frames)).why
    assert "two clips" in check("order.motion", (frames, replace(tubelets, clip="another"))).why


def test_films_put_in_order(tmp_path: Path) -> None:
    words = story_words(tmp_path)
    films = [stairs(name="one"), stairs((0.2, 0.3, 0.6, 0.9), name="two")]
    assert check("order.in_order", recover_order(Placer(words), films)).right
    assert "by luck" in check("order.in_order", recover_order(Placer(words, frames=2), films[:1])).why
    assert "what came where" in check("order.in_order", recover_order(Placer(words, knows=False), films)).why
    assert "look the same" in check("order.in_order", recover_order(Judge(words), stairs((0.1, 0.1, 0.5, 0.9)))).why


def test_the_head_that_grounds_a_word_best(toy_model: Any, toy_clip: Any) -> None:
    found = check("explorer.best_head", attend(toy_model, toy_clip))  # the card's head is the best of the toy's
    assert found.right and "layers.1, head 1" in found.why and "this very clip" in found.why
    even = attend(toy_model, toy_clip, site="layers.0", head=0)
    assert "another head has more" in check("explorer.best_head", even).why
    assert "mean of several" in check("explorer.best_head", attend(toy_model, toy_clip, site="layers.1")).why
    assert "not known" in check("explorer.best_head", attend(toy_model, replace(toy_clip, truth=None))).why


def test_two_methods_that_disagree() -> None:
    def result(method: str, *patches: float, what: str = "ln p(red)") -> Any:
        given = {"text": "the red disc", "clip": "clip", "what": what, "method": method}
        return _bare(ExplainResult, patch_map=np.array(patches).reshape(1, 2, 2), **given)

    one, alike = result("relevancy", 1, 2, 3, 4), result("occlusion", -2, 3, -4, 5)  # against counts as much as for
    assert check("explorer.disagree", (one, result("occlusion", 4, 1, 3, 2))).right
    assert "correlate by +1.00" in check("explorer.disagree", (one, alike)).why
    assert "Take another method" in check("explorer.disagree", (one, one)).why
    assert "ask no model" in check("explorer.disagree", (one, result("edges", 4, 3, 2, 1))).why
    assert "different things" in check("explorer.disagree", (one, result("occlusion", 4, 3, 2, 1, what="match"))).why
    assert "nothing" in check("explorer.disagree", (one, result("occlusion", 0, 0, 0, 0))).why


def test_a_word_that_turns_with_the_frames(red: FillMaskResult) -> None:
    frames = np.arange(4 * 12, dtype=np.uint8).reshape(4, 2, 2, 3)
    forth = replace(red, frames=frames)
    back = replace(red, frames=frames[::-1].copy())
    turned = replace(back, p=back.p[:, ::-1].copy())
    assert check("explorer.turned", (forth, turned)).right
    assert "says 'red'" in check("explorer.turned", (forth, back)).why
    assert "not the first one backwards" in check("explorer.turned", (forth, replace(turned, frames=frames))).why
    same = replace(red, frames=np.zeros_like(frames))
    assert "looks the same backwards" in check("explorer.turned", (same, same)).why
    assert "differ" in check("explorer.turned", (forth, replace(turned, text="else"))).why


# ── 05 is attention an explanation? ──


@pytest.fixture(scope="module")
def why(toy_model: Any, toy_clip: Any) -> ExplainResult:
    """Half of the map lies where the toy's red disc is said to be."""
    from toy_why import GRID, Evidence, noise_clip, one_patch

    found = explain(Evidence(toy_model.inputs.vocabulary, one_patch((1, 4, 2))), noise_clip(), method="relevancy")
    on = np.zeros((1, len(found.frames), *found.frames.shape[1:3]), dtype=bool)
    on[:, 1, 100:150] = True
    patch_map = np.zeros(GRID)
    patch_map[1, 4, 2], patch_map[0, 0, 0] = 1.0, 1.0
    return replace(found, masked=1, says="red", objects=("red disc",), masks=on, patch_map=patch_map)


def test_a_map_that_knows_what_was_asked(why: ExplainResult) -> None:
    other = replace(why, says="blue")
    assert "Both maps are for 'red'" in check("explanation.other_word", (why, why)).why
    assert "whatever is asked" in check("explanation.other_word", (why, other)).why
    assert check("explanation.other_word", (why, replace(other, patch_map=why.patch_map[::-1]))).right
    assert (
        "one of the maps is even"
        in check("explanation.other_word", (why, replace(other, patch_map=why.patch_map * 0))).why
    )
    assert "one method twice" in check("explanation.other_word", (why, replace(other, method="raw"))).why


def test_a_map_that_asked_nobody(why: ExplainResult) -> None:
    assert why.score()["mass"] > 2 * why.score()["chance"]
    assert "asked the model" in check("explanation.no_model", why).why
    assert check("explanation.no_model", replace(why, method="edges")).right
    even = replace(why, method="edges", patch_map=np.ones_like(why.patch_map))
    assert "not twice" in check("explanation.no_model", even).why
    assert "not known here" in check("explanation.no_model", replace(why, masks=None)).why


def test_a_head_that_looks_and_is_not_missed(why: ExplainResult) -> None:
    loss = np.zeros((1, 8, 1, 2))
    loss[..., 1] = 1.0 + np.arange(8)[:, None] / 10  # head 1 is needed
    heads = AblateHeadsResult(("mean",), ("layers.0",), ("x",) * 8, ("y",) * 8, np.ones(8), loss, {}, ())
    look = replace(why, method="raw", measured={"site": "layers.0, head 0"})
    assert check("explanation.looks_unneeded", (look, heads)).right
    needed = replace(look, measured={"site": "layers.0, head 1"})
    assert "it is needed" in check("explanation.looks_unneeded", (needed, heads)).why
    away = replace(look, patch_map=1.0 - look.patch_map.clip(0, 1))
    assert "hardly looks" in check("explanation.looks_unneeded", (away, heads)).why
    assert "Show one head" in check("explanation.looks_unneeded", (why, heads)).why
    gone = replace(look, measured={"site": "layers.7, head 0"})
    assert "not among the heads" in check("explanation.looks_unneeded", (gone, heads)).why


# ── 07 published models ──


def _fresh(result: Any) -> Any:
    """The same as if weights without a hash had said it."""
    return replace(result, about=result.about | {"weights": None})


def test_a_head_that_nobody_taught(toy_model: Any, toy_clip: Any) -> None:
    there = _fresh(attend(toy_model, toy_clip))  # the head of the card: it does look at the disc
    covered = there.covered()
    assert covered is not None and there.score()["lift"] > 1.1
    moved = there.look().weights.copy()
    moved[..., there.patches(there.look().tokens)] *= covered == 0
    looks = tuple(replace(look, weights=moved) if look.site == there.site else look for look in there.looks)
    found = check("published.untaught", (there, replace(there, clip="another")))
    assert found.right and "nobody taught it" in found.why
    away = check("published.untaught", (there, replace(there, looks=looks, clip="another")))
    assert not away.right and "0.00 on the other. head_grid" in away.why
    assert "Take another one" in check("published.untaught", (there, there)).why
    trained = replace(there, about=there.about | {"weights": "abc"})
    assert "is trained here" in check("published.untaught", (trained, there)).why
    mean = _fresh(attend(toy_model, toy_clip, site="layers.0"))
    assert "one and the same head" in check("published.untaught", (mean, mean)).why


def test_one_question_to_two_models(red: FillMaskResult) -> None:
    def said(clip: float, hard: float, weights: str | None) -> FillMaskResult:
        p = np.full((2, len(red.candidates)), 0.01, dtype=np.float32)
        p[:, red.candidates.index("red")] = clip, hard
        about = red.about | {"weights": weights}
        return replace(red, conditions=("the clip", HARD), p=p, about=about)

    sees, blind = said(0.9, 0.01, "abc"), said(0.02, 0.02, None)
    found = check("published.same_question", (sees, blind))
    assert found.right and "+4.50 nats and +0.00" in found.why
    assert "hardly uses the clip" in check("published.same_question", (said(0.9, 0.9, "abc"), blind)).why
    assert "comes about by lot" in check("published.same_question", (sees, said(0.02, 0.01, None))).why
    assert "trained model's answer first" in check("published.same_question", (blind, sees)).why
    assert "the very same" in check("published.same_question", (sees, replace(blind, clip="another"))).why
    assert "No clip was asked" in check("published.same_question", (sees, _fresh(red))).why


def test_an_order_that_comes_first_by_luck(tmp_path: Path) -> None:
    words = story_words(tmp_path)
    lucky = _fresh(reorder(Judge(words), stairs()))
    assert check("published.first_by_luck", lucky).right and lucky.p() == pytest.approx(1 / 24)
    trained = replace(lucky, about=lucky.about | {"weights": "abc"})
    assert "is trained here" in check("published.first_by_luck", trained).why
    assert "Try the next film" in check("published.first_by_luck", _fresh(reorder(Blind(words), stairs()))).why
    few = _fresh(reorder(Judge(words), stairs(), frames=3))
    assert "Show more frames" in check("published.first_by_luck", few).why
