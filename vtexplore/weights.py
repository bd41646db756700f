"""A checkpoint becomes the weights of a model: renamed, checked, and nothing left over unsaid.

A published file calls a tensor ``enc_img.swin.norm.weight`` where our page says ``video.swin.norm.weight``.
Rules translate one into the other: patterns of whole published names and what we call them. They must be
a bijection on the file at hand, so that no tensor is loaded twice, or dropped in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import torch
from torch import Tensor, nn

from vtexplore.errors import WeightsError

Rules = Sequence[tuple[str, str]]
"""(pattern of a whole published name, our name with \\1 … for its groups); the first that fits counts."""


def prefixed(rules: Rules, published: str, ours: str) -> tuple[tuple[str, str], ...]:
    """The rules of a part, for a model in which that part is called something: ``enc_img.swin.``, ``video.swin.``."""
    return tuple((re.escape(published) + f"(?:{p})", ours.replace("\\", r"\\") + r) for p, r in rules)


def part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with ``prefix``, called by what follows it."""
    return {name[len(prefix) :]: tensors[name] for name in tensors if name.startswith(prefix)}


def translate(names: Iterable[str], rules: Rules) -> dict[str, str]:
    """Published names to ours. Raises ``WeightsError`` if a name fits no rule or two become one."""
    compiled = [(re.compile(pattern), ours) for pattern, ours in rules]
    found: dict[str, str] = {}
    seen: dict[str, str] = {}
    for name in names:
        for pattern, ours in compiled:
            if match := pattern.fullmatch(name):
                mine = match.expand(ours)
                break
        else:
            raise WeightsError(f"No rule says what {name!r} is called here. Add one to the page, or drop the tensor.")
        if mine in seen:
            raise WeightsError(f"{seen[mine]!r} and {name!r} would both become {mine!r}. Make the rules a bijection.")
        found[name] = seen[mine] = mine
        seen[mine] = name
    return found


def tensors_of(model: nn.Module) -> dict[str, Tensor]:
    """Everything a published file may hold of a model: parameters, and buffers that can be derived."""
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


@dataclass(frozen=True)
class Report:
    """What became of a file's tensors: names of ours that were filled, checked, or not in the file."""

    used: tuple[str, ...]
    checked: tuple[str, ...]
    missing: tuple[str, ...]


def load_state(
    model: nn.Module,
    tensors: Mapping[str, Tensor],
    rules: Rules = ((r"(.*)", r"\1"),),
    doubles: Mapping[str, str] | None = None,
    may_miss: str | None = None,
) -> Report:
    """Fill a model from a file's tensors (published names), in place, in the model's own precision.

    Buffers that we derive (an index of relative positions) are compared with the file's, not replaced:
    a difference means another architecture. ``doubles``: names under which the file stores a tensor a
    second time, and the name of the first. ``may_miss``: pattern of our names that the file may lack.
    Raises ``WeightsError`` for names too many or too few and for shapes that differ, naming them.
    """
    tensors = dict(tensors)
    for second, first in (doubles or {}).items():
        if second in tensors and first in tensors:
            if not torch.equal(tensors[second], tensors[first]):
                raise WeightsError(f"{second!r} and {first!r} should be one tensor, and differ in this file.")
            del tensors[second]
    theirs = {mine: (name, tensors[name]) for name, mine in translate(tensors, rules).items()}
    ours, buffers = tensors_of(model), dict(model.named_buffers())
    extra = sorted(set(theirs) - set(ours))
    missing = sorted(set(ours) - set(theirs) - set(buffers))
    if extra:
        near = get_close_matches(extra[0], ours, n=2)
        hint = f"; nearest here: {', '.join(near)}" if near else ""
        raise WeightsError(f"{len(extra)} tensors have no place in this model: {_some(extra)}{hint}.")
    if lacking := [name for name in missing if may_miss is None or not re.fullmatch(may_miss, name)]:
        raise WeightsError(f"{len(lacking)} tensors are missing from the file: {_some(lacking)}.")
    for mine, (name, tensor) in theirs.items():
        if tensor.shape != ours[mine].shape:
            raise WeightsError(
                f"{name} is {_shape(tensor)} in the file and {_shape(ours[mine])} ({mine}) here. "
                "Build the model with the sizes of the file."
            )
    with torch.no_grad():
        for mine, (name, tensor) in theirs.items():
            if mine in buffers:
                if not torch.equal(tensor.to(buffers[mine]), buffers[mine]):
                    raise WeightsError(f"{name} differs from what this architecture derives ({mine}).")
            else:
                ours[mine].copy_(tensor)
    checked = sorted(set(theirs) & set(buffers))
    return Report(tuple(sorted(set(theirs) - set(buffers))), tuple(checked), tuple(missing))


def _some(names: Sequence[str], count: int = 4) -> str:
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more


def _shape(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "a number"
