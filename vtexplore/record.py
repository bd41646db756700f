"""Model + Batch → Record: one forward, listened to.

    rec = record(model, batch)                              # text rows of every global site
    rec = record(model, batch, rows="all", sites="swin")    # every row of the backbone's windows
    rec = record(model, batch, reduce="frames")             # words × frames: under a megabyte
    rec = record(model, batch, explicit=True)               # weights in the autograd graph

A recorded forward returns bit for bit what a plain one returns (only ``explicit`` mode, which computes
attention in the open so that gradients and edits reach it, differs, by rounding).
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vtexplore import foresight
from vtexplore.blocks.tap import Call, Tap, listening, picked, wide
from vtexplore.errors import ConfigError
from vtexplore.files import writing
from vtexplore.types import Attention, Batch, Output, Stream, Tokens

REDUCERS = (None, "heads", "received", "frames")
CHUNK = 256  # query rows whose weights exist at one time while they are being summed

Edit = Callable[[str, Tensor], Tensor]
WeightsOf = Callable[[slice | Tensor | None], Tensor]
"""Weights [batch, head, row, key] of all rows, a slice of them, or an index [batch, row] of them."""


@dataclass(frozen=True)
class Record:
    """What one listened-to forward left behind: the output, and the attention of the asked sites.

    ``attention`` and ``hidden`` are keyed by site. ``about`` holds the circumstances: model, versions,
    seed, hash of the weights.
    """

    output: Output
    attention: dict[str, Attention]
    hidden: dict[str, Stream] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)

    def between(self, query: str, key: str) -> dict[str, Attention]:
        """The sites where tokens of modality ``query`` look at tokens of modality ``key``."""
        return {
            site: a
            for site, a in self.attention.items()
            if a.queries[0].where(query).any() and a.keys[0].where(key).any()
        }

    def save(self, path: Any) -> None:
        """Write everything to one safetensors file (atomically)."""
        save_record(self, path)

    @staticmethod
    def load(path: Any) -> Record:
        """Read a file written by ``save``."""
        return load_record(path)


@dataclass
class Recorder:
    """A listener that keeps the rows asked for, reduced as asked.

    ``rows``: a modality ("text", "video"), "all", or an index [row] into the queries; ``reduce``: None
    (rows as they are), "heads" (mean over heads), "received" (summed over all queries, per key),
    "frames" (keys summed within each frame); ``explicit`` keeps weights in the graph and lets ``edit``
    replace them: (site, weights [batch, head, query, key]) → weights.
    """

    sites: tuple[str, ...] | None = None
    rows: str | Sequence[int] = "text"
    reduce: str | None = None
    hidden: bool = False
    explicit: bool = False
    edit: Edit | None = None
    attention: dict[str, Attention] = field(default_factory=dict)
    states: dict[str, Stream] = field(default_factory=dict)

    def wants(self, site: str) -> bool:
        """Whether a site was asked for (a prefix names all sites below it)."""
        return self.sites is None or any(
            site == s or site.startswith(f"{s}.") or f".{s}." in f".{site}." for s in self.sites
        )

    def hear(self, call: Call) -> Tensor | None:
        """Keep what was asked for; hand weights back only in explicit mode."""
        if not self.wants(call.site):
            return None
        if call.groups is not None:
            return self._hear_local(call)
        queries, keys = tuple(call.queries()), tuple(call.keys())
        if self.explicit:
            weights = call.weights()
            weights = weights if self.edit is None else self.edit(call.site, weights)
            self.attention[call.site] = Attention(call.site, weights, queries, keys, dropout=call.dropout)
            return weights
        with torch.no_grad():
            kept = self._keep(call, call.weights, queries, keys)
        if kept is not None:
            self.attention[call.site] = kept
        return None

    def see(self, site: str, stream: Stream) -> None:
        """Keep the states that a layer hands on."""
        if self.hidden and self.wants(site):
            kept = stream.hidden if self.explicit else wide(stream.hidden.detach())
            self.states[site] = stream.with_hidden(kept)

    def _keep(
        self, call: Call, weights_of: WeightsOf, queries: tuple[Tokens, ...], keys: tuple[Tokens, ...]
    ) -> Attention | None:
        about: dict[str, Any] = {"reduced": self.reduce, "dropout": call.dropout}
        if self.reduce == "received":
            return Attention(call.site, _received(weights_of, len(queries[0])), _summed(queries), keys, **about)
        index = _row_index(self.rows, queries)
        if index is None:
            return None
        weights, queries = _rows(weights_of, index, queries)
        if self.reduce == "heads":
            weights = weights.mean(dim=1, keepdim=True)
        if self.reduce == "frames":
            weights, keys = _by_frame(weights, keys)
        return Attention(call.site, weights, queries, keys, **about)

    def _hear_local(self, call: Call) -> Tensor | None:
        queries, keys = tuple(call.queries()), tuple(call.keys())
        # Words that look around in groups are rows like all others; a backbone's windows hold no words, and are
        # kept as windows when asked for.
        as_rows = not self.explicit and self.rows != "all" and _row_index(self.rows, queries) is not None
        if not as_rows and self.reduce not in (None, "heads"):
            return None  # summing over windows would mix places that never met
        if not as_rows and self.sites is None and self.rows == "text" and not self.explicit:
            return None
        with nullcontext() if self.explicit else torch.no_grad():
            flat = call.weights()  # [batch, window*head, query, key]
            if self.edit is not None:
                flat = self.edit(call.site, flat)
            assert call.groups is not None
            weights = flat.unflatten(1, (call.groups.shape[0], -1)).transpose(1, 2)
            if self.explicit:  # what is kept lies on the way to the output, so that gradients reach it
                flat = weights.transpose(1, 2).flatten(1, 2)
            if self.reduce == "heads":
                weights = weights.mean(dim=1, keepdim=True)
            about: dict[str, Any] = {"reduced": self.reduce, "dropout": call.dropout}
            kept: Attention | None = Attention(call.site, weights, queries, keys, call.groups, call.key_groups, **about)
            if as_rows and kept is not None:
                kept = self._keep(call, partial(picked, kept.full()), queries, keys)
        if kept is not None:
            self.attention[call.site] = kept
        return flat if self.explicit else None


def _row_index(rows: str | Sequence[int], queries: tuple[Tokens, ...]) -> list[np.ndarray] | slice | None:
    """Which query positions each item keeps; None if the site has none of them."""
    if isinstance(rows, str):
        if rows == "all":
            return slice(None)
        index = [np.flatnonzero(t.where(rows)) for t in queries]
    else:
        index = [np.asarray(rows, dtype=int) for _ in queries]
    return index if any(len(i) for i in index) else None


def _rows(
    weights_of: WeightsOf, index: list[np.ndarray] | slice, queries: tuple[Tokens, ...]
) -> tuple[Tensor, tuple[Tokens, ...]]:
    """Weights [batch, head, row, key] of the rows asked for, and the Tokens of those rows."""
    if isinstance(index, slice):
        return weights_of(None), queries
    longest = max(len(i) for i in index)
    padded = np.zeros((len(index), longest), dtype=np.int64)
    real = np.zeros((len(index), longest), dtype=bool)
    for item, at in enumerate(index):
        padded[item, : len(at)], real[item, : len(at)] = at, True
    weights = weights_of(torch.from_numpy(padded))
    weights = weights * torch.from_numpy(real).to(weights)[:, None, :, None]
    kept = tuple(t[at] + _padding(longest - len(at)) for t, at in zip(queries, index, strict=True))
    return weights, kept


def _padding(count: int) -> Tokens:
    return Tokens.make(["[PAD]"] * count, [{"pad"}] * count)


def _summed(queries: tuple[Tokens, ...]) -> tuple[Tokens, ...]:
    return tuple(Tokens.make(["all queries"], [{"special"}]) for _ in queries)


def _received(weights_of: WeightsOf, queries: int) -> Tensor:
    """Attention received by each key, summed over all queries: [batch, head, 1, key]."""
    total = sum(weights_of(slice(start, start + CHUNK)).sum(dim=2, keepdim=True) for start in range(0, queries, CHUNK))
    assert isinstance(total, Tensor)
    return total


def frames_of(tokens: Tokens) -> list[np.ndarray]:
    """The video tokens of each frame, in order of time: a list of index arrays."""
    video = np.flatnonzero(tokens.where("video", special=True) & ~np.isnan(tokens.span_s[:, 0]))
    spans = sorted({tuple(s) for s in tokens.span_s[video].tolist()})
    return [video[(tokens.span_s[video] == s).all(axis=1)] for s in spans]


def _by_frame(weights: Tensor, keys: tuple[Tokens, ...]) -> tuple[Tensor, tuple[Tokens, ...]]:
    """Keys summed within each frame, and all other keys into one: [batch, head, row, frame + 1]."""
    frames = [frames_of(t) for t in keys]
    count = max(len(f) for f in frames)
    into = torch.zeros(len(keys), weights.shape[-1], count + 1)
    names = []
    for item, (tokens, groups) in enumerate(zip(keys, frames, strict=True)):
        into[item, :, count] = 1
        for number, at in enumerate(groups):
            into[item, at, :] = 0
            into[item, at, number] = 1
        spans = np.array([tokens.span_s[at[0]] for at in groups]).reshape(-1, 2)
        summed = Tokens.make(
            [f"frame {i + 1}" for i in range(len(groups))],
            [{"video"}] * len(groups),
            np.tile([0.0, 0.0, 1.0, 1.0], (len(groups), 1)),
            spans,
        )
        rest = _padding(count - len(groups)) + Tokens.make(["text"], [{"text"}])
        names.append(summed + rest)
    return weights @ into.to(weights)[:, None], tuple(names)


def sites(model: nn.Module) -> tuple[str, ...]:
    """The sites of all taps in a model, in the order in which they are defined."""
    return tuple(m.site for m in model.modules() if isinstance(m, Tap))


def record(
    model: nn.Module,
    batch: Batch,
    sites: str | Sequence[str] | None = None,
    rows: str | Sequence[int] = "text",
    reduce: str | None = None,
    hidden: bool = False,
    explicit: bool = False,
    edit: Edit | None = None,
    at_most: int | None = None,
) -> Record:
    """One forward with the taps listened to.

    ``sites``: a site, a prefix ("fusion") or several; None = every site that has the rows asked for.
    ``rows``: "text" (words only, the default), "video", "all" or positions. ``reduce``: None, "heads",
    "received" or "frames" (see ``Recorder``). ``explicit`` keeps the autograd graph and the weights in
    it; ``edit`` (implies explicit) may replace them. ``at_most``: bytes that the record may take; None: what is free
    on the model's device. Raises ``ConfigError`` for an unknown site or reducer, naming what there is; ``TooBig``
    before anything is computed for a record that would not fit, naming what to leave out.
    """
    if reduce not in REDUCERS:
        known = ", ".join(repr(r) for r in REDUCERS)
        raise ConfigError(f"unknown reducer {reduce!r}; there are {known}")
    wanted = (sites,) if isinstance(sites, str) else None if sites is None else tuple(sites)
    explicit = explicit or edit is not None
    fresh = partial(Recorder, wanted, rows, reduce, hidden, explicit)
    recorder = fresh(edit)
    have = _sites_of(model)
    for name in wanted or ():
        if not any(Recorder((name,)).wants(site) for site in have):
            raise ConfigError(f"no site {name!r} in this model; its sites are {', '.join(have)}")
    batch = beside(model, batch)
    foresight.refuse(model, batch, fresh, at_most)
    with listening(recorder), nullcontext() if explicit else torch.inference_mode():
        output = model(batch)
    return Record(output, recorder.attention, recorder.states, _about(model))


def beside(model: Any, batch: Batch) -> Batch:
    """The batch on the model's device; the batch itself if it is there, or if the model has no parameters."""
    home = next(model.parameters(), None) if isinstance(model, nn.Module) else None
    return batch if home is None or home.device == batch.video.device else batch.to(home.device)


