"""Divided attention is plain attention with a mask, and a ViT's [CLS] does not know the order of frames."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch

from vtexplore.blocks.embeddings import grid_tokens
from vtexplore.blocks.tap import name_taps
from vtexplore.blocks.vit import (
    CausalAttention,
    DividedAttention,
    QuickGELU,
    ViT,
    ViTConfig,
    behind_cls,
    frame_groups,
    heads_of,
    sees,
)
from vtexplore.errors import ConfigError
from vtexplore.record import record
from vtexplore.types import Batch, Output, Stream, Tokens

SMALL = ViTConfig(size_px=16, patch_px=8, width=8, depth=2, heads=2, inner=16, std=0.5)
FRAMES, EACH = 3, 4


def stream(hidden: torch.Tensor, mask: torch.Tensor | None = None) -> Stream:
    tokens = [Tokens.make([f"{i}" for i in range(hidden.shape[1])], [{"video"}] * hidden.shape[1])] * len(hidden)
    return Stream(hidden, torch.ones(hidden.shape[:2], dtype=torch.bool) if mask is None else mask, lambda: tokens)


def may_see() -> torch.Tensor:
    """bool [query, key]: [CLS] sees all, others their frame and the [CLS]."""
    frame = torch.cat([torch.tensor([-1]), torch.arange(FRAMES).repeat_interleave(EACH)])
    return (frame[:, None] == frame) | (frame[:, None] == -1) | (frame == -1)


@torch.no_grad()
def test_divided_attention_is_attention_with_a_mask() -> None:
    attention, x = DividedAttention(8, 2), torch.randn(2, 1 + FRAMES * EACH, 8)
    seen = torch.rand(2, 1 + FRAMES * EACH) < 0.7
    seen[:, 0] = True
    q, k, v = (heads_of(part, 2) for part in attention.qkv(x).chunk(3, dim=-1))
    logits = (q @ k.transpose(-1, -2)) * 4**-0.5
    weights = logits.masked_fill(~(may_see() & seen[:, None, None]), float("-inf")).softmax(-1)
    expected = attention.proj((weights @ v).transpose(1, 2).flatten(2))
    torch.testing.assert_close(attention(stream(x, seen), FRAMES), expected, atol=1e-6, rtol=0)


def test_what_nobody_may_see_is_left_out_of_training_and_of_nothing_else() -> None:
    """What is learned with fewer places is what a mask over all of them says, forward and backward."""
    vit, pixels = ViT(SMALL), torch.randn(2, FRAMES, 3, 16, 16)
    mask = torch.ones(2, 1 + FRAMES * EACH, dtype=torch.bool)
    mask[:, 1:] = torch.tensor([[1, 1, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0], [0, 1, 0, 1, 1, 0, 0, 0, 1, 0, 1, 1]])
    found = []
    for training in (False, True):
        vit.train(training).zero_grad()
        last = vit.states(pixels, mask=mask)[-1]
        last.hidden[:, 0].square().sum().backward()
        found.append((last, [p.grad.clone() for p in vit.parameters() if p.grad is not None]))
    (whole, expected), (few, grads) = found
    assert len(whole) == 1 + FRAMES * EACH and len(few) == 1 + FRAMES * 3, "the fullest frame shows three"
    torch.testing.assert_close(few.hidden[few.mask], whole.hidden[whole.mask], atol=1e-6, rtol=1e-5)
    for got, wanted in zip(grads, expected, strict=True):
        torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-4)


class Alone(torch.nn.Module):
    """One divided attention as a model."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = DividedAttention(8, 2)
        name_taps(self)

    def forward(self, batch: Batch) -> Output:
        x = torch.randn(2, 1 + FRAMES * EACH, 8, generator=torch.Generator().manual_seed(0))
        return Output(video_embedding=self.attention(stream(x), FRAMES)[:, 0])


