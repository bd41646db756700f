"""The tap: an identity in every attention, until someone listens.

A family never returns attention. Each attention layer shows its queries and keys to its ``Tap``, which
does nothing unless a ``Listener`` is active in this very call and thread. Listening does not change
the arithmetic of the layer: its output still comes from the fused kernel, and only the rows asked for
are computed explicitly beside it. Only a listener in explicit mode (gradients, ablation, patching)
gets its weights into the layer's own computation.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from vtexplore.types import Stream, TokensOfBatch


@dataclass(frozen=True)
class Call:
    """What one attention shows to its tap.

    ``q`` [batch, head, query, channel] and ``k`` [batch, head, key, channel]; ``bias`` is added to the
    scaled logits (masks included, −inf = hidden) and broadcasts to [batch, head, query, key];
    ``queries`` and ``keys`` build their Tokens. In local attention the head axis holds window × head
    (window outermost), ``groups`` [window, query] says which query stands at each place (−1 = padding) and
    ``key_groups`` [window, key] which key; None: as the queries. ``given``: the weights, where a layer has them anyway.
    """

    site: str
    q: Tensor
    k: Tensor
    bias: Tensor | None
    scale: float
    queries: TokensOfBatch
    keys: TokensOfBatch
    groups: Tensor | None
    key_groups: Tensor | None
    dropout: bool
    given: Tensor | None = None

    def weights(self, rows: slice | Tensor | None = None) -> Tensor:
        """softmax(scale · q kᵀ + bias), or what is ``given``: [batch, head, row, key].

        ``rows``: None (all), a slice, or an index [batch, row] that may differ from item to item. Computed and
        returned in fp32 where a model has 16 bits.
        """
        if self.given is not None:
            return wide(picked(self.given, rows))
        q, bias = self.q, self.bias
        if isinstance(rows, Tensor):
            batch, head, _, channel = q.shape
            index = rows.to(q.device)[:, None, :, None]
            if bias is not None and bias.shape[-2] != 1:
                each = bias.expand(batch, *bias.shape[1:])
                bias = each.gather(2, index.expand(-1, each.shape[1], -1, each.shape[3]))
            q = q.gather(2, index.expand(-1, head, -1, channel))
        elif rows is not None:
            q = q[:, :, rows]
            bias = bias[:, :, rows] if bias is not None and bias.shape[-2] != 1 else bias
        with exactly(q):
            logits = (wide(q) @ wide(self.k).transpose(-1, -2)) * self.scale
            if bias is not None:
                logits = logits + bias
            return logits.softmax(dim=-1)


def wide(x: Tensor) -> Tensor:
    """The same numbers in 32 bits, if they had 16."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


def picked(full: Tensor, rows: slice | Tensor | None = None) -> Tensor:
    """Rows of weights that are there already: [batch, head, query, key] to [batch, head, row, key]."""
    if isinstance(rows, Tensor):
        return full.gather(2, rows.to(full.device)[:, None, :, None].expand(-1, full.shape[1], -1, full.shape[3]))
    return full if rows is None else full[:, :, rows]


@runtime_checkable
class Listener(Protocol):
    """Hears what taps are shown during one forward."""

    def hear(self, call: Call) -> Tensor | None:
        """Look at a call; return weights [batch, head, query, key] to have the layer use them, or None."""
        ...

    def see(self, site: str, stream: Stream) -> None:
        """Look at the states that a layer hands on."""
        ...


_listener: ContextVar[Listener | None] = ContextVar("vtexplore_listener", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[Listener]:
    """Let ``listener`` hear every tap in this block, in this thread and context only."""
    token = _listener.set(listener)
    try:
        yield listener
    finally:
        _listener.reset(token)


def listened() -> bool:
    """Whether anybody listens, in this thread and context."""
    return _listener.get() is not None


class Tap(nn.Module):
    """The identity with an optional listener; one in every attention, named by ``name_taps``."""

    def __init__(self) -> None:
        super().__init__()
        self.site = ""

    def forward(
        self,
        q: Tensor,
        k: Tensor,
        *,
        bias: Tensor | None,
        scale: float,
        queries: TokensOfBatch,
        keys: TokensOfBatch,
        groups: Tensor | None = None,
        key_groups: Tensor | None = None,
        dropout: bool = False,
        given: Tensor | None = None,
    ) -> Tensor | None:
        """None, or the weights that an explicit listener wants the layer to use."""
        listener = _listener.get()
        if listener is None:
            return None
        call = Call(self.site, q, k, bias, scale, queries, keys, groups, key_groups, dropout, given)
        return listener.hear(call)

    def see(self, stream: Stream) -> Stream:
        """Show the states that the layer hands on; returns them unchanged."""
        listener = _listener.get()
        if listener is not None:
            listener.see(self.site, stream)
        return stream


def name_taps(model: nn.Module) -> nn.Module:
    """Give every tap in ``model`` its site, the path of the layer it sits in; returns the model.

    An attention's second tap, for its [CLS], is called ``cls``: "video.blocks.0" and "video.blocks.0.cls".
    """
    for path, module in model.named_modules():
        if isinstance(module, Tap):
            layer, _, name = path.rpartition(".")
            module.site = ".".join([layer.removesuffix(".attention"), *([name] if name != "tap" else [])]) or name
    return model


def attend(
    tap: Tap,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    queries: TokensOfBatch,
    keys: TokensOfBatch,
    mask: Tensor | None = None,
    bias: Tensor | None = None,
    scale: float | None = None,
    dropout: float = 0.0,
    groups: Tensor | None = None,
    key_groups: Tensor | None = None,
) -> Tensor:
    """Scaled dot-product attention with a tap (Vaswani et al. 2017, eq. 1).

    ``q`` [batch, head, query, channel], ``k`` and ``v`` [batch, head, key, channel]; ``mask`` bool,
    True = may be seen, [batch, key] or broadcastable to [batch, head, query, key]; ``bias`` is added to
    the logits. Returns [batch, head, query, channel]; a query that may see nothing hears 0. ``dropout`` is a
    probability, already 0 in evaluation mode.
    """
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    blind = None
    if mask is not None:
        mask = mask[:, None, None, :] if mask.dim() == 2 else mask
        blind = ~mask.any(-1, keepdim=True)
        mask = mask | blind  # or else a softmax over nothing: NaN
        hidden = torch.zeros(mask.shape, dtype=q.dtype, device=q.device)
        hidden = hidden.masked_fill(~mask, float("-inf"))
        bias = hidden if bias is None else bias + hidden
    weights = tap(
        q,
        k,
        bias=bias,
        scale=scale,
        queries=queries,
        keys=keys,
        groups=groups,
        key_groups=key_groups,
        dropout=dropout > 0,
    )
    if weights is not None:
        heard = nn.functional.dropout(weights, dropout).to(v.dtype) @ v
    else:
        heard = _fused(q, k, v, bias, dropout, scale)
    return heard if blind is None else heard.masked_fill(blind, 0.0)


def exactly(x: Tensor) -> AbstractContextManager[Any]:
    """A block in which nothing on the device of ``x`` is computed in fewer bits than its tensors have."""
    return nullcontext() if x.is_meta else torch.autocast(x.device.type, enabled=False)


def _fused(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, dropout: float, scale: float) -> Tensor:
    if q.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
        # On the way back the kernel takes ten times as long in 16 bits as in 32.
        q, k, v, bias = q.float(), k.float(), v.float(), None if bias is None else bias.float()
    bias = None if bias is None else bias.to(q.dtype)
    with exactly(q):
        return nn.functional.scaled_dot_product_attention(q, k, v, bias, dropout, scale=scale)
