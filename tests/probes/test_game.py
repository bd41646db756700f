"""Frames as a game: the sums are exact, and a frame that is gone is gone."""

from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import FeatureAblation, ShapleyValues
from fresh import fresh
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vtexplore.data.prepare import prepare
from vtexplore.probes import _game
from vtexplore.probes._nulls import hidden, orders

FINITE = st.floats(-50, 50, width=64)
GAMES = st.integers(1, 6).flatmap(lambda n: arrays(float, (2**n, 2), elements=FINITE))


@given(GAMES)
def test_shares_sum_to_what_is_shared(worth: np.ndarray) -> None:
    assert np.allclose(_game.shapley(worth).sum(axis=0), worth[-1] - worth[0], atol=1e-9)


@given(GAMES, st.data())
def test_who_adds_nothing_gets_nothing_and_equals_get_the_same(worth: np.ndarray, data: Any) -> None:
    players = (len(worth) - 1).bit_length()
    seen = _game.subsets(players)
    i = data.draw(st.integers(0, players - 1))
    rows = np.arange(len(worth))
    idle = worth[rows & ~(1 << i)]  # player i changes nothing
    assert np.allclose(_game.shapley(idle)[i], 0) and np.allclose(_game.occlusion(idle)[i], 0)
    alike = worth[: players + 1][seen.sum(axis=1)]  # only how many there are counts
    assert np.allclose(_game.shapley(alike), (alike[-1] - alike[0]) / players, atol=1e-9)


@settings(max_examples=3)
@given(arrays(float, (16, 1), elements=FINITE))
def test_it_is_what_captum_finds_through_all_orders(worth: np.ndarray) -> None:
    def play(seen: torch.Tensor) -> torch.Tensor:
        rows = (seen.round().long() << torch.arange(4)).sum(1)
        return torch.from_numpy(worth[:, 0])[rows]

    all_there = torch.ones(1, 4, dtype=torch.float64)
    assert np.allclose(ShapleyValues(play).attribute(all_there).numpy()[0], _game.shapley(worth)[:, 0], atol=1e-6)
    assert np.allclose(FeatureAblation(play).attribute(all_there).numpy()[0], _game.occlusion(worth)[:, 0], atol=1e-6)


def test_orders_are_others_and_all_of_them_if_few() -> None:
    assert len(orders(3, 8)) == 5 and len(orders(4, 23)) == 23 and len(orders(1, 8)) == 0
    some = orders(6, 8, seed=3)
    assert len({tuple(o) for o in some}) == 8 and (np.sort(some, axis=1) == np.arange(6)).all()
    assert not (some == np.arange(6)).all(axis=1).any()
    assert np.array_equal(some, orders(6, 8, seed=3)) and not np.array_equal(some, orders(6, 8, seed=4))


@pytest.mark.parametrize("name", ["violet", "videobert"])
def test_hidden_frames_are_those_of_whole_passes(name: str, toy_clip: Any) -> None:
    """Looking once and masking is what the model says of batches that hide the frames; none left = no clip."""
    model = fresh(name)
    batch = prepare([toy_clip], ["the red circle slides left"], model.inputs)
    game = _game.play(model, batch)
    seen = _game.subsets(len(game.slots))
    assert game.removed == _game.HIDDEN and len(game.videos) == len(seen)
    said = torch.cat([out.word_logits for _, out in game.videos.fill(batch)])
    with torch.inference_mode():
        for row in (0, 1, 5, len(seen) - 1):
            asked = batch if seen[row].all() else _game.hiding(model, batch, seen[row])
            asked = hidden(batch) if not seen[row].any() else asked
            assert torch.allclose(said[row], model(asked).word_logits[0], atol=1e-4), row


def test_painted_frames_have_the_clips_colour(toy_model: Any, toy_clip: Any) -> None:
    batch = prepare([toy_clip], ["the red disc"], toy_model.inputs)
    game = _game.play(toy_model, batch)  # the toy has no grid to hide anything in
    assert game.removed == _game.PAINTED and game.wiped is None and len(game.videos) == 16
    video = game.videos.batch.video
    assert torch.equal(video[-1], batch.video[0]) and torch.equal(video[2, 1], batch.video[0, 1])
    mean = batch.video.mean(dim=(1, 3, 4), keepdim=True)[0].expand_as(batch.video[0])
    assert torch.allclose(video[0], mean) and torch.allclose(video[2, [0, 2, 3]], mean[1:])