def test_groups_scatter_to_the_whole() -> None:
    model = Alone()
    found = record(model, Batch.bare(torch.zeros(2, 1, 3, 2, 2), torch.ones(2, 3, dtype=torch.long)), rows="all")
    rest = found.attention["attention"]
    assert rest.weights.shape == (2, 2, FRAMES, EACH, 1 + EACH)
    full = rest.full()
    assert full.shape == (2, 2, FRAMES * EACH, 1 + FRAMES * EACH)
    assert torch.allclose(full.sum(-1), torch.ones(()), atol=1e-6)
    assert torch.equal(full[0, 0] > 0, may_see()[1:])
    assert found.attention["attention.cls"].weights.shape == (2, 2, 1, 1 + FRAMES * EACH)
    assert frame_groups(2, 2, 1).tolist() == [[0, 1, 2], [0, 3, 4]]


@torch.no_grad()
def test_a_frame_alone_is_attended_to_plainly() -> None:
    attention, x = DividedAttention(8, 2), torch.randn(2, 1 + EACH, 8)
    q, k, v = (heads_of(part, 2) for part in attention.qkv(x).chunk(3, dim=-1))
    plain = torch.nn.functional.scaled_dot_product_attention(q, k, v)
    torch.testing.assert_close(attention(stream(x), 1), attention.proj(plain.transpose(1, 2).flatten(2)))


@torch.no_grad()
def test_later_words_are_not_heard() -> None:
    attention, x = CausalAttention(8, 2), torch.randn(1, 6, 8)
    other = x.clone()
    other[:, 4:] += 1
    one, two = attention(stream(x)), attention(stream(other))
    assert torch.allclose(one[:, :4], two[:, :4], atol=1e-6) and not torch.allclose(one[:, 4], two[:, 4])


@torch.no_grad()
def test_the_order_of_frames_is_not_known() -> None:
    torch.manual_seed(0)
    vit, video = ViT(SMALL), torch.randn(2, FRAMES, 3, 16, 16)
    cls = vit(video)[:, 0]
    for order in permutations(range(FRAMES)):
        torch.testing.assert_close(vit(video[:, list(order)])[:, 0], cls, atol=1e-6, rtol=0)
    assert not torch.allclose(vit(video[:, [0, 0, 1]])[:, 0], cls, atol=1e-4)


@torch.no_grad()
def test_states_and_grid() -> None:
    vit, video = ViT(SMALL), torch.randn(2, FRAMES, 3, 16, 16)
    states = vit.states(video)
    assert len(states) == 3 and {len(s) for s in states} == {1 + FRAMES * EACH}
    (early, grid), cls = vit.read(video, early=(1,))
    assert grid.shape == (2, FRAMES, 2, 2, 8) and torch.equal(cls, vit.norm(states[-1].hidden)[:, 0])
    assert torch.equal(grid[:, 1, 1, 0], vit.norm(states[-1].hidden)[:, 1 + EACH + 2])
    assert torch.equal(early[:, 1, 1, 0], vit.norm(states[-2].hidden)[:, 1 + EACH + 2]), "a block before"
    assert torch.equal(vit.read(video)[0], grid[None])
    with pytest.raises(ConfigError, match="16 px a side, not 8 × 16"):
        vit(torch.zeros(1, 1, 3, 8, 16))


def test_tokens_and_what_may_be_seen() -> None:
    batch = Batch.bare(torch.zeros(1, 2, 3, 16, 16), torch.ones(1, 3, dtype=torch.long))
    tokens = behind_cls(grid_tokens(batch, (2, 2, 2)))()[0]
    assert len(tokens) == 9 and tokens.labels[:2] == ("[CLS] of the clip", "row 1 column 1 of frame 1")
    assert np.isnan(tokens.span_s[0]).all() and tokens.where("video").sum() == 8
    assert sees(batch, (2, 2, 2)).tolist() == [[True] * 9]


def test_quick_gelu() -> None:
    x = torch.linspace(-3, 3, 7)
    assert torch.allclose(QuickGELU()(x), torch.nn.functional.gelu(x), atol=0.03)
