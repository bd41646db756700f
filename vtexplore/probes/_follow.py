"""Attention followed through all layers of all streams: whence does what is read off at the end come?

A stream is a sequence that passes through layers: words and patches together, or each by themselves, or a question
that asks a video. What it is made of is a matrix for each stream that it has heard of, R[own token, its token], at
first the identity. Layers are taken in the order in which they run; how R grows is one of two rules:

    rollout    R ← rownorm(½ Ā R(heard) + ½ R),  Ā = mean over heads of A
               (Abnar & Zuidema 2020, arXiv:2005.00928)
    relevancy  R ← R + Ā R,                      Ā = mean over heads of (∇A ⊙ A)⁺
               (Chefer, Gur & Wolf 2021, arXiv:2103.15679, eq. 5–11), and where stream s hears another, q:
               R^sq ← R^sq + (R̄^ss)ᵀ Ā R̄^qq,   R^ss ← R^ss + Ā R^qs,   R̄ = I + rownorm(R − I)

Attention that is divided (a [CLS] that sees all, tokens that see their frame) is one matrix of all its rows. Windows
of a backbone, whose grids change from stage to stage, are not followed: patches begin where they leave it. What is
heard of another stream is that stream as it was then; which layer that is, is read off the autograd graph.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from vtexplore.blocks.tap import Call, listening
from vtexplore.errors import Unsupported
from vtexplore.probes._case import Case
from vtexplore.types import Attention, Stream, Tokens

Names = tuple[Any, ...]
Made = dict[Names, Tensor]
"""What a stream is made of: stream → [own token, its token]."""


@dataclass(frozen=True)
class Heard:
    """One attention of one item: ``weights`` as the layer used them, in the graph; ``keys_from`` the keys, too."""

    site: str
    weights: Tensor
    keys_from: Tensor
    queries: Tokens
    keys: Tokens
    groups: Tensor | None
    key_groups: Tensor | None

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


@dataclass
class Follower:
    """A listener that keeps every layer's attention in the graph, but not that of windows."""

    layers: list[Layer] = field(default_factory=list)
    waiting: list[Heard] = field(default_factory=list)
    windows: bool = False

    def hear(self, call: Call) -> Tensor | None:
        """Have the layer use weights that gradients reach."""
        if call.groups is not None and call.key_groups is None:
            self.windows = True
            return None
        weights = call.weights()
        weights = weights if weights.requires_grad else weights.requires_grad_()
        self.waiting.append(
            Heard(call.site, weights, call.k, call.queries()[0], call.keys()[0], call.groups, call.key_groups)
        )
        return weights

    def see(self, site: str, stream: Stream) -> None:
        """A layer is done."""
        if self.waiting:
            tokens = stream.tokens()[0]
            self.layers.append(Layer(site, tuple(self.waiting), stream.hidden, tokens, names_of(tokens)))
            self.waiting = []


def names_of(tokens: Tokens) -> Names:
    """What tells each token of a sequence from the others, and the same token in other sequences."""
    seen: Counter[Any] = Counter()
    out = []
    for label, word, span in zip(tokens.labels, tokens.word.tolist(), tokens.span_s.tolist(), strict=True):
        name = (label, word, *(None if s != s else round(s, 6) for s in span))
        out.append((*name, seen[name]))
        seen[name] += 1
    return tuple(out)


@dataclass(frozen=True)
class Flow:
    """A forward that was followed: its ``layers``, the gradient of the score by each call's weights, and where the
    score is read off: for each stream that is read, its last layer and the rows [row]."""

    layers: tuple[Layer, ...]
    slopes: dict[int, Tensor]
    read: tuple[tuple[Layer, Tensor], ...]
    windows: bool


