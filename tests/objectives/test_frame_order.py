"""Frames that change places: who moves, and where it came from."""

import torch

from vtexplore.objectives import frame_order
from vtexplore.types import Stream, Tokens

MAY = torch.ones(400, 10, dtype=torch.bool)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_chosen_are_shuffled_among_themselves_and_all_others_stay() -> None:
    may = MAY.clone()
    may[:, 7:] = False
    order, chosen = frame_order.draw(may, 0.4, seeded())
    place = torch.arange(10)
    assert torch.equal(order.sort(dim=1).values, place.expand_as(order)), "nobody is lost"
    assert ((order == place) | chosen).all() and not chosen[:, 7:].any()
    for row, at in zip(order, chosen, strict=True):
        assert set(row[at].tolist()) == set(place[at].tolist())
    assert 0.37 < chosen[:, :7].float().mean() < 0.43
    pair = chosen.sum(1) == 2
    swapped = (order != place)[pair].any(1).float().mean()
    assert pair.sum() > 60 and 0.3 < swapped < 0.7, "of two, one order is as likely as the other"


def test_nothing_moves_at_a_rate_of_nothing() -> None:
    order, chosen = frame_order.draw(MAY, 0.0, seeded())
    assert not chosen.any() and (order == torch.arange(10)).all()


def test_a_target_is_where_the_frame_came_from() -> None:
    order = torch.tensor([[2, 0, 1, 3]])  # at place 0 stands frame 2
    frames = torch.arange(4.0).view(1, 4, 1)
    assert frame_order.move(frames, order).flatten().tolist() == [2, 0, 1, 3]
    asked = frame_order.targets(order, torch.tensor([[True, True, True, False]]))
    assert asked.tolist() == [[2, 0, 1, -1]]
    logits = 20 * torch.nn.functional.one_hot(order, 6).float()
    assert frame_order.loss(logits, asked) < 1e-6 < 1 < frame_order.loss(logits.flip(1), asked)
    assert frame_order.loss(logits, torch.full((1, 4), -1)) == 0


def test_frames_that_open_a_stream_move_with_all_their_tokens_and_what_follows_stays() -> None:
    hidden = torch.arange(2 * 7.0).view(2, 7, 1)  # two clips: three frames of two tokens, and one token more
    mask = torch.tensor([[True] * 7, [True, False] * 3 + [True]])
    stream = Stream(hidden, mask, lambda: [Tokens.make(list("aabbccd"), [{"video"}] * 7)] * 2)
    moved = frame_order.move_in(stream, torch.tensor([[1, 2, 0], [0, 2, 1]]), 2)
    assert moved.hidden.flatten(1).tolist() == [[2, 3, 4, 5, 0, 1, 6], [7, 8, 11, 12, 9, 10, 13]]
    assert torch.equal(moved.mask, mask) and moved.tokens()[0].labels == tuple("aabbccd")
    of_one = frame_order.move_in(stream[:].take(torch.tensor([0])), torch.tensor([[0, 1, 2], [2, 1, 0]]), 2)
    assert of_one.hidden.flatten(1).tolist() == [[0, 1, 2, 3, 4, 5, 6], [4, 5, 2, 3, 0, 1, 6]]


def test_the_generator_decides() -> None:
    a, b, c = (frame_order.draw(MAY, 0.3, seeded(s))[0] for s in (1, 1, 2))
    assert torch.equal(a, b) and not torch.equal(a, c)
