"""A post-norm encoder: masks hide, a part of the last layer equals the whole, and the arithmetic is torch's."""

import pytest
import torch
from torch import nn

from vtexplore.blocks.tap import Call, listening
from vtexplore.blocks.transformer import Encoder, Layer
from vtexplore.errors import ConfigError
from vtexplore.types import Stream, Tokens


def stream(batch: int = 2, tokens: int = 7, width: int = 8) -> Stream:
    names = [str(i) for i in range(tokens)]
    return Stream(
        torch.randn(batch, tokens, width),
        torch.ones(batch, tokens, dtype=torch.bool),
        lambda: [Tokens.make(names, [["text"]] * tokens)] * batch,
    )


def test_a_layer_is_torchs_own() -> None:
    mine = Layer(8, 2, 16, eps=1e-12).eval()
    theirs = nn.TransformerEncoderLayer(8, 2, 16, activation="gelu", layer_norm_eps=1e-12, batch_first=True).eval()
    a = mine.attention
    theirs.self_attn.in_proj_weight.data = torch.cat([a.query.weight, a.key.weight, a.value.weight]).data
    theirs.self_attn.in_proj_bias.data = torch.cat([a.query.bias, a.key.bias, a.value.bias]).data
    for ours, other in (
        (a.out, theirs.self_attn.out_proj),
        (mine.mlp[0], theirs.linear1),
        (mine.mlp[2], theirs.linear2),
        (mine.norm1, theirs.norm1),
        (mine.norm2, theirs.norm2),
    ):
        other.load_state_dict(ours.state_dict())
    x = stream()
    assert torch.allclose(mine(x).hidden, theirs(x.hidden), atol=1e-6)


def test_hidden_tokens_are_not_heard() -> None:
    encoder, x = Encoder(2, 8, 2, 16).eval(), stream()
    mask = x.mask.clone()
    mask[0, 5:] = False
    hidden = x.hidden.clone()
    hidden[0, 5:] = 9.0
    a, b = encoder(Stream(x.hidden, mask, x.tokens)).hidden, encoder(Stream(hidden, mask, x.tokens)).hidden
    assert torch.allclose(a[0, :5], b[0, :5], atol=1e-6) and torch.allclose(a[1], b[1], atol=1e-6)
    assert not torch.allclose(a[0], encoder(x).hidden[0], atol=1e-3)


def test_only_some_positions_of_the_last_layer() -> None:
    encoder, x = Encoder(3, 8, 2, 16).eval(), stream()
    some = encoder(x, slice(2, 4))
    assert torch.allclose(some.hidden, encoder(x).hidden[:, 2:4], atol=1e-6)
    assert some.mask.shape == (2, 2) and [t.labels for t in some.tokens()] == [("2", "3")] * 2


def test_hidden_tokens_cost_nothing_in_training() -> None:
    """Whatever is hidden, tokens that are seen come out as they would if all were computed, and so do gradients."""
    torch.manual_seed(1)
    encoder, x = Encoder(2, 8, 2, 16, dropout=0.0), stream()
    mask = torch.rand(x.mask.shape) < 0.5
    mask[0, :2], mask[1] = True, True  # one item is full
    some = Stream(x.hidden.clone().requires_grad_(), mask, x.tokens)
    full, short = encoder.eval()(some).hidden, encoder.train()(some).hidden
    assert torch.allclose(short[mask], full[mask], atol=1e-6) and (short[~mask] == 0).all()
    for only in (slice(0, 1), slice(3, 5)):  # also where hidden tokens ask
        full, short = encoder.eval()(some, only), encoder.train()(some, only)
        assert torch.allclose(short.hidden, full.hidden, atol=1e-6) and torch.equal(short.mask, full.mask)
    one, two = (torch.autograd.grad(y.hidden.sum(), some.hidden)[0] for y in (full, short))
    assert torch.allclose(one, two, atol=1e-6)


def test_a_listener_hears_of_all_tokens_in_training_too() -> None:
    class Ear:
        sizes: list[int] = []  # noqa: RUF012

        def hear(self, call: Call) -> None:
            self.sizes.append(call.k.shape[2])

        def see(self, site: str, stream: Stream) -> None: ...

    encoder, x = Encoder(2, 8, 2, 16).train(), stream()
    mask = x.mask.clone()
    mask[:, 3:] = False
    with listening(ear := Ear()):
        encoder(Stream(x.hidden, mask, x.tokens))
    assert ear.sizes == [len(x)] * 2


def test_dropout_only_in_training() -> None:
    encoder, x = Encoder(1, 8, 2, 16, dropout=0.5), stream()
    assert torch.equal(encoder.eval()(x).hidden, encoder(x).hidden)
    assert not torch.equal(encoder.train()(x).hidden, encoder(x).hidden)


def test_heads_must_share_the_width() -> None:
    with pytest.raises(ConfigError, match="divisor"):
        Encoder(1, 8, 3, 16)
