"""Three ways to stand beside an attention that was not written to be looked at.

Where transformers asks its ``AttentionInterface`` for a kernel, it is handed one that shows queries and keys to a tap
and then calls the very kernel that it would have had; where an attention takes its softmax in the open, a hook stands
at the dropout behind it; ``nn.MultiheadAttention`` is read from outside. Nothing is changed for good, and nothing at
all is done while nobody listens and nothing is hidden.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from vtexplore.blocks.tap import Tap
from vtexplore.errors import ConfigError
from vtexplore.guests._parts import Part
from vtexplore.types import Stream

HEARD = "vtexplore"
"""The name of our kernel among those of transformers."""
_LAST = re.compile(r"(\.(self|self_attn|attention|attn|att))+$")


@dataclass(frozen=True)
class Look:
    """Who looks at whom, when an attention is called: names of two ``Part``."""

    tap: Tap
    queries: str
    keys: str


@dataclass(frozen=True)
class Spot:
    """An attention of a guest, and its looks; several where one module is called in turn for several."""

    module: nn.Module
    looks: tuple[Look, ...]


@dataclass(frozen=True)
class States:
    """A layer that hands on states: the names of the parts that it puts out, one a call or one an output."""

    module: nn.Module
    taps: tuple[Tap, ...]
    parts: tuple[str, ...]
    sequence_first: bool = False


def find(
    model: nn.Module,
    sites: Sequence[tuple[str, ...]],
    states: Sequence[tuple[str, ...]],
    prefix: str = "",
    optional: Sequence[str] = (),
) -> tuple[list[Spot], list[States]]:
    """The attentions and layers of a model that rules name.

    A rule is a pattern of the module's path (without the ``prefix`` of a model with a head) and "queries>keys" for
    each call in turn, or, for states, the parts put out ("^part": sequence first); ``\\1`` in them is what the pattern
    found. Raises ``ConfigError`` for a rule of a site that nothing answers to, unless it holds one of the ``optional``
    names.
    """
    paths = {path.removeprefix(f"{prefix}."): module for path, module in model.named_modules()}
    spots, layers = [], []
    for pattern, *looks in sites:
        found = [(hit, module) for path, module in paths.items() if (hit := re.fullmatch(pattern, path))]
        if not found and not any(name in pattern for name in optional):
            raise ConfigError(
                f"{type(model).__name__} has no attention at {pattern}: this version of transformers is "
                "built otherwise. Version 5.23 is known to work."
            )
        for hit, module in found:
            site = _LAST.sub("", hit.string)
            pairs = [hit.expand(look).split(">") for look in looks]
            several = len(pairs) > 1
            named = [Look(_tap(f"{site}.{q}" if several else site), q, k) for q, k in pairs]
            spots.append(Spot(module, tuple(named)))
    for pattern, *parts in states:
        for path, module in paths.items():
            if hit := re.fullmatch(pattern, path):
                names = tuple(hit.expand(part) for part in parts)
                first, several = names[0].startswith("^"), len(names) > 1
                taps = tuple(_tap(f"{path}.{name}" if several else path) for name in names)
                layers.append(States(module, taps, tuple(n.removeprefix("^") for n in names), first))
    return spots, layers


def _tap(site: str) -> Tap:
    tap = Tap()
    tap.site = site
    return tap


# ── one forward ───────────────────────────────────────────────────────────────────────────────────


@dataclass
class Ear:
    """What is known during one forward: the parts of this batch, and how often each attention was called."""

    parts: Mapping[str, Part]
    turns: Counter[int] = field(default_factory=Counter)

    def show(self, spot: Spot, shown: Shown) -> Tensor | None:
        """Show a call to its tap: None, or weights [batch · window, head, query, key] that are to be used instead."""
        look, queries, keys = self._now(spot)
        self.turns[id(spot.module)] += 1
        windows = queries.windows
        local = queries.groups is not None
        bias = shown.bias
        if bias is not None and windows > 1:
            bias = _folded(bias.expand(len(shown.q), shown.q.shape[1], *bias.shape[2:]), windows)
        weights = look.tap(
            _folded(shown.q, windows),
            _folded(shown.k, windows),
            bias=bias,
            scale=shown.scale,
            queries=queries.tokens,
            keys=keys.tokens,
            groups=queries.groups,
            key_groups=None if not local or queries.window else keys.groups,
            dropout=shown.dropout > 0,
            given=None if shown.given is None else _folded(shown.given, windows),
        )
        return None if weights is None else _unfolded(weights, windows)

    def hidden(self, spot: Spot, calls: int) -> Tensor | None:
        """Which keys may be seen in the call to come, bool [batch · window, 1, 1, key]; None: all."""
        _, _, keys = self._now(spot)
        if keys.seen is None or bool(keys.seen.all()):
            return None
        seen = keys.seen
        if keys.groups is not None:
            at = keys.groups.to(seen.device)
            seen = (seen[:, at.clamp(min=0)] | (at < 0)).flatten(0, 1)  # padding is there, whatever is hidden
        return seen.repeat_interleave(calls // len(seen), dim=0)[:, None, None]

    def _now(self, spot: Spot) -> tuple[Look, Part, Part]:
        look = spot.looks[self.turns[id(spot.module)] % len(spot.looks)]
        return look, self.parts[look.queries], self.parts[look.keys]

    def see(self, states: States, out: Any) -> Any:
        """Show the states that a layer handed on; returns them on the way that gradients take."""
        outs = list(out) if isinstance(out, tuple | list) else [out]
        turn = 0
        if len(outs) < len(states.parts):  # one a call
            turn = self.turns[id(states.module)] % len(states.parts)
            self.turns[id(states.module)] += 1
        for at, (tap, name) in enumerate(zip(states.taps[turn:], states.parts[turn:], strict=True)):
            if at == len(outs):
                break
            part, x = self.parts[name], outs[at].transpose(0, 1) if states.sequence_first else outs[at]
            hidden = x.reshape(-1, part.count, x.shape[-1])
            mask = hidden.new_ones(hidden.shape[:2], dtype=torch.bool) if part.seen is None else part.seen
            hidden = tap.see(Stream(hidden, mask, part.tokens)).hidden.view_as(x)
            outs[at] = hidden.transpose(0, 1) if states.sequence_first else hidden
        return type(out)(outs) if isinstance(out, tuple | list) else outs[0]


def _folded(x: Tensor, windows: int) -> Tensor:
    """[batch · window, head, …] to [batch, window · head, …]."""
    return x if windows == 1 else x.unflatten(0, (-1, windows)).flatten(1, 2)


def _unfolded(x: Tensor, windows: int) -> Tensor:
    return x if windows == 1 else x.unflatten(1, (windows, -1)).flatten(0, 1)


@dataclass(frozen=True)
class Shown:
    """What an attention computes with: [batch · window, head, query or key, channel], and the logits' ``bias``."""

    q: Tensor
    k: Tensor
    bias: Tensor | None
    scale: float
    dropout: float
    given: Tensor | None = None


