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
of a backbone, whose grids change from stage to stage, are not followed: patches begin where they leave it. A stream
made of another's tokens (see ``_descent``) goes on where those were, R[its token, theirs], and whoever hears it hears
them; so do tokens that stand beside a stream for one layer. Neither has a matrix of its own for R̄.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vtexplore.blocks.tap import Call, listening
from vtexplore.errors import Unsupported
from vtexplore.probes._case import Case
from vtexplore.probes._descent import Heard, Layer, Names, Source, Step, heard_last, names_of, steps
from vtexplore.types import Stream

Made = dict[Names, Tensor]
"""What a stream is made of: stream → [own token, its token]."""


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
            Heard(call.site, weights, call.k, call.queries()[0], call.keys()[0], call.groups, call.key_groups, call.q)
        )
        return weights

    def see(self, site: str, stream: Stream) -> None:
        """A layer is done."""
        if self.waiting:
            tokens = stream.tokens()[0]
            self.layers.append(Layer(site, tuple(self.waiting), stream.hidden, tokens, names_of(tokens)))
            self.waiting = []


@dataclass(frozen=True)
class Flow:
    """A forward that was followed: its ``layers``, the gradient of the score by each call's weights, and where the
    score is read off: for each stream that is read, its last layer and the rows [row]. ``trace``: who hears whom."""

    layers: tuple[Layer, ...]
    slopes: dict[int, Tensor]
    read: tuple[tuple[Layer, Tensor], ...]
    windows: bool
    trace: tuple[Step, ...] = ()


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
    trace = steps(follower.layers)
    heard = heard_last(trace)
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
    return Flow(tuple(follower.layers), kept, tuple(read), follower.windows, trace)


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
    """The mean of the rows that are read; without the tokens that they began as, if ``less_own``."""
    out = []
    for layer, rows in flow.read:
        mine = dict(made[layer.names])
        if less_own and layer.names in mine:
            mine[layer.names] = mine[layer.names] - torch.eye(len(layer.names), device=rows.device)
        out.append((layer, {names: matrix[rows].mean(dim=0) for names, matrix in mine.items()}))
    return out


# ── the walk ──────────────────────────────────────────────────────────────────────────────────────

Rule = Callable[[Made, Made, Tensor, Tensor, Names, Names], Made]
"""(own R, R of the stream that is heard, Ā [own, its], rows that asked, own names, its names) → own R."""


def _walk(flow: Flow, strength: Callable[[Heard], Tensor], rule: Rule) -> dict[Names, Made]:
    """R of every stream after its last layer."""
    past: dict[Names, list[Made]] = {}
    for step in flow.trace or steps(flow.layers):
        layer = step.layer
        for names, sources in step.begins.items():
            eye = torch.eye(len(names), device=layer.hidden.device)
            past[names] = [_made_of(sources, past) if sources else {names: eye}]
        made = past[layer.names][-1]
        own = {name: i for i, name in enumerate(layer.names)}
        for calls, names, sources in step.heard:
            its = {name: i for i, name in enumerate(names)}
            matrix = layer.hidden.new_zeros(len(own), len(its), dtype=torch.float32)
            asked = torch.zeros(len(own), dtype=torch.bool, device=matrix.device)
            for call in calls:
                rows = _handed_on(flow, call, own)
                columns = torch.tensor([its[n] for n in names_of(call.keys)], device=matrix.device)
                at = torch.tensor([own[n] for n in names_of(call.queries[rows])], device=matrix.device)
                matrix[at[:, None], columns] = strength(call)[torch.from_numpy(rows)].to(matrix)
                asked[at] = True
            made = rule(made, _made_of(sources, past, made), matrix, asked, layer.names, names)
        past[layer.names].append(made)
    return {names: history[-1] for names, history in past.items()}


def _made_of(sources: Sequence[Source], past: Mapping[Names, Sequence[Made]], now: Made | None = None) -> Made:
    """R of a sequence whose tokens come from streams; ``now``: that of the stream whose layer is running."""
    out: Made = {}
    for source in sources:
        made = now if source.depth is None else past[source.stream][source.depth]
        assert made is not None
        for base, matrix in made.items():
            mine = matrix if source.share is None else source.share @ matrix
            out[base] = out[base] + mine if base in out else mine
    return out


def _handed_on(flow: Flow, call: Heard, own: Mapping[Any, int]) -> np.ndarray:
    """Which of a call's queries the layer hands on, int [row]; the others must be heard by nobody.

    ``Unsupported`` if what is asked hangs on one of the others.
    """
    there = np.array([name in own for name in names_of(call.queries)])
    slope = None if there.all() else flow.slopes.get(id(call))
    if slope is not None and bool(call.full(slope)[:, torch.from_numpy(~there)].any()):
        lost = call.queries.labels[int(np.flatnonzero(~there)[0])]
        raise Unsupported(
            f"At {call.site} a token asks that no layer hands on ({lost}), so attention cannot be followed. Take "
            "away patches instead: method='occlusion'."
        )
    return np.flatnonzero(there)


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
