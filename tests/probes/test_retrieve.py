"""Retrieval by a model that embeds colours: whose clip a text means can be worked out by hand."""

import json
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from toy import BLUE, GREY, RED, ToySource, ToyTruth

from vtexplore import registry
from vtexplore.data.captioned import captioned
from vtexplore.errors import ConfigError, TextError, Unsupported, VideoError
from vtexplore.probes.retrieve import RetrieveResult, retrieve
from vtexplore.types import Clip, Output
from vtexplore.world import sample_scene, write_mp4

TEXTS = ("the red disc", "the blue square", "the red disc and the blue square")


class Painted(ToySource):
    """The toy's film without some of its objects."""

    def __init__(self, *colours: tuple[int, int, int]) -> None:
        self.colours = colours

    def sample(self, times_s: Any, short_side_px: int | None) -> np.ndarray:
        out = np.full_like(super().sample(times_s, short_side_px), GREY)
        masks = ToyTruth().masks(times_s, short_side_px or 120)
        for mask, colour in zip(masks, (RED, BLUE), strict=True):
            if colour in self.colours:
                out[mask] = colour
        return out


@pytest.fixture(scope="module")
def clips(toy_clip: Any) -> list[Clip]:
    shown = {"red": (RED,), "blue": (BLUE,), "both": (RED, BLUE)}
    return [
        replace(toy_clip, source=Painted(*colours), name=name, caption=text)
        for (name, colours), text in zip(shown.items(), TEXTS, strict=True)
    ]


@pytest.fixture(scope="module")
def result(toy_answerer: Any, clips: list[Clip]) -> RetrieveResult:
    return retrieve(toy_answerer, clips)


def test_scores_are_cosines_of_colours(result: RetrieveResult) -> None:
    assert result.texts == TEXTS and result.clips == ("red", "blue", "both") and result.how.startswith("cosine")
    assert np.allclose(result.scores[:2, :2], np.eye(2), atol=1e-3)
    assert result.scores[2, 2] == result.scores[2].max() and result.scores[0, 2] < 1


def test_hits_come_best_first_and_the_own_one_is_marked(result: RetrieveResult) -> None:
    hits = result.hits("the red disc", 2)
    assert [h.name for h in hits] == ["red", "both"] and [h.own for h in hits] == [True, False]
    assert hits[0].score == result.scores[0].max() and len(result.hits(1, None)) == 3
    assert [h.index for h in result.told("blue", 1)] == [1] and result.told(1, 1)[0].own
    assert result.recall(1) == (1, 1, 1) and result.median_rank == {"text to video": 1, "video to text": 1}


def test_ties_count_as_expected_or_as_published(toy_answerer: Any, clips: list[Clip]) -> None:
    same = retrieve(toy_answerer, [clips[0]] * 4, ["the red disc"] * 4)
    for direction in ("text to video", "video to text"):
        assert (same.ranks(direction) == 2.5).all() and (same.ranks(direction, "optimistic") == 1).all()
        assert same.recall(1, direction)[0] == 0.25 == same.recalls[direction][0].chance
        assert same.recalls[direction][0].optimistic == 1 and same.median_rank[direction] == 2.5
    assert any("100% of the texts have a wrong clip" in n for n in same.notes)
    assert any("3 texts are the same" in n for n in same.notes) and "in the mean over ties" in same.plot(0).alt


def test_a_text_that_means_another_clip_ranks_low(toy_answerer: Any, clips: list[Clip]) -> None:
    wrong = retrieve(toy_answerer, clips, [TEXTS[1], TEXTS[0], TEXTS[2]])
    assert wrong.ranks().tolist() == [3, 3, 1] and wrong.median_rank["text to video"] == 3
    share, low, high = wrong.recall(1)
    assert share == pytest.approx(1 / 3) and low == 0 and high == 1


def test_a_clip_may_have_several_texts(toy_answerer: Any, clips: list[Clip]) -> None:
    texts = ["the red disc", "the blue square", "red", "the blue square"]
    found = retrieve(toy_answerer, clips[:2], texts, own=[0, 1, 0, 0])
    assert found.ranks().tolist() == [1, 1, 1, 2]
    assert found.ranks("video to text").tolist() == [1, 1.5]  # the first clip has a right one on top; the second shares
    first = found.recalls["video to text"][0]
    assert first.share == 0.75 and first.chance == pytest.approx((3 / 4 + 1 / 4) / 2)
    assert first.low < 0.75 <= first.high


