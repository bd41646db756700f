"""A file becomes Contents: tensors by the names that its authors gave them, and nothing that could run."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.serialization import safe_globals

from vtexplore.errors import WeightsError
from vtexplore.files import writing
from vtexplore.published.scanning import kind_of, scan_legacy, scan_zip
from vtexplore.published.standins import STAND_INS, StandIn

WRAPPERS = ("state_dict", "model_state_dict", "model", "module")
"""Where checkpoints of trainers keep the weights."""


@dataclass(frozen=True)
class Contents:
    """What a file holds.

    ``tensors``: the authors' name → tensor, mapped from the file where it can be. ``inside``: the entry in which
    they stood, and the prefix that all their names had ("" = none). ``beside``: what else the file holds, not read.
    ``stood_in``: full names of classes for which stand-ins were put. ``sha256`` of the file.
    """

    name: str
    tensors: Mapping[str, Tensor]
    sha256: str
    inside: str = ""
    prefix: str = ""
    beside: tuple[str, ...] = ()
    stood_in: tuple[str, ...] = ()

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name → shape."""
        return {name: tuple(t.shape) for name, t in self.tensors.items()}


def read(path: str | Path) -> Contents:
    """The tensors of a checkpoint: safetensors, or a pickle of torch, of which nothing is called.

    Raises ``WeightsError`` for a file that is missing, damaged, or not what it claims to be.
    """
    path = Path(path).expanduser()
    kind = kind_of(path)
    if kind == "safetensors":
        return Contents(path.name, _safetensors(path), sha256(path))
    named = scan_zip(path) if kind == "zip" else scan_legacy(path)
    try:
        with warnings.catch_warnings(), safe_globals([(STAND_INS[name], name) for name in named]):
            warnings.simplefilter("ignore")  # of torch, about storages of old
            loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=kind == "zip")
    except Exception as error:  # torch gives whatever happens to it
        why = str(error).strip().splitlines()[:1] or [type(error).__name__]
        raise WeightsError(f"{path.name} cannot be loaded: {why[0][:160]}. Get the file again.") from error
    tensors, inside, beside = _unwrap(loaded, path.name)
    prefix = "module." if all(name.startswith("module.") for name in tensors) else ""
    tensors = {name.removeprefix(prefix): _plain(name, t, path.name) for name, t in tensors.items()}
    return Contents(path.name, tensors, sha256(path), inside, prefix, beside, tuple(sorted(named)))


def sha256(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def convert(path: str | Path, out: str | Path) -> Contents:
    """Rewrite a checkpoint as safetensors, under its authors' names without wrapping; what stands beside is left out.

    Raises ``WeightsError`` for a file that ``read`` refuses, ``ConfigError`` if ``out`` cannot be written.
    """
    from safetensors.torch import save_file

    contents, seen = read(path), set[int]()
    tensors = {}
    for name, tensor in contents.tensors.items():
        tensor = tensor.contiguous()
        shared = tensor.untyped_storage().data_ptr() in seen  # safetensors stores no tensor twice
        seen.add(tensor.untyped_storage().data_ptr())
        tensors[name] = tensor.clone() if shared else tensor
    with writing(out) as partial:
        save_file(tensors, partial, {"format": "pt", "from": contents.name, "sha256": contents.sha256})
    return contents


def _safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, ValueError, OSError, MemoryError) as error:
        raise WeightsError(f"{path.name} cannot be read as safetensors ({error}). Get the file again.") from error


def _unwrap(loaded: Any, file: str) -> tuple[dict[str, Tensor], str, tuple[str, ...]]:
    """The tensors, the entry that held them, and the other entries."""
    if isinstance(loaded, StandIn):
        return dict(_module(loaded)), type(loaded).__qualname__, ()
    if not isinstance(loaded, dict):
        raise WeightsError(f"{file} holds a {type(loaded).__name__}, not tensors by their names.")
    entries = {key: value for key, value in loaded.items() if isinstance(key, str)}
    tensors = {key: value for key, value in entries.items() if isinstance(value, Tensor)}
    if tensors:
        return tensors, "", tuple(key for key in entries if key not in tensors)
    for inside in WRAPPERS:
        if isinstance(within := entries.get(inside), dict):
            tensors = {k: t for k, t in within.items() if isinstance(k, str) and isinstance(t, Tensor)}
            if tensors:
                return tensors, inside, tuple(key for key in entries if key != inside)
    raise WeightsError(f"{file} holds no tensors, but {', '.join(entries) or 'nothing'}. Is it the right file?")


def _module(module: StandIn, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Tensor]]:
    """Parameters and buffers of a pickled module, by their names in it."""
    state = module.state if isinstance(module.state, dict) else {}
    for kind in ("_parameters", "_buffers"):
        held = state.get(kind)
        for name, tensor in held.items() if isinstance(held, dict) else ():
            if isinstance(tensor, Tensor):
                yield f"{prefix}{name}", tensor
    children = state.get("_modules")
    for name, child in children.items() if isinstance(children, dict) and depth < 32 else ():
        if isinstance(child, StandIn):
            yield from _module(child, f"{prefix}{name}.", depth + 1)


def _plain(name: str, tensor: Tensor, file: str) -> Tensor:
    """A tensor that holds its own numbers; a view could claim terabytes of one."""
    if tensor.layout != torch.strided or tensor.device.type != "cpu":
        raise WeightsError(f"{name} in {file} is no plain tensor. Get the file again.")
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise WeightsError(f"{name} in {file} claims more numbers than the file holds. Get the file again.")
    return tensor.detach()
