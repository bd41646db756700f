"""Where a question looks, and what it found there that speaks for an answer: gradient × attention.

    Σ over layers and over the question's tokens of  mean over heads of (∇A ⊙ A)⁺        [patch]

A is the attention of a question's tokens to patches, ∇A the gradient of one answer's score by it (Chefer, Gur &
Wolf 2021, arXiv:2103.15679, eq. 5). Only this cross-attention is followed: what patches heard of each other
before, and what the question's tokens tell each other after, has no part in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vtexplore.blocks.tap import Call
from vtexplore.errors import Unsupported
from vtexplore.probes._places import patches
from vtexplore.record import record
from vtexplore.types import Batch, Output, Stream, Tokens


@dataclass
class Crossings:
    """A listener that notes the ``sites`` where words (a [CLS] among them) attend to patches."""

    sites: list[str] = field(default_factory=list)

    def hear(self, call: Call) -> None:
        """Look at who asks whom."""
        if call.queries()[0].where("text", special=True).any() and patches(call.keys()[0]).any():
            self.sites.append(call.site)

    def see(self, site: str, stream: Stream) -> None:
        """States are not needed."""


@dataclass(frozen=True)
class Crossing:
    """What was found at a site: ``attention`` float32 [head, patch] of the first item, mean over rows.

    The rows are those of [MASK] where there are any, or else of all words and the [CLS].
    """

    site: str
    attention: np.ndarray


def look(
    model: Any, batch: Batch, sites: Sequence[str], score: Callable[[Output], Tensor]
) -> tuple[tuple[Crossing, ...], np.ndarray, Tokens]:
    """The attention at ``sites``, relevance for ``score`` [batch] float32 [batch, patch] ≥ 0, and the patches.

    Raises ``Unsupported`` if there is no site, or if sites see different patches.
    """
    if not sites:
        raise Unsupported(f"In {getattr(model, 'name', 'this model')} no question looks at patches: there is no map.")

    def open_up(site: str, weights: Tensor) -> Tensor:
        return weights if weights.requires_grad else weights.requires_grad_()  # a model whose weights are frozen

    with torch.inference_mode(False), torch.enable_grad():
        heard = record(model, batch, sites=sites, rows="all", explicit=True, edit=open_up)
        found = {site: heard.attention[site] for site in sites}
        kept = [a.weights for a in found.values()]
        slopes = torch.autograd.grad(score(heard.output).sum(), kept, allow_unused=True)
    crossings, tokens = [], None
    total: np.ndarray = np.zeros(0)
    for (site, a), slope in zip(found.items(), slopes, strict=True):
        at = patches(a.keys[0])
        here = a.keys[0][at]
        if tokens is None:
            tokens, total = here, np.zeros((len(batch), len(here)), dtype=np.float32)
        elif not np.array_equal(tokens.box, here.box) or not np.array_equal(tokens.span_s, here.span_s):
            raise Unsupported("The layers of this model see different patches, so their maps cannot be added.")
        with torch.no_grad():
            weights = a.weights.detach()
            speaks = torch.zeros_like(weights) if slope is None else (weights * slope).clamp(min=0)
            for item, row in enumerate(_full(a, speaks)):
                total[item] += row.mean(axis=0)[_words(a.queries[item])].sum(axis=0)[at]
            rows = _full(a, weights[:1])[0][:, _erased(a.queries[0])]  # [head, row, key]
        crossings.append(Crossing(site, rows.mean(axis=1)[:, at].astype(np.float32)))
    assert tokens is not None
    return tuple(crossings), total, tokens


def _full(attention: Any, weights: Tensor) -> np.ndarray:
    """[batch, head, query, key], whatever the groups."""
    full: np.ndarray = replace(attention, weights=weights).full().float().cpu().numpy()
    return full


def _words(queries: Tokens) -> np.ndarray:
    return queries.where("text", special=True)


def _erased(queries: Tokens) -> np.ndarray:
    masked = np.array([label == "[MASK]" for label in queries.labels])
    return masked if masked.any() else _words(queries)