def follow(case: Case) -> Flow:
    """One forward and one backward. ``Unsupported`` for a model none of whose layers lead to what is asked."""
    follower = Follower()
    with torch.inference_mode(False), torch.enable_grad(), listening(follower):
        score = case.score(case.model(case.batch)).sum()
    calls = [call for layer in follower.layers for call in layer.calls]
    last = {layer.names: layer for layer in follower.layers}
    ends = list(last.values())
    wanted = [*(c.weights for c in calls), *(e.hidden for e in ends)]
    wanted = [w for w in wanted if w.requires_grad]
    found: dict[int, Tensor | None] = {}
    if wanted and score.requires_grad:
        slopes = torch.autograd.grad(score, wanted, allow_unused=True, retain_graph=True)
        found = {id(w): s for w, s in zip(wanted, slopes, strict=True)}
    read = []
    heard = _heard_last(follower.layers)
    for end in ends:
        slope = found.get(id(end.hidden))
        if slope is not None and end.names not in heard:
            rows = slope[0].abs().sum(dim=-1).nonzero().flatten()
            if len(rows):
                read.append((end, rows))
    if not read:
        raise Unsupported(
            f"In {getattr(case.model, 'name', 'this model')} no layer of attention leads to {case.what}: there is "
            "nothing to follow. Take away patches instead: method='occlusion'."
        )
    kept = {id(c): s for c in calls if (s := found.get(id(c.weights))) is not None}
    return Flow(tuple(follower.layers), kept, tuple(read), follower.windows)


def relevance(flow: Flow) -> list[tuple[Layer, Made]]:
    """The rule "relevancy": for each stream that is read, what its rows are made of {stream: [token]}, ≥ 0."""

    def strength(call: Heard) -> Tensor:
        slope = flow.slopes.get(id(call))
        if slope is None:
            return call.full(torch.zeros_like(call.weights.detach())).mean(dim=0)
        return call.full((slope * call.weights).clamp(min=0).detach()).mean(dim=0)

    return _read(flow, _walk(flow, strength, _relevancy), less_own=True)


def rolled(flow: Flow) -> list[tuple[Layer, Made]]:
    """The rule "rollout", as ``relevance``; over all streams together, a row sums to 1."""
    return _read(flow, _walk(flow, lambda call: call.full(call.weights.detach()).mean(dim=0), _rollout), less_own=False)


def _read(flow: Flow, made: dict[Names, Made], less_own: bool) -> list[tuple[Layer, Made]]:
    """The mean of the rows that are read; without what they began as, if ``less_own``."""
    out = []
    for layer, rows in flow.read:
        mine = dict(made[layer.names])
        if less_own:
            mine[layer.names] = mine[layer.names] - torch.eye(len(layer.names), device=rows.device)
        out.append((layer, {names: matrix[rows].mean(dim=0) for names, matrix in mine.items()}))
    return out


# ── the walk ──────────────────────────────────────────────────────────────────────────────────────

Rule = Callable[[Made, Made, Tensor, Tensor, Names, Names], Made]
"""(own R, R of the stream that is heard, Ā [own, its], rows that asked, own names, its names) → own R."""


def _walk(flow: Flow, strength: Callable[[Heard], Tensor], rule: Rule) -> dict[Names, Made]:
    """R of every stream after its last layer."""
    past: dict[Names, list[Made]] = {}
    hiddens: dict[Names, list[Tensor]] = {}
    for layer in flow.layers:
        made = past.setdefault(layer.names, [_identity(layer.names, layer.hidden)])[-1]
        for calls, names in _matrices(layer, past):
            other = past.setdefault(names, [_identity(names, layer.hidden)])
            heard = made if names == layer.names else other[_depth(calls[0].keys_from, hiddens.get(names, []))]
            own, its = ({name: i for i, name in enumerate(n)} for n in (layer.names, names))
            matrix = layer.hidden.new_zeros(len(own), len(its), dtype=torch.float32)
            asked = torch.zeros(len(own), dtype=torch.bool, device=matrix.device)
            for call in calls:
                if lost := [n for n in names_of(call.queries) if n not in own]:
                    raise Unsupported(
                        f"At {call.site} a token asks that no layer hands on ({lost[0][0]}), so attention cannot be "
                        "followed. Take away patches instead: method='occlusion'."
                    )
                rows = torch.tensor([own[n] for n in names_of(call.queries)], device=matrix.device)
                columns = torch.tensor([its[n] for n in names_of(call.keys)], device=matrix.device)
                matrix[rows[:, None], columns] = strength(call).to(matrix)
                asked[rows] = True
            made = rule(made, heard, matrix, asked, layer.names, names)
        past[layer.names].append(made)
        hiddens.setdefault(layer.names, []).append(layer.hidden)
    return {names: history[-1] for names, history in past.items()}


