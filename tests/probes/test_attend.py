"""What attend says of a model whose answers are known."""

import json
from typing import Any

import numpy as np
import pytest
import torch
from fresh import fresh
from toy import CAPTION, ToyModel, disc_x
from toy import toy_clip as make_clip

from vtexplore import registry
from vtexplore.errors import ConfigError, TextError, Unsupported
from vtexplore.probes._show import kinds
from vtexplore.probes.attend import NOT_AN_EXPLANATION, AttendResult, attend
from vtexplore.types import Output


@pytest.fixture(scope="module")
def result(toy_model: Any, toy_clip: Any) -> AttendResult:
    return attend(toy_model, toy_clip)


def test_heat_lies_where_the_model_looks(result: AttendResult) -> None:
    """The disc is in the top half of a 4:3 picture padded to a square of 6 × 6 patches."""
    heat = result.heat("red")
    assert heat.shape == (4, 6, 6)
    for frame in (1, 2):
        row, column = np.unravel_index(heat[frame].argmax(), (6, 6))
        assert row == 1
        assert abs((column + 0.5) / 6 - disc_x(result.times_s[frame])) < 1.5 / 6
    blue = np.unravel_index(result.heat("blue")[0].argmax(), (6, 6))
    assert blue == (4, 4)


def test_the_default_is_the_cards_head_and_says_so(result: AttendResult) -> None:
    assert (result.site, result.head) == ("layers.1", 1) and "card" in result.why


def test_without_a_card_the_middle_layer_and_the_mean_of_heads(toy_model: Any, toy_clip: Any) -> None:
    bare = ToyModel(toy_model.inputs.vocabulary, card={})
    result = attend(bare, toy_clip)
    assert (result.site, result.head) == ("layers.1", None) and "middle" in result.why
    assert np.allclose(result.rows(), result.look().weights.mean(0))


def test_a_site_and_head_may_be_chosen(toy_model: Any, toy_clip: Any) -> None:
    result = attend(toy_model, toy_clip, site="layers.0", head=1)
    assert (result.site, result.head, result.why) == ("layers.0", 1, "asked for")
    with pytest.raises(ConfigError, match=r"layers\.0, layers\.1"):
        attend(toy_model, toy_clip, site="layers.7")
    with pytest.raises(ConfigError, match="2 heads"):
        attend(toy_model, toy_clip, head=5)
    with pytest.raises(ConfigError, match="raw and rollout"):
        attend(toy_model, toy_clip, method="magic")


def test_rows_are_shares(result: AttendResult) -> None:
    for look in result.looks:
        total = look.weights.sum(-1)
        assert (look.weights >= 0).all() and (total <= 1 + 1e-5).all() and (total > 0.5).all()
    assert np.allclose(result.word_frame().sum(1), result.rows().sum(1), atol=1e-5)


def test_a_word_is_the_mean_of_its_pieces(toy_model: Any, toy_clip: Any) -> None:
    """ "stands" is "stand" + "##s"; the full stop after "still" is no part of it."""
    from vtexplore.data.prepare import prepare
    from vtexplore.record import record

    kept = record(toy_model, prepare([toy_clip], [CAPTION], toy_model.inputs)).attention["layers.0"]
    labels = list(kept.queries[0].labels)
    at = [labels.index("stand"), labels.index("##s")]
    video = kept.keys[0].where("video")
    expected = kept.weights[0][:, at].mean(1)[:, torch.from_numpy(video)]
    result = attend(toy_model, toy_clip)
    assert np.allclose(result.looks[0].weights[:, result.word("stands")], expected.numpy(), atol=1e-6)
    still = kept.weights[0][:, labels.index("still")][:, torch.from_numpy(video)]
    assert np.allclose(result.looks[0].weights[:, result.word("still")], still.numpy(), atol=1e-6)


def test_truth_is_known_word_by_word(result: AttendResult) -> None:
    assert [result.named[i] for i in (1, 2, 3, 7, 8)] == [(0,), (0,), (0,), (1,), (1,)]
    assert result.happens_s[3].tolist() == [1.0, 3.0] and np.isnan(result.happens_s[1]).all()
    score = result.score("red")
    assert score["pointing"] == 1 and 0.4 < score["mass"] <= score["attainable"] < 1 and score["lift"] > 10
    assert result.score("and") == {}