def test_what_reads_both_together_is_asked_for_every_pair(toy_model: Any, clips: list[Clip]) -> None:
    found = retrieve(toy_model, clips)
    assert found.how.startswith("matching score") and found.scores.shape == (3, 3)
    one = retrieve(toy_model, clips[1:], TEXTS[1:])
    assert np.allclose(one.scores, found.scores[1:, 1:], atol=1e-4)


@pytest.mark.parametrize(
    ("count", "options", "message"),
    [
        (1, {}, "two clips or more"),
        (3, {"texts": TEXTS[:2]}, "3 clips and 2 texts"),
        (3, {"texts": TEXTS[0]}, "list of texts"),
        (3, {"texts": []}, "3 clips and 0 texts"),
        (3, {"texts": TEXTS, "own": [0, 1]}, "3 clips and 3 texts"),
        (3, {"texts": TEXTS, "own": [0, 1, 3]}, "0 to 2"),
    ],
)
def test_what_does_not_go_together(
    toy_answerer: Any, clips: list[Clip], count: int, options: Any, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        retrieve(toy_answerer, clips[:count], **options)


def test_what_cannot_be_read_or_is_not_there(toy_answerer: Any, clips: list[Clip], result: RetrieveResult) -> None:
    with pytest.raises(TextError, match="elephant"):
        retrieve(toy_answerer, clips, ["the red elephant", *TEXTS[1:]])
    with pytest.raises(TextError, match="no caption"):
        retrieve(toy_answerer, [replace(clips[0], caption=None), *clips[1:]])
    for wrong in (
        lambda: result.hits(3),
        lambda: result.hits("red"),
        lambda: result.ranks("up"),
        lambda: result.recall(7),
    ):
        with pytest.raises(ConfigError, match="there|There|not counted"):
            wrong()

    class Mute(type(toy_answerer)):  # type: ignore[misc]
        def forward(self, batch: Any) -> Output:
            return Output(video_embedding=torch.zeros(len(batch), 2))

    with pytest.raises(Unsupported, match="violet"):
        retrieve(Mute(toy_answerer.inputs.vocabulary), clips)


def test_it_survives_its_file(result: RetrieveResult, tmp_path: Any) -> None:
    result.save(tmp_path / "r.npz")
    back = RetrieveResult.load(tmp_path / "r.npz")
    assert back.to_dict() == result.to_dict() and back.hits(0) == result.hits(0) and back.recall(1) == (1, 1, 1)
    assert all(np.array_equal(a, b) for a, b in zip(back.frames, result.frames, strict=True))
    assert "frames" not in result.to_dict() and json.dumps(result.to_dict())


# ── files and families ──


def test_a_folder_of_files(tmp_path: Any, toy_answerer: Any) -> None:
    with pytest.raises(VideoError, match="no such folder"):
        captioned(tmp_path / "absent")
    with pytest.raises(VideoError, match="no video with a caption"):
        captioned(tmp_path)
    for number, text in enumerate(TEXTS[:2]):
        write_mp4(sample_scene(number), tmp_path / f"{number}.mp4", 64)
        (tmp_path / f"{number}.json").write_text(json.dumps({"caption": text}))
    (tmp_path / "alone.mp4").write_bytes(b"")
    clips = captioned(tmp_path)
    assert [clip.caption for clip in clips] == list(TEXTS[:2])
    paths = retrieve(toy_answerer, [str(tmp_path / "0.mp4"), tmp_path / "1.mp4"], TEXTS[:2])
    assert np.allclose(paths.scores, retrieve(toy_answerer, clips).scores)
    (tmp_path / "1.json").write_text("{}")
    with pytest.raises(VideoError, match=r"1\.json cannot be read"):
        captioned(tmp_path)


@cache
def mini(name: str) -> Any:
    torch.manual_seed(0)
    return registry.build(name)


@pytest.mark.parametrize("name", registry.names())
def test_every_family_retrieves_or_says_why_not(name: str) -> None:
    clips, heads = [sample_scene(i).clip() for i in (3, 5, 8)], set(registry.family(name).heads)
    if not ({"video_embedding", "text_embedding"} <= heads or "match_logits" in heads):
        with pytest.raises(Unsupported):
            retrieve(mini(name), clips)
        return
    found = retrieve(mini(name), clips)
    assert found.scores.shape == (3, 3) and np.isfinite(found.scores).all() and len(np.unique(found.scores)) > 1
    assert {h.own for h in found.hits(0, None)} == {True, False} and found.recalls["text to video"][0].k == 1
    fewer = retrieve(mini(name), clips[1:])
    assert np.allclose(fewer.scores, found.scores[1:, 1:], atol=1e-4)  # a score does not depend on its neighbours