def _identity(names: Names, like: Tensor) -> Made:
    return {names: torch.eye(len(names), device=like.device)}


def _matrices(layer: Layer, known: Any) -> list[tuple[list[Heard], Names]]:
    """A layer's calls, those together that are rows of one matrix, and the stream whose tokens they hear."""
    out: list[tuple[list[Heard], Names]] = []
    taken: set[Any] = set()
    for call in layer.calls:
        names, rows = _stream_of(call, layer.names, known), set(names_of(call.queries))
        if out and out[-1][1] == names and not rows & taken:
            out[-1][0].append(call)
            taken |= rows
        else:
            out.append(([call], names))
            taken = rows
    return out


def _stream_of(call: Heard, own: Names, known: Any) -> Names:
    """The stream that holds a call's keys: its own, or the latest of the others, or one that nobody has seen yet."""
    keys = names_of(call.keys)
    for names in (own, *reversed([n for n in known if n != own])):
        if set(keys) <= set(names):
            return names
    return keys


def _depth(keys_from: Tensor, hiddens: Sequence[Tensor]) -> int:
    """How many layers of a stream had run when keys were made of it; all of them, if no gradient can tell."""
    able = [h for h in hiddens if h.requires_grad]
    if not able or not keys_from.requires_grad:
        return 0 if able else len(hiddens)
    slopes = torch.autograd.grad(keys_from.sum(), able, allow_unused=True, retain_graph=True)
    reached = [i for i, h in enumerate(hiddens, 1) if any(h is a and s is not None for a, s in zip(able, slopes))]
    return max(reached, default=0)


def _heard_last(layers: Sequence[Layer]) -> set[Names]:
    """Streams whose last states another stream hears: they are read by it, not by a head."""
    hiddens: dict[Names, list[Tensor]] = {}
    depth: dict[Names, int] = {}
    known: dict[Names, None] = {}
    for layer in layers:
        known.setdefault(layer.names)
        for calls, names in _matrices(layer, known):
            if names != layer.names and names in hiddens:
                depth[names] = max(depth.get(names, 0), _depth(calls[0].keys_from, hiddens[names]))
        hiddens.setdefault(layer.names, []).append(layer.hidden)
    return {names for names, at in depth.items() if at == len(hiddens[names])}


# ── the rules ─────────────────────────────────────────────────────────────────────────────────────


def _rollout(made: Made, heard: Made, matrix: Tensor, asked: Tensor, own: Names, its: Names) -> Made:
    total = 0.5 * matrix.sum(dim=1, keepdim=True) + 0.5
    out = {}
    for base in {**made, **heard}:
        before = made[base] if base in made else matrix.new_zeros(len(own), heard[base].shape[1])
        after = 0.5 * before + (0.5 * matrix @ heard[base] if base in heard else 0)
        out[base] = torch.where(asked[:, None], after / total, before)
    return out


def _relevancy(made: Made, heard: Made, matrix: Tensor, asked: Tensor, own: Names, its: Names) -> Made:
    out = dict(made)
    for base in heard:
        added = matrix @ heard[base]
        if base == its and its != own:
            added = normalised(made[own]).T @ matrix @ normalised(heard[its])
        out[base] = out[base] + added if base in out else added
    return out


def normalised(relevance: Tensor) -> Tensor:
    """R̄ = I + rownorm(R − I), [token, token]: a row of zeros stays one (Chefer et al., eq. 8, 9)."""
    eye = torch.eye(len(relevance), dtype=relevance.dtype, device=relevance.device)
    rest = relevance - eye
    total = rest.sum(dim=1, keepdim=True)
    return eye + torch.where(total > 0, rest / total.clamp(min=1e-30), torch.zeros_like(rest))
