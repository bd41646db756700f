"""Visual words of a model that knows where a disc is: read, foreseen, and imagined from a sentence."""

from typing import Any

import numpy as np
import pytest
import torch
from fresh import fresh
from toy_film import COUNTS, ToyReader

from vtexplore import registry
from vtexplore.errors import ConfigError, TextError, Unsupported
from vtexplore.probes.forecast import ForecastResult, forecast
from vtexplore.probes.illustrate import IllustrateResult, illustrate
from vtexplore.probes.read_words import ReadWordsResult, read_words
from vtexplore.types import Batch
from vtexplore.world import script


def painted(model: Any, item: int) -> np.ndarray:
    """A moment of two frames, as bright as its item's number; the second one counts."""
    return np.stack([np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), item, np.uint8)])


@pytest.fixture(scope="module")
def model(toy_model: Any) -> ToyReader:
    return ToyReader(toy_model.inputs.vocabulary)


@pytest.fixture(scope="module")
def foreseen(model: ToyReader, toy_clip: Any) -> ForecastResult:
    return forecast(model, toy_clip, at=1, ahead=(1, 2, 4), k=2, draw=painted)


@pytest.fixture(scope="module")
def imagined(model: ToyReader) -> IllustrateResult:
    return illustrate(model, "the red disc slides right", moments=2, k=2, draw=painted)


@pytest.fixture(scope="module")
def read(model: ToyReader, toy_clip: Any) -> ReadWordsResult:
    return read_words(model, toy_clip, draw=painted)


# ── reading ──


def test_a_clip_is_read_moment_by_moment(read: ReadWordsResult) -> None:
    assert read.codes.tolist() == [0, 1, 2, 3] == read.nearest.tolist() and read.agree.all()
    assert np.allclose(read.times_s, [0.75, 1.75, 2.75, 3.75]) and len(read.frames) == 4
    assert (read.distance < 0.125).all() and np.array_equal(read.distance, read.nearest_distance)
    assert read.vocabulary == 4 and read.counts.tolist() == COUNTS
    assert [read.path(w) for w in range(4)] == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_exemplars_are_the_middle_frames_of_their_moments(read: ReadWordsResult) -> None:
    assert read.words.tolist() == [0, 1, 2, 3] and [int(e.max()) for e in read.exemplars] == [0, 10, 20, 30]


# ── foreseeing ──


def test_the_next_word_is_the_next_and_a_pace_sets_how_far(foreseen: ForecastResult, model: ToyReader) -> None:
    assert foreseen.codes.tolist() == [0, 1, 2, 3] and foreseen.truth.tolist() == [2, 3, -1]
    assert foreseen.top(1)[0][0] == foreseen.top(2)[0][0] == foreseen.top(4)[0][0] == 2, "one more, at any pace"
    assert foreseen.p.shape == (3, 4) and np.allclose(foreseen.p.sum(1), 1), "a word that there is not has no share"
    assert foreseen.right(1) == {"the model": True, "copy": False, "common": False}
    assert foreseen.right(2) == {"the model": False, "copy": False, "common": True} and foreseen.right(4) is None
    assert foreseen.answers(1) == {"the model": (2, 0), "copy": (1, 3), "common": (3, 0)}


def test_what_comes_is_not_shown_to_the_model(model: ToyReader, toy_clip: Any) -> None:
    model.heard.clear()
    forecast(model, toy_clip, at=2, ahead=(1, 2), draw=painted)
    assert [hidden for _, hidden in model.heard] == [[False] * 3 + [True], [False] * 2 + [True]]
    assert [codes[:-1] for codes, _ in model.heard] == [[0, 1, 2], [0, 2]]
    model.heard.clear()
    forecast(model, toy_clip, at=2, ahead=(1,), since=2, draw=painted)
    assert model.heard[0][0][:-1] == [2]


def test_what_common_words_are_counted_in_is_said(foreseen: ForecastResult, model: ToyReader, toy_clip: Any) -> None:
    assert np.allclose(foreseen.common, np.array(COUNTS) / sum(COUNTS))
    assert any("the moments that the words were made of" in note for note in foreseen.notes)
    counts = model.eyes.tree.made.pop("counts")
    try:
        bare = forecast(model, toy_clip, at=2, draw=painted)
    finally:
        model.eyes.tree.made["counts"] = counts
    assert np.allclose(bare.common, [1 / 3, 1 / 3, 1 / 3, 0]) and any("that were seen" in note for note in bare.notes)
    assert forecast(model, toy_clip, draw=painted).at == 0, "as late as four ahead can be checked"


