"""How features of frames enter a transformer, and what is read off it."""

import pytest
import torch

from vtexplore.blocks.frame_features import FrameEmbeddings, Hidden, Places, Project
from vtexplore.blocks.frame_heads import OrderHead, QueryPooling, SpanHead
from vtexplore.errors import ConfigError
from vtexplore.types import Stream


def stream(hidden: torch.Tensor, mask: torch.Tensor) -> Stream:
    return Stream(hidden, mask, lambda: [])


@torch.no_grad()
def test_a_hidden_frame_says_nothing_of_its_features() -> None:
    hide = Hidden(5)
    assert not hide.table.weight[0].any() and hide.table.weight[1].any()
    features, hidden = torch.randn(2, 3, 5), torch.tensor([[True, False, False], [False, False, True]])
    out = hide(features, hidden)
    assert torch.equal(out[~hidden], features[~hidden]) and torch.equal(out[hidden], hide.table.weight[[1, 1]])


def test_who_is_not_hidden_learns_nothing_for_the_hidden() -> None:
    hide = Hidden(5)
    hide(torch.randn(1, 4, 5), torch.tensor([[True, False, False, False]])).sum().backward()
    grad = hide.table.weight.grad
    assert grad is not None and not grad[0].any() and grad[1].all()


@torch.no_grad()
def test_embeddings_tell_place_and_type() -> None:
    embed = FrameEmbeddings(6, 4, 8).eval()
    features, kind = torch.randn(1, 1, 6).expand(1, 4, 6), torch.randn(8)
    out = embed(features, kind)
    assert not torch.allclose(out[0, 0], out[0, 1], atol=1e-3) and not torch.allclose(out, embed(features, -kind))
    assert torch.allclose(out, embed(3 * features, kind), atol=1e-4), "features are normalised"
    hidden = torch.tensor([[False, True, False, False]])
    assert (embed(features, kind, hidden) != out).any(2).tolist() == hidden.tolist()
    with pytest.raises(ConfigError, match="5 positions are too many"):
        embed(torch.randn(1, 5, 6), kind)


@torch.no_grad()
def test_a_projection_is_never_negative_and_places_are_added() -> None:
    x = Project(6, 8)(torch.randn(50, 6))
    assert (x >= 0).all() and (x == 0).any() and (x > 0).any()
    places = Places(4, 8).eval()
    places.norm = torch.nn.Identity()  # type: ignore[assignment]
    assert torch.allclose(places(torch.zeros(2, 3, 8)), places.place.weight[:3].expand(2, 3, 8))


@torch.no_grad()
def test_padding_has_no_part_in_a_query() -> None:
    pool = QueryPooling(6, 8, 2).eval()
    words, mask = torch.randn(2, 5, 8), torch.tensor([[True] * 5, [True, True, False, False, False]])
    out = pool(stream(words, mask))
    other = torch.where(mask[..., None], words, torch.randn(2, 5, 8))
    assert torch.allclose(out, pool(stream(other, mask)), atol=1e-6)
    assert torch.allclose(out[1], pool(stream(words[1:, :2], mask[1:, :2]))[0], atol=1e-6)
    assert not torch.allclose(out[0], out[1], atol=1e-3)


@torch.no_grad()
def test_starts_and_ends_look_at_five_frames() -> None:
    head = SpanHead(8)
    frames, query = torch.randn(1, 12, 8), torch.randn(1, 8)
    mask = torch.ones(1, 12, dtype=torch.bool)
    mask[:, -1] = False
    before = head(query, frames, mask)
    frames[:, 5] += 1
    changed = (head(query, frames, mask) != before)[0]
    assert changed.any(1).nonzero().flatten().tolist() == [3, 4, 5, 6, 7] and changed[5].all()
    assert before.shape == (1, 12, 2) and (before[:, -1] == -1e4).all() and (before[:, :-1] > -1e3).all()
    assert head(query[:0], frames[:0], mask[:0]).shape == (0, 12, 2)


@torch.no_grad()
def test_the_order_head_has_a_score_for_each_position() -> None:
    assert OrderHead(8, 24)(torch.randn(2, 5, 8)).shape == (2, 5, 24)
