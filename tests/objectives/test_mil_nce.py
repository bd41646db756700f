"""MIL-NCE, held to a slow way that reads like the equation."""

import math

import pytest
import torch

from vtexplore.errors import ConfigError
from vtexplore.objectives.mil_nce import loss, scores


@pytest.mark.parametrize("items,candidates", [(1, 1), (3, 1), (4, 3), (2, 5)])
def test_the_equation(items: int, candidates: int) -> None:
    video = torch.randn(items, 6)
    text = torch.randn(items * candidates, 6)
    total = 0.0
    for i in range(items):
        mine = range(i * candidates, (i + 1) * candidates)
        own = sum(math.exp(video[i] @ text[c]) for c in mine)
        all_texts = sum(math.exp(video[i] @ t) for t in text)
        all_videos = sum(math.exp(v @ text[c]) for v in video for c in mine)
        total -= math.log(own / (all_texts + all_videos))
    assert loss(video, text).item() == pytest.approx(total / items, rel=1e-5)


def test_own_pairs_count_twice_below() -> None:
    """Perfect embeddings cost log 2, whatever the number of candidates."""
    video = 5 * torch.eye(3)
    assert loss(video, video).item() == pytest.approx(math.log(2), abs=1e-5)
    assert loss(video, video.repeat_interleave(4, 0)).item() == pytest.approx(math.log(2), abs=1e-5)


def test_one_right_candidate_is_enough() -> None:
    video = 10 * torch.eye(2)
    right_and_wrong = torch.stack([video[0], video[1], video[1], video[0]])  # each beside the other's
    hopeless = torch.stack([video[1], video[1], video[0], video[0]])
    assert loss(video, right_and_wrong) < math.log(4) + 1e-3 < loss(video, hopeless)


def test_candidates_are_shared_out() -> None:
    video, text = torch.randn(2, 3), torch.randn(6, 3)
    assert torch.allclose(scores(video, text)[1, 0], text[:3] @ video[1])
    with pytest.raises(ConfigError, match="5 texts cannot be shared out among 2"):
        scores(video, text[:5])


def test_large_scores_stay_finite() -> None:
    video = 1e3 * torch.randn(3, 4)
    video.requires_grad_()
    value = loss(video, torch.randn(6, 4) * 100)
    value.backward()
    assert value.isfinite() and video.grad is not None and video.grad.isfinite().all()