@contextmanager
def heard(spots: Sequence[Spot], states: Sequence[States], parts: Mapping[str, Part]) -> Iterator[None]:
    """Stand beside every attention and layer in this block, and leave them as they were."""
    ear = Ear(parts)
    with ExitStack() as stack:
        for spot in spots:
            for handle in _beside(spot)(ear, spot):
                stack.callback(handle.remove)
        for layer in states:
            hook = layer.module.register_forward_hook(lambda _, __, out, layer=layer: ear.see(layer, out))
            stack.callback(hook.remove)
        yield


Handles = list[Any]


def _beside(spot: Spot) -> Callable[[Ear, Spot], Handles]:
    """How to stand beside an attention."""
    module = spot.module
    if isinstance(module, nn.MultiheadAttention):
        return _read_from_outside
    if hasattr(module, "config") and hasattr(sys.modules[type(module).__module__], "ALL_ATTENTION_FUNCTIONS"):
        return _through_interface
    if any(isinstance(child, nn.Dropout) for child in module.children()):
        return _at_dropout
    raise ConfigError(
        f"Nobody can listen to {type(module).__name__} in this version of transformers. Version 5.23 is known to work."
    )


# ── the interface of transformers ─────────────────────────────────────────────────────────────────

_NOW: ContextVar[tuple[Ear, Spot, str] | None] = ContextVar("vtexplore_guest", default=None)


def _through_interface(ear: Ear, spot: Spot) -> Handles:
    """Ask for our kernel while this module runs, and for its own again when it is done."""
    _register()
    before: list[Any] = []

    def enter(module: Any, _: Any) -> None:
        own = module.config._attn_implementation_internal
        before.append((own, _NOW.set((ear, spot, own))))
        module.config._attn_implementation_internal = HEARD

    def leave(module: Any, _: Any, __: Any) -> None:
        if before:
            own, token = before.pop()
            module.config._attn_implementation_internal = own
            _NOW.reset(token)

    return [
        spot.module.register_forward_pre_hook(enter),
        spot.module.register_forward_hook(leave, always_call=True),
    ]


@cache
def _register() -> None:
    from transformers.modeling_utils import AttentionInterface

    AttentionInterface.register(HEARD, _kernel)


def _kernel(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None = None, **options: Any
) -> tuple[Tensor, Tensor | None]:
    """Show the call, and hand it to the kernel that the module would have had."""
    now = _NOW.get()
    if now is None:
        raise ConfigError(f"The kernel {HEARD!r} works only inside a guest. Choose 'sdpa' or 'eager'.")
    ear, spot, own = now
    file = sys.modules[type(module).__module__]
    plain = file.ALL_ATTENTION_FUNCTIONS.get_interface(own, getattr(file, "eager_attention_forward", None))
    scale = options.get("scaling") or query.shape[-1] ** -0.5
    dropout = float(options.get("dropout", 0.0))
    bias = _bias(module, query, key, attention_mask, options.get("is_causal"), own)
    seen, blind = ear.hidden(spot, len(query)), None
    if seen is not None:
        nothing = query.new_zeros(1, 1, 1, 1) if bias is None else bias
        blind = (nothing.masked_fill(~seen, -torch.inf) == -torch.inf).all(dim=-1, keepdim=True)
        bias = nothing.masked_fill(~seen & ~blind, -torch.inf)
        attention_mask = bias.expand(len(query), query.shape[1], query.shape[2], key.shape[2])
    weights = ear.show(spot, Shown(query, key, bias, scale, dropout))
    if weights is None:
        out, kept = plain(module, query, key, value, attention_mask, **options)
    else:
        out, kept = (nn.functional.dropout(weights, dropout).to(value.dtype) @ value).transpose(1, 2), weights
    if blind is not None:
        out = out.masked_fill(blind.expand(-1, -1, query.shape[2], -1).transpose(1, 2), 0.0)
    return out, kept


