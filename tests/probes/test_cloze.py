"""Gaps of a sentence, asked of a model that says colours by how much of them it sees, and nothing without a clip."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from toy import ToyModel

from vtexplore import registry
from vtexplore.errors import ConfigError, TextError, Unsupported
from vtexplore.probes._nulls import ONE_NULL
from vtexplore.probes.cloze import ClozeResult, cloze, names_of, truth_of
from vtexplore.probes.fill_mask import fill_mask
from vtexplore.types import Output
from vtexplore.world import SHAPES_THEME, sample_scene

TEXT = "the [MASK] [MASK] slides [MASK]."


@pytest.fixture(scope="module")
def result(toy_model: Any, toy_clip: Any) -> ClozeResult:
    return cloze(toy_model, toy_clip, TEXT, others=[replace(toy_clip, caption=None)])


def test_every_gap_is_asked_and_all_are_hidden_at_once(toy_model: Any, toy_clip: Any) -> None:
    texts: list[str] = []

    class Listening(ToyModel):
        def forward(self, batch: Any) -> Output:
            texts.extend(" ".join(p for p in row if p != "[PAD]") for row in batch.pieces)
            return super().forward(batch)

    cloze(Listening(toy_model.inputs.vocabulary), toy_clip, TEXT)
    assert all(text.count("[MASK]") >= 3 for text in texts)
    assert "[CLS] the [MASK] [MASK] slides [MASK] [MASK] . [SEP]" in texts  # "stands" is two pieces


def test_a_gap_is_filled_as_a_mask_is(result: ClozeResult, toy_model: Any, toy_clip: Any) -> None:
    alone = fill_mask(toy_model, toy_clip, "the [MASK] disc slides right.")
    for word in ("red", "blue", "stands"):
        for condition in ("the clip", "no clip"):
            assert np.isclose(result.probability(0, word, condition), alone.probability(word, condition))
    assert [w for w, _ in result.top(2, 2)] == ["red", "blue"] and result.gaps == (1, 2, 4)
    assert result.p.shape == (3, 4, len(result.candidates))
    assert np.allclose(result.p[:, 3], result.p[:, 0]), "the other clip looks the same"


def test_one_null_is_too_few(result: ClozeResult, toy_model: Any, toy_clip: Any) -> None:
    one, two = (
        (ONE_NULL in cloze(toy_model, toy_clip, TEXT, against=["no clip"], others=o).notes) for o in ([], [toy_clip])
    )
    assert one and not two and ONE_NULL not in result.notes


def test_what_is_right_is_any_annotators_word(result: ClozeResult) -> None:
    assert result.truth["colour"] == ("blue", "red") and {"slides", "moves", "glides"} == set(result.truth["verb"])
    assert result.names("disc") == "shape" and result.names("the") is None
    assert result.right(0) and result.right(0, condition="the clip")


def test_a_scene_names_what_happens_in_it() -> None:
    for seed in range(30):
        scene = sample_scene(seed)
        truth, clip = truth_of(scene.clip()), scene.clip()
        assert all(truth.values()) and truth == names_of(scene.caption.words, SHAPES_THEME)
        actions = [scene.theme.actions[e.kind] for e in scene.events]
        verbs = {v.word(a.says[0][0]) for v in scene.theme.voices for a in actions}
        assert set(truth["verb"]) == verbs
        shapes = {scene.objects[o].shape for e in scene.events for o in e.objects}
        assert set(truth["shape"]) == {v.word(s) for v in scene.theme.voices for s in shapes}
        assert truth_of(replace(clip, truth=None)) == {} == truth_of(replace(clip, world=None))


def test_a_list_to_choose_from(toy_model: Any, toy_clip: Any) -> None:
    some = cloze(toy_model, toy_clip, TEXT, among=["Blue", "stands", "red"], against=())
    assert some.candidates == ("blue", "stands", "red") and some.shown == 3 and some.conditions == ("the clip",)
    with pytest.raises(TextError, match="cannot say 'elephant'"):
        cloze(toy_model, toy_clip, TEXT, among=["elephant"])
    with pytest.raises(ConfigError, match="nothing to choose"):
        cloze(toy_model, toy_clip, TEXT, among=[])


@pytest.mark.parametrize("text", ["the red disc slides", "the [MASK][MASK] slides"])
def test_sentences_that_cannot_be_asked(toy_model: Any, toy_clip: Any, text: str) -> None:
    with pytest.raises(TextError, match="Put one"):
        cloze(toy_model, toy_clip, text)


def test_what_was_not_asked_is_named(result: ClozeResult, toy_model: Any, toy_clip: Any) -> None:
    with pytest.raises(ConfigError, match="no clip, even colour, other clips"):
        result.top(0, condition="backwards")
    with pytest.raises(ConfigError, match="3 gaps"):
        result.top(3)
    with pytest.raises(TextError, match="not among"):
        result.probability(0, "elephant")
    with pytest.raises(ConfigError, match="Unknown condition"):
        cloze(toy_model, toy_clip, TEXT, against=["magic"])


def test_a_family_without_the_head_names_those_that_have_it(toy_model: Any, toy_clip: Any) -> None:
    class Mute(ToyModel):
        def forward(self, batch: Any) -> Output:
            return Output(match_logits=torch.zeros(len(batch)))

    with pytest.raises(Unsupported, match="videobert"):
        cloze(Mute(toy_model.inputs.vocabulary), toy_clip, TEXT)


def test_it_survives_its_file_and_shows_itself(result: ClozeResult, tmp_path: Any) -> None:
    result.save(tmp_path / "c")
    assert ClozeResult.load(tmp_path / "c").to_dict() == result.to_dict()
    alt = result.plot().alt
    assert "The clip: red red red." in alt and "Gap 3: red (right)" in alt and "other clips" in alt


@pytest.mark.parametrize("name", registry.names())
def test_every_family_fills_gaps_or_says_why_not(name: str, toy_clip: Any) -> None:
    model = registry.build(name)
    if "word_logits" not in registry.family(name).heads:
        with pytest.raises(Unsupported):
            cloze(model, toy_clip)
        return
    found = cloze(model, toy_clip, top=2, against=["no clip"])
    assert np.isfinite(found.p).all() and 0 < found.p.max() <= 1 and len(found.top(0)) == 2
