"""A checkpoint becomes the weights of a model: renamed, checked, and nothing left over unsaid.

A published file calls a tensor ``enc_img.swin.norm.weight`` where our page says ``video.swin.norm.weight``.
Rules translate one into the other: patterns of whole published names and what we call them. They must be
a bijection on the file at hand, so that no tensor is loaded twice, or dropped in silence.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vtexplore.assets import find
from vtexplore.errors import AssetError, WeightsError
from vtexplore.files import writing

Rules = Sequence[tuple[str, str]]
"""(pattern of a whole published name, our name with \\1 … for its groups); the first that fits counts."""


AS_HERE: Rules = ((r"(.*)", r"\1"),)
"""The rules of a file that calls everything as we do."""


def prefixed(rules: Rules, published: str, ours: str) -> tuple[tuple[str, str], ...]:
    """The rules of a part, for a model in which that part is called something: ``enc_img.swin.``, ``video.swin.``."""
    return tuple((re.escape(published) + f"(?:{p})", ours.replace("\\", r"\\") + r) for p, r in rules)


def repeated(rules: Rules, published: str, ours: str) -> tuple[tuple[str, str], ...]:
    """The rules of a block that is there many times, numbered: ``video_model.blocks.``, ``video.blocks.``."""

    def later(r: str) -> str:  # the number is the first group, so the block's own count from the second
        return re.sub(r"\\(\d)", lambda m: f"\\{int(m[1]) + 1}", r)

    return tuple((re.escape(published) + rf"(\d+)\.(?:{p})", ours + r"\1." + later(r)) for p, r in rules)


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


def derived_of(model: nn.Module) -> dict[str, Tensor]:
    """Buffers that follow from the architecture; the others, a batch norm's statistics, were learned as weights are."""
    learned = model.state_dict()
    return {name: buffer for name, buffer in model.named_buffers() if name not in learned}


def learned_of(model: nn.Module) -> dict[str, Tensor]:
    """What a file must hold of a model: parameters, and buffers that training wrote."""
    derived = derived_of(model)
    return {name: tensor for name, tensor in tensors_of(model).items() if name not in derived}


@dataclass(frozen=True)
class Report:
    """What became of a file's tensors: names of ours that were filled, checked, or not in the file."""

    used: tuple[str, ...]
    checked: tuple[str, ...]
    missing: tuple[str, ...]


def match(
    model: nn.Module,
    shapes: Mapping[str, Sequence[int]],
    rules: Rules = AS_HERE,
    doubles: Mapping[str, str] | None = None,
    may_miss: str | None = None,
) -> dict[str, str]:
    """Published names to ours, for a file whose tensors have these shapes; the model may be on "meta".

    ``doubles``: names under which the file stores a tensor a second time, and the name of the first.
    ``may_miss``: pattern of our names that the file may lack; buffers that we derive may always be.
    Raises ``WeightsError`` for names too many or too few and for shapes that differ, naming them.
    """
    twice = {second for second, first in (doubles or {}).items() if second in shapes and first in shapes}
    found = translate([name for name in shapes if name not in twice], rules)
    ours, derived = tensors_of(model), derived_of(model)
    if extra := sorted(set(found.values()) - set(ours)):
        near = get_close_matches(extra[0], ours, n=2)
        hint = f"; nearest here: {', '.join(near)}" if near else ""
        raise WeightsError(f"{len(extra)} tensors have no place in this model: {_some(extra)}{hint}.")
    missing = sorted(set(ours) - set(found.values()) - set(derived))
    if lacking := [name for name in missing if may_miss is None or not re.fullmatch(may_miss, name)]:
        raise WeightsError(f"{len(lacking)} tensors are missing from the file: {_some(lacking)}.")
    for name, mine in found.items():
        if tuple(shapes[name]) != tuple(ours[mine].shape):
            raise WeightsError(
                f"{name} is {_shape(shapes[name])} in the file and {_shape(ours[mine].shape)} ({mine}) here. "
                "Build the model with the sizes of the file."
            )
    return found


def load_state(
    model: nn.Module,
    tensors: Mapping[str, Tensor],
    rules: Rules = AS_HERE,
    doubles: Mapping[str, str] | None = None,
    may_miss: str | None = None,
) -> Report:
    """Fill a model from a file's tensors (published names), in place, in the model's own precision.

    Buffers that we derive (an index of relative positions) are compared with the file's, not replaced:
    a difference means another architecture. Otherwise as ``match``, errors included.
    """
    for second, first in (doubles or {}).items():
        if second in tensors and first in tensors and not torch.equal(tensors[second], tensors[first]):
            raise WeightsError(f"{second!r} and {first!r} should be one tensor, and differ in this file.")
    shapes = {name: tuple(t.shape) for name, t in tensors.items()}
    theirs = {mine: (name, tensors[name]) for name, mine in match(model, shapes, rules, doubles, may_miss).items()}
    ours, derived = tensors_of(model), derived_of(model)
    with torch.no_grad():
        for mine, (name, tensor) in theirs.items():
            if mine in derived:
                if not torch.equal(tensor.to(derived[mine]), derived[mine]):
                    raise WeightsError(f"{name} differs from what this architecture derives ({mine}).")
            else:
                ours[mine].copy_(tensor)
    checked = sorted(set(theirs) & set(derived))
    missing = sorted(set(ours) - set(theirs) - set(derived))
    return Report(tuple(sorted(set(theirs) - set(derived))), tuple(checked), tuple(missing))


def _some(names: Sequence[str], count: int = 4) -> str:
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more


