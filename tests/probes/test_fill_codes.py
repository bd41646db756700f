"""Hidden visual words: what is hidden is hidden, and the answers without a model are what they say they are."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fresh import fresh
from toy import ToySource

from vtexplore import registry
from vtexplore.errors import ConfigError, Unsupported
from vtexplore.probes.fill_codes import FillCodesResult, fill_codes, nearest, neighbour, previous

NAMES = [name for name in registry.names() if "code_logits" in registry.family(name).heads]
TEXT = "the red circle slides left"


@pytest.fixture(scope="module", params=NAMES)
def model(request: pytest.FixtureRequest) -> Any:
    return fresh(request.param)


@pytest.fixture(scope="module")
def result(model: Any, toy_clip: Any) -> FillCodesResult:
    return fill_codes(model, toy_clip, TEXT, frame=1)


def test_hidden_patches_are_black_and_all_others_as_they_were(result: FillCodesResult) -> None:
    frames, rows, columns = result.hidden.shape
    side = result.frames.shape[1] // rows
    black = result.hidden.repeat(side, 1).repeat(side, 2)
    assert not result.shown[black].any() and np.array_equal(result.shown[~black], result.frames[~black])
    assert result.hidden[1].any() and not result.hidden[[0, *range(2, frames)]].any()
    assert (
        result.p.shape == (len(result.texts), result.hidden.sum()) and (result.p >= 0).all() and (result.p <= 1).all()
    )


def test_codes_are_painted_by_those_who_can(result: FillCodesResult, model: Any) -> None:
    """A decoder paints a frame for each of the model's; without one there is none, and numbers stand in its place."""
    count = len(result.truth) if getattr(model, "dvae", None) is not None else 0
    assert len(result.painted) == len(result.answered) == count and len(result.times_s) == len(result.frames)
    first = result.hidden & (np.cumsum(result.hidden).reshape(result.hidden.shape) == 1)
    one = replace(result, hidden=first, p=result.p[:, :1], top=result.top[:1], top_p=result.top_p[:1])
    assert one.asked == ("1 patch" if result.truth[0].size > 1 else "1 moment") and one.asked in one.plot().alt
    titles = [axes.get_title().split()[0] for axes in result.plot().axes if axes.get_title()]
    assert set(titles) == {"frame" if result.truth[0].size > 1 else "moment"}
    texts = [axes.get_xlabel() for axes in result.plot().axes]
    said = f"code {result.truth[1].item()}, said {result.said[1].item()}" if not count else ""
    assert said in texts and any(text.startswith("code ") for text in texts) == (not count)


class Noisy(ToySource):
    """The toy's film, with noise in place of a stretch of it."""

    def __init__(self, start_s: float, end_s: float) -> None:
        self.start_s, self.end_s = start_s - 1e-6, end_s - 1e-6

    def sample(self, times_s: Any, short_side_px: int | None) -> np.ndarray:
        out = super().sample(times_s, short_side_px)
        there = [self.start_s <= t < self.end_s for t in times_s]
        out[there] = np.random.default_rng(0).integers(256, size=out[there].shape)
        return out


def test_the_answer_does_not_know_what_is_hidden(model: Any, toy_clip: Any) -> None:
    asked = {"frame": 1, "box": (0.0, 0.0, 1.0, 1.0)}
    one = fill_codes(model, toy_clip, TEXT, **asked)
    start_s, end_s = (one.times_s[:2] + one.times_s[1:3]) / 2
    other = fill_codes(model, replace(toy_clip, source=Noisy(start_s, end_s)), TEXT, **asked)
    assert np.array_equal(other.said, one.said) and np.array_equal(other.shown, one.shown)
    assert not np.array_equal(other.frames, one.frames) and (other.truth != one.truth).any()


def test_what_is_seen_is_not_asked(result: FillCodesResult) -> None:
    seen = ~result.hidden
    assert np.array_equal(result.said[seen], result.truth[seen])
    assert all(np.array_equal(copy[seen], result.truth[seen]) for copy in result.copies)
    assert result.common == np.bincount(result.truth[seen]).argmax()


