"""Attention rollout: where a word's information comes from, through all layers at once.

    R = Π over layers of rownorm(½ A + ½ I)          (Abnar & Zuidema 2020, arXiv:2005.00928)

A is a layer's attention, mean over heads, and I stands for the residual connection beside it. Rows of R
sum to 1. It is a map of possible flow, not of use: it knows neither values nor MLPs, and is diffuse.

Only two matrices of one layer exist at a time: the product is taken while the forward runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from vtexplore.blocks.tap import Call, listening
from vtexplore.errors import Unsupported
from vtexplore.record import beside
from vtexplore.types import Batch, Output, Stream, Tokens

CHUNK = 256  # query rows whose weights, head by head, exist at one time


def step(attention: Tensor) -> Tensor:
    """One layer's factor, rownorm(½A + ½I): [..., token, token] → the same; rows sum to 1."""
    size = attention.shape[-1]
    mixed = 0.5 * attention + 0.5 * torch.eye(size, dtype=attention.dtype, device=attention.device)
    return mixed / mixed.sum(dim=-1, keepdim=True)


def rollout(layers: Iterable[Tensor]) -> Tensor:
    """The product of the factors of all layers, first layer first: [..., token, token].

    ``layers``: attention of each layer, mean over heads, [..., token, token], in the order in which
    they run; ``ValueError`` if there is none.
    """
    product: Tensor | None = None
    for attention in layers:
        factor = step(attention)
        product = factor if product is None else factor @ product
    if product is None:
        raise ValueError("rollout needs at least one layer")
    return product


@dataclass
class Roller:
    """A listener that keeps nothing but the product so far.

    It follows the layers in which words and video stand in one sequence and attend to one another; a
    text-only or windowed layer below has no part in it.
    """

    sites: list[str] = field(default_factory=list)
    product: Tensor | None = None
    tokens: tuple[Tokens, ...] = ()

    def hear(self, call: Call) -> None:
        """Multiply one layer onto the product."""
        if call.groups is not None or call.q.shape[2] != call.k.shape[2]:
            return
        if not self.sites:
            tokens = tuple(call.queries())
            if not (tokens[0].where("text").any() and tokens[0].where("video").any()):
                return
            self.tokens = tokens
        elif call.q.shape[2] != len(self.tokens[0]):
            return
        with torch.no_grad():
            rows = range(0, call.q.shape[2], CHUNK)
            mean = torch.cat([call.weights(slice(r, r + CHUNK)).mean(dim=1) for r in rows], dim=1)
            factor = step(mean)  # [batch, token, token]
            self.product = factor if self.product is None else factor @ self.product
        self.sites.append(call.site)

    def see(self, site: str, stream: Stream) -> None:
        """States are not needed."""


def roll(model: Any, batch: Batch) -> tuple[Tensor, tuple[Tokens, ...], tuple[str, ...], Output]:
    """Rollout of a model on a batch: R [batch, token, token], Tokens of each item, sites, the output.

    Raises ``Unsupported`` for a model in which words and video never stand in one sequence.
    """
    roller = Roller()
    with listening(roller), torch.inference_mode():
        output = model(beside(model, batch))
    if roller.product is None:
        raise Unsupported(
            f"Rollout needs layers in which words and video attend to one another in one sequence, and "
            f"{getattr(model, 'name', 'this model')} has none. Look at single heads: method='raw'."
        )
    return roller.product, roller.tokens, tuple(roller.sites), output