def _bias(module: Any, q: Tensor, k: Tensor, mask: Tensor | None, causal: bool | None, own: str) -> Tensor | None:
    """What a kernel adds to the logits: the mask it is given, or the one that it makes itself."""
    if mask is None:
        causal = getattr(module, "is_causal", True) if causal is None else causal
        if own == "eager" or not causal or q.shape[2] == 1:
            return None
        before = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool, device=q.device).tril()
        return q.new_zeros(before.shape).masked_fill(~before, -torch.inf)[None, None]
    mask = mask[..., : k.shape[2]]
    return q.new_zeros(mask.shape).masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else mask


# ── a softmax in the open ─────────────────────────────────────────────────────────────────────────


def _at_dropout(ear: Ear, spot: Spot) -> Handles:
    """The weights are what enters the dropout; queries and keys are what left their linear maps before."""
    module: Any = spot.module
    made: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[..., None]:
        def kept(_: Any, __: Any, out: Tensor) -> None:
            made[name] = out

        return kept

    def weigh(dropout: nn.Dropout, given: tuple[Tensor, ...], _: Tensor) -> Tensor | None:
        (weights,) = given
        seen = ear.hidden(spot, len(weights))
        if seen is not None:
            weights = weights * seen
            weights = weights / weights.sum(dim=-1, keepdim=True).clamp(min=torch.finfo(weights.dtype).tiny)
        p = dropout.p if dropout.training else 0.0
        q, k = _heads(made, weights)
        new = ear.show(spot, Shown(q, k, None, q.shape[-1] ** -0.5, p, weights))
        if new is None and seen is None:
            return None
        return nn.functional.dropout(weights if new is None else new.to(weights.dtype), p)

    parts = {
        name: part for name in ("query", "key", "qkv") if isinstance(part := getattr(module, name, None), nn.Linear)
    }
    handles = [part.register_forward_hook(keep(name)) for name, part in parts.items()]
    dropout = next(child for child in module.children() if isinstance(child, nn.Dropout))
    return [*handles, dropout.register_forward_hook(weigh)]


def _heads(made: Mapping[str, Tensor], weights: Tensor) -> tuple[Tensor, Tensor]:
    """Queries and keys [batch, head, token, channel] of what their maps gave, [batch, token, head · channel]."""
    q, k = made["qkv"].chunk(3, dim=-1)[:2] if "qkv" in made else (made["query"], made["key"])
    heads = weights.shape[1]
    return q.unflatten(-1, (heads, -1)).transpose(1, 2), k.unflatten(-1, (heads, -1)).transpose(1, 2)


# ── nn.MultiheadAttention ─────────────────────────────────────────────────────────────────────────


def _read_from_outside(ear: Ear, spot: Spot) -> Handles:
    """Queries and keys are made once more from what entered; what leaves is made anew only if it is to be another."""

    def after(module: Any, given: tuple[Tensor, ...], out: tuple[Tensor, Any]) -> tuple[Tensor, Any] | None:
        x = given[0] if module.batch_first else given[0].transpose(0, 1)  # [batch, token, channel]
        q, k, v = (
            part.unflatten(-1, (module.num_heads, -1)).transpose(1, 2)
            for part in nn.functional.linear(x, module.in_proj_weight, module.in_proj_bias).chunk(3, dim=-1)
        )
        seen, bias, blind = ear.hidden(spot, len(q)), None, None
        if seen is not None:
            blind = ~seen.any(dim=-1, keepdim=True)
            bias = q.new_zeros(seen.shape).masked_fill(~seen & ~blind, -torch.inf)
        shown = Shown(q, k, bias, q.shape[-1] ** -0.5, module.dropout if module.training else 0.0)
        weights = ear.show(spot, shown)
        if weights is None and seen is None:
            return None
        if weights is None:
            weights = (q @ k.transpose(-1, -2) * shown.scale + (0.0 if bias is None else bias)).softmax(dim=-1)
        heard = nn.functional.dropout(weights, shown.dropout).to(v.dtype) @ v
        heard = heard if blind is None else heard.masked_fill(blind, 0.0)
        made = module.out_proj(heard.transpose(1, 2).flatten(2))
        return (made if module.batch_first else made.transpose(0, 1), None)

    return [spot.module.register_forward_hook(after)]
