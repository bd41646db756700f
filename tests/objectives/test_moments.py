"""Lines that were taken out and look for their moment, and for their video."""

import math

import pytest
import torch

from vtexplore.objectives import moments


def test_the_score_of_a_video_is_that_of_its_likeliest_frame() -> None:
    frames = torch.tensor([[[1.0, 0.0], [0.0, 3.0]], [[-1.0, 0.0], [1.0, 1.0]]])
    query = torch.tensor([[0.0, 2.0], [5.0, 0.0]])
    mask = torch.tensor([[True, True], [True, False]])
    scores = moments.of_videos(query, frames, mask)
    assert torch.allclose(scores, torch.tensor([[1.0, 0.0], [1.0, -1.0]]))
    assert torch.equal(moments.of_own(query, frames, mask), scores.diagonal())
    assert (moments.of_videos(query, frames, torch.zeros_like(mask)) == moments.NOWHERE).all()


def test_so_many_lines_are_taken_out_and_any_may_be() -> None:
    lines = torch.tensor([[True, True, True, True], [True, False, False, False], [False] * 4]).repeat(200, 1)
    taken = moments.draw(lines, 2, torch.Generator().manual_seed(0))
    assert not (taken & ~lines).any() and set(taken.view(200, 3, 4).sum(2).unique(dim=0).flatten().tolist()) == {
        2,
        1,
        0,
    }
    often = taken.view(200, 3, 4)[:, 0].float().mean(0)
    assert ((often > 0.4) & (often < 0.6)).all()


def test_spans_by_hand() -> None:
    member = torch.tensor([[0, 1, 1, 1, 0], [1, 0, 0, 0, 0], [0, 0, 0, 0, 1]]).bool()
    assert moments.spans(member).tolist() == [[1, 3], [0, 1], [4, 4]]


def test_start_and_end_are_asked_apart() -> None:
    logits = torch.zeros(2, 4, 2)
    target = torch.tensor([[0, 2], [1, 3]])
    assert moments.span_loss(logits, target).item() == pytest.approx(2 * math.log(4))
    for item, (start, end) in enumerate(target.tolist()):
        logits[item, start, 0] = logits[item, end, 1] = 30
    assert moments.span_loss(logits, target) < 1e-6 and moments.span_loss(logits.flip(2), target) > 10
    assert moments.span_loss(logits[:0], target[:0]) == 0


def test_ranking_by_hand() -> None:
    scores = torch.tensor([[0.5, 0.45, 0.0], [0.9, 0.3, 0.2], [0.1, 0.6, 0.7]])
    own = torch.tensor([0, 0, 2])
    videos, lines = moments.ranking_loss(scores, own, margin=0.1)
    assert videos.item() == pytest.approx((0.05 / 2 + 0 + 0) / 3)  # the second video comes within 0.1 of the first
    # Only lines of other videos count: of the first video, that is the third; of the third, the first two.
    assert lines.item() == pytest.approx(0)
    closer = scores.clone()
    closer[2, 0] = 0.55
    assert moments.ranking_loss(closer, own)[1].item() == pytest.approx(0.15 / 3)  # over 0.5 by 0.15, under 0.9
    alone = moments.ranking_loss(scores[:1, :1], own[:1])
    assert alone[0] == alone[1] == 0 and moments.ranking_loss(scores[:0], own[:0])[0] == 0


def test_the_hardest_weigh_more() -> None:
    scores = torch.tensor([[0.0, 0.3, 0.1, 0.2]])
    own = torch.tensor([0])
    over = torch.tensor([0.4, 0.2, 0.3])
    assert moments.ranking_loss(scores, own)[0].item() == pytest.approx(over.mean().item())
    hard = moments.ranking_loss(scores, own, hardest=1)[0]
    assert hard.item() == pytest.approx((10 * 0.4 + 0.1 * 0.2 + 0.1 * 0.3) / 3)
    all_hard = moments.ranking_loss(scores, own, hardest=5)[0]
    assert all_hard.item() == pytest.approx(10 * over.mean().item())
