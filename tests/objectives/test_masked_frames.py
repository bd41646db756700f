"""Hidden frames and the features that they might have had."""

import math

import pytest
import torch

from vtexplore.objectives import masked_frames


def test_one_frame_at_least_is_hidden_where_there_is_any() -> None:
    may = torch.ones(500, 6, dtype=torch.bool)
    may[:, 4:], may[7] = False, False
    rare = masked_frames.draw(may, 0.0, torch.Generator().manual_seed(0))
    assert (rare.sum(1) == may.any(1)).all() and not (rare & ~may).any()
    assert 0.2 < rare[:, 0].float().mean() < 0.3, "any of the four"
    often = masked_frames.draw(may, 0.5, torch.Generator().manual_seed(0))
    some = 1 - 0.5**4  # in which the rate alone hides one
    expected = (4 * 0.5 + (1 - some)) / 4
    assert often[:, :4].float().mean() == pytest.approx(expected, abs=0.03) and not (often & ~may).any()


def test_contrast_by_hand() -> None:
    true = torch.tensor([[2.0, 0.0], [0.0, 2.0]])
    said = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    others = torch.tensor([[1.0, 5.0]])
    first = -math.log(math.e**2 / (math.e**2 + 1 + math.e))
    found = masked_frames.nce(said, true, others)
    assert found.tolist() == pytest.approx([first, math.log(3)])
    cold = masked_frames.nce(said, true, others, temperature=0.1)
    assert cold[0] < found[0] and cold[1] == pytest.approx(math.log(3))


def test_what_is_said_of_the_others_are_wrong_answers() -> None:
    said, true = torch.randn(2, 3, 4), torch.randn(2, 3, 4)
    hidden = torch.tensor([[True, False, False], [False, True, False]])
    base = masked_frames.loss(said, true, hidden)
    assert torch.allclose(base, masked_frames.nce(said[hidden], true[hidden], said[~hidden]).mean())
    elsewhere = torch.where(hidden[..., None], true, true + 1)
    assert torch.equal(base, masked_frames.loss(said, elsewhere, hidden)), "predictions are, not features"
    assert masked_frames.loss(said, true, torch.zeros_like(hidden)) == 0
