"""Which stream each layer hears, and as it was when; and what a stream is made of at its beginning.

Nobody says so: it is read off the autograd graph. What is heard of another stream is that stream as it was then. A
stream that begins as something made of another's tokens, one by one (a [CLS] handed on to a transformer over time, a
mean over frames), goes on where those were; a stream that does not, or that hangs on all tokens of another at once,
begins as itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from vtexplore.types import Attention, Tokens

Names = tuple[Any, ...]
"""What tells a stream from others: the names of its tokens."""


@dataclass(frozen=True)
class Heard:
    """One attention of one item: ``weights`` as the layer used them, in the graph; ``keys_from`` and ``queries_from``
    keys and queries [batch, window · head, token, channel], too."""

    site: str
    weights: Tensor
    keys_from: Tensor
    queries: Tokens
    keys: Tokens
    groups: Tensor | None
    key_groups: Tensor | None
    queries_from: Tensor | None = None

    def full(self, weights: Tensor) -> Tensor:
        """Weights, or something of their shape, as [head, query, key], whatever the groups."""
        if self.groups is not None:
            weights = weights.unflatten(1, (len(self.groups), -1)).transpose(1, 2)
        return Attention(self.site, weights, (self.queries,), (self.keys,), self.groups, self.key_groups).full()[0]


@dataclass(frozen=True)
class Layer:
    """What a layer heard, and the states that it handed on."""

    site: str
    calls: tuple[Heard, ...]
    hidden: Tensor
    tokens: Tokens
    names: Names


@dataclass(frozen=True)
class Source:
    """Tokens made of those of ``stream`` after its first ``depth`` layers (None: as it is in this layer).

    ``share`` [token, its token]: rows sum to 1, or are 0 for tokens that come from elsewhere; None: the very same.
    """

    stream: Names
    depth: int | None
    share: Tensor | None = None


@dataclass(frozen=True)
class Step:
    """A layer: the streams that begin here and what of (nothing: of themselves), and what each of its calls hears.

    ``heard``: calls that are rows of one matrix, the names of the keys, and where those come from.
    """

    layer: Layer
    begins: Mapping[Names, tuple[Source, ...]]
    heard: tuple[tuple[tuple[Heard, ...], Names, tuple[Source, ...]], ...]

    def sources(self) -> Iterator[Source]:
        """Everything that is made of another stream here."""
        for some in (*self.begins.values(), *(sources for _, _, sources in self.heard)):
            yield from (source for source in some if source.depth is not None)


def names_of(tokens: Tokens) -> Names:
    """What tells each token of a sequence from the others, and the same token in other sequences."""
    seen: Counter[Any] = Counter()
    out = []
    for label, word, span in zip(tokens.labels, tokens.word.tolist(), tokens.span_s.tolist(), strict=True):
        name = (label, word, *(None if s != s else round(s, 6) for s in span))
        out.append((*name, seen[name]))
        seen[name] += 1
    return tuple(out)


def steps(layers: Sequence[Layer]) -> tuple[Step, ...]:
    """The layers in the order in which they ran, and what each hears."""
    hiddens: dict[Names, list[Tensor]] = {}
    ran: dict[Names, list[Tensor]] = {}  # the same, that which ran last at the end
    out = []
    for layer in layers:
        own, begins, heard = layer.names, dict[Names, tuple[Source, ...]](), []
        if own not in hiddens:
            begins[own] = _born(_states(layer.calls[0], queries=True), ran)
            hiddens[own] = []
        for calls, names in _matrices(layer, hiddens):
            if names == own:
                sources: tuple[Source, ...] = (Source(own, None),)
            elif names in hiddens:
                sources = (Source(names, _depth(calls[0].keys_from, hiddens[names])),)
            elif not (sources := _mixed(calls[0], names, own, hiddens)):
                begins[names] = _born(_states(calls[0], queries=False), ran)
                hiddens[names], sources = [], (Source(names, 0),)
            heard.append((calls, names, sources))
        hiddens[own].append(layer.hidden)
        ran.pop(own, None)
        ran[own] = hiddens[own]
        out.append(Step(layer, begins, tuple(heard)))
    return tuple(out)


def heard_last(trace: Sequence[Step]) -> set[Names]:
    """Streams whose last states another stream hears, or is made of: they are read by it, not by a head."""
    depth: Counter[Names] = Counter()
    count: Counter[Names] = Counter()
    for step in trace:
        count[step.layer.names] += 1
        for source in step.sources():
            assert source.depth is not None
            depth[source.stream] = max(depth[source.stream], source.depth)
    return {names for names, at in depth.items() if at and at == count[names]}


# ── keys ──────────────────────────────────────────────────────────────────────────────────────────


def _matrices(layer: Layer, known: Mapping[Names, Any]) -> list[tuple[tuple[Heard, ...], Names]]:
    """A layer's calls, those together that are rows of one matrix, and the stream whose tokens they hear."""
    out: list[tuple[tuple[Heard, ...], Names]] = []
    taken: set[Any] = set()
    for call in layer.calls:
        names, rows = _stream_of(call, layer.names, known), set(names_of(call.queries))
        if out and out[-1][1] == names and not rows & taken:
            out[-1] = ((*out[-1][0], call), names)
            taken |= rows
        else:
            out.append(((call,), names))
            taken = rows
    return out


