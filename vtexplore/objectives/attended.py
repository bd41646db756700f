"""Attended masking (VIOLET, §3.3): what the model looks at most is the likeliest to be hidden.

Attention received by a position = its weight, averaged over heads and summed over layers and over all
queries (Vaswani et al.'s softmax rows sum to 1, so all positions together receive layers × tokens).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from vtexplore.blocks.tap import Call, listening
from vtexplore.types import Stream

Out = TypeVar("Out")

CHUNK = 256
"""Query rows whose weights exist at one time."""


@dataclass
class Received:
    """A listener that adds up the attention received at every site below ``site``."""

    site: str
    total: Tensor | None = None  # [batch, key]

    @torch.no_grad()
    def hear(self, call: Call) -> None:
        """Add what one attention gives to its keys."""
        if call.groups is not None or not f"{call.site}.".startswith(f"{self.site}."):
            return
        for start in range(0, call.q.shape[2], CHUNK):
            given = call.weights(slice(start, start + CHUNK)).mean(1).sum(1)  # [batch, key]
            self.total = given if self.total is None else self.total + given

    def see(self, site: str, stream: Stream) -> None:
        """States say nothing of attention."""


def attended(forward: Callable[[], Out], site: str) -> tuple[Out, Float[Tensor, "batch token"]]:
    """What ``forward`` gives, and how much attention each position receives at the sites below ``site`` meanwhile.

    Attention without gradients. Raises ``ValueError`` if no such attention took place.
    """
    listener = Received(site)
    with listening(listener):
        out = forward()
    if listener.total is None:
        raise ValueError(f"nothing below {site!r} attended to anything")
    return out, listener.total


@torch.no_grad()
def attention_received(forward: Callable[[], object], site: str) -> Float[Tensor, "batch token"]:
    """The attention alone, and nothing with gradients. Raises ``ValueError`` if there is none."""
    return attended(forward, site)[1]


def attended_mask(
    received: Float[Tensor, "batch token"], rate: float, generator: torch.Generator
) -> Bool[Tensor, "batch token"]:
    """Draw positions in proportion to the attention that they receive.

    int(rate × token) positions of each item without replacement. ``received`` is 0 where
    nothing may be hidden; such positions are counted and never drawn, so if few others are left, fewer
    positions are drawn.
    """
    weights = received.float().to(generator.device)
    count = int(rate * weights.shape[1])
    # A race of exponentials: the first to arrive are a draw without replacement in proportion to weight, and
    # unlike torch.multinomial it is at ease with items in which few positions received anything.
    noise = torch.empty_like(weights).exponential_(generator=generator)
    rank = torch.where(weights > 0, weights / noise, -torch.ones_like(weights))
    top = rank.topk(count, dim=1).indices
    chosen = torch.zeros_like(weights, dtype=torch.bool).scatter_(1, top, True)
    return (chosen & (weights > 0)).to(received.device)