def test_the_head_grid_finds_the_head(result: AttendResult) -> None:
    grid = result.head_grid("red")
    assert grid.best == ("layers.1", 1) and grid.what == "attention on the named thing"
    assert np.allclose(grid.scores.ravel()[:3], grid.chance, atol=1e-3)
    assert result.head_grid("and").what == "attention on the video"


def test_another_text_borrows_what_is_unambiguous(toy_model: Any, toy_clip: Any) -> None:
    result = attend(toy_model, toy_clip, "a blue disc slides")
    assert result.named == ((), (1,), (0,), (0,))


def test_no_truth_no_scores(toy_model: Any) -> None:
    result = attend(toy_model, make_clip(truth=None))
    assert result.masks is None and result.score("red") == {} and result.objects == ()
    assert result.words[result.word()] in ("red", "blue")  # the most concentrated


def test_words_are_found_and_misses_explained(toy_model: Any, toy_clip: Any) -> None:
    result = attend(toy_model, toy_clip, "the red disc and the blue disc")
    assert (result.word("the"), result.word("the:2"), result.word("Disc,"), result.word(-1)) == (0, 4, 2, 6)
    with pytest.raises(TextError, match="stands 2 times"):
        result.word("the:3")
    with pytest.raises(TextError, match="Did you mean 'blue'"):
        result.word("bleu")
    with pytest.raises(TextError, match="no word 9"):
        result.word(9)


def test_text_and_clip_are_held_to_the_card(toy_model: Any, toy_clip: Any) -> None:
    with pytest.raises(TextError, match="never trained on 'elephant'"):
        attend(toy_model, toy_clip, "the red elephant")
    with pytest.raises(TextError, match="has no caption"):
        attend(toy_model, make_clip(caption=None))
    assert attend(toy_model, toy_clip).notes == (NOT_AN_EXPLANATION,)
    outside = attend(toy_model, make_clip(world=None, truth=None))
    assert "does not look like the world" in outside.notes[0] and outside.notes[-1] == NOT_AN_EXPLANATION


def test_a_model_whose_words_see_no_video_is_refused(toy_model: Any, toy_clip: Any) -> None:
    class Dual(ToyModel):
        def forward(self, batch: Any) -> Output:
            return Output(match_logits=torch.zeros(len(batch)))

    with pytest.raises(Unsupported, match="no word ever attends to video"):
        attend(Dual(toy_model.inputs.vocabulary), toy_clip)


def test_a_result_survives_its_file(result: AttendResult, tmp_path: Any) -> None:
    result.save(tmp_path / "red.vtx")
    back = AttendResult.load(tmp_path / "red.vtx")
    assert back.to_dict() == result.to_dict() and (back.frames == result.frames).all()
    assert (tmp_path / "red.vtx").stat().st_size < 100_000
    json.dumps(result.to_dict(), allow_nan=False)
    assert "frames" not in result.to_dict()
    (tmp_path / "no.vtx").write_bytes(b"PK nothing")
    with pytest.raises(ConfigError, match="not a saved result"):
        AttendResult.load(tmp_path / "no.vtx")
    with pytest.raises(ConfigError, match="No such file"):
        AttendResult.load(tmp_path / "absent.vtx")


def test_asking_twice_gives_the_same(toy_model: Any, toy_clip: Any, result: AttendResult) -> None:
    assert attend(toy_model, toy_clip).to_dict() == result.to_dict()


@pytest.mark.parametrize("name", registry.names())
def test_every_family_answers_or_says_why_not(name: str, toy_clip: Any) -> None:
    try:
        result = attend(fresh(name), toy_clip, "the red circle slides left")
    except Unsupported as lacking:
        assert name in str(lacking)
        return
    heat = result.heat("red")
    assert np.isfinite(heat).all() and heat.ndim == 3 and result.about["model"] == name
    assert len(heat) == len(result.times_s) == len(result.frames) == result.word_frame().shape[1]
    for kind in kinds(result):
        assert "circle" in result.plot(kind, **({} if kind == "word_frame" else {"word": "circle"})).alt
