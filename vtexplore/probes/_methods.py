"""The methods of ``explain``, one function each, in one table.

raw                       where one layer reads from (a head, or the mean of its heads)
rollout, relevancy        attention through all layers; see ``_follow``
gradient × input          (x − x′) · ∇f: what f would lose on the way to x′ if it were a plane
                          (captum's InputXGradient; Shrikumar et al. 2016, arXiv:1605.01713)
integrated gradients      the same along the whole way, so that parts sum to f(x) − f(x′)
                          (captum's IntegratedGradients; Sundararajan et al. 2017, arXiv:1703.01365)
occlusion                 what f loses when a patch, or a word, is taken away (captum's FeatureAblation)
edges                     a control that asks no model: where the picture has edges
                          (after Adebayo et al. 2018, arXiv:1810.03292)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from inspect import signature
from typing import Any

import numpy as np
import torch
from captum.attr import FeatureAblation, InputXGradient, IntegratedGradients
from scipy.ndimage import sobel

from vtexplore.errors import ConfigError
from vtexplore.probes._ask import card_of
from vtexplore.probes._case import AT_ONCE, Case
from vtexplore.probes._descent import Layer, names_of
from vtexplore.probes._follow import Flow, follow, relevance, rolled
from vtexplore.probes._places import REGIONS, patches, regions
from vtexplore.probes._removal import Without, able, over_pixels
from vtexplore.probes._slopes import Slope, slope_of

WINDOWS = "The backbone attends in windows, which are not followed: a patch here is what leaves the backbone."
NO_PATCHES = "What is read off at the end hears no patches in the layers that are followed, so all of them are 0."
NO_WORDS = "No table of words was found in this model, so that words have no part here."
NO_MASK = "This model's tokenizer has no [MASK], so what it says without a word is not known: words have no part here."
FEW = 16  # of a path: clips and texts at one time, each with its gradient


@dataclass(frozen=True)
class Found:
    """What a method found: ``patches`` [frame, row, column] and ``words`` [word] (NaN: not asked).

    ``measured`` says by numbers and names how ("steps", "site" …), ``notes`` what the reader must know.
    """

    patches: np.ndarray
    words: np.ndarray
    measured: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Method:
    """``find`` answers for a case, with options of its own; ``signed``: parts may speak against; ``attention``: it is
    made of attention alone, and says nothing of the model's answer; ``model`` False: it asks no model."""

    find: Callable[..., Found]
    signed: bool
    attention: bool = False
    model: bool = True


def found_by(method: str, case: Case, **options: Any) -> Found:
    """What a method finds. ``ConfigError`` for an unknown method or option, naming those that there are."""
    if method not in METHODS:
        raise ConfigError(f"Unknown method {method!r}; there are {', '.join(METHODS)}.")
    takes = list(signature(METHODS[method].find).parameters)[1:]
    if unknown := [name for name in options if name not in takes]:
        told = f"it takes {', '.join(takes)}" if takes else "it takes none"
        raise ConfigError(f"{method} has no option {unknown[0]!r}; {told}.")
    return METHODS[method].find(case, **options)


# ── attention ─────────────────────────────────────────────────────────────────────────────────────


