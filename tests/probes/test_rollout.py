"""Rollout on matrices whose product is known."""

from typing import Any

import numpy as np
import pytest
import torch

from vtexplore import registry
from vtexplore.data.prepare import prepare
from vtexplore.errors import Unsupported
from vtexplore.probes.attend import attend
from vtexplore.probes.rollout import roll, rollout, step
from vtexplore.record import record


def test_attention_to_oneself_stays_there() -> None:
    assert torch.allclose(rollout([torch.eye(5)] * 4), torch.eye(5))


def test_uniform_attention_is_uniform_off_the_diagonal() -> None:
    n, depth = 6, 3
    product = rollout([torch.full((n, n), 1 / n)] * depth)
    off = product[~torch.eye(n, dtype=torch.bool)]
    assert torch.allclose(off, off[0].expand_as(off))
    # Each layer keeps one half in place and spreads the other.
    assert torch.allclose(off[0], torch.tensor((1 - 0.5**depth) / n))


def test_rows_sum_to_one_even_if_a_layers_do_not() -> None:
    layers = torch.rand(4, 2, 7, 7)
    assert torch.allclose(rollout(list(layers)).sum(-1), torch.ones(2, 7), atol=1e-6)


def test_later_layers_stand_on_the_left() -> None:
    first, second = torch.eye(3).roll(1, 0), torch.eye(3)
    first, second = first, torch.tensor([[0.0, 1, 0], [0, 1, 0], [0, 0, 1]])
    assert torch.allclose(rollout([first, second]), step(second) @ step(first))


def test_no_layers_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one"):
        rollout([])


def test_the_product_taken_on_the_way_is_that_of_the_whole_matrices(toy_model: Any, toy_clip: Any) -> None:
    batch = prepare([toy_clip], ["the red disc slides right"], toy_model.inputs)
    product, tokens, sites, output = roll(toy_model, batch)
    whole = record(toy_model, batch, rows="all")
    expected = rollout([whole.attention[site].weights.mean(1) for site in sites])
    assert torch.allclose(product, expected, atol=1e-5) and sites == ("layers.0", "layers.1")
    assert torch.equal(output.word_logits, whole.output.word_logits) and len(tokens[0]) == product.shape[-1]


def test_rollout_of_words_keeps_what_the_head_saw(toy_model: Any, toy_clip: Any) -> None:
    result = attend(toy_model, toy_clip, method="rollout")
    assert (result.site, result.head, result.method) == ("rollout", None, "rollout")
    heat = result.heat("red")
    assert np.unravel_index(heat.argmax(), heat.shape) in [(1, 1, 2), (2, 1, 3)]
    assert set(result.head_grid("red").sites) == {"layers.0", "layers.1"}


def test_a_model_without_a_common_sequence_is_refused(toy_model: Any, toy_clip: Any) -> None:
    batch = prepare([toy_clip], ["the red disc"], toy_model.inputs)
    with pytest.raises(Unsupported, match="one sequence"):
        roll(lambda batch: None, batch)


@pytest.mark.parametrize("name", registry.names())
def test_every_family_rolls_or_says_why_not(name: str, toy_clip: Any) -> None:
    model = registry.build(name)
    batch = prepare([toy_clip], ["the red circle slides left"], model.inputs)
    try:
        product, *_ = roll(model, batch)
    except Unsupported as lacking:
        assert name in str(lacking)
        return
    assert torch.allclose(product.sum(-1), torch.ones(product.shape[:2]), atol=1e-5)