def _shape(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape)) or "a number"


# ── miniatures: fp16 on disk, shared parts stored once ────────────────────────────────────────────


Place = str | Mapping[str, str]
"""How a shared part's names become those of a model: behind a prefix, or with one prefix in place of another."""


def placed(shared: Mapping[str, Tensor], place: Place) -> dict[str, Tensor]:
    """The tensors of a shared part by the names that they have in a model; those without a place are left out."""
    rules = {"": place} if isinstance(place, str) else place
    return {
        ours + name[len(old) :]: t for old, ours in rules.items() for name, t in shared.items() if name.startswith(old)
    }


def load_miniature(model: nn.Module, name: str, parts: Mapping[str, Place], folder: Path | None = None) -> str:
    """Fill a model with the miniature ``name``: its own tensors, and those of the shared parts that it has.

    ``parts``: kind → the place that the shared file's tensors have in this model. ``folder``: where miniatures
    lie; None = those that come with vtexplore. Returns a SHA-256 of all the files together. Raises
    ``AssetError`` if a file is not there, ``WeightsError`` if a file is not the one that the card names.
    """
    folder = find("miniatures") if folder is None else folder
    card = json.loads((folder / f"{name}.json").read_text("utf-8"))
    ours, digests = tensors_of(model), []
    tensors: dict[str, Tensor] = {}
    for kind, expected in sorted(card["shared"].items()):
        shared, digest = _read(folder / "shared" / f"{kind}.safetensors", expected)
        mine = placed(shared, parts[kind])
        tensors |= {key: t for key, t in mine.items() if key in ours and t.shape == ours[key].shape}
        digests.append(digest)
    own, digest = _read(folder / f"{name}.safetensors", card["sha256"])
    load_state(model, tensors | own)
    return hashlib.sha256("".join([*digests, digest]).encode()).hexdigest()


def start_from_parts(model: nn.Module, parts: Mapping[str, Place], folder: Path) -> None:
    """Fill what a fresh miniature shares with others, in place; names or shapes it has not got are passed over.

    A longer table of embeddings (visual words behind the words, more places) begins with the shared rows.
    """
    ours = tensors_of(model)
    tables = {f"{name}.weight" for name, module in model.named_modules() if isinstance(module, nn.Embedding)}
    with torch.no_grad():
        for kind, place in parts.items():
            shared, _ = _read(folder / "shared" / f"{kind}.safetensors")
            for key, tensor in placed(shared, place).items():
                if key not in ours:
                    continue
                rows = ours[key][: len(tensor)] if key in tables else ours[key]
                if tensor.shape == rows.shape:
                    rows.copy_(tensor)


def save_part(
    model: nn.Module, kind: str, prefix: str, folder: Path, card: Mapping[str, Any], keep: Sequence[str] = ("",)
) -> str:
    """Store a part that miniatures share, with its card; returns the SHA-256 of its file.

    The part's tensors are those whose names begin with ``prefix`` and go on with one of ``keep``.
    """
    named = part(learned_of(model), prefix)
    tensors = {key: _half(key, t) for key, t in named.items() if key.startswith(tuple(keep))}
    return _write(folder / "shared" / f"{kind}.safetensors", tensors, card)


def save_miniature(
    model: nn.Module, name: str, parts: Mapping[str, Place], folder: Path, card: Mapping[str, Any]
) -> str:
    """Store a miniature with its card: only tensors that differ from the shared parts found in ``folder``.

    Returns the SHA-256 of its file; the card names it, and those of the parts.
    """
    tensors = {key: _half(key, t) for key, t in learned_of(model).items()}
    digests = {}
    for kind, place in parts.items():
        path = folder / "shared" / f"{kind}.safetensors"
        if not path.exists():
            continue
        shared, digests[kind] = _read(path)
        for key, t in placed(shared, place).items():
            if key in tensors and torch.equal(tensors[key], t):
                del tensors[key]
    return _write(folder / f"{name}.safetensors", tensors, {**card, "shared": digests})


def _half(name: str, tensor: Tensor) -> Tensor:
    if not tensor.is_floating_point():  # a count of batches would overflow
        return tensor.detach().to("cpu").contiguous()
    half = tensor.detach().to("cpu", torch.float16).contiguous()
    if not half.isfinite().all():
        raise WeightsError(f"{name} does not fit into fp16: it holds {tensor.abs().max():.3g}. Look at its training.")
    return half


def _read(path: Path, expected: str | None = None) -> tuple[dict[str, Tensor], str]:
    """The tensors of a safetensors file, and its SHA-256; ``WeightsError`` if that is not ``expected``."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    if not path.exists():
        raise AssetError(f"{path.name} is missing from {path.parent.name}/. Restore it, or train it again.")
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if expected is not None and digest != expected:
        raise WeightsError(
            f"{path.name} is not the file that its card names (SHA-256 {digest[:12]}…, not {expected[:12]}…). "
            "Restore both from one version."
        )
    try:
        return load(data), digest
    except SafetensorError as error:
        raise WeightsError(f"{path.name} cannot be read as safetensors: {error}. Restore it.") from error


def _write(path: Path, tensors: Mapping[str, Tensor], card: Mapping[str, Any]) -> str:
    from safetensors.torch import save

    data = save(dict(tensors))
    digest = hashlib.sha256(data).hexdigest()
    with writing(path) as partial:
        partial.write_bytes(data)
    with writing(path.with_suffix(".json")) as partial:
        partial.write_text(json.dumps({**card, "sha256": digest}, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return digest