def raw(case: Case, *, site: str | None = None, head: int | None = None) -> Found:
    """Where what is read off at the end looks, at a ``site`` and ``head`` (None: the card's, or the middle layer).

    The middle is that of the layers that hear patches, if some do.
    """
    flow = follow(case)
    best = card_of(case.model).get("grounding_head") or {}
    shares, sites = [], []
    for end, rows in flow.read:
        layers = [layer for layer in flow.layers if layer.names == end.names]
        asked = [layer for layer in layers if layer.site == (site or best.get("site"))]
        if site is not None and not asked:
            continue
        seeing = [layer for layer in layers if any(patches(call.keys).any() for call in layer.calls)] or layers
        layer = asked[0] if asked else seeing[len(seeing) // 2]
        which = head if head is not None or site is not None or not asked else int(best["head"])
        shares += _looks(layer, rows, which)
        sites.append(layer.site if which is None else f"{layer.site}, head {which}")
    if not shares:
        there = dict.fromkeys(layer.site for layer in flow.layers for end, _ in flow.read if layer.names == end.names)
        raise ConfigError(f"What is asked is not read off at {site!r}; it is at {', '.join(there)}.")
    return _gathered(case, flow, shares, {"site": " and ".join(sites)})


def _looks(layer: Layer, rows: torch.Tensor, head: int | None) -> list[tuple[Any, np.ndarray]]:
    """(tokens, share of each) of what rows of a layer look at, in each of its calls that holds some of them."""
    out = []
    wanted = {layer.names[int(i)] for i in rows}
    for call in layer.calls:
        at = [i for i, name in enumerate(names_of(call.queries)) if name in wanted]
        weights = call.full(call.weights.detach())
        if head is not None and not 0 <= head < len(weights):
            raise ConfigError(f"{layer.site} has {len(weights)} heads, counted from 0: there is no {head}.")
        if at:
            weights = weights.mean(dim=0) if head is None else weights[head]
            out.append((call.keys, weights[at].mean(dim=0).double().cpu().numpy()))
    return out


def rollout(case: Case) -> Found:
    """Attention rollout."""
    flow = follow(case)
    return _gathered(case, flow, _tokens_of(flow, rolled(flow)))


def relevancy(case: Case) -> Found:
    """Relevance by gradient × attention, through all layers."""
    flow = follow(case)
    return _gathered(case, flow, _tokens_of(flow, relevance(flow)))


def _tokens_of(flow: Flow, read: list[tuple[Layer, Any]]) -> list[tuple[Any, np.ndarray]]:
    known = {layer.names: layer.tokens for layer in flow.layers}
    return [
        (known[names], shares.double().cpu().numpy())
        for _, made in read
        for names, shares in made.items()
        if names in known
    ]


def _gathered(case: Case, flow: Flow, shares: list[tuple[Any, np.ndarray]], measured: Any = None) -> Found:
    """Shares of the tokens of several streams, as patches and words."""
    patch, words, seen = np.zeros(case.grid), np.zeros(len(case.words)), False
    for tokens, share in shares:
        mine, said = case.spread(tokens, share)
        words = words + said
        patch, seen = (patch, seen) if mine is None else (patch + mine, True)
    notes = (
        *([WINDOWS] if flow.windows else []),
        *([] if seen else [NO_PATCHES]),
        *([REGIONS] if any(regions(tokens) for tokens, _ in shares) else []),
    )
    return Found(patch, words, dict(measured or {}), notes)


# ── gradients ─────────────────────────────────────────────────────────────────────────────────────


def gradient_x_input(case: Case, *, of: str | None = None) -> Found:
    """One gradient, times the way from x′; ``of`` "pixels" or "embeddings" (None: pixels, if it reaches them)."""
    slope = slope_of(case, of)

    def from_start(*way: torch.Tensor) -> torch.Tensor:
        return slope.ask(*(s + w for s, w in zip(slope.start, way, strict=True)))

    with torch.inference_mode(False), torch.enable_grad():
        way = tuple((x - s).detach().clone().requires_grad_() for x, s in zip(slope.x, slope.start, strict=True))
        parts = InputXGradient(from_start).attribute(way)
    return _sloped(slope, parts, {})


def integrated_gradients(
    case: Case, *, of: str | None = None, steps: int = 32, most: int = 256, gap: float = 0.05
) -> Found:
    """Gradients along the straight way from x′ to x, in ``steps``, doubled up to ``most`` until parts sum up.

    They do if |Σ − (f(x) − f(x′))| ≤ ``gap`` of |f(x) − f(x′)|; what was reached is in ``measured``.
    """
    slope = slope_of(case, of)
    way = tuple(x.detach() for x in slope.x)
    start = tuple(s.detach() for s in slope.start)
    with torch.no_grad():
        change = float(slope.ask(*way) - slope.ask(*start))
    while True:
        with torch.inference_mode(False), torch.enable_grad():
            asked = IntegratedGradients(slope.ask)
            parts = asked.attribute(way, baselines=start, n_steps=steps, internal_batch_size=FEW)
        missing = abs(sum(float(p.sum()) for p in parts) - change) / max(abs(change), 1e-12)
        if missing <= gap or 2 * steps > most:
            break
        steps *= 2
    found = _sloped(slope, parts, {"steps": steps, "gap": missing, "f(x) - f(x')": change})
    if missing > gap:
        told = f"After {steps} steps, parts and their sum still differ by {missing:.0%} of f(x) − f(x′)."
        return Found(found.patches, found.words, found.measured, (*found.notes, told.replace("%", " %")))
    return found


def _sloped(slope: Slope, parts: tuple[torch.Tensor, ...], measured: dict[str, Any]) -> Found:
    patch, words = slope.maps(parts)
    notes = [] if len(parts) > 1 else [NO_WORDS if slope.case.hides_words else NO_MASK]
    if slope.of == "embeddings":
        notes.append("Parts are those of what enters the layers where the clip meets the text: its embeddings.")
    return Found(patch, words, {"of": slope.of} | measured, tuple(notes))


# ── taking away ───────────────────────────────────────────────────────────────────────────────────


def occlusion(case: Case, *, removal: str | None = None, window: tuple[int, int, int] = (1, 1, 1)) -> Found:
    """f(x) − f(x without a part), by a ``removal``; a part is a word, or a ``window`` of frames, rows, columns.

    ``removal`` None: patches are hidden from attention, or have the clip's mean colour where a model cannot have that.
    """
    removal = able(case)[0] if removal is None else removal
    without = Without(case, removal)
    blocks = [np.arange(n) // w for n, w in zip(case.grid, window, strict=True)]
    counts = [int(b[-1]) + 1 for b in blocks]
    part = np.ravel_multi_index(np.meshgrid(*blocks, indexing="ij"), counts)
    count, words = without.patches, len(case.words) if case.hides_words else 0
    index = np.concatenate([part.ravel(), part.max() + 1 + np.arange(words)])

    def ask(kept: torch.Tensor) -> torch.Tensor:
        on = kept.numpy() > 0.5
        return torch.from_numpy(without(on[:, :count], on[:, count:] if words else None))

    found = FeatureAblation(ask).attribute(
        torch.ones(1, len(index), dtype=torch.float64),
        baselines=0.0,
        feature_mask=torch.from_numpy(index)[None],
        perturbations_per_eval=AT_ONCE,
    )
    values = found[0].numpy()
    said = case.without_gap(values[count:].copy()) if words else np.full(len(case.words), np.nan)
    notes = () if words else (NO_MASK,)
    return Found(values[:count].reshape(case.grid), said, {"removal": removal}, notes)


def edges(case: Case) -> Found:
    """How much each patch's pixels change from one to the next: mean length of Sobel's gradient, over colours."""
    video = case.batch.video[0].double().cpu().numpy()
    slope = torch.from_numpy(np.hypot(sobel(video, axis=-1), sobel(video, axis=-2)).mean(axis=1))
    index = torch.arange(int(np.prod(case.grid))).view(1, *case.grid)
    at = over_pixels(case.batch, index)[0, :, 0].flatten()
    total = torch.zeros(index.numel(), dtype=torch.float64).index_add(0, at, slope.flatten())
    patch = (total / torch.bincount(at, minlength=index.numel())).view(case.grid).numpy()
    return Found(patch, np.full(len(case.words), np.nan))


METHODS: Mapping[str, Method] = {
    "raw": Method(raw, signed=False, attention=True),
    "rollout": Method(rollout, signed=False, attention=True),
    "relevancy": Method(relevancy, signed=False),
    "gradient × input": Method(gradient_x_input, signed=True),
    "integrated gradients": Method(integrated_gradients, signed=True),
    "occlusion": Method(occlusion, signed=True),
    "edges": Method(edges, signed=False, model=False),
}
"""Every method that there is. A new one is a function here, or in a file of its own, and a row."""


def close(name: str) -> str:
    """A method by a name that can be typed: "ig", "gradient x input", "integrated_gradients"."""
    plain = name.lower().replace("_", " ").replace(" x ", " × ").strip()
    short = {"ig": "integrated gradients", "gradient": "gradient × input", "gradients": "gradient × input"}
    return short.get(plain, plain)


def needs_method(name: str) -> str:
    """The name as the table has it; ``ConfigError`` names those that there are."""
    if close(name) not in METHODS:
        raise ConfigError(f"Unknown method {name!r}; there are {', '.join(METHODS)}.")
    return close(name)