_sites_of = sites  # ``record`` has an argument of that name


def _about(model: nn.Module) -> dict[str, Any]:
    """The circumstances of a record."""
    return {
        "model": getattr(model, "name", type(model).__name__),
        "size": getattr(model, "size", None),
        "weights": getattr(model, "weights_hash", None),
        "training": model.training,
        "precision": getattr(model, "precision", "fp32"),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


# ── a record as one file ──────────────────────────────────────────────────────────────────────────


def save_record(record: Record, path: str | os.PathLike[str]) -> None:
    """Write a record to one safetensors file; the Tokens travel in its header. Atomic."""
    from safetensors.torch import save_file

    tensors: dict[str, Tensor] = {}
    about: dict[str, Any] = {"about": record.about, "attention": {}, "hidden": {}}
    for name in record.output.heads():
        tensors[f"output/{name}"] = getattr(record.output, name)
    for site, a in record.attention.items():
        tensors[f"attention/{site}"] = a.weights
        if a.groups is not None:
            tensors[f"groups/{site}"] = a.groups
        if a.key_groups is not None:
            tensors[f"key_groups/{site}"] = a.key_groups
        about["attention"][site] = {
            "queries": [t.to_dict() for t in a.queries],
            "keys": [t.to_dict() for t in a.keys],
            "reduced": a.reduced,
            "dropout": a.dropout,
        }
    for site, stream in record.hidden.items():
        tensors[f"hidden/{site}"], tensors[f"mask/{site}"] = stream.hidden, stream.mask
        about["hidden"][site] = [t.to_dict() for t in stream.tokens()]
    kept = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
    with writing(path) as partial:
        save_file(kept, partial, {"vtexplore": json.dumps(about)})


def load_record(path: str | os.PathLike[str]) -> Record:
    """Read a record written by ``save_record``; ``ConfigError`` if the file is something else."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as f:
            header = (f.metadata() or {}).get("vtexplore")
            tensors = {k: f.get_tensor(k) for k in f.keys()}  # noqa: SIM118 (not a dict)
    except (OSError, SafetensorError) as error:
        raise ConfigError(f"{path} cannot be read as a saved record: {error}") from error
    if header is None:
        raise ConfigError(f"{path} is a safetensors file, but not a record saved by vtexplore")
    about = json.loads(header)
    attention = {
        site: Attention(
            site,
            tensors[f"attention/{site}"],
            tuple(Tokens.from_dict(t) for t in a["queries"]),
            tuple(Tokens.from_dict(t) for t in a["keys"]),
            groups=tensors.get(f"groups/{site}"),
            key_groups=tensors.get(f"key_groups/{site}"),
            reduced=a["reduced"],
            dropout=a["dropout"],
        )
        for site, a in about["attention"].items()
    }

    def stream(site: str, tokens: list[dict[str, Any]]) -> Stream:
        built = [Tokens.from_dict(t) for t in tokens]
        return Stream(tensors[f"hidden/{site}"], tensors[f"mask/{site}"], lambda: built)

    hidden = {site: stream(site, tokens) for site, tokens in about["hidden"].items()}
    output = Output(**{f.name: tensors.get(f"output/{f.name}") for f in fields(Output)})
    return Record(output, attention, hidden, about["about"])
