"""Places that tell nothing, chunks of another video, and how two are related."""

import math

import pytest
import torch

from vtexplore.objectives import reordering
from vtexplore.objectives.reordering import Side
from vtexplore.types import Stream


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def side(whose: list[int], known: list[bool] | None = None, there: list[bool] | None = None) -> Side:
    count = len(whose)
    a, b = (torch.tensor([x or [d] * count]).bool() for x, d in ((there, True), (known, False)))
    return Side(torch.tensor([whose]), a, b)


def test_two_frames_or_more_are_told_nothing_and_all_others_their_place() -> None:
    told = reordering.slots(torch.ones(600, 5).bool(), 0.4, 16, seeded())
    unknown = told >= 16
    assert ((told == torch.arange(5)) | unknown).all() and told[unknown].max() == 20
    counts = unknown.sum(1)
    assert set(counts.tolist()) == {0, 2, 3, 4, 5} and 0.34 < (counts > 0).float().mean() < 0.46
    assert all(len(set(row.tolist())) == 5 for row in told)
    often = torch.bincount(counts[counts > 0])[2:] / (counts > 0).sum()
    assert ((often > 0.15) & (often < 0.35)).all(), "any number of them"
    first = told[counts == 5]
    rises = (first.diff(dim=1) > 0).float().mean()
    assert 0.4 < rises < 0.6, "an unknown place tells nothing of the true one"
    assert (reordering.slots(torch.ones(9, 5).bool(), 0.0, 16, seeded()) == torch.arange(5)).all()


def test_a_group_ends_in_the_chunks_of_the_next_item() -> None:
    whose = reordering.pack(400, 4, 0.5, seeded())
    mine = torch.arange(400)[:, None]
    assert ((whose == mine) | (whose == (mine + 1) % 400)).all() and (whose[:, 0] == mine[:, 0]).all()
    other = whose != mine
    assert (other.int().diff(dim=1) >= 0).all() and 0.4 < other[:, 3].float().mean() < 0.6
    assert {1, 2, 3} <= set(other.sum(1).tolist())
    single = reordering.pack(400, 1, 0.5, seeded())
    assert 0.4 < (single != mine).float().mean() < 0.6
    assert (reordering.pack(8, 4, 0.0, seeded()) == torch.arange(8)[:, None]).all()


def test_chunks_are_taken_whole() -> None:
    x = torch.arange(12.0).view(2, 6)
    whose = torch.tensor([[0, 1, 0], [1, 1, 0]])
    assert reordering.taken(x, whose).tolist() == [[0, 1, 8, 9, 4, 5], [6, 7, 8, 9, 4, 5]]
    stream = Stream(x[..., None], x > 4, lambda: [])
    taken = reordering.taken_stream(stream, whose)
    assert torch.equal(taken.hidden.squeeze(-1) > 4, taken.mask)


def test_relations_by_hand() -> None:
    pair = side([0, 0, 1])
    assert reordering.relations(pair, pair)[0].tolist() == [[1, 2, 0], [3, 1, 0], [0, 0, 1]]
    line = reordering.whole(torch.tensor([[0]]))
    assert reordering.relations(line, side([0, 0, 0]))[0].tolist() == [[1, 1, 1]]
    assert reordering.relations(reordering.whole(torch.tensor([[1]])), side([0, 0, 0]))[0].tolist() == [[0, 0, 0]]


def test_pairs_whose_places_are_told_hardly_count() -> None:
    logits = torch.zeros(1, 2, 2, 4)
    told, untold = side([0, 0], [True, True]), side([0, 0])
    assert reordering.loss(logits, untold, untold).item() == pytest.approx(math.log(4))
    assert reordering.loss(logits, told, told).item() == pytest.approx(0.01 * math.log(4))
    half = side([0, 0], [True, False])
    assert reordering.loss(logits, half, half).item() == pytest.approx((3 + 0.01) / 4 * math.log(4))
    assert reordering.loss(logits, told, untold).item() == pytest.approx(math.log(4)), "both must be told"


def test_who_is_not_there_is_not_asked() -> None:
    logits, gone = torch.randn(1, 3, 3, 4), side([0, 0, 0], there=[True, False, True])
    few = logits[:, [0, 2]][:, :, [0, 2]]
    target = torch.tensor([1, 2, 3, 1])
    expected = torch.nn.functional.cross_entropy(few.view(4, 4), target)
    assert torch.allclose(reordering.loss(logits, gone, gone), expected)
    nobody = side([0, 0, 0], there=[False] * 3)
    assert reordering.loss(logits, nobody, nobody) == 0


def test_what_is_read_off_the_relations() -> None:
    logits = torch.tensor([0.3, 0.1, 2.0, 1.0])
    p = logits.softmax(0)
    assert reordering.in_one_video(logits).item() == pytest.approx(math.log((1 - p[0]) / p[0]), abs=1e-5)
    assert reordering.before(logits).item() == pytest.approx(math.log(p[2] / (p[2] + p[3])), abs=1e-5)
