"""What is hidden, how often, and what never is."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vtexplore.errors import ConfigError
from vtexplore.objectives import masked_codes, masked_words
from vtexplore.objectives.attended import attended_mask, attention_received
from vtexplore.objectives.blockwise import blockwise_mask


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# ── words ─────────────────────────────────────────────────────────────────────────────────────────


@given(st.integers(0, 1000), st.floats(0, 1))
def test_only_words_that_may(seed: int, rate: float) -> None:
    may = torch.rand(4, 9, generator=seeded(seed)) < 0.5
    chosen = masked_words.choose(may, rate, seeded(seed))
    assert not (chosen & ~may).any()
    assert torch.equal(chosen, masked_words.choose(may, rate, seeded(seed)))


def test_share_of_words() -> None:
    may = torch.ones(2000, 20, dtype=torch.bool)
    assert masked_words.choose(may, 0.15, seeded()).float().mean().item() == pytest.approx(0.15, abs=0.006)
    assert masked_words.choose(may, 1.0, seeded()).all() and not masked_words.choose(may, 0.0, seeded()).any()


def test_corrupt_and_loss_by_hand() -> None:
    ids = torch.tensor([[5, 6, 7]])
    hidden, target = masked_words.corrupt(ids, torch.tensor([[False, True, False]]), mask_id=1)
    assert hidden.tolist() == [[5, 1, 7]] and target.tolist() == [[-1, 6, -1]] and ids.tolist() == [[5, 6, 7]]
    logits = torch.zeros(1, 3, 8)
    assert masked_words.loss(logits, target).item() == pytest.approx(torch.tensor(8.0).log().item())
    logits[0, 1, 6], logits[0, 0] = 100, 1e4
    assert masked_words.loss(logits, target).item() == pytest.approx(0)


@pytest.mark.parametrize("shape", [(2, 3), (0,)])
def test_nothing_asked_costs_nothing(shape: tuple[int, ...]) -> None:
    logits = torch.randn(*shape, 5, requires_grad=True)
    loss = masked_words.loss(logits, torch.full(shape, -1))
    loss.backward()
    assert loss.item() == 0 and logits.grad is not None and not logits.grad.any()


# ── boxes ─────────────────────────────────────────────────────────────────────────────────────────


@settings(max_examples=40)
@given(st.integers(1, 6), st.integers(3, 9), st.integers(3, 9), st.integers(0, 999))
def test_boxes_stay_small(frames: int, rows: int, columns: int, seed: int) -> None:
    mask = blockwise_mask(frames, rows, columns, 5, seeded(seed))
    assert mask.shape == (5, frames, rows, columns) and mask.dtype == torch.bool
    per_item = mask.flatten(1).sum(1)
    largest = max(frames - 1, 1) * (2 * rows // 3 - 1) * (2 * columns // 3 - 1)
    assert (per_item >= 1).all() and (per_item <= frames * largest).all()
    assert torch.equal(mask, blockwise_mask(frames, rows, columns, 5, seeded(seed)))


@pytest.mark.parametrize("frames,mean,spread", [(4, 0.151, 0.055), (1, 0.081, None), (5, 0.185, None)])
def test_coverage_is_the_papers(frames: int, mean: float, spread: float | None) -> None:
    share = blockwise_mask(frames, 7, 7, 20_000, seeded()).float().mean((1, 2, 3))
    assert share.mean().item() == pytest.approx(mean, abs=0.002)
    assert spread is None or share.std().item() == pytest.approx(spread, abs=0.002)


def test_one_frame_of_three_by_three_hides_one_patch() -> None:
    places = blockwise_mask(1, 3, 3, 4000, seeded()).flatten(1).float()
    assert (places.sum(1) == 1).all() and (places.mean(0) - 1 / 9).abs().max() < 0.02


def test_every_patch_may_be_hidden() -> None:
    assert blockwise_mask(4, 6, 6, 500, seeded()).any(0).all()


@pytest.mark.parametrize("grid", [(4, 2, 7), (4, 7, 2), (0, 7, 7)])
def test_no_box_fits(grid: tuple[int, int, int]) -> None:
    with pytest.raises(ConfigError, match="No box fits"):
        blockwise_mask(*grid, 1, seeded())


# ── attention ─────────────────────────────────────────────────────────────────────────────────────


@given(st.integers(0, 999), st.integers(20, 300))
def test_exactly_so_many_and_never_a_special_one(seed: int, tokens: int) -> None:
    received = torch.rand(3, tokens, generator=seeded(seed)) + 0.01
    special = torch.zeros(tokens, dtype=torch.bool)
    special[::4] = True
    chosen = attended_mask(received * ~special, 0.15, seeded(seed))
    assert (chosen.sum(1) == int(0.15 * tokens)).all() and not chosen[:, special].any()


def test_fewer_candidates_than_draws() -> None:
    received = torch.zeros(2, 40)
    received[0, 3], received[1, :10] = 1.0, 1.0
    assert attended_mask(received, 0.15, seeded()).sum(1).tolist() == [1, 6]
    assert not attended_mask(torch.zeros(1, 40), 0.15, seeded()).any()


def test_the_more_attention_the_likelier() -> None:
    received = torch.tensor([1.0, 2.0, 3.0, 4.0]).expand(40_000, 4)
    once = attended_mask(received, 0.25, seeded()).float().mean(0)
    assert torch.allclose(once, torch.tensor([0.1, 0.2, 0.3, 0.4]), atol=0.01)
    twice = attended_mask(received, 0.5, seeded()).float().mean(0)
    w = [1, 2, 3, 4]  # drawn first, or second after some other one
    law = [w[i] / 10 + sum(w[j] / 10 * w[i] / (10 - w[j]) for j in range(4) if j != i) for i in range(4)]
    assert torch.allclose(twice, torch.tensor(law), atol=0.01)


def test_a_forward_without_attention() -> None:
    with pytest.raises(ValueError, match="fusion"):
        attention_received(lambda: None, "fusion")


# ── patches ───────────────────────────────────────────────────────────────────────────────────────


def test_hidden_patches_are_black() -> None:
    video = torch.rand(2, 3, 3, 12, 8) + 0.1
    patches = torch.zeros(2, 3, 3, 2, dtype=torch.bool)
    patches[1, 2, 0, 1] = True
    out = masked_codes.hide(video, patches, 4)
    assert (out[1, 2, :, :4, 4:] == 0).all() and (out == 0).sum() == 3 * 16
    assert torch.equal(out[0], video[0]) and (video > 0).all(), "the video given is left alone"
    codes = torch.arange(36).view(2, 3, 3, 2)
    assert masked_codes.targets(codes, patches)[patches].tolist() == codes[patches].tolist()
    assert (masked_codes.targets(codes, patches) == -1).sum() == 35