def test_copies_come_from_where_they_say() -> None:
    truth = np.arange(4)[:, None, None] * 10 + np.arange(3)  # [frame, 1, column]: the code 21 is in frame 2, column 1
    patches = np.zeros((4, 1, 3), dtype=bool)
    patches[0, 0, 0] = patches[2, 0, 0] = True
    patches[:, 0, 1] = True
    assert previous(truth, patches, 99)[[0, 2], 0, 0].tolist() == [10, 10]  # the next one, where none was before
    assert (previous(truth, patches, 99)[:, 0, 1] == 99).all()
    assert (
        neighbour(truth, patches, 99)[:, 0, 1].tolist() == [2, 10, 22, 30]
        and neighbour(truth, patches, 99)[0, 0, 0] == 2
    )
    assert nearest(truth, patches, 99)[[0, 2], 0, 0].tolist() == [10, 10] and nearest(truth, patches, 99)[2, 0, 1] == 22
    whole = np.ones_like(patches)
    assert all((copy(truth, whole, 99) == 99).all() for copy in (previous, neighbour, nearest))


def test_shares_are_of_the_hidden_patches(result: FillCodesResult) -> None:
    sure = replace(result, said=result.truth, copies=np.stack([result.truth + 1] * 3))
    assert sure.right()["the model"] == 1 and sure.right()["copy"] == 0
    assert set(result.right()) == {"the model", "copy", "neighbour", "nearest", "common"}


def test_means_are_those_of_the_true_codes(result: FillCodesResult) -> None:
    assert result.texts == ("the text", "no text", "masked text")  # a model without a card: no world, no other texts
    nll, truth = result.nll(), result.truth[result.hidden]
    assert np.isclose(nll["the model, the text"], -np.log(result.p[0]).mean())
    assert np.isclose(nll["chance"], np.log(result.codes)) and np.isclose(result.unigram.sum(), 1)
    gone = [nll[f"the model, {name}"] - nll["the model, the text"] for name in result.texts[1:]]
    assert np.isclose(result.lift(), min(gone)) and np.isclose(result.lift("no text"), gone[0])
    assert np.isclose(result.among(1)["the model"], result.right()["the model"])
    assert result.among()["the model"] >= result.among(1)["the model"]
    assert np.allclose(np.exp(-result.error()[result.hidden]), result.p[0], rtol=1e-4)
    assert np.isnan(result.error()[~result.hidden]).all()
    assert 1 <= result.use()["truth"] <= len(np.unique(truth)) + 1e-9
    even = replace(result, truth=np.arange(result.truth.size).reshape(result.truth.shape))
    assert np.isclose(even.use()["truth"], result.hidden.sum())


def test_other_texts_are_asked_too(model: Any, toy_clip: Any) -> None:
    same = fill_codes(model, toy_clip, TEXT, frame=1, others=[TEXT, TEXT])
    assert same.texts[-1] == "other texts" and np.isclose(same.lift("other texts"), 0, atol=1e-4)
    with pytest.raises(ConfigError, match="no text, masked text"):
        same.lift("poem")


def test_it_refuses_what_holds_no_patch(model: Any, toy_clip: Any) -> None:
    with pytest.raises(ConfigError, match="counted from 0"):
        fill_codes(model, toy_clip, TEXT, frame=9)
    with pytest.raises(ConfigError, match="No patch"):
        fill_codes(model, toy_clip, TEXT, box=(0.5, 0.5, 0.5, 0.5))


@pytest.mark.parametrize(("name", "without"), [("violet", {"dvae": None}), ("videobert", {"tree": False})])
def test_a_model_that_came_without_its_codes_says_so(name: str, without: Any, toy_clip: Any) -> None:
    with pytest.raises(Unsupported, match=f"{name} came without the codes"):
        fill_codes(registry.build(name, **without), toy_clip, TEXT)


def test_a_model_without_codes_is_told_who_has_them(toy_model: Any, toy_clip: Any) -> None:
    with pytest.raises(Unsupported, match=NAMES[0]):
        fill_codes(toy_model, toy_clip)


def test_it_survives_its_file_and_shows_itself(result: FillCodesResult, tmp_path: Any) -> None:
    result.save(tmp_path / "x.npz")
    assert FillCodesResult.load(tmp_path / "x.npz").to_dict() == result.to_dict()
    assert "copy" in result.plot().alt and "frames" not in result.to_dict()
