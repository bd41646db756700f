"""Hide what the text attends to, and what stands beside it."""

import torch

from vtexplore.objectives import attended_spans

MAY = torch.ones(300, 40, dtype=torch.bool)
MAY[:, :4], MAY[:, 30:] = False, False


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_share_of_what_may_be_is_hidden_and_nothing_else() -> None:
    hidden = attended_spans.draw(torch.rand(300, 40), MAY, 0.2, seeded())
    counts = hidden.sum(1)
    assert not (hidden & ~MAY).any() and int(counts.min()) >= 5 and int(counts.max()) <= 9  # of 26
    assert not attended_spans.draw(torch.rand(300, 40), MAY & False, 0.2, seeded()).any()
    assert attended_spans.draw(torch.rand(300, 40), MAY, 0.0, seeded()).sum() == 0
    everything = attended_spans.draw(torch.rand(300, 40), MAY, 1.0, seeded(), attended=0.0)
    assert (everything.sum(1) >= 25).all()


def test_what_is_attended_to_is_likelier() -> None:
    received = torch.zeros(300, 40)
    received[:, [8, 13, 18, 23, 28]] = 1.0
    received[:, 2] = 9.0  # may not be hidden, and so takes no place among the most attended to
    often = {
        share: attended_spans.draw(received, MAY, 0.1, seeded(), share).float().mean(0) for share in (0.0, 0.5, 1.0)
    }
    most = [8, 13, 18, 23, 28]
    assert abs(often[0.0][most].mean() - often[0.0][4:30].mean()) < 0.03
    assert often[1.0][most].mean() > 2 * often[1.0][4:30].mean()
    assert often[0.0][most].mean() + 0.05 < often[0.5][most].mean() < often[1.0][most].mean()


def test_spans_go_on_to_both_sides() -> None:
    """One start and its neighbours: lengths 1 to 5, as often as the ends are drawn."""
    may = torch.ones(4000, 31, dtype=torch.bool)
    received = torch.zeros(4000, 31)
    received[:, 15] = 1.0
    received[:, :6] = 0.5
    hidden = attended_spans.draw(received, may, 1 / 31, seeded(), 1.0)
    at = hidden[hidden[:, 15] & ~hidden[:, :12].any(1)]
    left, right = at[:, 13:15].sum(1), at[:, 16:18].sum(1)
    for end in (left, right):
        share = torch.bincount(end, minlength=3) / len(end)
        assert torch.allclose(share, torch.tensor(attended_spans.FURTHER), atol=0.08), share
    assert not at[:, :13].any() and not at[:, 18:].any()


def test_random_words_are_never_special() -> None:
    ids, chosen = torch.full((200, 20), 7), torch.zeros(200, 20, dtype=torch.bool)
    chosen[:, 5:] = True
    hidden, target = attended_spans.corrupt(ids, chosen, 4, 5, 50, seeded())
    assert (hidden[:, :5] == 7).all() and (target[:, :5] == -1).all() and (target[:, 5:] == 7).all()
    masked, other = (hidden == 4)[:, 5:], hidden[:, 5:]
    assert 0.77 < masked.float().mean() < 0.83 and int(other[~masked].min()) >= 5 and int(other.max()) < 50
    assert 0.08 < (other == 7).float().mean() < 0.13


def test_the_generator_decides() -> None:
    received = torch.rand(300, 40)
    a, b, c = (attended_spans.draw(received, MAY, 0.2, seeded(s)) for s in (1, 1, 2))
    assert torch.equal(a, b) and not torch.equal(a, c)