def _stream_of(call: Heard, own: Names, known: Mapping[Names, Any]) -> Names:
    """The stream that holds a call's keys: its own, or the latest of the others, or one that nobody has seen yet."""
    keys = names_of(call.keys)
    for names in (own, *reversed([n for n in known if n != own])):
        if set(keys) <= set(names):
            return names
    return keys


def _mixed(call: Heard, keys: Names, own: Names, hiddens: Mapping[Names, Sequence[Tensor]]) -> tuple[Source, ...]:
    """Where keys come from that stand in several streams; nothing, if some stand in none."""
    out, left = [], dict.fromkeys(range(len(keys)))
    for names in (own, *reversed([n for n in hiddens if n != own])):
        place = {name: i for i, name in enumerate(names)}
        mine = [at for at in left if keys[at] in place]
        if mine:
            share = torch.zeros(len(keys), len(names), device=call.keys_from.device)
            share[mine, [place[keys[at]] for at in mine]] = 1
            depth = None if names == own else _depth(call.keys_from, hiddens[names])
            out.append(Source(names, depth, share))
        left = {at: None for at in left if at not in set(mine)}
    return () if left else tuple(out)


def _depth(made: Tensor, hiddens: Sequence[Tensor]) -> int:
    """How many layers of a stream had run when something was made of it; all of them, if no gradient can tell."""
    able = [h for h in hiddens if h.requires_grad]
    if not able or not made.requires_grad:
        return 0 if able else len(hiddens)
    slopes = torch.autograd.grad(_number(made), able, allow_unused=True, retain_graph=True)
    reached = [i for i, h in enumerate(hiddens, 1) if any(h is a and s is not None for a, s in zip(able, slopes))]
    return max(reached, default=0)


# ── beginnings ────────────────────────────────────────────────────────────────────────────────────


def _born(states: Tensor | None, ran: Mapping[Names, Sequence[Tensor]]) -> tuple[Source, ...]:
    """What first states [token, channel] are made of: tokens of the stream that ran last, of those that they are of."""
    if states is None or not states.requires_grad:
        return ()
    for names, past in reversed(list(ran.items())):
        depth = _depth(states, past) if past and any(h.requires_grad for h in past) else 0
        share = _shares(states, past[depth - 1]) if depth else None
        if share is not None:
            return (Source(names, depth, share),)
    return ()


def _shares(states: Tensor, hidden: Tensor) -> Tensor | None:
    """[token, row]: even shares of the rows [1, row, channel] of which each token is made.

    None if one is made of none of them, or of all at once: then it is not known which.
    """
    count = len(states)
    share = states.new_zeros(count, hidden.shape[1], dtype=torch.float32)
    for token in sorted(range(count), key=lambda i: min(i, count - 1 - i)):  # words stand first or last
        (slope,) = torch.autograd.grad(_number(states[token]), [hidden], allow_unused=True, retain_graph=True)
        rows = None if slope is None else slope[0].abs().sum(dim=-1) > 0
        if rows is None or not rows.any() or (len(rows) > 1 and rows.all()):
            return None
        share[token] = rows.float() / rows.sum()
    return share


def _number(states: Tensor) -> Tensor:
    """One number that hangs on every part of some states: their plain sum does not, behind a layer norm."""
    weights = torch.linspace(1, 2, states.numel(), dtype=states.dtype, device=states.device).view(states.shape)
    return (states * weights).sum()


def _states(call: Heard, queries: bool) -> Tensor | None:
    """Queries or keys of a call, one row a token: [token, head · channel]."""
    x, tokens = (call.queries_from, call.queries) if queries else (call.keys_from, call.keys)
    groups = call.groups if queries or call.key_groups is None else call.key_groups
    if x is None or x.dim() != 4:
        return None
    if groups is None:
        return x[0].transpose(0, 1).flatten(1)
    each = x[0].unflatten(0, (len(groups), -1)).transpose(1, 2).flatten(2)  # [window, place, head · channel]
    there = (groups >= 0).to(x.device)
    return x.new_zeros(len(tokens), each.shape[-1]).index_put((groups.to(x.device)[there],), each[there])
