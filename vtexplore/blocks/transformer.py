"""The transformer encoder of BERT (Devlin et al. 2018; Vaswani et al. 2017): norms after each branch.

``Layer`` and ``Encoder`` take a ``Stream`` and give a ``Stream`` over the same tokens.
"""

from __future__ import annotations

from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vtexplore.blocks.tap import Tap, attend, listened
from vtexplore.errors import ConfigError
from vtexplore.types import Stream


class SelfAttention(nn.Module):
    """Every token looks at every token that the mask lets it see (Vaswani et al., §3.2)."""

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        if width % heads:
            raise ConfigError(f"{heads} heads cannot share a width of {width} equally; choose a divisor of it.")
        self.heads, self.dropout = heads, dropout
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.tap = Tap()

    def forward(self, asking: Stream, stream: Stream) -> Float[Tensor, "batch query channel"]:
        """What each token of ``asking`` (all of ``stream``, or some) hears from it."""
        q, k, v = (
            part(x.hidden).unflatten(-1, (self.heads, -1)).transpose(1, 2)  # [batch, head, token, channel]
            for part, x in ((self.query, asking), (self.key, stream), (self.value, stream))
        )
        heard = attend(
            self.tap,
            q,
            k,
            v,
            queries=asking.tokens,
            keys=stream.tokens,
            mask=stream.mask,
            dropout=self.dropout if self.training else 0.0,
        )
        return self.out(heard.transpose(1, 2).flatten(2))  # [batch, query, channel]


class Layer(nn.Module):
    """Self-attention, then an MLP; each is added to its input and then normalised."""

    def __init__(self, width: int, heads: int, inner: int, dropout: float = 0.1, eps: float = 1e-12) -> None:
        super().__init__()
        self.attention = SelfAttention(width, heads, dropout)
        self.norm1 = nn.LayerNorm(width, eps)
        self.mlp = nn.Sequential(nn.Linear(width, inner), nn.GELU(), nn.Linear(inner, width))
        self.norm2 = nn.LayerNorm(width, eps)
        self.dropout = nn.Dropout(dropout)

    def forward(self, stream: Stream, asking: Stream | None = None) -> Stream:
        """What becomes of ``asking``, some tokens of ``stream``, or of all [batch, token, channel]."""
        asking = stream if asking is None else asking
        x = self.norm1(asking.hidden + self.dropout(self.attention(asking, stream)))
        x = self.norm2(x + self.dropout(self.mlp(x)))
        return self.attention.tap.see(asking.with_hidden(x))


class Encoder(nn.Module):
    """``depth`` layers, one after the other."""

    def __init__(
        self, depth: int, width: int, heads: int, inner: int, dropout: float = 0.1, eps: float = 1e-12
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(width, heads, inner, dropout, eps) for _ in range(depth))
        self.apply(partial(initialise, width=width))

    def forward(self, stream: Stream, only: slice | None = None) -> Stream:
        """[batch, token, channel] to the same; ``only``: positions after the last layer, which saves the others.

        In training, tokens that are hidden from all others are not computed, and come out as 0.
        """
        if self.training and not listened() and not stream.mask.all():
            return self._packed(stream, only)
        for layer in self.layers:
            last = layer is self.layers[-1]
            stream = layer(stream, stream[only] if last and only is not None else None)
        return stream

    def states(self, stream: Stream, depth: int | None = None) -> list[Stream]:
        """The stream itself, and then what each layer (of the first ``depth``) makes of it."""
        out = [stream]
        for layer in self.layers[:depth]:
            out.append(layer(out[-1]))
        return out

    def _packed(self, stream: Stream, only: slice | None) -> Stream:
        """The same with the tokens that may be seen moved together: as many as the fullest item has."""
        wanted = torch.arange(stream.mask.shape[1], device=stream.mask.device)[slice(None) if only is None else only]
        seen = stream.mask.clone()
        if only is not None:
            seen[:, wanted] = True  # also one that is hidden may ask
        order = (~seen).to(torch.uint8).argsort(dim=1, stable=True)[:, : int(seen.sum(1).max())]  # [batch, packed]
        x = Stream(
            stream.hidden.gather(1, order[..., None].expand(-1, -1, stream.hidden.shape[2])),
            stream.mask.gather(1, order),
            stream.tokens,
        )
        for layer in self.layers[:-1]:
            x = layer(x)
        if only is None:
            x = self.layers[-1](x)
            hidden = torch.zeros_like(stream.hidden).scatter(1, order[..., None].expand_as(x.hidden), x.hidden)
            return stream.with_hidden(hidden * stream.mask[..., None])
        place = (seen.cumsum(1) - 1)[:, wanted]  # where the wanted tokens stand now
        asking = x.hidden.gather(1, place[..., None].expand(-1, -1, x.hidden.shape[2]))
        last: Stream = self.layers[-1](x, stream[only].with_hidden(asking))
        return last


def weight_std(width: int) -> float:
    """The deviation of initial weights: BERT's 0.02 at its width of 768.

    A narrower model gets larger ones, so that what a layer hands on keeps its size; with 0.02 at a width of
    128 all attention starts flat, and learning starts late.
    """
    return 0.02 * (768 / width) ** 0.5


def initialise(module: nn.Module, width: int = 768) -> None:
    """BERT's initial weights: normal, as ``weight_std`` says, biases 0."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=weight_std(width))
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)


NAMES = (
    (r"layer\.(\d+)\.attention\.self\.(query|key|value)\.(\w+)", r"layers.\1.attention.\2.\3"),
    (r"layer\.(\d+)\.attention\.output\.dense\.(\w+)", r"layers.\1.attention.out.\2"),
    (r"layer\.(\d+)\.attention\.output\.LayerNorm\.(\w+)", r"layers.\1.norm1.\2"),
    (r"layer\.(\d+)\.intermediate\.dense\.(\w+)", r"layers.\1.mlp.0.\2"),
    (r"layer\.(\d+)\.output\.dense\.(\w+)", r"layers.\1.mlp.2.\2"),
    (r"layer\.(\d+)\.output\.LayerNorm\.(\w+)", r"layers.\1.norm2.\2"),
)
"""BERT's published names of an encoder to ours."""

DISTILBERT_NAMES = (
    (r"layer\.(\d+)\.attention\.q_lin\.(\w+)", r"layers.\1.attention.query.\2"),
    (r"layer\.(\d+)\.attention\.k_lin\.(\w+)", r"layers.\1.attention.key.\2"),
    (r"layer\.(\d+)\.attention\.v_lin\.(\w+)", r"layers.\1.attention.value.\2"),
    (r"layer\.(\d+)\.attention\.out_lin\.(\w+)", r"layers.\1.attention.out.\2"),
    (r"layer\.(\d+)\.sa_layer_norm\.(\w+)", r"layers.\1.norm1.\2"),
    (r"layer\.(\d+)\.ffn\.lin1\.(\w+)", r"layers.\1.mlp.0.\2"),
    (r"layer\.(\d+)\.ffn\.lin2\.(\w+)", r"layers.\1.mlp.2.\2"),
    (r"layer\.(\d+)\.output_layer_norm\.(\w+)", r"layers.\1.norm2.\2"),
)
"""DistilBERT's."""