def test_moments_that_there_are_not(foreseen: ForecastResult, model: ToyReader, toy_clip: Any) -> None:
    for wrong in ({"at": 4}, {"at": 1, "since": 2}, {"ahead": ()}, {"ahead": (0,)}, {"k": 0}):
        with pytest.raises(ConfigError, match="moment"):
            forecast(model, toy_clip, **wrong)
    with pytest.raises(ConfigError, match="1, 2, 4"):
        foreseen.top(3)


# ── imagining ──


def test_a_sentence_is_seen_in_what_it_changes(imagined: IllustrateResult) -> None:
    assert imagined.p.shape == (2, 2, 4) and np.allclose(imagined.p.sum(-1), 1)
    assert imagined.top(0)[0][0] == imagined.top(1)[0][0] == 3
    assert np.allclose(imagined.p[1], 0.25) and (imagined.changed() > 0.5).all()
    assert imagined.top(0, 1, "no text") == ((0, 0.25),)
    with pytest.raises(ConfigError, match="the text, no text"):
        imagined.top(0, condition="silence")


def test_a_sentence_that_says_nothing_changes_nothing(model: ToyReader) -> None:
    assert np.allclose(illustrate(model, "the blue square", draw=painted).changed(), 0)
    with pytest.raises(TextError, match="elephant"):
        illustrate(model, "the elephant")
    with pytest.raises(TextError, match="Give a sentence"):
        illustrate(model, " ")
    with pytest.raises(ConfigError, match="one moment or more"):
        illustrate(model, "the disc", moments=0)


# ── all three ──


def test_they_survive_their_files(foreseen: Any, imagined: Any, read: Any, tmp_path: Any) -> None:
    for result in (foreseen, imagined, read):
        result.save(tmp_path / "r")
        assert type(result).load(tmp_path / "r").to_dict() == result.to_dict()


@pytest.mark.parametrize("name", registry.names())
def test_every_family_reads_and_foresees_or_says_who_does(name: str, toy_clip: Any) -> None:
    model = fresh(name)
    calls = (
        lambda: read_words(model, toy_clip),
        lambda: forecast(model, toy_clip, ahead=(1, 2)),
        lambda: illustrate(model, "the red circle slides left"),
    )
    if not hasattr(model, "foresee"):
        for call in calls:
            with pytest.raises(Unsupported, match="videobert"):
                call()
        return
    for call in calls:
        result = call()
        assert not len(result.exemplars) and any("shown by their numbers" in note for note in result.notes)
        for kind in (None, "gallery") if isinstance(result, ReadWordsResult) else (None,):
            assert len(result.plot(kind).alt) > 40


def test_a_longer_video_is_read_at_the_same_rate() -> None:
    model = fresh("videobert")
    longer = read_words(model, script(3, 5).clip())
    moments = model.inputs.frames // model.eyes.window
    assert len(longer.codes) == round(moments * 10 / 4)


def test_a_model_without_its_tree_says_so(toy_clip: Any) -> None:
    with pytest.raises(Unsupported, match="videobert came without its visual words"):
        read_words(registry.build("videobert", tree=False), toy_clip)


@torch.no_grad()
def test_what_is_foreseen_is_what_a_video_alone_says() -> None:
    """Hidden words are not looked at, seen ones are, and there is nothing before the video but [CLS]."""
    model = fresh("videobert")
    codes = torch.randint(20, (2, 5))
    hidden = torch.tensor([[False, False, True, False, True]] * 2)
    said = model.foresee(codes, hidden)
    assert said.shape == (2, 5, model.config.codes)
    other = codes.masked_fill(hidden, 7)
    assert torch.equal(model.foresee(other, hidden), said)
    other[:, 0] = (codes[:, 0] + 1) % 20
    assert not torch.allclose(model.foresee(other, hidden)[:, 4], said[:, 4], atol=1e-6)
    batch = Batch.bare(torch.zeros(2, 5, 3, 1, 1), torch.zeros(2, 2, dtype=torch.long))
    ids = (codes + model.first).masked_fill(hidden, model.ids.mask)
    joint = model.fusion(model.words.join(model.see(batch, ids, alone=True))).hidden
    assert joint.shape[1] == 7
    assert torch.allclose(model.word_head(joint)[:, 1:-1, model.first : model.joiner], said)
