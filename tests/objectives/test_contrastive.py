"""Contrast: who finds whom, and at what price."""

import math

import pytest
import torch

from vtexplore.objectives.contrastive import cosine, loss, unit


def test_both_directions_are_added_up() -> None:
    x = torch.randn(5, 5)
    rows = -(x / 0.05).log_softmax(1).diagonal().mean()
    columns = -(x / 0.05).log_softmax(0).diagonal().mean()
    assert torch.allclose(loss(x), rows + columns)
    assert not torch.allclose(loss(x), loss(x, temperature=0.1))
    assert torch.allclose(loss(x), loss(x.T))


def test_equal_scores_cost_as_much_as_guessing() -> None:
    assert loss(torch.zeros(8, 8)).item() == pytest.approx(2 * math.log(8))
    assert loss(20 * torch.eye(4)).item() == pytest.approx(0, abs=1e-6)


def test_who_takes_no_part() -> None:
    x = torch.randn(5, 5)
    keep = torch.tensor([True, False, True, True, False])
    few = torch.tensor([0, 2, 3])
    assert torch.allclose(loss(x, keep), loss(x[few][:, few]))
    for none in (torch.zeros(5, dtype=torch.bool), torch.arange(5) == 1):
        nothing = loss(x.requires_grad_(), none)
        nothing.backward()
        assert nothing == 0 and x.grad is not None and not x.grad.any()


def test_cosine() -> None:
    a, b = torch.randn(3, 6), torch.randn(4, 6)
    expected = torch.nn.functional.cosine_similarity(a[:, None], b[None], dim=-1)
    assert torch.allclose(cosine(a, b), expected, atol=1e-6) and torch.allclose(cosine(3 * a, b), expected, atol=1e-6)
    assert not cosine(torch.zeros(1, 6), b).any() and torch.allclose(unit(a).norm(dim=-1), torch.ones(3))
