"""Whose texts a video is offered, and what a wrong choice costs."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vtexplore.errors import ConfigError
from vtexplore.objectives import matching


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(st.integers(1, 5), st.integers(1, 6), st.integers(1, 6), st.integers(0, 999))
def test_distinct_others_of_ones_own_group(count: int, size: int, candidates: int, seed: int) -> None:
    batch = count * size
    others = matching.others(batch, seeded(seed), candidates, groups=size)
    assert others.shape == (batch, min(size, candidates) - 1)
    for item, row in enumerate(others.tolist()):
        assert item not in row and len(set(row)) == len(row)
        assert all(other // size == item // size for other in row)


def test_all_others_alike() -> None:
    times = torch.zeros(6)
    for seed in range(2000):
        times[matching.others(6, seeded(seed))[2]] += 1
    assert times[2] == 0 and (times[[0, 1, 3, 4, 5]] / 2000 - 0.6).abs().max() < 0.05


def test_groups_divide_the_batch() -> None:
    assert matching.others(8, seeded(), groups=100).shape == (8, 3)
    for groups in (3, 0):
        with pytest.raises(ConfigError, match="divisor"):
            matching.others(8, seeded(), groups=groups)


def test_loss_by_hand() -> None:
    even = torch.zeros(5, 4)
    assert matching.loss(even).item() == pytest.approx(torch.tensor(4.0).log().item())
    scores = torch.tensor([[0.05, 0.0]])
    assert matching.loss(scores).item() == pytest.approx(torch.tensor(-1.0).exp().log1p().item())
    assert matching.loss(torch.tensor([[9.0, 0.0], [0.0, 9.0]]), torch.tensor([True, False])).item() == pytest.approx(0)


@pytest.mark.parametrize("scores,keep", [(torch.ones(3, 1), None), (torch.ones(2, 4), torch.zeros(2).bool())])
def test_nothing_to_choose_costs_nothing(scores: torch.Tensor, keep: torch.Tensor | None) -> None:
    scores = scores.clone().requires_grad_()
    loss = matching.loss(scores, keep)
    loss.backward()
    assert loss.item() == 0
